# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cause in the status of one container: it cannot be started, it keeps ending, or it only needs time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes, images
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence, message_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

_WAITING = {
    "InvalidImageName": "image_pull",
    "ErrImageNeverPull": "image_pull",
    "ErrImagePull": "image_pull",
    "ImagePullBackOff": "image_pull",
    "ImageInspectError": "image_pull",
    "RegistryUnavailable": "image_pull",
    "SignatureValidationFailed": "image_pull",
    "CreateContainerConfigError": "config_missing",
    "CreateContainerError": "start_failed",
    "RunContainerError": "start_failed",
    "StartError": "start_failed",
    "CrashLoopBackOff": "crash_loop",
}
_ENDED = {"OOMKilled": "oom", "StartError": "start_failed", "ContainerCannotRun": "start_failed"}
_NEVER_RAN = ("StartError", "ContainerCannotRun")
_NOT_FOUND = (126, 127)  # a shell's exit codes for a command that cannot be run, or is not found
_KILLED = (0, 137, 143)  # exit codes of containers that the kubelet stops because a probe fails
_PERMANENT = ("InvalidImageName", "ErrImageNeverPull")
_SAYS_ONCE = {
    "crash_loop": "has ended",
    "liveness_probe": "was killed, because its liveness probe failed",
    "startup_probe": "was killed, because its startup probe did not pass",
}
_SAYS_LOOP = {"startup_probe": "is killed again and again, because its startup probe does not pass"}
_EVENTS_LAG = timedelta(minutes=5)  # a kubelet may report the same event only so often
_FORGOTTEN = timedelta(minutes=10)  # after this time the kubelet resets the backoff of a container that runs

# The messages of runc and crun for a container's command that cannot be run.
_NO_COMMAND = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"""(?<![\w/])exec:?\s+(?:container process\s+)?(?:\\?["'`](?P<quoted>[^"'`\\]+)\\?["'`]|(?P<bare>/[^\s:]+)):\s*"""
        r"""(?:stat [^:]+:\s*)?(?:executable file not found|no such file or directory|permission denied|exec format error|"""
        r"""not a directory|is a directory)""",
        r"""executable file \\?["'`](?P<quoted>[^"'`\\]+)\\?["'`] not found in \$PATH""",
        r"""exec user process caused:? "?(?:exec format error|no such file or directory|permission denied)""",
        r"""no command specified""",
    )
)
# Programs of the node that start containers use the same words if one of their own files is missing.
_OF_THE_NODE = re.compile(r"\bhook|unable to retrieve|shim: ?$|shim task: ?$|fork/$", re.IGNORECASE)
_RUNTIMES = re.compile(r"^(?:runc|crun|runsc|youki|kata-.*|containerd.*|nvidia-.*|conmon|.*-hook)$")


@dataclass(frozen=True)
class Container:
    """A container of a pod: its spec and its status."""

    name: str
    status: dict
    spec: dict
    init: bool  # one of spec.initContainers
    sidecar: bool  # an init container that keeps running beside the others (restartPolicy: Always)

    @property
    def role(self) -> str:
        """The word for it in messages."""
        return "sidecar container" if self.sidecar else "init container" if self.init else "container"

    @property
    def running(self) -> bool:
        return kinds.field(self.status, "state.running") is not None

    @property
    def ready(self) -> bool:
        return bool(self.status.get("ready"))

    @property
    def started(self) -> bool:
        """Whether it runs and has passed its startup probe, if it has one. Only then do later containers start."""
        return self.running and self.status.get("started") is not False

    @property
    def end(self) -> Object:
        """How it ended last; empty if it never did."""
        return kinds.field(self.status, "state.terminated") or kinds.field(self.status, "lastState.terminated", {})

    @property
    def ends(self) -> int:
        """How often it has ended."""
        down = 0 if self.running else 1
        return self.status.get("restartCount", 0) + down if self.end else 0

    @property
    def has_run(self) -> bool:
        """Whether it has run at least once."""
        return self.running or (bool(self.end) and self.end.get("reason") not in _NEVER_RAN)


def containers_of(pod: Object) -> Iterator[Container]:
    """The containers in the status of the pod, in the order in which they start."""
    for init, statuses, specs in (
        (True, "status.initContainerStatuses", "spec.initContainers"),
        (False, "status.containerStatuses", "spec.containers"),
    ):
        by_name = {spec["name"]: spec for spec in kinds.field(pod, specs, [])}
        places = {name: place for place, name in enumerate(by_name)}
        for status in sorted(kinds.field(pod, statuses, []), key=lambda one: places.get(one["name"], len(places))):
            spec = by_name.get(status["name"], {})
            yield Container(status["name"], status, spec, init, init and spec.get("restartPolicy") == "Always")


def is_loop(cause: codes.Cause) -> bool:
    """Whether the container of the cause keeps ending, as far as a single check can tell. A container that ended once
    and was started again may only need time."""
    return not cause.running or cause.ends > 1


