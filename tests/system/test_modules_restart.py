# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart does to workloads, and what check mode leaves alone."""

from __future__ import annotations

import datetime
import os

import pytest

from house import KINDS, RESTARTED_AT, RUN, USER_AGENT, entry_of, now, outcomes, patches, workload

NAMES = {kind: f"a-{kind.lower()}" for kind in KINDS}
CHANGE_CAUSE = "kubernetes.io/change-cause"
TOLD = {"ticket": "CHG0042", "reason": "certificates renewed", "operator": "ada"}


@pytest.fixture(scope="module")
def trio(shared_namespace):
    """One workload of each kind."""
    shared_namespace.create(*(workload(kind, name) for kind, name in NAMES.items()))
    return shared_namespace


def versions(namespace):
    return {name: namespace.get(kind, name)["metadata"]["resourceVersion"] for kind, name in NAMES.items()}


def all_revisions(namespace):
    return {name: namespace.revisions(kind, name) for kind, name in NAMES.items()}


def pod_uids(namespace):
    return {pod["metadata"]["uid"] for pod in namespace.list("pods")}


def test_all_three_kinds_are_restarted_together_and_each_gets_one_new_revision(trio):
    revisions, pods, began = all_revisions(trio), pod_uids(trio), now()
    result = trio.run("restart", kind=list(KINDS), **TOLD)
    assert outcomes(result) == dict.fromkeys(NAMES.values(), "restarted")
    assert (result["changed"], result["summary"]) == (True, {"restarted": 3})
    assert all_revisions(trio) == {name: [*old, old[-1] + 1] for name, old in revisions.items()}
    for kind, name in NAMES.items():
        entry, workload_now = entry_of(result, name), trio.get(kind, name)
        written = workload_now["spec"]["template"]["metadata"]["annotations"]
        at = datetime.datetime.fromisoformat(written.pop(RESTARTED_AT))
        assert began.replace(microsecond=0) <= at <= now()
        assert written == {RUN: result["run_id"], **{f"restartx.io/{name}": value for name, value in TOLD.items()}}
        assert CHANGE_CAUSE not in workload_now["metadata"].get("annotations", {})
        assert (entry["kind"], entry["uid"]) == (kind, workload_now["metadata"]["uid"])
        assert entry["changed"] and entry["cause"] is None
    # The old pods may still be on their way out, but there are new ones.
    assert len(pod_uids(trio) - pods) == len(trio.cluster.node_names()) + 2


def test_the_result_tells_the_cluster_and_what_kubectl_would_say(trio):
    result = trio.run("restart", name=NAMES["Deployment"])
    uid = trio.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout
    assert result["cluster"] == {"host": trio.cluster.server, "context": "eu-west", "uid": uid}
    (entry,) = result["results"]
    assert entry["message"] == f'deployment "{NAMES["Deployment"]}" successfully rolled out'
    assert int(entry["revision_after"]) == int(entry["revision_before"]) + 1
    assert 0 < entry["duration"] <= result["duration"]


def test_the_change_is_recorded_under_the_field_manager_and_nothing_else_is(trio):
    name = NAMES["Deployment"]
    trio.run("restart", name=name, wait=False)
    trio.run("restart", name=name, field_manager="night-shift", change_cause="CHG0043", wait=False)
    deployment = trio.get("Deployment", name)
    managed = {entry["manager"]: entry["fieldsV1"] for entry in deployment["metadata"]["managedFields"]}
    owned = set(managed["night-shift"]["f:spec"]["f:template"]["f:metadata"]["f:annotations"])
    assert owned | {f"f:{RESTARTED_AT}"} == {f"f:{RESTARTED_AT}", f"f:{RUN}"}  # within one second the time is the same
    assert set(managed["night-shift"]["f:metadata"]["f:annotations"]) == {f"f:{CHANGE_CAUSE}"}
    assert RUN not in str(managed.get("restartx"))  # it was taken over
    assert deployment["metadata"]["annotations"][CHANGE_CAUSE] == "CHG0043"


def test_more_annotations_go_to_the_template_and_an_old_ticket_does_not_stay(trio):
    name = NAMES["Deployment"]
    trio.run("restart", name=name, wait=False, ticket="CHG1", annotations={"example.com/why": "heap"})
    trio.run("restart", name=name, wait=False, reason="again")
    written = trio.annotations("Deployment", name)
    assert written["example.com/why"] == "heap" and written["restartx.io/reason"] == "again"
    assert "restartx.io/ticket" not in written


def test_without_wait_nothing_is_waited_for(namespace):
    namespace.create(workload("Deployment", "slow", labels={"lab.restartx.io/failure": "never-ready"}), ready=False)
    result = namespace.run("restart", wait=False)
    assert outcomes(result) == {"slow": "restarted"}
    assert entry_of(result, "slow")["message"] == "restarted"
    assert [event["verb"] for event in namespace.cluster.requests(USER_AGENT)[-3:]] == ["get", "list", "patch"]


