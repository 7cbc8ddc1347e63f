# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps one pod from becoming ready: its containers, its scheduling, its volumes, or its probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import (
    codes,
    containers,
    nodes,
    probes,
    scheduling,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.containers import Container
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence, message_of, time_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition

_VOLUMES = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_SANDBOX = ("FailedCreatePodSandBox",)
_REPEATED = timedelta(minutes=10)  # a node that still fails has said so again within this time
# What the codes of nodes say of a pod that has no node yet.
_NO_NODE = {
    "node_not_ready": "finds no node, because nodes are not ready",
    "node_pressure": "finds no node, because nodes have no free memory, disk or process ids",
}


def causes_of(pod: Object, evidence: Evidence, pods: Sequence[Object]) -> list[codes.Cause]:
    """The causes that one pod shows. `pods` are all pods of its revision.

    If another pod of the same revision has passed that point, the cause is not permanent: the template works, and for
    example a node is the reason.
    """
    of_containers = [
        _unless_others_run(pod, container, cause, pods)
        for container in containers.containers_of(pod)
        if (cause := containers.cause_of(pod, container, evidence)) and containers.is_loop(cause)
    ]
    return of_containers or [cause for cause in [_of_pod(pod, evidence)] if cause]


def begins_still(pod: Object) -> bool:
    """Whether the pod has a node but none of its containers has started. Only events may show why."""
    if kinds.field(pod, "status.phase") != "Pending" or _unscheduled(pod):
        return False
    started = [container for container in containers.containers_of(pod) if container.running or container.end]
    return not started and not _has_sandbox(pod)


def _unless_others_run(pod: Object, container: Container, cause: codes.Cause, pods: Sequence[Object]) -> codes.Cause:
    others = (other for other in pods if other is not pod and other["metadata"]["name"] != pod["metadata"]["name"])
    if cause.permanent and any(_runs(other, container.name) for other in others):
        return replace(cause, permanent=False)
    return cause


def _runs(pod: Object, name: str) -> bool:
    return any(container.name == name and container.has_run for container in containers.containers_of(pod))


def _of_pod(pod: Object, evidence: Evidence) -> codes.Cause | None:
    """The cause that a pod shows if its containers show none."""
    unscheduled = _unscheduled(pod)
    if unscheduled is not None:
        return _finds_no_node(pod, unscheduled, evidence)
    seen = list(containers.containers_of(pod))
    waits = next((container for container in seen if container.init and _holds_up(container)), None)
    if waits is not None and waits.running:
        return probes.cause_of(pod, waits, evidence) if waits.sidecar else _init_waits(pod, waits, evidence)
    if begins_still(pod):
        return _not_begun(pod, evidence) or _on_a_bad_node(pod, evidence)
    if kinds.field(pod, "status.phase") != "Running" or condition(pod, "Ready").get("status") == "True":
        return None
    unready = [one for one in seen if not one.ready and (one.sidecar or not one.init)]
    unready.sort(key=lambda one: not one.running)
    if unready:
        return probes.cause_of(pod, unready[0], evidence)
    return _not_ready(pod, evidence)


def _finds_no_node(pod: Object, unscheduled: Object, evidence: Evidence) -> codes.Cause:
    """The scheduler's reason; for taints, what the nodes say; and whether a pod of its revision was preempted."""
    reason, message = unscheduled.get("reason"), unscheduled.get("message") or ""
    subject, code = codes.pod_subject(pod, evidence.context), scheduling.code_of(message)
    gated = reason == "SchedulingGated"
    if code == "unschedulable" and scheduling.tainted(message):
        bad = nodes.troubled(evidence.nodes)
        if bad:
            one, names = bad
            return codes.make(one.code, subject, [reason, names], message, says=_NO_NODE[one.code], reason=reason)
    if code in _NO_NODE:
        return codes.make(code, subject, [reason], message, says=_NO_NODE[code], reason=reason)
    preempted = evidence.preempted() if code == "unschedulable" and not gated else None
    if preempted:
        return codes.make("preempted", subject, [reason], message_of(preempted), reason=reason)
    advice = "find out which controller removes its scheduling gates: {describe}" if gated else None
    return codes.make(code, subject, [reason], message, advice=advice, reason=reason)


def _on_a_bad_node(pod: Object, evidence: Evidence) -> codes.Cause | None:
    """Its node is not ready, or has not enough resources, so that the pod does not begin."""
    bad, node = nodes.trouble(evidence.node_of(pod)), kinds.field(pod, "spec.nodeName")
    if bad is None:
        return None
    details = [f"node {node}", bad.reason]
    return codes.make(bad.code, codes.pod_subject(pod, evidence.context), details, bad.message, reason=bad.reason)


def _holds_up(container: Container) -> bool:
    """Whether later containers have to wait for this init container."""
    return not container.started if container.sidecar else not container.ready


def _init_waits(pod: Object, container: Container, evidence: Evidence) -> codes.Cause:
    subject = codes.pod_subject(pod, evidence.context, container.name, container.role)
    since = evidence.lasting(kinds.field(container.status, "state.running.startedAt"))
    return codes.make("init_waits", subject, [since], log_source=codes.CURRENT)


def _not_ready(pod: Object, evidence: Evidence) -> codes.Cause:
    """All containers are ready and the pod is not: because of a readiness gate, or of a node that no longer answers."""
    ready = condition(pod, "Ready")
    node, gates = kinds.field(pod, "spec.nodeName"), kinds.field(pod, "spec.readinessGates", [])
    details = [evidence.lasting(ready.get("lastTransitionTime")), f"node {node}" if node else None]
    bad = None if gates else nodes.trouble(evidence.node_of(pod))
    # The controller of nodes sets the condition when a node does not answer. A kubelet sets it when a container is not
    # ready, or a readiness gate.
    code = "node_not_ready" if node and not gates else "never_ready"
    return codes.make(
        bad.code if bad else code,
        codes.pod_subject(pod, evidence.context),
        [*details, bad.reason if bad else None],
        (bad.message if bad else None) or ready.get("message"),
        advice="find out who sets the condition of its readiness gate: {describe}" if gates else None,
        reason=ready.get("reason"),
    )


def _not_begun(pod: Object, evidence: Evidence) -> codes.Cause | None:
    """A volume that cannot be mounted, or a sandbox that the node cannot create."""
    since = evidence.now - _REPEATED if evidence.now else None
    event = evidence.newest_event(pod, (*_VOLUMES, *_SANDBOX), since)
    if event is None:
        return None
    reason, node = event["reason"], kinds.field(pod, "spec.nodeName")
    if reason not in _SANDBOX and not scheduling.mount_says_why(message_of(event)):
        since = time_of(event) - _REPEATED
        event = evidence.newest_event(pod, _VOLUMES, since, fits=scheduling.mount_says_why) or event
    code = "start_failed" if reason in _SANDBOX else scheduling.mount_code(message_of(event))
    details = [event["reason"], f"node {node}" if node and code != "config_missing" else None]
    subject = codes.pod_subject(pod, evidence.context)
    return codes.make(code, subject, details, message_of(event), reason=event["reason"])


def _unscheduled(pod: Object) -> Object | None:
    scheduled = condition(pod, "PodScheduled")
    return scheduled if scheduled.get("status") == "False" else None


def _has_sandbox(pod: Object) -> bool:
    """Whether its volumes are mounted and its sandbox exists. Earlier events about them no longer count."""
    return condition(pod, "PodReadyToStartContainers").get("status") == "True"