def cause_of(pod: Object, container: Container, evidence: Evidence) -> codes.Cause | None:
    """The cause in the status of one container; None if it is ready or only needs time.

    A container that has ended before and runs now has one too, marked as `running`: see is_loop().
    """
    if container.ready or (container.running and _runs_long(container, evidence)):
        return None
    code = _code_of(container) or ("crash_loop" if _ended_for_a_probe(pod, container, evidence) else None)
    if code is None:
        return None
    waiting, end = kinds.field(container.status, "state.waiting", {}), container.end
    why = waiting.get("reason")
    message, permanent = _message(pod, container, code, evidence), why in _PERMANENT
    if code == "image_pull":
        code = images.code_of(why, message or "", container.spec.get("image"))
    elif code == "crash_loop" and message:
        code = "liveness_probe" if message.startswith("Liveness probe") else "startup_probe"
    elif code == "start_failed" and runs_no_command(
        f"{waiting.get('message', '')} {end.get('message', '')}", container.spec
    ):
        code = "bad_command"
        permanent = not (end and end.get("reason") not in _NEVER_RAN)
    # If a crash loop has a cause of its own, the last end of the container says more.
    looping = why == "CrashLoopBackOff" and code not in ("crash_loop", "liveness_probe", "startup_probe")
    return codes.make(
        code,
        codes.pod_subject(pod, evidence.context, container.name, container.role),
        _details(pod, container, code),
        message,
        says=_SAYS_ONCE.get(code) if container.ends == 1 and not why else _SAYS_LOOP.get(code),
        permanent=permanent,
        reason=end.get("reason") if looping else why or end.get("reason"),
        log_source=_log_source(container),
        ends=container.ends,
        running=container.running,
        exit_code=end.get("exitCode") if end else None,
    )


def _ended_for_a_probe(pod: Object, container: Container, evidence: Evidence) -> bool:
    """Whether the container ended well, but only because the kubelet told it to."""
    return bool(container.end) and container.end.get("exitCode") == 0 and bool(_killed_by(pod, container, evidence))


def _code_of(container: Container) -> str | None:
    """The code that the reason and the exit code of a container show."""
    why, end = kinds.field(container.status, "state.waiting.reason"), container.end
    code = _WAITING.get(why or "")
    if code in (None, "crash_loop") and end:
        exit_code = end.get("exitCode", 0)
        if exit_code in _NOT_FOUND and end.get("reason") not in _NEVER_RAN:
            return "bad_command"
        return _ENDED.get(end.get("reason", ""), code or ("crash_loop" if exit_code else None))
    return code


def _details(pod: Object, container: Container, code: str) -> list[str | None]:
    end, node = container.end, kinds.field(pod, "spec.nodeName")
    restarts = container.status.get("restartCount", 0)
    return [
        kinds.field(container.status, "state.waiting.reason") or end.get("reason"),
        f"exit code {end.get('exitCode', 0)}" if end else None,
        f"{restarts} restart{'' if restarts == 1 else 's'}" if restarts else None,
        f"node {node}" if node and code in ("start_failed", "image_unreachable") else None,
    ]


def runs_no_command(message: str, spec: Object) -> bool:
    """Whether the runtime says that the container's own command cannot be run, so that other nodes cannot run it
    either.

    If the node lacks a file (runc itself, a shim, a hook, a cgroup, a volume), the words are the same, but not the
    form.
    """
    for pattern in _NO_COMMAND:
        for found in pattern.finditer(message):
            if _OF_THE_NODE.search(message[: found.start()]):
                continue
            groups = found.groupdict()
            name = groups.get("quoted") or groups.get("bare")
            if name is None or _is_command(name, spec):
                return True
    return False


def _is_command(name: str, spec: Object) -> bool:
    command = (spec.get("command") or [""])[0]
    if not command or "$(" in command:  # the image's own command, or one that the kubelet completes
        return not _RUNTIMES.match(name.rpartition("/")[2])
    return name == command or name.endswith(f"/{command.removeprefix('./')}")


def _message(pod: Object, container: Container, code: str, evidence: Evidence) -> str | None:
    """The message about it from the kubelet, the runtime, or the probe that failed."""
    waiting, end = kinds.field(container.status, "state.waiting", {}), container.end
    if code in ("start_failed", "bad_command") and end:
        # For a container that ran, this is the end of its log.
        return end.get("message") if end.get("reason") in _NEVER_RAN else None
    if code == "crash_loop":
        # For a crash loop, the kubelet only says how long it waits before the next attempt.
        return _killed_by(pod, container, evidence) if end.get("exitCode") in _KILLED else None
    if code == "image_pull":
        told, words = waiting.get("message"), ("Failed to pull image",)
        failed = evidence.newest_event(pod, ("Failed",), container=container.name, words=words)
        return images.reason_in(told) or (message_of(failed) if failed else told)
    return waiting.get("message") if waiting.get("reason") != "CrashLoopBackOff" else None


def _killed_by(pod: Object, container: Container, evidence: Evidence) -> str | None:
    """What the probe said because of which the kubelet killed the container."""
    began = restart.parse_time(container.end.get("startedAt"))
    since = began - _EVENTS_LAG if began else None
    words = ("Liveness probe", "Startup probe")
    probe = evidence.newest_event(pod, ("Unhealthy",), since, container.name, words)
    return message_of(probe) if probe else None


def _runs_long(container: Container, evidence: Evidence) -> bool:
    since = restart.parse_time(kinds.field(container.status, "state.running.startedAt"))
    return since is not None and evidence.now is not None and evidence.now - since >= _FORGOTTEN


def _log_source(container: Container) -> str | None:
    """Which log shows why a container ended; None if it never ran."""
    if not container.end or container.end.get("reason") in _NEVER_RAN:
        return None
    return codes.CURRENT if kinds.field(container.status, "state.terminated") else codes.PREVIOUS
