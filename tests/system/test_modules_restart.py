# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart does to workloads, and what check mode leaves alone."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
import os

import pytest
from house import KINDS, RESTARTED_AT, RUN, USER_AGENT, entry_of, now, outcomes, patches, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from lab.poll import wait_until

NAMES = {kind: f"a-{kind.lower()}" for kind in KINDS}
WRITTEN_AT = "restartx.io/restarted-at"
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
        marks = {f"restartx.io/{name}": value for name, value in TOLD.items()}
        assert written == {RUN: result["run_id"], WRITTEN_AT: restart.rfc3339(at), **marks}
        total = len(trio.cluster.node_names()) if kind == "DaemonSet" else 1
        assert entry["pods"] == {"new": total, "available": total, "total": total}
        assert (entry["missing"], entry["nothing_to_replace"]) == (None, False)
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
    times = {f"f:{RESTARTED_AT}", f"f:{WRITTEN_AT}"}  # within one second they are the same
    assert owned | times == {*times, f"f:{RUN}"}
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
    assert {entry["message"] for entry in result["results"]} == {"restarted (server dry run)"}
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
        assert set(written) <= {RESTARTED_AT, WRITTEN_AT, RUN}
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
    for earlier, later in itertools.pairwise(names):
        assert entry_of(result, earlier)["finished_at"] <= entry_of(result, later)["started_at"]


def test_what_comes_after_waits_until_the_pods_are_available(namespace):
    namespace.create(workload("StatefulSet", "cache", 2, minReadySeconds=3), workload("Deployment", "web"))
    result = namespace.run(
        "restart",
        workloads=[{"id": "cache", "kind": "StatefulSet"}, {"id": "web", "name": "web", "after": "cache"}],
    )
    assert outcomes(result) == {"cache": "restarted", "web": "restarted"}
    cache = entry_of(result, "cache")
    assert (cache["pods"], cache["missing"]) == ({"new": 2, "available": 2, "total": 2}, None)
    assert cache["finished_at"] <= entry_of(result, "web")["started_at"]


@pytest.fixture
def held(namespace):
    """A Deployment with a pod that does not end by itself, and a function that lets it end."""
    namespace.create(workload("Deployment", "api"))
    (pod,) = namespace.list("pods")
    hold = ("patch", f"pod/{pod['metadata']['name']}", "--type=merge", "--patch")
    finalizers = '{"metadata": {"finalizers": %s}}'
    namespace.kubectl(*hold, finalizers % '["lab.restartx.io/hold"]')
    ends = functools.partial(namespace.kubectl, *hold, finalizers % "null")
    yield ends
    ends(check=False)


def test_a_deployment_is_restarted_only_when_its_old_pod_has_ended(namespace, held):
    running = namespace.start("restart", timeout="90s")
    wait_until(lambda: namespace.get("Deployment", "api")["status"].get("terminatingReplicas"), "the old pod to end")
    namespace.rolled_out("deployment/api")  # for kubectl it is done
    (seen,) = namespace.run("status")["results"]
    assert (seen["outcome"], seen["missing"]) == ("rolled_out", "1 old pod is still terminating")
    assert seen["message"] == 'deployment "api" successfully rolled out'
    assert running.process.poll() is None
    held()
    (entry,) = running.result()["results"]
    assert (entry["outcome"], entry["missing"]) == ("restarted", None)


def test_where_there_are_no_pods_nothing_is_replaced_and_that_is_counted_apart(namespace):
    nowhere = workload("DaemonSet", "nowhere")
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = {"example.com/there": "no"}
    namespace.create(workload("Deployment", "idle", 0), workload("StatefulSet", "empty", 0), nowhere)
    namespace.create(workload("Deployment", "web"))
    result = namespace.run("restart", kind=list(KINDS))
    assert outcomes(result) == dict.fromkeys(["idle", "empty", "nowhere", "web"], "restarted")
    assert result["summary"] == {"nothing_to_replace": 3, "restarted": 1}
    assert entry_of(result, "idle")["missing"] == "there are no pods to replace: spec.replicas is 0"
    assert entry_of(result, "nowhere")["missing"] == "there are no pods to replace: no node should run its pods"


def test_a_partition_that_holds_back_all_pods_is_refused_and_a_part_of_them_is_told(namespace):
    for name, partition in ("none", 2), ("half", 1):
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
        namespace.create(workload("StatefulSet", name, 2, updateStrategy=strategy))
    result = namespace.run("restart", kind="StatefulSet", on_failure="continue")
    assert outcomes(result) == {"none": "refused", "half": "restarted"}
    assert "has the partition 2 for its 2 pods" in entry_of(result, "none")["message"]
    half = entry_of(result, "half")
    assert (half["pods"], half["missing"]) == (
        {"new": 1, "available": 2, "total": 2},
        "its partition 1 holds back 1 of 2 pods",
    )


def test_no_start_adds_a_revision_behind_a_pod_that_keeps_it_from_beginning(namespace):
    namespace.create(workload("StatefulSet", "db", 2))
    broken = {"metadata": {"labels": {"lab.restartx.io/failure": "image-pull"}}}
    namespace.kubectl("patch", "statefulset/db", "--patch", json.dumps({"spec": {"template": broken}}))
    namespace.stuck("db")
    before = namespace.revisions("StatefulSet", "db")
    for run in ("r1", "r1", "r2"):
        (entry,) = namespace.run("restart", kind="StatefulSet", run_id=run)["results"]
        assert (entry["outcome"], entry["changed"]) == ("refused", False)
        assert 'waits for its pod "db-1", which is not ready (' in entry["message"]
    assert namespace.revisions("StatefulSet", "db") == before
    # The wanted revision is a good one again, and the pod is all that keeps it away.
    namespace.kubectl("rollout", "undo", "statefulset/db")
    wait_until(lambda: _observed(namespace.get("StatefulSet", "db")), "the undo to be seen")
    (entry,) = namespace.run("restart", kind="StatefulSet", run_id="r3")["results"]
    assert entry["message"].endswith(f"kubectl delete pod db-1 --namespace {namespace.name}")
    namespace.kubectl("delete", "pod/db-1")
    namespace.rolled_out("statefulset/db")
    assert outcomes(namespace.run("restart", kind="StatefulSet", run_id="r3")) == {"db": "restarted"}


def _observed(thing):
    return thing["status"]["observedGeneration"] == thing["metadata"]["generation"]


def test_a_later_restart_by_somebody_else_is_not_taken_for_that_of_the_run(namespace):
    namespace.create(*(workload(kind, name) for kind, name in NAMES.items()))
    namespace.run("restart", kind=list(KINDS), run_id="r1", **TOLD)
    at = datetime.datetime.fromisoformat(namespace.annotations("Deployment", NAMES["Deployment"])[RESTARTED_AT])
    wait_until(lambda: now() >= at + datetime.timedelta(seconds=1), "the next second")
    namespace.kubectl("rollout", "restart", *(f"{kind}/{name}" for kind, name in NAMES.items()))
    namespace.rolled_out(*(f"{kind}/{name}" for kind, name in NAMES.items()))
    for entry in namespace.run("history", kind=list(KINDS))["results"]:
        assert [revision["run_id"] for revision in entry["revisions"]] == [None, "r1", None]
        assert [revision["ticket"] for revision in entry["revisions"]] == [None, "CHG0042", None]
    undone = namespace.run("undo", run_id="r1")
    assert (undone["changed"], undone["summary"]) == (False, {"unchanged": 3})
    assert "but a later restart that is not from restartx, at " in undone["results"][0]["message"]


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
