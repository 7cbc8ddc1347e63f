# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pods count: those of the newest revision that the controller still counts."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from tests.unit.rollout.cause_objects import (
    RUN,
    owner,
    pod_of,
    waiting,
)
from tests.unit.rollout.objects import controller_revision, replica_set, template, workload

BROKEN = {"container": waiting("ErrImagePull"), "phase": "Pending"}


@pytest.mark.parametrize("kind", list(kinds.KINDS))
class TestOnlyPodsOfTheNewestRevision:
    def _names(self, kind, *pods, **more):
        pods = [pod_of(**{"kind": kind, **pod}) for pod in pods]
        return [pod["metadata"]["name"] for pod in which_pods.newest_pods(owner(kind, **more), pods)]

    def test_are_told_from_older_ones_by_the_marks_of_the_restart(self, kind):
        old = [{"revision": "old", "annotations": annotations} for annotations in ({}, {"restartx.io/run": "r0"})]
        assert self._names(kind, *old, {"name": "b"}, {"name": "a"}) == ["api-new-a", "api-new-b"]
        assert self._names(kind, *old) == []

    def test_may_have_been_added_to_by_admission(self, kind):
        assert self._names(kind, {"annotations": {**RUN, "mesh.example.com/injected": "true"}}) == ["api-new-a"]

    def test_do_not_carry_a_restart_that_was_undone(self, kind):
        pods = [{"revision": "good", "annotations": {}}, {"revision": "bad", "created": "2026-11-24T22:19:00Z"}]
        pods = [pod_of(kind=kind, **pod) for pod in pods]
        undone = workload(kind)
        assert [pod["metadata"]["name"] for pod in which_pods.newest_pods(undone, pods)] == ["api-good-a"]

    def test_are_told_by_their_image_where_annotations_are_the_same(self, kind):
        pods = [{"revision": "one"}, {"revision": "two", "image": "shop/api:2", "created": "2026-11-24T22:16:00Z"}]
        assert self._names(kind, *pods) == ["api-one-a"]

    def test_are_the_youngest_where_nothing_else_tells(self, kind):
        mirrored = {"image": "mirror.example.com/shop/api:1"}
        pods = [
            {"revision": "one", "created": "2026-11-24T22:16:00Z", **mirrored},
            {"revision": "one", "name": "b", "created": "2026-11-24T22:19:00Z", **mirrored},
            {"revision": "two", "created": "2026-11-24T22:17:00Z", **mirrored},
        ]
        assert self._names(kind, *pods) == ["api-two-a"]

    @pytest.mark.parametrize(
        "change",
        [
            {"deletionTimestamp": "2026-11-24T22:19:00Z"},
            {"phase": "Failed"},
            {"phase": "Succeeded"},
            {"ownerReferences": []},
            {"ownerReferences": [{"kind": "Job", "name": "api", "uid": "x", "controller": True}]},
            {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-new", "uid": "x", "controller": True}]},
            {"labels": {"app": "web"}},
        ],
    )
    def test_are_the_workloads_own_and_stay(self, kind, change):
        assert self._names(kind, change) == []


# What an admission policy may do to the pods of a restart.
POLICIES = {
    "strips all annotations": {"annotations": {}},
    "strips the marks of the restart": {"annotations": {"mesh.example.com/injected": "true"}},
    "rewrites one mark": {"annotations": {**RUN, "restartx.io/run": "rewritten"}},
    "rewrites the time": {"annotations": {**RUN, "kubectl.kubernetes.io/restartedAt": "x"}},
    "rewrites a label": {"relabel": {"app": "rewritten"}},
}


def _revision(workload, number, hash_value, annotations):
    """The ReplicaSet or ControllerRevision of a template; its pods carry the hash."""
    made = replica_set if workload["kind"] == "Deployment" else controller_revision
    revision = made(workload, number, {**workload["spec"]["template"], **template(annotations)})
    revision["metadata"]["labels"][kinds.kind_of(workload).hash_label] = hash_value
    revision["metadata"]["name"] = hash_value if workload["kind"] == "StatefulSet" else f"api-{hash_value}"
    return revision


def _restarted(kind):
    return workload(
        kind,
        template=RUN,
        pod=template()["spec"],
        status={"observedGeneration": 2, "updateRevision": "new"},
    )


def _treated(kind, revision="new", relabel=None, **more):
    pod = pod_of(revision=revision, kind=kind, **more)
    pod["metadata"]["labels"] |= relabel or {}
    return pod


@pytest.mark.parametrize("kind", list(kinds.KINDS))
@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_that_changes_pods_does_not_hide_them(kind, policy):
    api = _restarted(kind)
    owned = [_revision(api, 1, "old", {}), _revision(api, 2, "new", RUN)]
    pods = [_treated(kind, "old", annotations={}), _treated(kind, **POLICIES[policy])]
    known = kinds.kind_of(api).hash_of(which_pods.newest_revision(api, owned))
    assert known == "new"
    assert [pod["metadata"]["name"] for pod in which_pods.newest_pods(api, pods, known)] == ["api-new-a"]


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_revisions_are_asked_for_only_where_the_marks_of_a_restart_do_not_tell(kind):
    api = _restarted(kind)
    marked, other = _treated(kind), _treated(kind, "old", annotations={})
    assert not which_pods.undecided(api, [])
    assert not which_pods.undecided(api, [marked, other])
    for policy in POLICIES.values():
        assert which_pods.undecided(api, [_treated(kind, **policy), other]) == {"new", "old"}
    unmarked = workload(kind, pod=template()["spec"])
    assert not which_pods.undecided(unmarked, [_treated(kind, annotations={})])
    assert which_pods.undecided(unmarked, [_treated(kind, annotations={}), other]) == {"new", "old"}


def test_a_stateful_set_tells_its_newest_revision_once_its_controller_has_seen_the_template():
    api, pods = _restarted("StatefulSet"), [_treated("StatefulSet", annotations={}), _treated("StatefulSet", "old")]
    assert [pod["metadata"]["name"] for pod in which_pods.newest_pods(api, pods)] == ["api-new-a"]
    assert not which_pods.undecided(api, pods)
    api["status"]["observedGeneration"] = 1  # updateRevision is still that of the template before
    assert [pod["metadata"]["name"] for pod in which_pods.newest_pods(api, pods)] == ["api-old-a"]


def test_while_the_controller_has_made_no_revision_of_the_template_none_is_the_newest():
    api = _restarted("Deployment")
    assert which_pods.newest_revision(api, [_revision(api, 1, "old", {})]) is None


GONE = {"deletionTimestamp": "2026-11-24T22:19:00Z"}


@pytest.mark.parametrize(
    "kind, spec, status, phase, holds_up",
    [
        ("StatefulSet", {}, {}, "Running", True),
        ("StatefulSet", {}, {}, "Failed", True),  # its successor has the same name
        ("DaemonSet", {}, {}, "Running", True),
        ("DaemonSet", {}, {}, "Failed", False),
        (
            "DaemonSet",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
            {},
            "Running",
            False,
        ),
        ("Deployment", {}, {}, "Running", False),  # it rolls on beside it
        ("Deployment", {"strategy": {"type": "Recreate"}}, {}, "Running", True),
        ("Deployment", {"strategy": {"type": "Recreate"}}, {}, "Failed", False),
        ("Deployment", {"strategy": {"type": "Recreate"}}, {"updatedReplicas": 3}, "Running", False),
    ],
)
def test_a_pod_that_is_being_deleted_holds_a_rollout_up_where_its_successor_needs_its_place(
    kind, spec, status, phase, holds_up
):
    api = owner(kind, spec=spec, status={"desiredNumberScheduled": 3, **status})
    going = pod_of("a", "old", kind=kind, phase=phase, annotations={}, **GONE)
    stays = pod_of("b", "old", kind=kind, phase="Running", annotations={})
    foreign = pod_of("c", "old", kind=kind, phase=phase, ownerReferences=[], **GONE)
    held = [pod["metadata"]["name"] for pod in which_pods.holding_up(api, [stays, going, foreign])]
    assert held == (["api-old-a"] if holds_up else [])


@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_what_is_rolled_out_is_not_held_up(kind):
    done = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 3)
    done |= dict.fromkeys(("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"), 3)
    rolled_out = owner(kind, status={**done, "updateRevision": "new", "currentRevision": "new"})
    assert (
        which_pods.holding_up(rolled_out, [pod_of("a", "old", kind=kind, phase="Running", annotations={}, **GONE)])
        == []
    )
