# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container that does not run tells: code, words, log, and whether waiting may help."""

from __future__ import annotations

import pytest

from tests.unit.rollout.cause_objects import (
    ADDRESS,
    BACK_OFF,
    LOOPS,
    NOW,
    UNREADY,
    a_container,
    ended,
    event,
    find_in,
    of_pods,
    pod_of,
    running,
    waiting,
)

PULL = 'failed to pull and unpack image "shop/api:1": not found'
NOT_FOUND = "cannot get its image, which the registry does not have"
NO_EXEC = 'exec: "serve": executable file not found in $PATH'
CONTAINER = f'container "app" of {ADDRESS}'


@pytest.mark.parametrize(
    "container, code, sentence",
    [
        (waiting("ErrImagePull", PULL), "image_not_found", f"{NOT_FOUND} (ErrImagePull): {PULL}"),
        (waiting("ImagePullBackOff", PULL), "image_not_found", f"{NOT_FOUND} (ImagePullBackOff): {PULL}"),
        (waiting("ImagePullBackOff"), "image_pull", "cannot get its image (ImagePullBackOff)"),
        (
            waiting("RegistryUnavailable"),
            "image_unreachable",
            "cannot get its image, because its node cannot reach the registry (RegistryUnavailable)",
        ),
        (waiting("InvalidImageName", "bad"), "image_pull", "cannot get its image (InvalidImageName): bad"),
        (waiting("ErrImageNeverPull"), "image_pull", "cannot get its image (ErrImageNeverPull)"),
        (
            waiting("CreateContainerConfigError", 'configmap "settings" not found'),
            "config_missing",
            'lacks its configuration (CreateContainerConfigError): configmap "settings" not found',
        ),
        (
            waiting("RunContainerError", NO_EXEC),
            "bad_command",
            f"cannot run its command (RunContainerError): {NO_EXEC}",
        ),
        (
            waiting("CrashLoopBackOff", BACK_OFF, restarts=2, last=ended("StartError", 128, NO_EXEC)),
            "bad_command",
            f"cannot run its command (CrashLoopBackOff, exit code 128, 2 restarts): {NO_EXEC}",
        ),
        (
            waiting("CrashLoopBackOff", BACK_OFF, restarts=2, last=ended("Error", 127)),
            "bad_command",
            "cannot run its command (CrashLoopBackOff, exit code 127, 2 restarts)",
        ),
        (
            waiting("CrashLoopBackOff", BACK_OFF, restarts=3, last=ended("OOMKilled", 137)),
            "oom",
            "runs out of memory (CrashLoopBackOff, exit code 137, 3 restarts)",
        ),
        (a_container(ended("OOMKilled", 137)), "oom", "runs out of memory (OOMKilled, exit code 137)"),
        (
            running(restarts=2, last=ended("OOMKilled", 137)),
            "oom",
            "runs out of memory (OOMKilled, exit code 137, 2 restarts)",
        ),
        (
            waiting("CrashLoopBackOff", BACK_OFF, restarts=4, last=ended("Error", 1)),
            "crash_loop",
            "keeps ending (CrashLoopBackOff, exit code 1, 4 restarts)",
        ),
        (
            waiting("CrashLoopBackOff", BACK_OFF, restarts=4, last=ended("Completed", 0)),
            "crash_loop",
            "keeps ending (CrashLoopBackOff, exit code 0, 4 restarts)",
        ),
        (waiting("CrashLoopBackOff", BACK_OFF), "crash_loop", "keeps ending (CrashLoopBackOff)"),
        (a_container(ended("Error", 1)), "crash_loop", "has ended (Error, exit code 1)"),
        (a_container(ended("Error", 1), restarts=1), "crash_loop", "keeps ending (Error, exit code 1, 1 restart)"),
        (
            running(restarts=2, last=ended("Error", 2)),
            "crash_loop",
            "keeps ending (Error, exit code 2, 2 restarts)",
        ),
        (
            waiting("RunContainerError", "cannot set up cgroup"),
            "start_failed",
            "cannot be started by its node (RunContainerError): cannot set up cgroup",
        ),
    ],
)
def test_a_container_tells_why_it_does_not_run(container, code, sentence):
    found = find_in([pod_of(container=container)])
    assert (found.code, found.object, found.sentence) == (code, ADDRESS, f"{CONTAINER} {sentence}")
    assert found.advice


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}


