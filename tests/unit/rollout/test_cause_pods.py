# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a pod tells whose containers tell nothing: its place, its volumes, its probes."""

from __future__ import annotations

import pytest

from tests.unit.rollout.cause_objects import (
    ADDRESS,
    LOOPS,
    NOW,
    UNREADY,
    a_container,
    ended,
    event,
    find_in,
    pod_of,
    running,
    waiting,
)

CONTAINER = f'container "app" of {ADDRESS}'


def test_a_pod_that_finds_no_node():
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes available"}
    pod = pod_of(conditions=[condition])
    del pod["status"]["containerStatuses"]
    found = find_in([pod])
    sentence = f"{ADDRESS} finds no node (Unschedulable): 0/3 nodes available"
    assert (found.code, found.object, found.sentence) == ("unschedulable", ADDRESS, sentence)


@pytest.mark.parametrize(
    "events, now, rest",
    [
        ([], None, "runs but is not ready: containers with unready status: [app]"),
        ([], NOW, "runs but is not ready (for 90 s): containers with unready status: [app]"),
        (
            [
                event("Unhealthy", "Readiness probe failed: HTTP 500", "uid-new-a"),
                event("Unhealthy", "Readiness probe failed: older", "uid-new-a", at="2026-11-24T22:18:59Z"),
                event("Unhealthy", "Liveness probe failed: x", "uid-new-a", at="2026-11-24T22:19:59Z"),
                event("Unhealthy", "of another pod", "uid-new-b", at="2026-11-24T22:19:59Z"),
                event("Pulled", "of another reason", "uid-new-a", at="2026-11-24T22:19:59Z"),
            ],
            NOW,
            "runs but is not ready (for 90 s): Readiness probe failed: HTTP 500",
        ),
    ],
)
def test_a_pod_that_runs_and_never_gets_ready(events, now, rest):
    found = find_in([pod_of(container=running(), phase="Running", conditions=[UNREADY])], events=events, now=now)
    assert (found.code, found.sentence) == ("readiness_probe" if events else "never_ready", f"{CONTAINER} {rest}")
    assert (found.recoverable, found.broken) == (False, False)


@pytest.mark.parametrize("started, probe", [(True, "Readiness"), (False, "Startup")])
@pytest.mark.parametrize("at, counts", [("2026-11-24T22:18:30Z", False), ("2026-11-24T22:18:31Z", True)])
def test_a_probe_of_an_earlier_start_of_the_container_is_not_quoted(started, probe, at, counts):
    pod = pod_of(container=running(started=started), phase="Running", conditions=[UNREADY])
    events = [event("Unhealthy", f"{probe} probe failed: x", "uid-new-a", at=at)]
    assert find_in([pod], events=events).sentence.endswith(f"{probe} probe failed: x") is counts


def test_the_path_of_a_probe_is_told_without_its_token():
    probed = {"name": "app", "readinessProbe": {"httpGet": {"path": "/ready?token=hunter2", "port": 8080}}}
    pod = pod_of(container=running(), phase="Running", spec={"containers": [probed]}, conditions=[UNREADY])
    found = find_in([pod])
    assert "readiness probe: HTTP GET /ready?token=********" in found.sentence
    assert "hunter2" not in found.sentence


def test_a_ready_pod_is_no_cause():
    ready = {"type": "Ready", "status": "True"}
    assert find_in([pod_of(phase="Running", conditions=[ready])]) is None


