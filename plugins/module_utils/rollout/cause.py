# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a rollout stands still, read from the workload, its pods and events; what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Iterator, Sequence

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, owner, restart, status, undo

# Each cause: how its sentence goes on after its subject, and what to do. From worst to mildest.
_CODES = {
    "stuck_pod": (
        "is of an older revision and never gets ready, so its successor is not made",
        "delete it, or have k8s_rollout_undo do so: to_revision of the revision wanted now, and delete_stuck_pods: true",
    ),
    "config_missing": ("lacks its configuration", "create what is missing, or correct its name in the pod template"),
    "bad_command": ("cannot run its command", "correct the command of the container, or its image"),
    "image_pull": ("cannot get its image", "check the image's name and tag, and the pull secret"),
    "oom": ("runs out of memory", "raise its memory limit, or find out what uses the memory"),
    "crash_loop": ("keeps ending", "read the container's log: kubectl logs --previous"),
    "quota": ("may not have more pods", "raise the quota or ask for less; a rollout may need room for more pods"),
    "not_created": (
        "gets no pods",
        "see who refuses them: an admission rule, a limit range, a missing service account",
    ),
    "unschedulable": ("finds no node", "make room on the nodes, or relax what the pod asks for"),
    "init_waits": ("has not ended", "read its log: it may wait for something that is not there"),
    "never_ready": ("runs but is not ready", "read the container's log, and try by hand what its probe does"),
    "paused": ("is paused", "resume it with k8s_rollout_pause and state: resumed"),
    "progress_deadline": ("exceeded its progress deadline", "look at its pods, or raise spec.progressDeadlineSeconds"),
}
_WORST_FIRST = list(_CODES)

_WAITING = {
    "InvalidImageName": "image_pull",
    "ErrImageNeverPull": "image_pull",
    "ErrImagePull": "image_pull",
    "ImagePullBackOff": "image_pull",
    "ImageInspectError": "image_pull",
    "RegistryUnavailable": "image_pull",
    "SignatureValidationFailed": "image_pull",
    "CreateContainerConfigError": "config_missing",
    "CreateContainerError": "bad_command",
    "RunContainerError": "bad_command",
    "StartError": "bad_command",
    "CrashLoopBackOff": "crash_loop",
}
_ENDED = {"OOMKilled": "oom", "StartError": "bad_command", "ContainerCannotRun": "bad_command"}
_NEVER_RAN = ("StartError", "ContainerCannotRun")
_NOT_FOUND = (126, 127)  # a shell's exit codes for a command that cannot be run, or is not there
_HOPELESS = ("InvalidImageName", "ErrImageNeverPull")
# Of a command that cannot be run: what is wrong with the image or the template, not with the node.
_NO_COMMAND = ("executable file not found", "no such file or directory", "permission denied", "exec format error")
# What may heal by waiting, and after a while seldom does: a registry, an object or a node that is still to come.
_DOUBTFUL = frozenset({"config_missing", "bad_command", "image_pull", "oom", "crash_loop", "unschedulable"})
_LONGEST_MESSAGE = 300


# Whose log tells more about a container: its own, or that of its instance before.
CURRENT = "current"
PREVIOUS = "previous"


