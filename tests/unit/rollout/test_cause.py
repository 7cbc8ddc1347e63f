# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a rollout stands still: pods of the newest revision first, then the workload itself."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import cause
from tests.unit.rollout.objects import workload

RUN = {"restartx.io/run": "r1", "kubectl.kubernetes.io/restartedAt": "2026-11-24T22:15:30Z"}
NOW = datetime(2026, 11, 24, 22, 20, 0, tzinfo=timezone.utc)
ADDRESS = 'pod "api-new-a" in namespace "shop"'
HASH = {
    "Deployment": "pod-template-hash",
    "DaemonSet": "controller-revision-hash",
    "StatefulSet": "controller-revision-hash",
}


def _owner(kind="Deployment", **more):
    status = {"observedGeneration": 2, **more.pop("status", {})}
    return workload(kind, template=RUN, status=status, **more)


def _pod(
    name="a",
    revision="new",
    container=None,
    kind="Deployment",
    conditions=(),
    phase="Pending",
    annotations=None,
    image="shop/api:1",
    created="2026-11-24T22:15:31Z",
    init=(),
    **metadata,
):
    """A pod of the workload api, with one container in the given state."""
    direct = {"kind": kind, "name": "api", "uid": "uid-api", "controller": True, "apiVersion": "apps/v1"}
    through = {**direct, "kind": "ReplicaSet", "name": f"api-{revision}", "uid": f"uid-api-{revision}"}
    return {
        "metadata": {
            "name": f"api-{revision}-{name}",
            "namespace": "shop",
            "uid": f"uid-{revision}-{name}",
            "labels": {"app": "api", HASH[kind]: revision},
            "annotations": RUN if annotations is None else annotations,
            "creationTimestamp": created,
            "ownerReferences": [through if kind == "Deployment" else direct],
            **metadata,
        },
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {
            "phase": phase,
            "startTime": "2026-11-24T22:18:30Z",
            "conditions": list(conditions),
            "containerStatuses": [container or _running(ready=True)],
            **({"initContainerStatuses": list(init)} if init else {}),
        },
    }


def _container(state, ready=False, restarts=0, last=None, name="app"):
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, "lastState": last or {}}


def _running(ready=False, **more):
    return _container({"running": {"startedAt": "2026-11-24T22:18:31Z"}}, ready=ready, **more)


def _waiting(reason, message=None, **more):
    return _container({"waiting": {"reason": reason, **({"message": message} if message else {})}}, **more)


def _ended(reason, exit_code, message=None):
    return {"terminated": {"reason": reason, "exitCode": exit_code, **({"message": message} if message else {})}}


def _find(pods, owner=None, **more):
    return cause.find(owner or _owner(), pods, **more)


BACK_OFF = "back-off 5m0s restarting failed container=app"
PULL = 'failed to pull and unpack image "shop/api:1": not found'
NO_EXEC = 'exec: "serve": executable file not found in $PATH'
CONTAINER = f'container "app" of {ADDRESS}'