def test_a_volume_that_cannot_be_mounted():
    pod = pod_of(container=waiting("ContainerCreating"))
    events = [event("FailedMount", 'MountVolume.SetUp failed: secret "tls" not found', "uid-new-a")]
    found = find_in([pod], events=events)
    rest = 'lacks its configuration (FailedMount): MountVolume.SetUp failed: secret "tls" not found'
    assert (found.code, found.sentence) == ("config_missing", f"{ADDRESS} {rest}")
    running = pod_of(phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    assert find_in([running], events=events) is None


def test_long_messages_are_cut_and_made_one_line():
    found = find_in([pod_of(container=waiting("ErrImagePull", "one\n  two " + "x" * 1000))])
    assert found.sentence == f"{CONTAINER} cannot get its image (ErrImagePull): one two {'x' * 192} ... {'x' * 100}"


@pytest.mark.parametrize(
    "reason, code",
    [
        ("FailedMount", "volume_mount"),
        ("FailedAttachVolume", "volume_mount"),
        ("FailedMapVolume", "volume_mount"),
        ("FailedCreatePodSandBox", "start_failed"),
    ],
)
def test_what_keeps_a_pod_from_beginning_is_told_by_events_until_it_is_over(reason, code):
    events = [event(reason, "first", "uid-new-a"), event(reason, "last", "uid-new-a", "2026-11-24T22:19:30Z")]
    creating = {"container": waiting("ContainerCreating"), "spec": {"nodeName": "n1", "containers": [{"name": "app"}]}}
    found = find_in([pod_of(**creating)], events=events)
    assert (found.code, found.recoverable) == (code, True)
    assert found.sentence.endswith(": last")
    for begun in (
        {**creating, "conditions": [{"type": "PodReadyToStartContainers", "status": "True"}]},  # it pulls its image
        {"container": waiting("PodInitializing"), "init": [a_container(ended("Completed", 0), ready=True, name="x")]},
    ):
        assert find_in([pod_of(**begun)], events=events) is None


SIDECAR = {"name": "proxy", "restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": 15021}}}
SIDECAR["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 15021}}
MIGRATE = {"name": "migrate"}
APP = {"name": "app", "readinessProbe": {"exec": {"command": ["/check", "--password", "hunter2"]}}}
DONE = a_container(ended("Completed", 0), ready=True, name="migrate")
PROXY = 'sidecar container "proxy"'


def _with_init(specs, statuses, app, phase="Pending", app_spec=None, **more):
    spec = {"initContainers": specs, "containers": [app_spec or APP]}
    return pod_of(init=statuses, container=app, phase=phase, spec=spec, conditions=[UNREADY], **more)


@pytest.mark.parametrize(
    "pod, code, blamed, words",
    [
        (  # its startup probe never passes, so nothing after it begins
            _with_init([SIDECAR, MIGRATE], [running(name="proxy", started=False)], waiting("PodInitializing")),
            "startup_probe",
            PROXY,
            "runs, but its startup probe has not passed (startup probe: TCP on port 15021)",
        ),
        (  # it has started, and only what comes after it has not
            _with_init(
                [SIDECAR, MIGRATE],
                [running(name="proxy", started=True), running(name="migrate", started=False)],
                waiting("PodInitializing"),
            ),
            "init_waits",
            'init container "migrate"',
            "has not ended",
        ),
        (
            _with_init(
                [SIDECAR, MIGRATE],
                [running(name="proxy", ready=True, started=True), running(name="migrate", started=False)],
                waiting("PodInitializing"),
            ),
            "init_waits",
            'init container "migrate"',
            "has not ended",
        ),
        (  # statuses in another order than the pod's own
            _with_init(
                [MIGRATE, SIDECAR],
                [running(name="proxy", started=False), DONE],
                waiting("PodInitializing"),
            ),
            "startup_probe",
            PROXY,
            "startup probe has not passed",
        ),
        (  # all run, and the sidecar is not ready
            _with_init([SIDECAR], [running(name="proxy", started=True)], running(ready=True), phase="Running"),
            "readiness_probe",
            PROXY,
            "runs but is not ready (readiness probe: HTTP GET /healthz on port 15021)",
        ),
        (  # the sidecar is well, the application is not
            _with_init(
                [SIDECAR], [running(name="proxy", ready=True, started=True)], running(started=True), phase="Running"
            ),
            "readiness_probe",
            'container "app"',
            "runs but is not ready (readiness probe: the command /check)",
        ),
        (
            _with_init(
                [SIDECAR],
                [waiting(*LOOPS, restarts=4, last=ended("Error", 1), name="proxy")],
                waiting("PodInitializing"),
            ),
            "crash_loop",
            PROXY,
            "keeps ending",
        ),
        (
            _with_init([SIDECAR], [waiting("ImagePullBackOff", name="proxy")], waiting("PodInitializing")),
            "image_pull",
            PROXY,
            "cannot get its image",
        ),
        (
            _with_init(
                [],
                [],
                running(started=False),
                phase="Running",
                app_spec={"name": "app", "startupProbe": {"grpc": {"port": 9000}}},
            ),
            "startup_probe",
            'container "app"',
            "runs, but its startup probe has not passed (startup probe: gRPC on port 9000)",
        ),
        (  # one of two containers still begins
            _with_init([], [], waiting("ContainerCreating"), phase="Running"),
            "never_ready",
            'container "app"',
            "has not started",
        ),
    ],
)
def test_the_container_and_the_probe_that_are_to_blame_are_named(pod, code, blamed, words):
    found = find_in([pod])
    assert found.code == code
    assert found.sentence.startswith(f"{blamed} of {ADDRESS} ")
    assert words in found.sentence
    assert found.container == blamed.split('"')[1]
    assert "hunter2" not in found.sentence


def test_of_probes_that_failed_the_one_of_the_blamed_container_is_quoted():
    pod = _with_init([SIDECAR], [running(name="proxy", started=False)], waiting("PodInitializing"))
    said = "Startup probe failed: dial tcp 10.0.0.1:15021: connect: connection refused"
    events = [
        event("Unhealthy", said, "uid-new-a", container="proxy", init=True),
        event("Unhealthy", "Readiness probe failed: x", "uid-new-a", "2026-11-24T22:19:30Z", container="app"),
    ]
    assert find_in([pod], events=events).sentence.endswith(f"startup probe has not passed: {said}")


@pytest.mark.parametrize(
    "spec, code, words",
    [
        ({"readinessGates": [{"conditionType": "example.com/gate"}]}, "never_ready", "readiness gate"),
        ({"nodeName": "n1"}, "node_not_ready", "kubectl get node n1"),
    ],
)
def test_a_pod_whose_containers_are_all_ready_blames_its_gate_or_its_node(spec, code, words):
    pod = pod_of(
        phase="Running", conditions=[{**UNREADY, "message": "why"}], spec={"containers": [{"name": "app"}], **spec}
    )
    found = find_in([pod])
    assert (found.code, found.container) == (code, None)
    assert found.sentence.endswith(": why") and words in found.advice
