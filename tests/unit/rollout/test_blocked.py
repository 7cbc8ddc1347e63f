# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restart is not written behind a pod that keeps it from beginning."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import blocked, kinds
from tests.unit.rollout.objects import pod_of, rolled_out

NOW = datetime(2026, 11, 24, 22, 20, 0, tzinfo=UTC)
LONG_AGO, JUST_NOW = "2026-11-24T22:14:59Z", "2026-11-24T22:19:00Z"


def _stateful_set(spec=None, **status):
    thing = rolled_out(
        "StatefulSet", **{"updateRevision": "new", "currentRevision": "old", "readyReplicas": 2, **status}
    )
    thing["spec"] |= {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, **(spec or {})}
    return thing


def _pod(thing=None, revision="new", since=JUST_NOW, scheduled=True, container=None, init=None, **metadata):
    pod = pod_of(thing or _stateful_set(), revision, ordinal=2, ready=False, **metadata)
    pod["status"]["conditions"][0]["lastTransitionTime"] = since
    if not scheduled:
        pod["status"]["conditions"].append({"type": "PodScheduled", "status": "False", "reason": "Unschedulable"})
    if container:
        pod["status"]["containerStatuses"] = [{"name": "app", "ready": False, "restartCount": 0, **container}]
    if init:
        pod["status"]["initContainerStatuses"] = [{"name": "wait", "ready": False, "restartCount": 0, **init}]
    return pod


def _waiting(reason):
    return {"state": {"waiting": {"reason": reason}}}


def _crashed(restarts, state=None):
    ended = {"exitCode": 1, "reason": "Error"}
    return {"state": state or {"running": {}}, "lastState": {"terminated": ended}, "restartCount": restarts}


REPAIR = (
    "repair what keeps it from becoming ready, or go back to a revision that works with k8s_rollout_undo and "
    "delete_stuck_pods: true"
)
DELETE = (
    "delete it, and the controller creates it again from the newest revision: kubectl delete pod api-2 --namespace shop"
)


@pytest.mark.parametrize(
    "pod, why, advice",
    [
        (_pod(container=_waiting("ImagePullBackOff")), " (ImagePullBackOff)", REPAIR),
        (_pod(container=_waiting("CrashLoopBackOff")), " (CrashLoopBackOff)", REPAIR),
        (_pod(container=_waiting("CreateContainerConfigError")), " (CreateContainerConfigError)", REPAIR),
        (_pod(init=_waiting("ErrImagePull"), container=_waiting("PodInitializing")), " (ErrImagePull)", REPAIR),
        (_pod(container=_crashed(2)), " (Error, 2 restarts)", REPAIR),
        (
            _pod(container=_crashed(2, {"running": {"startedAt": "2026-11-24T22:10:01Z"}})),
            " (Error, 2 restarts)",
            REPAIR,
        ),
        (
            _pod(container=_crashed(2, {"terminated": {"exitCode": 137, "reason": "OOMKilled"}})),
            " (OOMKilled, 2 restarts)",
            REPAIR,
        ),
        (_pod(scheduled=False), " (Unschedulable)", REPAIR),
        (_pod(since=LONG_AGO), f" (since {LONG_AGO})", REPAIR),
        (_pod(revision="old"), "", DELETE),
        (_pod(revision="old", container=_waiting("ImagePullBackOff")), " (ImagePullBackOff)", DELETE),
    ],
)
def test_a_pod_that_does_not_get_ready_by_itself_is_named_with_the_way_out(pod, why, advice):
    assert blocked.refusal(_stateful_set(), [pod], NOW) == (
        f'statefulset "api" in namespace "shop" waits for its pod "api-2", which is not ready{why}, so a restart could '
        f"not start; {advice}"
    )


@pytest.mark.parametrize(
    "pod",
    [
        _pod(),
        _pod(container=_waiting("ContainerCreating")),
        _pod(container=_waiting("PodInitializing")),
        _pod(container={"state": {"running": {}}}),
        _pod(container=_crashed(1)),  # ended once, and runs again
        _pod(
            container=_crashed(9, {"running": {"startedAt": "2026-11-24T22:10:00Z"}})
        ),  # well since, until a probe failed
        _pod(container={**_crashed(2), "lastState": {"terminated": {"exitCode": 0}}}),
        _pod(since=None),
        _pod(revision="old", deletionTimestamp=JUST_NOW),
        _pod(thing=rolled_out("StatefulSet", name="other"), revision="old"),
        pod_of(_stateful_set(), "old"),
    ],
    ids=["new", "creating", "init", "running", "once", "recovered", "well", "unknown", "ending", "of another", "ready"],
)
def test_a_pod_that_is_starting_or_of_somebody_else_is_no_reason(pod):
    assert blocked.refusal(_stateful_set(), [pod], NOW) is None


def test_a_pod_that_is_just_starting_is_a_reason_for_no_second_attempt_of_the_same_run():
    assert blocked.refusal(_stateful_set(), [_pod()], NOW, tried=True) == (
        'statefulset "api" in namespace "shop" waits for its pod "api-2", which is not ready, so a restart could not '
        f"start; wait until it is ready and start again, or {REPAIR}"
    )
    assert blocked.refusal(_stateful_set(), [pod_of(_stateful_set(), "old")], NOW, tried=True) is None


def test_below_the_partition_a_deleted_pod_would_come_back_as_it_was():
    thing = _stateful_set({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}})
    assert blocked.refusal(thing, [_pod(revision="old")], NOW) is None
    sentence = blocked.refusal(thing, [_pod(revision="old", container=_waiting("CrashLoopBackOff"))], NOW)
    assert sentence.endswith(REPAIR)


@pytest.mark.parametrize("spec", [{"podManagementPolicy": "Parallel"}, {"updateStrategy": {"type": "OnDelete"}}])
def test_without_the_ordered_policy_nothing_is_in_the_way(spec):
    assert blocked.refusal(_stateful_set(spec), [_pod(scheduled=False)], NOW) is None


@pytest.mark.parametrize("kind", [name for name in kinds.KINDS if name != "StatefulSet"])
def test_nothing_is_in_the_way_of_other_kinds(kind):
    thing = rolled_out(kind)
    assert blocked.refusal(thing, [pod_of(thing, "old", ready=False)], NOW) is None