@pytest.mark.parametrize(
    "container, code, sentence",
    [
        (_waiting("ErrImagePull", PULL), "image_pull", f"cannot get its image (ErrImagePull): {PULL}"),
        (_waiting("ImagePullBackOff", PULL), "image_pull", f"cannot get its image (ImagePullBackOff): {PULL}"),
        (_waiting("RegistryUnavailable"), "image_pull", "cannot get its image (RegistryUnavailable)"),
        (_waiting("InvalidImageName", "bad"), "image_pull", "cannot get its image (InvalidImageName): bad"),
        (_waiting("ErrImageNeverPull"), "image_pull", "cannot get its image (ErrImageNeverPull)"),
        (
            _waiting("CreateContainerConfigError", 'configmap "settings" not found'),
            "config_missing",
            'lacks its configuration (CreateContainerConfigError): configmap "settings" not found',
        ),
        (
            _waiting("RunContainerError", NO_EXEC),
            "bad_command",
            f"cannot run its command (RunContainerError): {NO_EXEC}",
        ),
        (
            _waiting("CrashLoopBackOff", BACK_OFF, restarts=2, last=_ended("StartError", 128, NO_EXEC)),
            "bad_command",
            f"cannot run its command (CrashLoopBackOff, exit code 128, 2 restarts): {NO_EXEC}",
        ),
        (
            _waiting("CrashLoopBackOff", BACK_OFF, restarts=2, last=_ended("Error", 127)),
            "bad_command",
            "cannot run its command (CrashLoopBackOff, exit code 127, 2 restarts)",
        ),
        (
            _waiting("CrashLoopBackOff", BACK_OFF, restarts=3, last=_ended("OOMKilled", 137)),
            "oom",
            "runs out of memory (CrashLoopBackOff, exit code 137, 3 restarts)",
        ),
        (_container(_ended("OOMKilled", 137)), "oom", "runs out of memory (OOMKilled, exit code 137)"),
        (
            _running(restarts=1, last=_ended("OOMKilled", 137)),
            "oom",
            "runs out of memory (OOMKilled, exit code 137, 1 restart)",
        ),
        (
            _waiting("CrashLoopBackOff", BACK_OFF, restarts=4, last=_ended("Error", 1)),
            "crash_loop",
            "keeps ending (CrashLoopBackOff, exit code 1, 4 restarts)",
        ),
        (
            _waiting("CrashLoopBackOff", BACK_OFF, restarts=4, last=_ended("Completed", 0)),
            "crash_loop",
            "keeps ending (CrashLoopBackOff, exit code 0, 4 restarts)",
        ),
        (_waiting("CrashLoopBackOff", BACK_OFF), "crash_loop", "keeps ending (CrashLoopBackOff)"),
        (_container(_ended("Error", 1)), "crash_loop", "keeps ending (Error, exit code 1)"),
        (
            _running(restarts=1, last=_ended("Error", 2)),
            "crash_loop",
            "keeps ending (Error, exit code 2, 1 restart)",
        ),
    ],
)
def test_a_container_tells_why_it_does_not_run(container, code, sentence):
    found = _find([_pod(container=container)])
    assert (found.code, found.object, found.sentence) == (code, ADDRESS, f"{CONTAINER} {sentence}")
    assert found.advice


LOOPS = ("CrashLoopBackOff", BACK_OFF)
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}


@pytest.mark.parametrize(
    "pod, container, reason, speaks",
    [
        ({"container": _waiting("ImagePullBackOff")}, "app", "ImagePullBackOff", None),
        ({"container": _waiting("CreateContainerConfigError")}, "app", "CreateContainerConfigError", None),
        ({"container": _waiting("RunContainerError")}, "app", "RunContainerError", None),
        (
            {"container": _waiting("RunContainerError", last=_ended("StartError", 128))},
            "app",
            "RunContainerError",
            None,
        ),
        ({"container": _waiting(*LOOPS, last=_ended("StartError", 128))}, "app", "StartError", None),
        ({"container": _waiting(*LOOPS, last=_ended("Error", 127))}, "app", "Error", "previous"),
        ({"container": _waiting(*LOOPS, last=_ended("OOMKilled", 137))}, "app", "OOMKilled", "previous"),
        ({"container": _container(_ended("OOMKilled", 137))}, "app", "OOMKilled", "current"),
        ({"container": _waiting(*LOOPS, last=_ended("Error", 1))}, "app", "CrashLoopBackOff", "previous"),
        ({"container": _waiting(*LOOPS)}, "app", "CrashLoopBackOff", None),
        ({"container": _running(last=_ended("Error", 1))}, "app", "Error", "previous"),
        ({"container": _container(_ended("Error", 1))}, "app", "Error", "current"),
        ({"conditions": [UNSCHEDULED], "container": _waiting("Unknown")}, None, "Unschedulable", None),
        ({"container": _waiting("PodInitializing"), "init": [_running(name="wait")]}, "wait", None, "current"),
        (
            {
                "container": _running(),
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            },
            "app",
            "ContainersNotReady",
            "current",
        ),
        ({"container": _running(ready=True), "phase": "Running"}, None, None, None),  # a readiness gate
    ],
)
def test_a_cause_names_pod_container_and_reason_and_whose_log_tells_more(pod, container, reason, speaks):
    found = _find([_pod(**pod)])
    assert (found.pod, found.container, found.reason) == ("api-new-a", container, reason)
    assert found.speaks == speaks
    assert found.log == ()


