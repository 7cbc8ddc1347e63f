# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run goes on through what happens to API servers and networks, and restarts each workload once."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from gate import LOSE_ANSWER, LOSE_REQUEST, Gate, Reply
from house import RUN, USER_AGENT, entry_of, now, outcomes, patches, workload

from lab.poll import wait_until

NAMES = [f"app-{number}" for number in range(4)]
RUN_ID = "20261124-220000-hard"
SLOW = {"labels": {"lab.restartx.io/failure": "slow-start"}, "delay": "6s"}


@pytest.fixture
def apps(namespace):
    """A namespace with four Deployments."""
    namespace.create(*(workload("Deployment", name) for name in NAMES))
    return namespace


@pytest.fixture
def through(operator):
    """Runs a restart of the Deployments of a namespace through a gate with this rule; the result."""

    def run(namespace, rule, **options):
        with Gate(namespace.cluster, rule) as gate:
            return namespace.run("restart", kubeconfig=gate.kubeconfig(operator), **options)

    return run


def first_of_each(verb, deed):
    """A rule that does something to the first request of this method for each object."""
    seen = set()

    def rule(method, target):
        path = target.partition("?")[0]
        if method != verb or path in seen:
            return None
        seen.add(path)
        return deed

    return rule


def assert_restarted_once(namespace, result, names=tuple(NAMES)):
    assert not result.get("failed"), result["msg"]
    assert outcomes(result) == dict.fromkeys(names, "restarted")
    assert result["changed"] and all(entry["changed"] for entry in result["results"])
    assert [namespace.revisions("Deployment", name) for name in names] == [[1, 2]] * len(names)


def asked(namespace):
    """How often each verb was asked for on a namespace's Deployments; not on pods, which are looked at where it is slow."""
    return Counter(
        event["verb"]
        for event in namespace.cluster.requests(USER_AGENT)
        if (event["objectRef"].get("namespace"), event["objectRef"]["resource"]) == (namespace.name, "deployments")
    )


def test_the_api_server_is_restarted_in_the_middle(namespace):
    namespace.create(*(workload("Deployment", name, **SLOW) for name in NAMES), ready=False)
    running = namespace.start("restart", run_id=RUN_ID, stagger="3s")
    namespace.carries(RUN_ID, "Deployment", NAMES[0])
    namespace.cluster.stop("kube-apiserver")
    namespace.cluster.start("kube-apiserver")
    assert_restarted_once(namespace, running.result())


def test_the_answers_of_the_patches_are_lost(apps, through):
    began = now()
    result = through(apps, first_of_each("PATCH", LOSE_ANSWER))
    assert_restarted_once(apps, result)
    # Each patch was carried out unseen, and its repetition refused.
    answers = Counter(patches(apps.cluster, began, code=200)), Counter(patches(apps.cluster, began, code=409))
    assert answers == (Counter(NAMES), Counter(NAMES))


def test_an_undo_whose_answers_are_lost_is_not_undone_by_its_repetition(apps, operator):
    for run in ("r1", "r2"):
        assert apps.run("restart", run_id=run)["summary"] == {"restarted": len(NAMES)}
    with Gate(apps.cluster, first_of_each("PATCH", LOSE_ANSWER)) as gate:
        result = apps.run("undo", kubeconfig=gate.kubeconfig(operator))
    assert outcomes(result) == dict.fromkeys(NAMES, "undone") and result["changed"]
    assert [apps.annotations("Deployment", name)[RUN] for name in NAMES] == ["r1"] * len(NAMES)


@pytest.mark.parametrize("verb", ["PATCH", "GET"])
def test_connections_break_before_the_request_arrives(apps, through, verb):
    began = now()
    assert_restarted_once(apps, through(apps, first_of_each(verb, LOSE_REQUEST)))
    assert Counter(patches(apps.cluster, began)) == Counter(NAMES)


def test_every_watch_breaks_after_every_patch(apps, through):
    with Gate(apps.cluster) as gate:
        running = apps.start("restart", kubeconfig=gate.kubeconfig(apps.operator), run_id=RUN_ID, max_parallel=1)
        for name in NAMES:
            apps.carries(RUN_ID, "Deployment", name)
            gate.drop_watches()
        result = running.result()
    assert_restarted_once(apps, result)
    assert asked(apps)["watch"] > 1


BUSY = Reply(429, headers={"Retry-After": "2"})


