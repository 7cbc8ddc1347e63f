# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known about a rollout without progress, and which of it is about the revision that is waited for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

_NEVER = datetime.min.replace(tzinfo=UTC)
PREEMPTED = "Preempted"  # the reason of an event about a pod that had to make room
_COMBINED = "(combined from similar events): "  # the prefix of the newest of many similar events


@dataclass(frozen=True)
class Evidence:
    """A workload and the objects around it.

    `pods` may be all pods that the workload's selector finds. `events` are those of the namespace (core/v1). `owned`
    are its ReplicaSets or ControllerRevisions, None if they were not read. `now` has a time zone and is used for
    durations in messages. `context` is the context of the kubeconfig for commands.
    """

    workload: dict
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    owned: Sequence[Object] | None = None
    now: datetime | None = None
    context: str | None = None
    known_hash: str | None = None  # the hash label of the newest pods, if it is known without `owned`
    nodes: Sequence[Object] = ()  # as far as they could be read

    @cached_property
    def revision(self) -> Object | None:
        """The ReplicaSet or ControllerRevision of the newest revision, as far as it is known."""
        return which_pods.newest_revision(self.workload, self.owned) if self.owned is not None else None

    @cached_property
    def newest_pods(self) -> list[Object]:
        """The pods of the newest revision that the controller still counts."""
        known = kinds.kind_of(self.workload).hash_of(self.revision) if self.revision else self.known_hash
        return which_pods.newest_pods(self.workload, self.pods, known)

    @cached_property
    def changed_at(self) -> datetime | None:
        """When the pod template was changed last, by the API server's clock; None if the object does not show it."""
        return changed_at(self.workload)

    def newest_event(
        self,
        thing: Object,
        reasons: tuple[str, ...],
        since: datetime | None = None,
        container: str | None = None,
        words: tuple[str, ...] = ("",),
        fits: Callable[[str], bool] = bool,
    ) -> Object | None:
        """The newest event about an object (or one of its containers) with one of these reasons.

        It is not older than `since`. Its message begins with one of `words`, and `fits` is true for it.
        """
        uid = thing["metadata"].get("uid")
        told = [
            event
            for event in self.events
            if event.get("reason") in reasons
            and kinds.field(event, "involvedObject.uid") == uid
            and (container is None or _container(event) in (None, container))
            and message_of(event).startswith(words)
            and (fits is bool or fits(message_of(event)))
            and not (since and time_of(event) < since)
        ]
        return max(told, key=time_of, default=None)

    def node_of(self, pod: Object) -> Object | None:
        """The node of a pod; None if it has none, or the node is not known."""
        name = kinds.field(pod, "spec.nodeName")
        return next((node for node in self.nodes if name and node["metadata"]["name"] == name), None)

    def preempted(self) -> Object | None:
        """The newest event about a pod of the newest revision that was preempted, since the template was changed."""
        owner = (self.revision if kinds.kind_of(self.workload).revision_creates_pods else None) or self.workload
        if owner is self.workload and kinds.kind_of(self.workload).revision_creates_pods:
            return None  # the name of its pod does not show the revision
        pattern = re.compile(rf"{re.escape(owner['metadata']['name'])}-(?:[a-z0-9]{{5}}|\d+)")
        told = [
            event
            for event in self.events
            if event.get("reason") == PREEMPTED
            and kinds.field(event, "involvedObject.kind") == "Pod"
            and kinds.field(event, "involvedObject.namespace") == self.workload["metadata"].get("namespace")
            and pattern.fullmatch(kinds.field(event, "involvedObject.name", ""))
            and not (self.changed_at and time_of(event) < self.changed_at)
        ]
        return max(told, key=time_of, default=None)

    def lasting(self, since: str | None) -> str | None:
        """The time since a timestamp of the API, for messages; None if it is not known."""
        at = restart.parse_time(since) if since else None
        return f"for {int((self.now - at).total_seconds())} s" if at and self.now else None


def changed_at(workload: Object) -> datetime | None:
    """When a manager of the pod template changed the workload last; None if the object does not show it."""
    entries = kinds.field(workload, "metadata.managedFields", [])
    times = [
        restart.parse_time(entry.get("time"))
        for entry in entries
        if not entry.get("subresource") and "f:template" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    return max((at for at in times if at), default=None)


def is_older(text: str | None, since: datetime | None) -> bool:
    """Whether a timestamp of the API is before an instant; False if one of them is unknown."""
    at = restart.parse_time(text) if text else None
    return at is not None and since is not None and at < since


def message_of(event: Object) -> str:
    """The message of an event."""
    return (event.get("message") or "").removeprefix(_COMBINED)


def time_of(event: Object) -> datetime:
    """When an event was seen last."""
    texts = (
        kinds.field(event, "series.lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
    )
    times = [restart.parse_time(text) for text in texts if text]
    return max((at for at in times if at), default=_NEVER)


def _container(event: Object) -> str | None:
    """The container that an event is about: its fieldPath is `spec.containers{app}`; None if it names none."""
    path = kinds.field(event, "involvedObject.fieldPath", "")
    return path[path.index("{") + 1 : -1] if path.endswith("}") and "{" in path else None