@pytest.mark.parametrize(
    "reason, hopeless",
    [
        ("InvalidImageName", True),
        ("ErrImageNeverPull", True),
        ("ErrImagePull", False),
        ("ImagePullBackOff", False),
        ("CreateContainerConfigError", False),
        ("CrashLoopBackOff", False),
        ("RunContainerError", False),
    ],
)
def test_only_what_waiting_cannot_heal_is_hopeless(reason, hopeless):
    assert _find([_pod(container=_waiting(reason))]).hopeless is hopeless


@pytest.mark.parametrize(
    "container, hopeless",
    [
        (_waiting("RunContainerError", 'runc: exec: "/bin/shop": stat /bin/shop: no such file or directory'), True),
        (_waiting("CrashLoopBackOff", last=_ended("StartError", 128, "exec: executable file not found in $PATH")), True),
        (_waiting("RunContainerError", "context deadline exceeded"), False),
        (_waiting("CrashLoopBackOff", last=_ended("Error", 1, "no such file or directory")), False),
        (_waiting("RunContainerError", 'runc: error mounting "/run/db.sock": no such file or directory'), False),
        (_waiting("CrashLoopBackOff", last=_ended("Error", 127)), False),
    ],
)
def test_a_command_that_is_not_in_the_image_never_comes_but_one_that_did_run_may_yet_go_well(container, hopeless):
    assert _find([_pod(container=container)]).hopeless is hopeless


@pytest.mark.parametrize(
    "pod, doubtful",
    [
        ({"container": _waiting("ImagePullBackOff")}, True),
        ({"container": _waiting("CreateContainerConfigError")}, True),
        ({"container": _waiting("CrashLoopBackOff", restarts=1, last=_ended("Error", 1))}, True),
        ({"container": _waiting("CrashLoopBackOff", restarts=1, last=_ended("OOMKilled", 137))}, True),
        ({"container": _waiting("InvalidImageName")}, False),  # hopeless instead
        ({"container": _running(), "phase": "Running"}, False),
    ],
)
def test_what_may_heal_gets_a_grace_but_a_slow_start_is_no_failure(pod, doubtful):
    assert cause.of_pod(_owner(), _pod(**pod)).doubtful is doubtful


def test_a_pod_of_an_older_revision_tells_nothing_about_the_newest():
    assert cause.of_pod(_owner(), _pod(container=_waiting("InvalidImageName"), annotations={})) is None


@pytest.mark.parametrize(
    "container",
    [
        _running(ready=True),
        _running(ready=True, restarts=5, last=_ended("OOMKilled", 137)),
        _waiting("ContainerCreating"),
        _waiting("PodInitializing"),
    ],
)
def test_what_is_ready_or_still_beginning_is_no_cause(container):
    assert _find([_pod(container=container)]) is None


def test_init_containers_tell_too():
    broken = _waiting("CrashLoopBackOff", restarts=1, last=_ended("Error", 1), name="migrate")
    found = _find([_pod(container=_waiting("PodInitializing"), init=[broken])])
    assert found.sentence == f'container "migrate" of {ADDRESS} keeps ending (CrashLoopBackOff, exit code 1, 1 restart)'
    ended = _container(_ended("Completed", 0), ready=True, name="migrate")
    assert _find([_pod(container=_waiting("PodInitializing"), init=[ended])]) is None
    waits = _find([_pod(container=_waiting("PodInitializing"), init=[ended, _running(name="wait-for-db")])])
    assert (waits.code, waits.sentence) == ("init_waits", f'init container "wait-for-db" of {ADDRESS} has not ended')


def test_a_pod_that_finds_no_node():
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes available"}
    pod = _pod(conditions=[condition])
    del pod["status"]["containerStatuses"]
    found = _find([pod])
    sentence = f"{ADDRESS} finds no node (Unschedulable): 0/3 nodes available"
    assert (found.code, found.object, found.sentence) == ("unschedulable", ADDRESS, sentence)


UNREADY = {"type": "Ready", "status": "False", "message": "containers with unready status: [app]"}


def _event(reason, message, about, at="2026-11-24T22:19:00Z"):
    return {"reason": reason, "message": message, "involvedObject": {"uid": about}, "lastTimestamp": at}


