# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a workload is held for inspection after a failure, and released."""

from __future__ import annotations

import shlex

import pytest
from simulation import workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import hold, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch

NEW, OLD = "db-new", "db-old"


def stateful_set(replicas=3, start=None, partition=None, observed=1):
    made = workload("StatefulSet", "db", **{restart.RUN: "r1"})
    made["spec"] |= {"replicas": replicas, **({"ordinals": {"start": start}} if start else {})}
    made["spec"]["updateStrategy"]["rollingUpdate"] = {} if partition is None else {"partition": partition}
    made["status"] |= {"updateRevision": NEW, "observedGeneration": observed}
    return made


def pod(ordinal, revision, owner="uid-shop-db", going=False):
    metadata = {
        "name": f"db-{ordinal}",
        "labels": {"controller-revision-hash": revision},
        "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": owner, "controller": True}],
        **({"deletionTimestamp": "2026-11-24T22:00:00Z"} if going else {}),
    }
    return {"metadata": metadata}


def partition(made, *pods):
    body = hold.hold(made, pods)
    return body and body["spec"]["updateStrategy"]["rollingUpdate"]["partition"]


def test_a_deployment_is_paused_in_exactly_the_version_that_was_read():
    api = workload("Deployment", "api")
    assert hold.hold(api) == {"metadata": {"resourceVersion": "1"}, "spec": {"paused": True}}
    api["spec"]["paused"] = True
    assert hold.hold(api) is None


@pytest.mark.parametrize(
    "made, pods, expected",
    [
        (stateful_set(), [pod(2, NEW), pod(1, OLD), pod(0, OLD)], 2),
        (stateful_set(), [pod(2, NEW), pod(1, NEW), pod(0, OLD)], 1),
        (stateful_set(), [pod(2, NEW), pod(1, OLD, going=True), pod(0, OLD)], 2),
        (stateful_set(), [pod(2, NEW, going=True), pod(1, OLD), pod(0, OLD)], 2),
        (stateful_set(), [pod(2, OLD, going=True), pod(1, OLD), pod(0, OLD)], 3),
        (stateful_set(), [], 3),
        (stateful_set(), [pod(2, NEW), pod(0, NEW, owner="another")], 2),
        (stateful_set(start=5), [pod(7, NEW), pod(6, NEW), pod(5, OLD)], 1),
        (stateful_set(partition=1), [pod(2, OLD, going=True)], 3),
        (stateful_set(partition=2), [pod(2, NEW)], None),
        (stateful_set(observed=0), [pod(2, NEW)], 3),
    ],
    ids=[
        "one pod has it",
        "two have it",
        "the next one is on its way out",
        "the new one is on its way out",
        "the first one is on its way out",
        "no pods",
        "a pod of somebody else",
        "ordinals that start at 5",
        "a partition of its own",
        "a partition that holds it already",
        "no controller has seen the change",
    ],
)
def test_a_stateful_set_is_held_at_the_lowest_pod_that_has_the_new_revision(made, pods, expected):
    assert partition(made, *pods) == expected


@pytest.mark.parametrize("before", [0, 1])
def test_a_release_gives_back_the_partition_of_before(before):
    db = stateful_set(partition=2)
    assert hold.held(db, "r1", before)
    assert hold.release(db, before)["spec"] == {"updateStrategy": {"rollingUpdate": {"partition": before}}}
    after = hold.released(db, before)
    assert not hold.held(after, "r1", before)
    assert hold.release(after, before) is None
    assert db["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 2}


def test_a_release_of_a_deployment_removes_paused():
    api = workload("Deployment", "api", **{restart.RUN: "r1"})
    api["spec"]["paused"] = True
    assert hold.release(api, None)["spec"] == {"paused": None}
    assert not hold.held(hold.released(api, None), "r1", None)


@pytest.mark.parametrize(
    "run, before, expected", [("r1", 0, True), ("r1", 2, False), ("r1", None, False), ("r2", 0, False)]
)
def test_a_stateful_set_is_held_by_the_run_that_it_carries_if_its_partition_is_another_one(run, before, expected):
    assert hold.held(stateful_set(partition=2), run, before) is expected


@pytest.mark.parametrize("run, paused, expected", [("r1", True, True), ("r1", False, False), ("r2", True, False)])
def test_a_deployment_is_held_by_the_run_that_it_carries_if_it_is_paused(run, paused, expected):
    api = workload("Deployment", "api", **{restart.RUN: "r1"})
    api["spec"]["paused"] = paused
    assert hold.held(api, run, None) is expected


def test_a_daemon_set_is_never_held():
    agent = workload("DaemonSet", "agent", **{restart.RUN: "r1"})
    assert not hold.can_be_held(agent)
    assert hold.hold(agent) is None
    assert hold.release(agent, None) is None
    assert not hold.held(agent, "r1", 0)


def test_an_undo_releases_in_the_same_patch():
    api = workload("Deployment", "api")
    made = hold.with_release(Patch("json", [{"op": "replace", "path": "/spec/template", "value": {}}]), api, None)
    assert made.body[1:] == [{"op": "add", "path": "/spec/paused", "value": False}]
    undo = Patch("strategic", {"metadata": {"resourceVersion": "1"}, "spec": {"template": {"$patch": "replace"}}})
    made = hold.with_release(undo, stateful_set(partition=2), 1)
    assert made.body["spec"] == {
        "template": {"$patch": "replace"},
        "updateStrategy": {"rollingUpdate": {"partition": 1}},
    }
    assert made.body["metadata"] == {"resourceVersion": "1"}


def test_the_commands_can_be_pasted():
    api = workload("Deployment", "api")
    assert hold.how_to_go_on(api, None, "eu") == "kubectl --context eu rollout resume deployment/api --namespace shop"
    command = shlex.split(hold.how_to_go_on(stateful_set(partition=2), 1, None))
    assert command[:5] == ["kubectl", "patch", "statefulset/db", "--namespace", "shop"]
    assert command[-1] == '--patch={"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}'