@pytest.mark.parametrize(
    "pod, container, reason, log_source",
    [
        ({"container": waiting("ImagePullBackOff")}, "app", "ImagePullBackOff", None),
        ({"container": waiting("CreateContainerConfigError")}, "app", "CreateContainerConfigError", None),
        ({"container": waiting("RunContainerError")}, "app", "RunContainerError", None),
        (
            {"container": waiting("RunContainerError", last=ended("StartError", 128))},
            "app",
            "RunContainerError",
            None,
        ),
        ({"container": waiting(*LOOPS, last=ended("StartError", 128))}, "app", "StartError", None),
        ({"container": waiting(*LOOPS, last=ended("Error", 127))}, "app", "Error", "previous"),
        ({"container": waiting(*LOOPS, last=ended("OOMKilled", 137))}, "app", "OOMKilled", "previous"),
        ({"container": a_container(ended("OOMKilled", 137))}, "app", "OOMKilled", "current"),
        ({"container": waiting(*LOOPS, last=ended("Error", 1))}, "app", "CrashLoopBackOff", "previous"),
        ({"container": waiting(*LOOPS)}, "app", "CrashLoopBackOff", None),
        ({"container": running(restarts=2, last=ended("Error", 1))}, "app", "Error", "previous"),
        ({"container": a_container(ended("Error", 1))}, "app", "Error", "current"),
        ({"conditions": [UNSCHEDULED], "container": waiting("Unknown")}, None, "Unschedulable", None),
        ({"container": waiting("PodInitializing"), "init": [running(name="wait")]}, "wait", None, "current"),
        (
            {
                "container": running(),
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            },
            "app",
            "ContainersNotReady",
            "current",
        ),
        ({"container": running(ready=True), "phase": "Running"}, None, None, None),  # a readiness gate
    ],
)
def test_a_cause_names_pod_container_and_reason_and_whose_log_tells_more(pod, container, reason, log_source):
    found = find_in([pod_of(**pod)])
    assert (found.pod, found.container, found.reason) == ("api-new-a", container, reason)
    assert found.log_source == log_source
    assert found.log == ()