@pytest.mark.parametrize(
    "events, now, rest",
    [
        ([], None, "runs but is not ready: containers with unready status: [app]"),
        ([], NOW, "runs but is not ready (for 90 s): containers with unready status: [app]"),
        (
            [
                _event("Unhealthy", "Readiness probe failed: HTTP 500", "uid-new-a"),
                _event("Unhealthy", "older", "uid-new-a", at="2026-11-24T22:18:59Z"),
                _event("Unhealthy", "of another pod", "uid-new-b", at="2026-11-24T22:19:59Z"),
                _event("Pulled", "of another reason", "uid-new-a", at="2026-11-24T22:19:59Z"),
            ],
            NOW,
            "runs but is not ready (for 90 s): Readiness probe failed: HTTP 500",
        ),
    ],
)
def test_a_pod_that_runs_and_never_gets_ready(events, now, rest):
    found = _find([_pod(container=_running(), phase="Running", conditions=[UNREADY])], events=events, now=now)
    assert (found.code, found.sentence) == ("never_ready", f"{ADDRESS} {rest}")


def test_a_ready_pod_is_no_cause():
    ready = {"type": "Ready", "status": "True"}
    assert _find([_pod(phase="Running", conditions=[ready])]) is None


def test_a_volume_that_cannot_be_mounted():
    pod = _pod(container=_waiting("ContainerCreating"))
    events = [_event("FailedMount", 'MountVolume.SetUp failed: secret "tls" not found', "uid-new-a")]
    found = _find([pod], events=events)
    rest = 'lacks its configuration (FailedMount): MountVolume.SetUp failed: secret "tls" not found'
    assert (found.code, found.sentence) == ("config_missing", f"{ADDRESS} {rest}")
    running = _pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    assert _find([running], events=events) is None


def test_long_messages_are_cut_and_made_one_line():
    found = _find([_pod(container=_waiting("ErrImagePull", "one\n  two " + "x" * 1000))])
    assert found.sentence == f"{CONTAINER} cannot get its image (ErrImagePull): one two {'x' * 292}..."


QUOTA = 'pods "api-new-" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4'
DENIED = 'pods "api-new-" is forbidden: violates PodSecurity "restricted:latest"'


@pytest.mark.parametrize(
    "message, code, says", [(QUOTA, "quota", "may not have more pods"), (DENIED, "not_created", "gets no pods")]
)
class TestPodsThatAreNotCreated:
    def test_a_deployment_says_so_in_a_condition(self, message, code, says):
        refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
        found = _find([], _owner(status={"conditions": [refused]}))
        name = 'deployment "api" in namespace "shop"'
        assert (found.code, found.object, found.sentence) == (code, name, f"{name} {says} (FailedCreate): {message}")
        refused["status"] = "False"
        assert _find([], _owner(status={"conditions": [refused]})) is None

    @pytest.mark.parametrize(
        "kind, lacking, full",
        [
            ("StatefulSet", {"replicas": 2}, {"replicas": 3}),
            (
                "DaemonSet",
                {"desiredNumberScheduled": 3, "currentNumberScheduled": 2},
                {"desiredNumberScheduled": 3, "currentNumberScheduled": 3},
            ),
        ],
    )
    def test_other_kinds_say_so_in_events_that_count_while_pods_are_lacking(
        self, message, code, says, kind, lacking, full
    ):
        events = [_event("FailedCreate", message, "uid-api")]
        found = _find([], _owner(kind, status=lacking), events=events)
        assert found.code == code and found.sentence.endswith(f"{says} (FailedCreate): {message}")
        assert _find([], _owner(kind, status=full), events=events) is None
        assert _find([], _owner(kind, status=lacking), events=[_event("FailedCreate", message, "uid-other")]) is None


def test_a_paused_deployment_stands_still():
    found = _find([], _owner(spec={"paused": True}))
    assert (found.code, found.sentence) == ("paused", 'deployment "api" in namespace "shop" is paused')
    assert _find([], _owner(spec={"paused": True}, status={"updatedReplicas": 3})) is None


def test_a_progress_deadline_is_the_cause_where_nothing_better_is_known():
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}
    owner = _owner(status={"conditions": [late]})
    sentence = 'deployment "api" in namespace "shop" exceeded its progress deadline: has timed out'
    assert (_find([], owner).code, _find([], owner).sentence) == ("progress_deadline", sentence)
    assert _find([_pod(container=_waiting("ErrImagePull"))], owner).code == "image_pull"