def test_check_mode_asks_the_server_and_touches_nothing(trio):
    trio.at_rest(*(f"{kind}/{name}" for kind, name in NAMES.items()))
    before, began = versions(trio), now()
    result = trio.run("restart", kind=list(KINDS), check=True, ticket="CHG0044")
    assert result["changed"] and outcomes(result) == dict.fromkeys(NAMES.values(), "restarted")
    assert versions(trio) == before
    asked = [event for event in trio.cluster.requests(USER_AGENT, began) if event["verb"] == "patch"]
    assert {event["objectRef"]["name"] for event in asked} == set(NAMES.values())
    assert all("dryRun=All" in event["requestURI"] and event["responseStatus"]["code"] == 200 for event in asked)


@pytest.mark.parametrize("check", [True, False])
def test_the_diff_shows_the_changed_fields_only(trio, check):
    name = NAMES["StatefulSet"]
    trio.run("restart", kind="StatefulSet", ticket="CHG1")
    result = trio.run("restart", kind="StatefulSet", check=check, ticket="CHG2")
    (shown,) = result["diff"]
    assert shown["before_header"] == shown["after_header"] == f"StatefulSet {trio.name}/{name}"
    for side, ticket in (("before", "CHG1"), ("after", "CHG2")):
        written = shown[side]["spec"]["template"]["metadata"]["annotations"]
        assert written.pop("restartx.io/ticket") == ticket
        assert set(written) <= {RESTARTED_AT, RUN}
        assert shown[side] == {"spec": {"template": {"metadata": {"annotations": written}}}}


def test_entries_start_in_their_order_and_the_next_when_one_is_done(namespace):
    names = ("cache", "core", "web", "edge")
    namespace.create(*(workload("StatefulSet" if name == "cache" else "Deployment", name) for name in names))
    began = now()
    result = namespace.run(
        "restart",
        workloads=[
            {"id": "front", "name": ["web", "edge"], "after": ["core"], "max_parallel": 1},
            {"id": "core", "name": "core", "after": "cache"},
            {"id": "cache", "kind": "StatefulSet", "name": "cache"},
            {"id": "gone", "name": "nobody", "optional": True},
        ],
    )
    assert outcomes(result) == dict.fromkeys(names, "restarted")
    assert patches(namespace.cluster, began) == ["cache", "core", "web", "edge"]
    for earlier, later in zip(names, names[1:]):
        assert entry_of(result, earlier)["finished_at"] <= entry_of(result, later)["started_at"]


def test_a_timeout_counts_from_the_workloads_own_patch_and_wait_timeout_for_the_whole_call(namespace):
    never = {"lab.restartx.io/failure": "never-ready"}
    namespace.create(*(workload("Deployment", name, labels=never) for name in ("one", "two")), ready=False)
    result = namespace.run("restart", timeout="2s", stagger="1s", on_failure="continue")
    assert outcomes(result) == {"one": "unfinished", "two": "unfinished"}
    assert all(2 <= entry["duration"] < result["duration"] for entry in result["results"])
    assert entry_of(result, "one")["message"].startswith('not done after 2s: Waiting for deployment "one" rollout')
    result = namespace.run("restart", max_parallel=1, wait_timeout="2s")
    assert outcomes(result) == {"one": "unfinished", "two": "not_started"}
    assert "wait_timeout of 2s" in entry_of(result, "one")["message"]
    assert "wait_timeout of 2s" in entry_of(result, "two")["message"]


def test_status_waits_for_what_somebody_else_began_under_one_deadline(namespace):
    slow = {"lab.restartx.io/failure": "slow-start"}
    pair = [workload("Deployment", name, labels=slow, delay="12s") for name in ("one", "two")]
    namespace.create(*pair, ready=False)
    namespace.kubectl("rollout", "restart", "deployment")
    once = namespace.run("status")
    assert outcomes(once) == {"one": "in_progress", "two": "in_progress"} and not once.get("failed")
    waited = namespace.run("status", wait=True, wait_timeout="90s")
    assert outcomes(waited) == {"one": "rolled_out", "two": "rolled_out"}
    assert entry_of(waited, "two")["message"] == 'deployment "two" successfully rolled out'
    assert not waited["changed"] and RUN not in namespace.annotations("Deployment", "one")


def test_k8s_auth_variables_do_not_lead_an_explicit_context_astray(trio):
    astray = {"K8S_AUTH_HOST": "https://127.0.0.1:1", "K8S_AUTH_API_KEY": "other"}
    result = trio.run("restart", name=NAMES["Deployment"], context="eu-west", wait=False, env=astray)
    assert outcomes(result) == {NAMES["Deployment"]: "restarted"}
    assert os.environ.get("K8S_AUTH_HOST") is None
