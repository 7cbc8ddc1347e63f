# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Causes in the workload itself: pods that cannot be created or do not terminate, a pause, an inactive controller."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes, nodes, refusals, which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import (
    Evidence,
    is_older,
    message_of,
    time_of,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import observed

_REPLICA_SET_REFUSED = "ReplicaSetCreateError"
_ENDS_BADLY = ("FailedPreStopHook", "FailedKillPod")
_LONG_GRACE = 30  # seconds that a pod has by default to terminate
_LAG = timedelta(seconds=3)  # the time that a controller may take to see a change


def causes_of(evidence: Evidence) -> Iterator[codes.Cause]:
    """The causes that are not about one pod of the newest revision."""
    workload = evidence.workload
    for pod in kinds.kind_of(workload).stuck_pods(workload, evidence.pods):
        yield codes.make("stuck_pod", codes.pod_subject(pod, evidence.context))
    for pod in which_pods.holding_up(workload, evidence.pods):
        waits = _not_terminated(pod, evidence) if _overdue(pod, evidence) else _terminates(pod, evidence)
        if waits:
            yield waits
    seen = observed(workload)
    refused = _refused(evidence, seen)
    if refused:
        yield refused
    elif not seen and _unseen_for_long(evidence):
        yield _not_observed(evidence)
    counts = status.counts(workload)
    if kinds.field(workload, "spec.paused") and counts.updated < counts.wanted:
        pods = f"{counts.updated} of {counts.wanted} pods are new"
        yield codes.make("paused", _subject(evidence), [pods, _since_paused(workload)])
    progressing = condition(workload, "Progressing")
    # It remains after the template was changed again, until the new rollout makes progress.
    old = not seen or is_older(progressing.get("lastUpdateTime"), evidence.changed_at)
    if progressing.get("reason") == "ProgressDeadlineExceeded" and not old:
        message, reason = progressing.get("message"), progressing["reason"]
        yield codes.make("progress_deadline", _subject(evidence), [], message, reason=reason)


def no_progress(evidence: Evidence, span: str) -> codes.Cause:
    """Nothing has happened for a `span` although nothing is wrong with the pods. The caller has checked both."""
    counts = status.counts(evidence.workload)
    details = [f"for {span}", f"{counts.updated} of {counts.wanted} pods are new"]
    return codes.make("no_progress", _subject(evidence), details)


def is_refused(workload: Object) -> bool:
    """Whether pods or ReplicaSets may have been refused, according to the status. Only events show whether and why."""
    if not kinds.kind_of(workload).revision_creates_pods:
        return _lacks_pods(workload)
    return (
        condition(workload, "ReplicaFailure").get("status") == "True"
        or condition(workload, "Progressing").get("reason") == _REPLICA_SET_REFUSED
    )


def _refused(evidence: Evidence, seen: bool) -> codes.Cause | None:
    """Pods, or a ReplicaSet, that the API server refuses to create."""
    workload = evidence.workload
    if not kinds.kind_of(workload).revision_creates_pods:
        event = _refusal_event(evidence, workload) if _lacks_pods(workload) else None
        return _refusal(evidence, event.get("reason"), message_of(event)) if event else None
    replica_set = _replica_set_refused(evidence)
    if replica_set:
        return replica_set
    told = _replica_failure(evidence) if seen else None
    if told is None:
        return None
    # The condition keeps the first refusal as long as there is one; events show the current one.
    event = _refusal_event(evidence, evidence.revision) if evidence.revision else None
    if event and not _is_after(told, event):
        return _refusal(evidence, event.get("reason"), message_of(event))
    return _refusal(evidence, told.get("reason"), told.get("message"))


def _replica_set_refused(evidence: Evidence) -> codes.Cause | None:
    """The controller cannot create the new ReplicaSet. In this case it does not even update observedGeneration."""
    workload = evidence.workload
    event = evidence.newest_event(workload, (_REPLICA_SET_REFUSED,), since=evidence.changed_at)
    progressing = condition(workload, "Progressing")
    if progressing.get("reason") != _REPLICA_SET_REFUSED:
        return None
    if event:
        return _refusal(evidence, _REPLICA_SET_REFUSED, message_of(event), "new ReplicaSet")
    if is_older(progressing.get("lastUpdateTime"), evidence.changed_at):
        return None
    return _refusal(evidence, _REPLICA_SET_REFUSED, progressing.get("message"), "new ReplicaSet")


def _replica_failure(evidence: Evidence) -> Object | None:
    """The condition of the newest ReplicaSet or, if that is unknown, of the Deployment, which may be about an older
    one."""
    if evidence.owned is not None and evidence.revision is None:
        return None
    told = condition(evidence.revision or evidence.workload, "ReplicaFailure")
    return told if told.get("status") == "True" else None


