# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restartx and the lab's kubectl agree wherever both do the same job.

Status: the same object state, set on a cluster without controllers, is given to both. Restart, undo, history, pause:
twins in two namespaces of a cluster with controllers, one driven by kubectl, one by our modules; their words and the
resulting objects agree, apart from our annotations and the time.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from house import KINDS, RESTARTED_AT, Namespace, entry_of, outcomes, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, status
from tests.unit.rollout.status_cases import CASES, DEPLOYED, DONE, FAILED, GOES_ON, STATEFUL, WAITING, Case

# --- status -----------------------------------------------------------------------------------------------------------

WAIT = "3s"  # how long kubectl watches what is not done: enough to ask on a busy machine
MORE_CASES = [
    Case("ReplicaSet", 0, "another kind", FAILED, "no status viewer has been implemented for ReplicaSet.apps", {}),
    Case(
        "StatefulSet",
        5,
        "strategy left to the API server, which fills in partition 0",
        DONE,
        "partitioned roll out complete: 3 new pods have been updated...",
        {"observedGeneration": 1, "replicas": 3, **STATEFUL, "currentRevision": "api-1", "updateRevision": "api-2"},
        {"replicas": 3, "updateStrategy": None},
    ),
    Case(
        "Deployment",
        4,
        "paused, so it waits for ever",
        WAITING,
        f"{GOES_ON} 0 out of 3 new replicas have been updated...",
        {"observedGeneration": 1, **DEPLOYED, "updatedReplicas": 0},
        {"replicas": 3, "paused": True},
    ),
]
ALL_CASES = [*CASES, *MORE_CASES]


@dataclass(frozen=True)
class Seen:
    """What kubectl said of a case, and the object that it looked at."""

    verdict: tuple[str, str]
    object: dict


@pytest.fixture(scope="module")
def seen(lab):
    """Each case on a server that keeps the status it was given, by the case's id."""
    (still,) = lab.up(["still"], nodes=0, controllers=False)
    objects = [_object(case, f"case-{place}") for place, case in enumerate(ALL_CASES)]
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"case-{n}"}} for n in range(len(ALL_CASES))
    ]
    still.kubectl("create", "-f", "-", input=_list(spaces + objects))
    still.kubectl("replace", "--subresource=status", "-f", "-", input=_list(objects))
    stored = still.kubectl("get", "deploy,ds,sts,rs", "--all-namespaces", "-o", "json").stdout
    by_namespace = {item["metadata"]["namespace"]: item for item in json.loads(stored)["items"]}
    with ThreadPoolExecutor(16) as pool:
        verdicts = pool.map(lambda thing, case: _kubectls_verdict(still, thing, case), objects, ALL_CASES)
        return {
            case.id: Seen(verdict, by_namespace[thing["metadata"]["namespace"]])
            for case, thing, verdict in zip(ALL_CASES, objects, verdicts)
        }


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.id)
def test_status_is_judged_alike(case, seen):
    ours = status.judge(seen[case.id].object, revision=case.revision)
    assert seen[case.id].verdict == (ours.state, ours.message) == (case.state, case.message)


def _object(case, namespace):
    thing = workload(case.kind, "api", **case.spec)
    thing["metadata"] |= {"namespace": namespace, "annotations": case.annotations}
    return thing | {"status": {"replicas": 0} | case.status if case.kind != "DaemonSet" else case.status}


def _kubectls_verdict(still, thing, case):
    """Its state and message; waiting is what kubectl would go on watching."""
    name = f"{case.kind}/api"
    pin = [f"--revision={case.revision}"] if case.revision else []
    space = thing["metadata"]["namespace"]
    done = still.kubectl("rollout", "status", name, f"--namespace={space}", f"--timeout={WAIT}", *pin, check=False)
    if done.returncode == 0:
        return DONE, done.stdout.strip()
    if "timed out waiting for the condition" in done.stderr:
        return WAITING, done.stdout.strip()
    return FAILED, _error(done)


# --- twins ------------------------------------------------------------------------------------------------------------


UNPAUSABLE = ["DaemonSet", "StatefulSet"]