@dataclass(frozen=True)
class Cause:
    """Why a rollout stands still. `hopeless` where waiting cannot heal it, so that nobody need wait for the timeout.

    `pod`, `container` and `reason` (Kubernetes' word for it) are None where the cause has none. `speaks` says whose log
    to look into, None where nothing was ever written; `log` is empty until somebody has put the last lines there.
    """

    code: str
    object: str
    sentence: str
    advice: str
    hopeless: bool = False
    pod: str | None = None
    container: str | None = None
    reason: str | None = None
    speaks: str | None = None
    log: tuple[str, ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether it may still heal, and gets a grace for that: a node that is added, a database that comes up."""
        return not self.hopeless and self.code in _DOUBTFUL


def find(
    workload: dict, pods: Sequence[dict], events: Sequence[dict] = (), now: datetime | None = None
) -> Cause | None:
    """The worst cause that can be seen; None when nothing is wrong but time.

    `pods` may be all that the workload's selector finds: only those of the newest revision count. `events` are those of
    the namespace (core/v1); `now`, with a zone, lets sentences say for how long.
    """
    mine = newest_pods(workload, pods)
    causes = [cause for pod in mine for cause in _of_pod(pod, events, now)]
    causes += _of_workload(workload, pods, events)
    return _worst(causes)


def of_pod(workload: dict, pod: dict) -> Cause | None:
    """The worst cause that one pod of the workload's newest revision tells; any other pod tells none."""
    return _worst([cause for mine in newest_pods(workload, [pod]) for cause in _of_pod(mine, (), None)])


def _worst(causes: Sequence[Cause]) -> Cause | None:
    return min(causes, key=lambda cause: (not cause.hopeless, _WORST_FIRST.index(cause.code)), default=None)


def newest_pods(workload: dict, pods: Sequence[dict]) -> list[dict]:
    """The pods of the workload's newest revision, by name; none while the controller has made none.

    Pods carry the annotations and labels of the template that they were made from. Where revisions differ in neither,
    the one with the template's images counts, and then the one whose first pod is the youngest.
    """
    hash_label = kinds.kind_of(workload).hash_label
    groups: dict[str, list[dict]] = {}
    for pod in pods:
        revision = kinds.field(pod, "metadata.labels", {}).get(hash_label, "")
        if _belongs(workload, pod, revision) and _made_from(workload, pod):
            groups.setdefault(revision, []).append(pod)
    images = _images(kinds.field(workload, "spec.template.spec", {}))
    newest = max(
        groups.values(),
        key=lambda group: (_images(group[0]["spec"]) >= images, min(map(_created, group))),
        default=[],
    )
    return sorted(newest, key=lambda pod: pod["metadata"]["name"])


def _belongs(workload: dict, pod: dict, revision: str) -> bool:
    """Whether the pod is the workload's, directly or through the ReplicaSet that a Deployment names after itself."""
    if kinds.field(pod, "metadata.deletionTimestamp"):
        return False
    owning = owner.reference(pod) or {}
    if workload["kind"] == "Deployment":
        return owning.get("kind") == "ReplicaSet" and owning["name"] == f"{workload['metadata']['name']}-{revision}"
    return owning.get("uid") == workload["metadata"]["uid"]


def _made_from(workload: dict, pod: dict) -> bool:
    """Whether the pod can come from the current template; admission may add to it, but no marks of a restart."""
    template = kinds.field(workload, "spec.template.metadata", {})
    theirs, ours = kinds.annotations(pod), template.get("annotations") or {}
    restarts = all(theirs.get(name) == ours.get(name) for name in restart.OURS)
    labels = (template.get("labels") or {}).items() <= kinds.field(pod, "metadata.labels", {}).items()
    return restarts and labels and ours.items() <= theirs.items()


def _images(pod_spec: dict) -> set[tuple[str, str]]:
    return {(container["name"], container.get("image", "")) for container in pod_spec.get("containers", [])}


def _of_pod(pod: dict, events: Sequence[dict], now: datetime | None) -> Iterator[Cause]:
    name, own = _pod_label(pod), pod["metadata"]["name"]
    seen = pod.get("status") or {}
    first = seen.get("initContainerStatuses", [])
    found = [_of_container(pod, container) for container in [*first, *seen.get("containerStatuses", [])]]
    if any(found):
        yield from filter(None, found)
        return
    conditions = {condition["type"]: condition for condition in seen.get("conditions", [])}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        reason = scheduled.get("reason")
        yield _cause("unschedulable", name, name, [reason], scheduled.get("message"), pod=own, reason=reason)
        return
    running = [container["name"] for container in first if "running" in container["state"] and not container["ready"]]
    if running:
        subject = f'init container "{running[0]}" of {name}'
        yield _cause("init_waits", name, subject, [], None, pod=own, container=running[0], speaks=CURRENT)
        return
    volume = _newest_event(events, pod, ("FailedMount", "FailedAttachVolume"))
    if seen.get("phase") == "Pending" and volume:
        reason = volume["reason"]
        yield _cause("config_missing", name, name, [reason], volume.get("message"), pod=own, reason=reason)
    elif seen.get("phase") == "Running" and conditions.get("Ready", {}).get("status") != "True":
        told = _newest_event(events, pod, ("Unhealthy",)) or conditions.get("Ready", {})
        unready = [one["name"] for one in seen.get("containerStatuses", []) if not one.get("ready")]
        where = {"pod": own, "reason": told.get("reason")}
        if unready:
            where |= {"container": unready[0], "speaks": CURRENT}
        since = _since(seen.get("startTime"), now)
        yield _cause("never_ready", name, name, [since], told.get("message"), **where)


def _of_container(pod: dict, container: dict) -> Cause | None:
    """The cause that one container's status tells; a container that is ready tells none."""
    state = container.get("state") or {}
    waiting = kinds.field(state, "waiting", {})
    ended = kinds.field(state, "terminated") or kinds.field(container, "lastState.terminated", {})
    exit_code = ended.get("exitCode", 0)
    code = _WAITING.get(waiting.get("reason", ""))
    if container.get("ready"):
        return None
    if code in (None, "crash_loop") and ended:
        again = code or ("crash_loop" if exit_code else None)
        code = "bad_command" if exit_code in _NOT_FOUND else _ENDED.get(ended.get("reason", ""), again)
    if code is None:
        return None
    restarts = container.get("restartCount", 0)
    details = [
        waiting.get("reason") or ended.get("reason"),
        f"exit code {exit_code}" if ended else None,
        f"{restarts} restart{'' if restarts == 1 else 's'}" if restarts else None,
    ]
    # Of a crash loop the message only tells how long the kubelet waits before the next try.
    message = waiting.get("message") if waiting.get("reason") != "CrashLoopBackOff" else None
    if code == "bad_command" and ended:
        message = ended.get("message")
    subject = f'container "{container["name"]}" of {_pod_label(pod)}'
    # Where a loop has a cause of its own, the end that begins it anew says more.
    looping = waiting.get("reason") == "CrashLoopBackOff" and code != "crash_loop"
    why = ended.get("reason") if looping else waiting.get("reason") or ended.get("reason")
    return _cause(
        code,
        _pod_label(pod),
        subject,
        details,
        message,
        hopeless=waiting.get("reason") in _HOPELESS or (code == "bad_command" and _never_runs(waiting, ended)),
        pod=pod["metadata"]["name"],
        container=container["name"],
        reason=why,
        speaks=_speaker(state, ended),
    )


def _never_runs(waiting: dict, ended: dict) -> bool:
    """Whether a container was never started, for a reason that lies in its image or template."""
    if ended and ended.get("reason") not in _NEVER_RAN:
        return False
    told = f"{waiting.get('message', '')} {ended.get('message', '')}"
    # What cannot be mounted may be on the node before long.
    return "mounting" not in told and any(words in told for words in _NO_COMMAND)


def _speaker(state: dict, ended: dict) -> str | None:
    """Whose log tells why a container ended; nobody's where it never ran."""
    if not ended or ended.get("reason") in _NEVER_RAN:
        return None
    return CURRENT if "terminated" in state else PREVIOUS


def _of_workload(workload: dict, pods: Sequence[dict], events: Sequence[dict]) -> Iterator[Cause]:
    name = kinds.label(workload)
    if workload["kind"] == "StatefulSet":
        for pod in undo.stuck_pods(workload, list(pods)):
            yield _cause("stuck_pod", _pod_label(pod), _pod_label(pod), [], None, pod=pod["metadata"]["name"])
    kind, counts = kinds.kind_of(workload), status.counts(workload)
    conditions = {condition["type"]: condition for condition in kinds.field(workload, "status.conditions", [])}
    refused = conditions.get("ReplicaFailure", {})
    if refused.get("status") != "True":
        # The other kinds have no such condition, only events, which outlive what they tell.
        lacking = kinds.field(workload, f"status.{kind.present}", 0) < counts.wanted
        refused = _newest_event(events, workload, ("FailedCreate",)) if lacking else None
    if refused:
        code = "quota" if "exceeded quota" in refused.get("message", "") else "not_created"
        reason = refused.get("reason")
        yield _cause(code, name, name, [reason], refused.get("message"), reason=reason)
    if kinds.field(workload, "spec.paused") and counts.updated < counts.wanted:
        yield _cause("paused", name, name, [], None)
    if conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        message = conditions["Progressing"].get("message")
        yield _cause("progress_deadline", name, name, [], message, reason="ProgressDeadlineExceeded")


def _cause(code: str, thing: str, subject: str, details: list, message: str | None, **more) -> Cause:
    says, advice = _CODES[code]
    known = ", ".join(detail for detail in details if detail)
    text = " ".join((message or "").split())
    short = text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "..."
    sentence = f"{subject} {says}" + (f" ({known})" if known else "") + (f": {short}" if short else "")
    return Cause(code, thing, sentence, advice, **more)


def _newest_event(events: Sequence[dict], thing: dict, reasons: tuple[str, ...]) -> dict | None:
    uid = thing["metadata"].get("uid")
    told = [e for e in events if e.get("reason") in reasons and kinds.field(e, "involvedObject.uid") == uid]
    return max(told, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default=None)


def _pod_label(pod: dict) -> str:
    # Entries of a list do not say their kind.
    return kinds.label({**pod, "kind": "pod"})


def _created(pod: dict) -> str:
    return pod["metadata"].get("creationTimestamp", "")


def _since(text: str | None, now: datetime | None) -> str | None:
    at = restart.parse_time(text)
    return f"for {int((now - at).total_seconds())} s" if at and now else None