def _refusal_event(evidence: Evidence, thing: Object) -> Object | None:
    """The newest refusal to create a pod, unless a pod was created since then."""
    event = evidence.newest_event(thing, ("FailedCreate",), since=evidence.changed_at)
    newest = max(map(which_pods.created, evidence.newest_pods), default="")
    at = restart.parse_time(newest)
    return event if event and not (at and time_of(event).replace(microsecond=0) < at) else None


def _refusal(evidence: Evidence, reason: str | None, message: str | None, what: str = "pods") -> codes.Cause:
    code, says = refusals.judge(message, what)
    return codes.make(code, _subject(evidence), [reason], message, says=says, reason=reason)


def _is_after(told: Object, event: Object) -> bool:
    at = restart.parse_time(told.get("lastTransitionTime"))
    return at is not None and at > time_of(event)


def _lacks_pods(workload: Object) -> bool:
    present = kinds.field(workload, f"status.{kinds.kind_of(workload).present}", 0)
    return present < status.counts(workload).wanted


def _unseen_for_long(evidence: Evidence) -> bool:
    at = evidence.changed_at
    return at is None or evidence.now is None or evidence.now - at >= _LAG


def _not_observed(evidence: Evidence) -> codes.Cause:
    workload = evidence.workload
    generation = workload["metadata"].get("generation")
    seen = kinds.field(workload, "status.observedGeneration", 0)
    at = evidence.changed_at
    details = [
        f"generation {generation}, observed {seen}",
        f"since {restart.rfc3339(at)}" if at else None,
    ]
    return codes.make("not_observed", _subject(evidence), details)


def _overdue(pod: Object, evidence: Evidence) -> bool:
    """Whether a pod should be gone: its deletionTimestamp is the end of its grace period."""
    at = restart.parse_time(pod["metadata"]["deletionTimestamp"])
    return at is None or evidence.now is None or evidence.now > at


def _not_terminated(pod: Object, evidence: Evidence) -> codes.Cause:
    """A finalizer that nobody removes, a node that does not answer, or a hook or a container that does not end."""
    metadata, node = pod["metadata"], kinds.field(pod, "spec.nodeName")
    finalizers, bad = metadata.get("finalizers") or [], nodes.trouble(evidence.node_of(pod))
    lost = bad is not None and bad.code == "node_not_ready"
    details = [
        f"node {node}{' is not ready' if lost else ''}" if node else None,
        f"since {metadata['deletionTimestamp']}",
        f"finalizer{'s' if len(finalizers) > 1 else ''} {', '.join(finalizers)}" if finalizers else None,
    ]
    if finalizers:
        advice = "find out why the controller that owns the finalizer does not remove it: {describe}"
    elif node:
        advice = (
            "check its node: {get_node}; only when that machine is off for good, delete the pod without waiting for it: "
            "{force_delete}"
        )
    else:
        advice = None
    subject = codes.pod_subject(pod, evidence.context)
    event = None if finalizers else evidence.newest_event(pod, _ENDS_BADLY)
    message = kinds.field(pod, "status.message") or (message_of(event) if event else None)
    reason = kinds.field(pod, "status.reason") or (event["reason"] if event else None)
    return codes.make("not_terminated", subject, details, message, advice=advice, reason=reason)


def _terminates(pod: Object, evidence: Evidence) -> codes.Cause | None:
    """A pod that is still given time to end, longer than by default."""
    metadata, given = pod["metadata"], pod["metadata"].get("deletionGracePeriodSeconds") or 0
    until = restart.parse_time(metadata["deletionTimestamp"])
    if evidence.now is None or until is None or given <= _LONG_GRACE:
        return None
    taken = int((evidence.now - until).total_seconds()) + given
    if taken < _LONG_GRACE:
        return None
    node, event = kinds.field(pod, "spec.nodeName"), evidence.newest_event(pod, _ENDS_BADLY)
    hooks = [one["name"] for one in kinds.field(pod, "spec.containers", []) if kinds.field(one, "lifecycle.preStop")]
    details = [
        f"{taken} of {given} s",
        f"until {metadata['deletionTimestamp']}",
        f"preStop hook of container {', '.join(hooks)}" if hooks else None,
        f"node {node}" if node else None,
    ]
    subject = codes.pod_subject(pod, evidence.context)
    return codes.make("terminates", subject, details, message_of(event) if event else None)


def _since_paused(workload: Object) -> str | None:
    told = condition(workload, "Progressing")
    at = told.get("lastUpdateTime") if told.get("reason") == "DeploymentPaused" else None
    return f"since {at}" if at else None


def _subject(evidence: Evidence) -> codes.Subject:
    return codes.Subject(evidence.workload, evidence.workload["kind"], context=evidence.context)