@pytest.mark.parametrize("deed", [BUSY, Reply(503), Reply(500), Reply(504)], ids=lambda deed: str(deed.status))
def test_the_server_is_too_busy_or_fails_for_a_while(apps, through, deed):
    began = now()
    result = through(apps, first_of_each("PATCH", deed))
    assert_restarted_once(apps, result)
    assert Counter(patches(apps.cluster, began)) == Counter(NAMES)
    if deed is BUSY:
        assert all(entry["duration"] >= 2 for entry in result["results"])


def test_the_server_no_longer_remembers_what_the_watch_asks_for(apps, through):
    gone = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
    line = json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n"
    told = []

    def rule(method, target):
        if "watch=true" in target and not told:
            told.append(target)
            return Reply(200, line)
        return None

    assert_restarted_once(apps, through(apps, rule))
    assert told
    assert (asked(apps)["list"], asked(apps)["watch"]) == (2, 1)


def test_a_server_that_stays_away_ends_the_call_at_its_deadline(namespace):
    namespace.create(workload("Deployment", "app-0", **SLOW), workload("Deployment", "app-1"), ready=False)
    with Gate(namespace.cluster) as gate:
        through = gate.kubeconfig(namespace.operator)
        running = namespace.start("restart", kubeconfig=through, max_parallel=1, wait_timeout="6s", run_id=RUN_ID)
        namespace.carries(RUN_ID, "Deployment", "app-0")
        gate.rule = lambda method, target: LOSE_REQUEST
        gate.drop_watches()
        result = running.result()
    assert outcomes(result) == {"app-0": "unfinished", "app-1": "not_started"}
    assert "the wait_timeout of 6s for the whole call is over" in entry_of(result, "app-0")["message"]
    assert result["failed"] and result["changed"] and result["duration"] < 40
    assert RUN not in namespace.annotations("Deployment", "app-1")


FROZEN = {NAMES[1]: "yes"}
FREEZE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: freeze}
spec:
  failurePolicy: Fail
  matchConstraints:
    objectSelector: {matchLabels: {frozen: "yes"}}
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
  validations: [{expression: "false", message: "the shop is frozen until Monday"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: freeze}
spec: {policyName: freeze, validationActions: [Deny]}
"""


@pytest.fixture
def frozen(namespace):
    """A namespace in which the second of the Deployments may not be changed."""
    namespace.create(*(workload("Deployment", name, labels={"frozen": FROZEN.get(name, "no")}) for name in NAMES))
    namespace.cluster.apply(FREEZE)
    trial = ("annotate", "deployment", NAMES[1], "trial=yes", "--overwrite", "--dry-run=server")
    wait_until(lambda: "frozen until Monday" in namespace.kubectl(*trial, check=False).stderr, "the policy to work")
    yield namespace
    namespace.cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "freeze")


def test_a_denied_change_is_told_in_the_policys_words(frozen):
    began = now()
    check = frozen.run("restart", check=True, on_failure="continue")
    assert outcomes(check) == {name: "failed" if name == NAMES[1] else "restarted" for name in NAMES}
    assert "the shop is frozen until Monday" in entry_of(check, NAMES[1])["message"]

    stopped = frozen.run("restart", max_parallel=1)
    assert list(outcomes(stopped).values()) == ["restarted", "failed", "not_started", "not_started"]
    assert "the shop is frozen until Monday" in stopped["msg"]

    rest = frozen.run("restart", on_failure="continue", run_id=stopped["run_id"])
    assert list(outcomes(rest).values()) == ["already_restarted", "failed", "restarted", "restarted"]
    # Asked once each time, in check mode too: a denial is no trouble that passes.
    assert patches(frozen.cluster, began, code=422) == [NAMES[1]] * 3
    assert [len(frozen.revisions("Deployment", name)) for name in NAMES] == [2, 1, 2, 2]


def test_a_quota_that_leaves_no_room_for_a_rollout_is_named(namespace):
    namespace.create(workload("Deployment", "api", strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}))
    namespace.kubectl("create", "quota", "tight", "--hard=pods=1")
    wait_until(
        lambda: namespace.get("resourcequota", "tight").get("status", {}).get("used", {}).get("pods") == "1",
        "the quota to count",
    )
    (entry,) = namespace.run("restart", timeout="4s")["results"]
    assert (entry["outcome"], entry["cause"]["code"]) == ("unfinished", "quota")
    assert "exceeded quota: tight" in entry["cause"]["sentence"]