@pytest.mark.parametrize(
    "reason, permanent",
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
def test_only_what_waiting_cannot_help_is_permanent(reason, permanent):
    assert find_in([pod_of(container=waiting(reason))]).permanent is permanent


RUNC = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
STARTING = f"{RUNC}unable to start container process: "
INIT = f"{STARTING}error during container init: "


@pytest.mark.parametrize(
    "command, message",
    [
        (None, 'exec: "serve": executable file not found in $PATH'),
        (["serve"], f'{STARTING}exec: "serve": executable file not found in $PATH: unknown'),
        (["serve", "-x"], f'{INIT}exec: "serve": executable file not found in $PATH'),
        (["/bin/shop"], f'{INIT}exec: "/bin/shop": stat /bin/shop: no such file or directory: unknown'),
        (["/shop"], f'{INIT}exec: "/shop": permission denied: unknown'),
        (["/shop"], f'{INIT}exec: "/shop": is a directory: unknown'),
        (["shop"], f"{INIT}exec /usr/bin/shop: exec format error: unknown"),
        (["/shop.sh"], "exec /shop.sh: no such file or directory"),
        (["./shop"], f'{INIT}exec: "./shop": stat ./shop: no such file or directory: unknown'),
        (["$(HOME)/shop"], f'{INIT}exec: "/root/shop": stat /root/shop: no such file or directory: unknown'),
        (
            None,
            'OCI runtime create failed: starting container process caused "exec: \\"serve\\": executable file not found in $PATH"',
        ),
        (None, "exec user process caused: exec format error"),
        (
            ["serve"],
            "crun: executable file `serve` not found in $PATH: No such file or directory: OCI runtime attempted",
        ),
        (None, "exec container process `/shop`: Exec format error"),
        (None, 'failed to generate container "a1" spec: failed to generate spec: no command specified'),
    ],
)
@pytest.mark.parametrize(
    "shape",
    [
        lambda message: waiting("RunContainerError", message),
        lambda message: waiting("CreateContainerError", message),
        lambda message: waiting("CrashLoopBackOff", last=ended("StartError", 128, message)),
        lambda message: waiting("CrashLoopBackOff", last=ended("ContainerCannotRun", 127, message)),
        lambda message: a_container(ended("StartError", 128, message)),
    ],
    ids=["run", "create", "loop", "cannot-run", "ended"],
)
def test_a_command_that_the_runtime_cannot_execute_never_runs(command, message, shape):
    found = find_in([pod_of(container=shape(message), spec=_spec(command))])
    assert (found.code, found.permanent) == ("bad_command", True)


@pytest.mark.parametrize(
    "command, message",
    [
        (None, "context deadline exceeded"),
        (
            None,
            f"{RUNC}unable to retrieve OCI runtime error (open /run/x/log.json: no such file or directory): fork/exec /usr/bin/runc: no such file or directory",
        ),
        (None, "fork/exec /usr/bin/nvidia-container-runtime: no such file or directory: unknown"),
        (None, 'failed to start shim: exec: "containerd-shim-runc-v2": executable file not found in $PATH'),
        (
            None,
            'failed to create shim task: OCI runtime create failed: exec: "runc": executable file not found in $PATH',
        ),
        (
            None,
            f'{STARTING}error running prestart hook #0: exec: "nvidia-container-runtime-hook": executable file not found in $PATH',
        ),
        (
            ["serve"],
            f'{STARTING}error running hook #1: error running hook: exec: "serve": executable file not found in $PATH',
        ),
        (["serve"], f'{STARTING}exec: "newuidmap": executable file not found in $PATH: unknown'),
        (
            None,
            f"{STARTING}unable to apply cgroup configuration: openat2 /sys/fs/cgroup/kubepods/x: no such file or directory",
        ),
        (None, f'{INIT}error mounting "/run/db.sock" to rootfs at "/db.sock": no such file or directory'),
        (None, f"{INIT}open /proc/sys/net/core/x: permission denied"),
        (None, f"{RUNC}can't copy bootstrap data to pipe: write init-p: broken pipe"),
    ],
)
def test_a_node_that_lacks_a_file_has_no_bad_command(command, message):
    for container in (
        waiting("RunContainerError", message),
        waiting("CrashLoopBackOff", last=ended("StartError", 128, message)),
    ):
        found = find_in([pod_of(container=container, spec={**_spec(command), "nodeName": "n1"})])
        assert (found.code, found.permanent, found.recoverable) == ("start_failed", False, True)
        assert "node n1" in found.sentence


@pytest.mark.parametrize("last", [ended("Error", 1, NO_EXEC), ended("Error", 127)])
def test_a_command_that_did_run_may_yet_go_well(last):
    assert find_in([pod_of(container=waiting(*LOOPS, last=last))]).permanent is False


def _spec(command):
    return {"containers": [{"name": "app", "image": "shop/api:1", **({"command": command} if command else {})}]}


PERMANENT = {
    "command": waiting("RunContainerError", NO_EXEC),
    "never pulled": waiting("ErrImageNeverPull"),
    "image name": waiting("InvalidImageName"),
}


@pytest.mark.parametrize("container", PERMANENT.values(), ids=PERMANENT)
@pytest.mark.parametrize(
    "other, permanent",
    [
        ({"container": running(ready=True)}, False),
        ({"container": running()}, False),
        ({"container": waiting(*LOOPS, last=ended("Error", 1))}, False),
        ({"container": waiting("ContainerCreating")}, True),
        ({"container": waiting("RunContainerError", NO_EXEC)}, True),
        ({"container": waiting(*LOOPS, last=ended("StartError", 128, NO_EXEC))}, True),
        ({"container": running(ready=True), "revision": "old", "annotations": {}}, True),
        ({"container": running(ready=True), "phase": "Failed"}, True),
    ],
)
def test_what_a_pod_of_the_same_revision_got_over_is_not_permanent(container, other, permanent):
    """One of many pods on a sick node must not end the rollout at once."""
    pods = [pod_of("a", container=container), pod_of("b", **other)]
    found = of_pods(pods)["uid-new-a"]
    assert (found.permanent, found.recoverable) == (permanent, not permanent)
    assert find_in(pods).permanent is permanent


ENDS = [ended("Error", 1), ended("OOMKilled", 137), ended("Error", 127), ended("Error", 143)]


@pytest.mark.parametrize("last", ENDS)
class TestAContainerThatHasEndedAndRunsNow:
    def test_is_no_loop_when_it_ended_once(self, last):
        pods = [pod_of(container=running(restarts=1, last=last), phase="Running", conditions=[UNREADY])]
        found = find_in(pods, now=NOW)
        assert found.code == "never_ready"
        assert f"for 90 s, ended before, exit code {last['terminated']['exitCode']}" in found.sentence

    def test_is_a_loop_when_it_ended_again_and_again(self, last):
        pods = [pod_of(container=running(restarts=2, last=last), phase="Running", conditions=[UNREADY])]
        assert find_in(pods, now=NOW).code in ("crash_loop", "oom", "bad_command")

    def test_is_no_loop_when_that_is_long_ago(self, last):
        long = running(restarts=7, last=last, since="2026-11-24T22:09:00Z")
        pods = [pod_of(container=long, phase="Running", conditions=[UNREADY])]
        assert find_in(pods, now=NOW).code == "never_ready"

    def test_is_told_to_who_watches_with_the_number_of_its_ends(self, last):
        for restarts in (1, 2):
            pods = [pod_of(container=running(restarts=restarts, last=last), phase="Running", conditions=[UNREADY])]
            (found,) = of_pods(pods).values()
            assert (found.recoverable, found.running, found.ends) == (True, True, restarts)


@pytest.mark.parametrize("last", ENDS)
def test_a_container_that_waits_for_its_next_start_has_ended_once_more(last):
    for container in (waiting(*LOOPS, restarts=1, last=last), a_container(last, restarts=1)):
        (found,) = of_pods([pod_of(container=container)]).values()
        assert (found.running, found.ends) == (False, 2)


@pytest.mark.parametrize("exit_code, told", [(137, True), (143, True), (0, True), (1, False)])
@pytest.mark.parametrize("probe", ["Liveness", "Startup"])
def test_a_loop_that_a_probe_makes_names_the_probe(probe, exit_code, told):
    said = f"{probe} probe failed: HTTP probe failed with statuscode: 500"
    events = [
        event("Unhealthy", said, "uid-new-a", container="app"),
        event("Unhealthy", f"{probe} probe failed: of another", "uid-new-a", "2026-11-24T22:19:30Z", container="proxy"),
        event("Unhealthy", "Readiness probe failed: x", "uid-new-a", "2026-11-24T22:19:40Z", container="app"),
    ]
    loop = waiting(*LOOPS, restarts=3, last=ended("Error", exit_code, "password=hunter2"))
    found = find_in([pod_of(container=loop)], events=events)
    assert found.code == (f"{probe.lower()}_probe" if told else "crash_loop")
    assert found.sentence.endswith(f": {said}") is told
    assert "is killed again and again" in found.sentence or not told
    assert (found.recoverable, found.broken, found.exit_code) == (True, True, exit_code)
    assert "hunter2" not in found.sentence


def test_a_probe_that_failed_long_before_the_container_ended_is_not_the_cause():
    last = ended("Error", 137)
    last["terminated"]["startedAt"] = "2026-11-24T22:19:01Z"
    loop = waiting(*LOOPS, restarts=3, last=last)
    for at, code in (("2026-11-24T22:14:00Z", "crash_loop"), ("2026-11-24T22:14:02Z", "liveness_probe")):
        events = [event("Unhealthy", "Liveness probe failed: x", "uid-new-a", at, container="app")]
        assert find_in([pod_of(container=loop)], events=events).code == code


def test_a_container_that_ends_well_when_a_probe_ends_it_is_in_a_loop_too():
    events = [event("Unhealthy", "Liveness probe failed: x", "uid-new-a", container="app")]
    for restarts, code in ((2, "liveness_probe"), (1, "never_ready")):
        again = running(restarts=restarts, last=ended("Completed", 0))
        pods = [pod_of(container=again, phase="Running", conditions=[UNREADY])]
        assert find_in(pods, events=events).code == code
        assert find_in(pods).code == "never_ready"


def test_a_container_that_a_probe_killed_once_is_told_so():
    events = [event("Unhealthy", "Liveness probe failed: x", "uid-new-a", container="app")]
    found = find_in([pod_of(container=a_container(ended("Error", 137)))], events=events)
    assert (
        "was killed, because its liveness probe failed (Error, exit code 137): Liveness probe failed: x"
        in found.sentence
    )


PULLS = {
    "image_not_found": [
        'rpc error: code = NotFound desc = failed to pull and unpack image "IMAGE": failed to resolve reference "IMAGE": '
        "IMAGE: not found",
        "manifest for IMAGE not found: manifest unknown: manifest unknown",
        "reading manifest 1 in docker.io/IMAGE: name unknown: repository name not known to registry",
        "no match for platform in manifest: not found",
    ],
    "image_denied": [
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://x/: 401 Unauthorized",
        "pull access denied for IMAGE, repository does not exist or may require 'docker login': denied: requested access "
        "to the resource is denied",
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: "
        "authorization failed",
        "unexpected status from HEAD request to https://x/v2/IMAGE/manifests/1: 403 Forbidden",
        "no basic auth credentials",
    ],
    "image_rate_limit": [
        "429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "toomanyrequests: Rate exceeded",
    ],
    "image_unreachable": [
        'failed to do request: Head "https://localhost:1/v2/none/manifests/1": dial tcp 127.0.0.1:1: connect: connection refused',
        "dial tcp: lookup registry.example.com on 10.0.0.2:53: no such host",
        'Get "https://x/v2/": dial tcp 10.0.0.9:443: i/o timeout',
        'Get "https://x/v2/": dial tcp 10.0.0.9:443: connect: no route to host',
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        'Get "https://x/v2/": net/http: TLS handshake timeout',
        "http: server gave HTTP response to HTTPS client",
        "unexpected status from HEAD request to https://x/v2/IMAGE: 503 Service Unavailable",
    ],
    "image_pull": ["something new", "no space left on device"],
}


@pytest.mark.parametrize("code, message", [(code, message) for code, all_of in PULLS.items() for message in all_of])
@pytest.mark.parametrize("image", ["shop/api:1", "denied.example.com/unauthorized/429:404"])
def test_the_reason_why_an_image_is_not_pulled_is_told(code, message, image):
    message = message.replace("IMAGE", image)
    spec = {"containers": [{"name": "app", "image": image}]}
    words = f'Back-off pulling image "{image}": ErrImagePull: {message}'
    for container in (waiting("ErrImagePull", message), waiting("ImagePullBackOff", words)):
        found = find_in([pod_of(container=container, spec=spec)])
        assert (found.code, found.recoverable, found.broken, found.family) == (code, True, True, "image_pull")
        assert f"): {message[:40]}" in found.sentence


def test_an_event_tells_why_an_image_is_not_pulled_if_the_status_only_says_that_it_waits():
    container = waiting("ImagePullBackOff", 'Back-off pulling image "shop/api:1"')
    told = 'Failed to pull image "shop/api:1": unauthorized'
    events = [
        event("Failed", told, "uid-new-a", container="app"),
        event("Failed", "Error: ImagePullBackOff", "uid-new-a", "2026-11-24T22:19:30Z", container="app"),
        event("Failed", 'Failed to pull image "x": not found', "uid-new-a", "2026-11-24T22:19:30Z", container="proxy"),
        event("Failed", 'Failed to pull image "x": not found', "uid-old-a", "2026-11-24T22:19:40Z", container="app"),
    ]
    found = find_in([pod_of(container=container)], events=events)
    assert (found.code, found.sentence.endswith(f": {told}")) == ("image_denied", True)
    assert find_in([pod_of(container=container)]).code == "image_pull"


@pytest.mark.parametrize(
    "pod, recoverable",
    [
        ({"container": waiting("ImagePullBackOff")}, True),
        ({"container": waiting("CreateContainerConfigError")}, True),
        ({"container": waiting("CrashLoopBackOff", restarts=1, last=ended("Error", 1))}, True),
        ({"container": waiting("CrashLoopBackOff", restarts=1, last=ended("OOMKilled", 137))}, True),
        ({"container": waiting("InvalidImageName")}, False),  # permanent instead
        ({"container": running(), "phase": "Running"}, False),
    ],
)
def test_what_may_recover_gets_a_grace_but_a_slow_start_is_no_failure(pod, recoverable):
    (found,) = of_pods([pod_of(**pod)]).values()
    assert found.recoverable is recoverable


def test_a_pod_of_an_older_revision_tells_nothing_about_the_newest():
    assert of_pods([pod_of(container=waiting("InvalidImageName"), annotations={})]) == {}


@pytest.mark.parametrize(
    "container",
    [
        running(ready=True),
        running(ready=True, restarts=5, last=ended("OOMKilled", 137)),
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
    ],
)
def test_what_is_ready_or_still_beginning_is_no_cause(container):
    assert find_in([pod_of(container=container)]) is None


def test_init_containers_tell_too():
    broken = waiting("CrashLoopBackOff", restarts=1, last=ended("Error", 1), name="migrate")
    found = find_in([pod_of(container=waiting("PodInitializing"), init=[broken])])
    assert found.sentence == (
        f'init container "migrate" of {ADDRESS} keeps ending (CrashLoopBackOff, exit code 1, 1 restart)'
    )
