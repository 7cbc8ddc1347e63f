# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A container that runs, but whose startup or readiness probe does not pass, or that has not started."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.containers import Container
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence, message_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition


def cause_of(pod: Object, container: Container, evidence: Evidence) -> codes.Cause:
    """The cause of a container without which the pod is not ready."""
    probe = "readiness" if container.started else "startup"
    told = _failure(pod, container, probe, evidence)
    ready, spec = condition(pod, "Ready"), container.spec.get(f"{probe}Probe")
    since = evidence.lasting(kinds.field(pod, "status.startTime"))
    asks = None if told else _words_of(spec, probe)
    ended = f"ended before, exit code {container.end.get('exitCode', 0)}" if container.end else None
    known = container.running and bool(told or spec or probe == "startup")
    return codes.make(
        f"{probe}_probe" if known else "never_ready",
        codes.pod_subject(pod, evidence.context, container.name, container.role),
        [since, asks, ended],
        message_of(told) if told else ready.get("message"),
        says=None if container.running else "has not started",
        reason=told["reason"] if told else ready.get("reason"),
        log_source=codes.CURRENT if container.running else None,
    )


def _failure(pod: Object, container: Container, probe: str, evidence: Evidence) -> Object | None:
    """The newest failure of the probe since the container has started."""
    began = restart.parse_time(kinds.field(container.status, "state.running.startedAt"))
    words = (f"{probe.capitalize()} probe",)
    return evidence.newest_event(pod, ("Unhealthy",), since=began, container=container.name, words=words)


def _words_of(probe: Object | None, name: str) -> str | None:
    """A probe in the template. The arguments of a command are left out, because they may hold secrets."""
    if not probe:
        return None
    if "httpGet" in probe:
        get = probe["httpGet"]
        return f"{name} probe: {get.get('scheme', 'HTTP')} GET {get.get('path', '/')} on port {get.get('port')}"
    for field, words in (("tcpSocket", "TCP"), ("grpc", "gRPC")):
        if field in probe:
            return f"{name} probe: {words} on port {probe[field].get('port')}"
    command = kinds.field(probe, "exec.command", [])
    return f"{name} probe: the command {command[0]}" if command else None