WORST_FIRST = [
    _pod("a", container=_waiting("ErrImageNeverPull")),
    _pod("b", container=_waiting("CreateContainerConfigError")),
    _pod("c", container=_waiting("RunContainerError")),
    _pod("d", container=_waiting("ErrImagePull")),
    _pod("e", container=_container(_ended("OOMKilled", 137))),
    _pod("f", container=_waiting("CrashLoopBackOff")),
    _pod("g", conditions=[{"type": "PodScheduled", "status": "False"}]),
    _pod("h", init=[_running(name="wait")]),
    _pod("i", phase="Running", conditions=[UNREADY]),
]


@pytest.mark.parametrize("worst", range(len(WORST_FIRST)))
def test_the_worst_cause_is_told(worst):
    found = _find(WORST_FIRST[:worst:-1] + [WORST_FIRST[worst]])
    assert found.object == f'pod "api-new-{"abcdefghi"[worst]}" in namespace "shop"'


def test_of_equal_causes_the_first_pod_by_name_is_told():
    pods = [_pod(name, container=_waiting("ErrImagePull")) for name in "cab"]
    assert _find(pods).object == ADDRESS


def test_every_cause_has_an_advice_and_every_code_is_short():
    for code, (says, advice) in cause._CODES.items():
        assert code.replace("_", "").islower() and says and advice


BROKEN = {"container": _waiting("ErrImagePull"), "phase": "Pending"}


@pytest.mark.parametrize("kind", list(HASH))
class TestOnlyPodsOfTheNewestRevision:
    def _names(self, kind, *pods, **owner):
        pods = [_pod(**{"kind": kind, **pod}) for pod in pods]
        return [pod["metadata"]["name"] for pod in cause.newest_pods(_owner(kind, **owner), pods)]

    def test_are_told_from_older_ones_by_the_marks_of_the_restart(self, kind):
        old = [{"revision": "old", "annotations": annotations} for annotations in ({}, {"restartx.io/run": "r0"})]
        assert self._names(kind, *old, {"name": "b"}, {"name": "a"}) == ["api-new-a", "api-new-b"]
        assert self._names(kind, *old) == []

    def test_may_have_been_added_to_by_admission(self, kind):
        assert self._names(kind, {"annotations": {**RUN, "mesh.example.com/injected": "true"}}) == ["api-new-a"]

    def test_do_not_carry_a_restart_that_was_undone(self, kind):
        pods = [{"revision": "good", "annotations": {}}, {"revision": "bad", "created": "2026-11-24T22:19:00Z"}]
        pods = [_pod(kind=kind, **pod) for pod in pods]
        undone = workload(kind)
        assert [pod["metadata"]["name"] for pod in cause.newest_pods(undone, pods)] == ["api-good-a"]

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
            {"ownerReferences": []},
            {"ownerReferences": [{"kind": "Job", "name": "api", "uid": "x", "controller": True}]},
            {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-new", "uid": "x", "controller": True}]},
            {"labels": {"app": "web"}},
        ],
    )
    def test_are_the_workloads_own_and_stay(self, kind, change):
        assert self._names(kind, change) == []


def test_a_broken_pod_that_keeps_an_undone_stateful_set_back_is_told_first():
    good, bad = workload("StatefulSet", status={"observedGeneration": 2, "updateRevision": "old"}), "bad"
    pods = [
        _pod("0", "old", kind="StatefulSet", annotations={}, conditions=[{"type": "Ready", "status": "True"}]),
        _pod("1", bad, kind="StatefulSet", container=_waiting("ErrImageNeverPull")),
    ]
    found = cause.find(good, pods)
    assert found.code == "stuck_pod"
    assert found.sentence == (
        'pod "api-bad-1" in namespace "shop" is of an older revision and never gets ready, so its successor is not made'
    )
    assert "delete_stuck_pods" in found.advice


def test_without_pods_and_events_there_is_nothing_to_tell():
    assert _find([]) is None
    assert _find([{"metadata": {"name": "x", "namespace": "shop"}, "status": {}, "spec": {}}]) is None