@dataclass(frozen=True)
class Twins:
    """Two namespaces with the same workloads: kubectl works in one, our modules in the other."""

    theirs: Namespace
    ours: Namespace

    def create(self, *things, **how):
        for space in (self.theirs, self.ours):
            space.create(*things, **how)

    def deploy(self, *things):
        """Bring out a new version by server-side apply, and wait until it is there."""
        for space in (self.theirs, self.ours):
            space.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=_list(things))
        for space in (self.theirs, self.ours):
            space.rolled_out(*(f"{thing['kind']}/{thing['metadata']['name']}" for thing in things))

    def same(self, kind, name):
        """Assert that both objects say the same, and give ours."""
        theirs, ours = (space.get(kind, name) for space in (self.theirs, self.ours))
        assert _comparable(theirs) == _comparable(ours)
        return ours


@pytest.fixture(scope="module")
def twins(cluster, operator, make_namespace):
    return Twins(*(Namespace(cluster, operator, make_namespace(name)) for name in ("theirs", "ours")))


def test_restart_changes_the_same_and_says_the_same(twins):
    twins.create(*(workload(kind, "simple") for kind in KINDS))
    before = datetime.now(UTC) - timedelta(seconds=1)
    names = [f"{kind}/simple" for kind in KINDS]
    at_work = twins.ours.start("restart", kind=list(KINDS), name=["simple"])
    said = twins.theirs.kubectl("rollout", "restart", *names).stdout
    assert said.splitlines() == [f"{kinds.KINDS[kind].name.lower()}.apps/simple restarted" for kind in KINDS]
    result = at_work.result()
    twins.theirs.rolled_out(*names)
    assert [entry["outcome"] for entry in result["results"]] == ["restarted"] * 3
    for entry in result["results"]:
        kind = entry["kind"]
        twins.same(kind, "simple")
        assert entry["message"] == _status_words(twins.theirs, kind, "simple")
        for space in (twins.theirs, twins.ours):
            at = datetime.fromisoformat(space.annotations(kind, "simple")[RESTARTED_AT])
            assert before <= at <= datetime.now(UTC)


def test_a_paused_deployment_is_not_restarted_and_others_are(twins):
    twins.create(workload("Deployment", "sleeping", paused=True), ready=False)
    twins.create(workload("Deployment", "awake"))
    done = twins.theirs.kubectl("rollout", "restart", "deployment/sleeping", "deployment/awake", check=False)
    result = twins.ours.run("restart", name=["sleeping", "awake"], on_failure="continue")
    words = "can't restart paused deployment (run rollout resume first)"
    assert done.returncode == 1 and f'deployments.apps "sleeping" {words}' in done.stderr
    assert entry_of(result, "sleeping")["message"].startswith(words)
    assert outcomes(result) == {"sleeping": "refused", "awake": "restarted"}
    for name in ("sleeping", "awake"):
        twins.same("Deployment", name)


def test_differing_on_purpose_kubectl_calls_workloads_restarted_whose_pods_stay_and_we_refuse_them(twins):
    twins.create(*(workload(kind, "manual", updateStrategy={"type": "OnDelete"}) for kind in UNPAUSABLE), ready=False)
    names = [f"{kind}/manual" for kind in UNPAUSABLE]
    assert twins.theirs.kubectl("rollout", "restart", *names).stdout.count("restarted") == 2
    result = twins.ours.run("restart", kind=UNPAUSABLE, name=["manual"])
    assert result["summary"] == {"refused": 2} and "OnDelete" in result["msg"]
    for kind in UNPAUSABLE:
        assert RESTARTED_AT not in twins.ours.annotations(kind, "manual")


@pytest.fixture(scope="module")
def deployed(twins):
    """A workload of each kind at its third revision, each with a change-cause, the second without."""
    for version, cause in (1, "first"), (2, ""), (3, "third"):
        twins.deploy(*(_version(kind, version, cause) for kind in KINDS))
    return twins


def _version(kind, number, cause):
    thing = workload(kind, "shop")
    thing["metadata"]["annotations"] = {"example.com/version": str(number)}
    if cause:
        thing["metadata"]["annotations"]["kubernetes.io/change-cause"] = cause
    thing["spec"]["template"]["spec"]["containers"][0]["image"] = f"localhost/shop:{number}"
    return thing


def test_history_shows_the_same_revisions_and_causes(deployed):
    _same_history(deployed)


def test_undo_goes_back_to_the_same_revision_and_then_forth_again(deployed):
    for image in ("localhost/shop:2", "localhost/shop:3"):
        at_work = deployed.ours.start("undo", kind=list(KINDS), name=["shop"])
        for kind in KINDS:
            said = deployed.theirs.kubectl("rollout", "undo", f"{kind}/shop").stdout
            assert said == f"{kind.lower()}.apps/shop rolled back\n"
        result = at_work.result()
        deployed.theirs.rolled_out(*(f"{kind}/shop" for kind in KINDS))
        assert [entry["outcome"] for entry in result["results"]] == ["undone"] * 3
        for kind in KINDS:
            ours = deployed.same(kind, "shop")
            assert ours["spec"]["template"]["spec"]["containers"][0]["image"] == image
    _same_history(deployed)


