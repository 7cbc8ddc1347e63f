# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of a pull, as the pod of its Job and the events of both show it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.pulling.job import CONTAINER
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.images import reason_in
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.masking import mask
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition, field

PULLED, PRESENT, FAILED, PLANNED = "pulled", "present", "failed", "planned"
_NOT_PULLED = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
# The container could not be started, but only after its image was there.
_NOT_STARTED = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")
_PRESENT = re.compile(r"already present on machine")
_TOOK = re.compile(r"Successfully pulled image .* in ((?:[\d.]+(?:h|ms|m|s|us|µs|ns))+)")
_PART = re.compile(r"([\d.]+)(h|ms|m|s|us|µs|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_CREATING = re.compile(r"^Error creating: ")


@dataclass(frozen=True)
class Answer:
    """The outcome of a pull; `message` says why it failed."""

    outcome: str
    message: str | None = None


def of_pod(pod: Object) -> Answer | None:
    """What the pod of a Job shows; None as long as that is nothing."""
    statuses: list[Object] = field(pod, "status.containerStatuses", [])
    status = next((one for one in statuses if one.get("name") == CONTAINER), {})
    waiting = field(status, "state.waiting", {})
    reason = waiting.get("reason", "")
    if reason in _NOT_PULLED:
        return Answer(FAILED, _told(reason, reason_in(waiting.get("message"))))
    ended = field(pod, "status.reason")  # the kubelet ended the whole pod, or did not admit it
    if ended and field(pod, "status.phase") == "Failed":
        return Answer(FAILED, _told(ended, field(pod, "status.message", "")))
    if reason in _NOT_STARTED or field(status, "state.running") is not None or field(status, "state.terminated"):
        return Answer(PULLED)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Answer(FAILED, _told("Unschedulable", scheduled.get("message", "")))
    return None


def refused(events: t.Iterable[Object]) -> Answer | None:
    """Why the cluster creates no pod for a Job: a quota, a policy, a missing service account."""
    for event in events:
        if event.get("reason") == "FailedCreate":
            return Answer(FAILED, mask(_CREATING.sub("", event.get("message") or "")))
    return None


def refined(events: t.Iterable[Object]) -> tuple[str, float | None] | None:
    """Whether the image was pulled or had been there, and how long the kubelet pulled; None if no event says it.

    A kubelet that tries to start the container again finds the image that it has pulled.
    """
    told = [event.get("message") or "" for event in events if event.get("reason") == "Pulled"]
    took = next(filter(None, map(_TOOK.search, told)), None)
    if took:
        parts = _PART.findall(took[1])
        return PULLED, sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return (PRESENT, None) if any(map(_PRESENT.search, told)) else None


def _told(reason: str, message: str) -> str:
    text = mask(" ".join(message.split()))
    return f"{reason}: {text}" if text else reason