def test_differing_on_purpose_kubectl_undoes_one_revision_too_many_while_an_old_pod_keeps_the_newest_away(twins):
    stuck = workload("Deployment", "stuck", strategy={"type": "Recreate"})
    for release in ("one", "two"):
        stuck["spec"]["template"]["spec"]["containers"][0]["image"] = f"localhost/shop:{release}"
        twins.deploy(stuck)
    hold = ("--type=merge", "--patch", '{"metadata": {"finalizers": ["lab.restartx.io/hold"]}}')
    release = ("--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
    pods = {}
    for space in (twins.theirs, twins.ours):
        space.at_rest("Deployment/stuck")
        (pods[space.name],) = [pod["metadata"]["name"] for pod in space.list("pods", "app=stuck")]
        space.kubectl("patch", f"pod/{pods[space.name]}", *hold)
    try:
        twins.theirs.kubectl("rollout", "restart", "deployment/stuck")
        result = twins.ours.run("restart", name=["stuck"], timeout="3s")
        assert outcomes(result) == {"stuck": "unfinished"}
        twins.theirs.kubectl("rollout", "undo", "deployment/stuck")
        assert outcomes(twins.ours.run("undo", name=["stuck"], wait=False)) == {"stuck": "undone"}
    finally:
        for space in (twins.theirs, twins.ours):
            space.kubectl("patch", f"pod/{pods[space.name]}", *release, check=False)
    for space, image in ((twins.theirs, "localhost/shop:one"), (twins.ours, "localhost/shop:two")):
        assert space.template("Deployment", "stuck")["spec"]["containers"][0]["image"] == image


def test_undo_to_a_numbered_revision(deployed):
    at_work = deployed.ours.start("undo", kind=list(KINDS), name=["shop"], to_revision=1)
    for kind in KINDS:
        deployed.theirs.kubectl("rollout", "undo", f"{kind}/shop", "--to-revision=1")
    result = at_work.result()
    deployed.theirs.rolled_out(*(f"{kind}/shop" for kind in KINDS))
    assert result["summary"] == {"undone": 3}
    for kind in KINDS:
        ours = deployed.same(kind, "shop")
        assert ours["spec"]["template"]["spec"]["containers"][0]["image"] == "localhost/shop:1"
    _same_history(deployed)


def test_undo_to_the_current_revision_is_skipped(deployed):
    (number,) = {deployed.ours.revisions(kind, "shop")[-1] for kind in KINDS}
    words = f"skipped rollback (current template already matches revision {number})"
    for kind in KINDS:
        done = deployed.theirs.kubectl("rollout", "undo", f"{kind}/shop", f"--to-revision={number}")
        assert done.stdout == f"{kind.lower()}.apps/shop {words}\n"
    result = deployed.ours.run("undo", kind=list(KINDS), name=["shop"], to_revision=number)
    assert result["changed"] is False
    assert [entry["message"] for entry in result["results"]] == [words] * 3


@pytest.mark.parametrize("number", [99, -1])
def test_a_revision_that_is_not_there_is_refused_in_the_same_words(deployed, number):
    done = deployed.theirs.kubectl("rollout", "undo", "deployment/shop", f"--to-revision={number}", check=False)
    result = deployed.ours.run("undo", kind=list(KINDS), name=["shop"], to_revision=number)
    words = f"unable to find specified revision {number} in history"
    assert _error(done) == words
    assert words in result["msg"]
    assert result["changed"] is False


def test_history_refuses_a_revision_in_the_same_words(deployed):
    for number, words in (99, "unable to find the specified revision"), (-1, "revision must be a positive integer: -1"):
        done = deployed.theirs.kubectl("rollout", "history", "deployment/shop", f"--revision={number}", check=False)
        assert _error(done) == words
        assert words in deployed.ours.run("history", name=["shop"], revision=number)["msg"]


def test_without_an_earlier_revision_there_is_nothing_to_undo(twins):
    twins.create(*(workload(kind, "fresh") for kind in KINDS))
    result = twins.ours.run("undo", kind=list(KINDS), name=["fresh"])
    for entry in result["results"]:
        done = twins.theirs.kubectl("rollout", "undo", f"{entry['kind']}/fresh", check=False)
        assert entry["outcome"] == "refused"
        assert entry["message"].startswith(_error(done))


def test_undo_of_what_kubectl_apply_made_warns_in_the_same_words(twins):
    for image in ("localhost/shop:1", "localhost/shop:2"):
        thing = workload("Deployment", "applied")
        thing["spec"]["template"]["spec"]["containers"][0]["image"] = image
        for space in (twins.theirs, twins.ours):
            space.kubectl("apply", "-f", "-", input=json.dumps(thing))
            space.rolled_out("deployment/applied")
    warned = twins.theirs.kubectl("rollout", "undo", "deployment/applied").stderr
    result = twins.ours.run("undo", name=["applied"])
    assert warned.removeprefix("Warning: ").strip() in str(result["warnings"])
    twins.theirs.rolled_out("deployment/applied")
    twins.same("Deployment", "applied")


def test_pause_and_resume_change_the_same_and_say_the_same(twins):
    twins.create(workload("Deployment", "pausing"))
    for verb, state, already in ("pause", "paused", "is already paused"), ("resume", "resumed", "is not paused"):
        said = twins.theirs.kubectl("rollout", verb, "deployment/pausing").stdout
        result = twins.ours.run("pause", name=["pausing"], state=state)
        assert said == f"deployment.apps/pausing {state}\n"
        assert (result["changed"], outcomes(result)) == (True, {"pausing": state})
        twins.same("Deployment", "pausing")
        again = twins.theirs.kubectl("rollout", verb, "deployment/pausing", check=False)
        result = twins.ours.run("pause", name=["pausing"], state=state)
        assert _error(again) == f'deployments.apps "pausing" {already}'
        assert (result["changed"], result["results"][0]["message"]) == (False, already)


def test_a_paused_deployment_is_not_undone(deployed):
    for space in (deployed.theirs, deployed.ours):
        space.kubectl("rollout", "pause", "deployment/shop")
    done = deployed.theirs.kubectl("rollout", "undo", "deployment/shop", check=False)
    result = deployed.ours.run("undo", name=["shop"])
    assert result["results"][0]["message"].startswith(_error(done))
    assert _error(done).startswith("you cannot rollback a paused deployment")
    deployed.same("Deployment", "shop")


def test_only_deployments_are_paused(twins):
    twins.create(*(workload(kind, "pausing") for kind in UNPAUSABLE), ready=False)
    for verb, state, words in ("pause", "paused", "pausing"), ("resume", "resumed", "resuming"):
        result = twins.ours.run("pause", kind=UNPAUSABLE, name=["pausing"], state=state)
        assert result["changed"] is False and f"{words} is not supported" in result["msg"]
        for kind in UNPAUSABLE:
            done = twins.theirs.kubectl("rollout", verb, f"{kind}/pausing", check=False)
            assert _error(done) == f'{kind.lower()}s.apps "pausing" {words} is not supported'


def _same_history(twins):
    """Assert that kubectl's table and ours have the same rows."""
    result = twins.ours.run("history", kind=list(KINDS), name=["shop"])
    for entry in result["results"]:
        table = twins.theirs.kubectl("rollout", "history", f"{entry['kind']}/shop").stdout
        rows = [tuple(line.split(maxsplit=1)) for line in table.splitlines() if re.match(r"\d", line)]
        assert rows == [(str(r["revision"]), r["change_cause"] or "<none>") for r in entry["revisions"]]
        assert len(rows) == 3


def _status_words(space, kind, name):
    return space.kubectl("rollout", "status", f"{kind}/{name}").stdout.strip().splitlines()[-1]


def _comparable(thing):
    """What a workload says, without what differs between any two and without our annotations and the time."""
    thing = deepcopy(thing)
    meta = thing["metadata"]
    marks = thing["spec"]["template"]["metadata"].get("annotations", {})
    thing["spec"]["template"]["metadata"]["annotations"] = {
        name: "a time" if name == RESTARTED_AT else value
        for name, value in marks.items()
        if not name.startswith("restartx.io/")
    }
    annotations = {name: value for name, value in meta.get("annotations", {}).items() if "last-applied" not in name}
    return {
        "spec": thing["spec"],
        "labels": meta.get("labels"),
        "annotations": annotations,
        "generation": meta["generation"],
    }


def _error(done):
    """What kubectl complains of, bare."""
    return done.stderr.strip().removeprefix("error: ").removeprefix("error: ")


def _list(items):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
