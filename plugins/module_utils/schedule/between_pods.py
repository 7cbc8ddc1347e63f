# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of a restart pod by pod: in which order, and what must be so before each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.restartx.core.plugins.module_utils.rollout import pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import ENFORCE, HONOUR
from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

SECRET = "Secret"  # the kind
LABEL_VALUE = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_NAME = rf"([a-z0-9][-a-z0-9.]*/)?{LABEL_VALUE}"

# The rows of schema.SCHEMA for a restart pod by pod.
ROWS: dict[str, dict[str, Any]] = {
    "order": {
        "type": "pod_order",
        "required": True,
        "about": "Which pod is next: the highest ordinal, the oldest one, or one zone after another.",
    },
    "settle": {
        "type": "duration",
        "default": "0",
        "about": "How long each new pod must stay ready before the next one is evicted. `minReadySeconds` counts too.",
    },
    "max_unavailable": {
        "type": "pods",
        "default": "1",
        "about": "How many pods are replaced at a time. A percentage is rounded down, but at least 1.",
    },
    "gates": {
        "type": "ids",
        "about": "Names of gates. Each must open before each pod is evicted, or before a partition goes down.",
    },
    "leader": {
        "type": "mapping",
        "of": "leader",
        "about": "How to find the pod that leads, anew before each eviction. It goes last.",
    },
    "snapshot": {
        "type": "mapping",
        "of": "snapshot",
        "about": "A VolumeSnapshot of each claim of the pods must be ready before the first pod is replaced.",
    },
}
SNAPSHOT_ROWS: dict[str, dict[str, Any]] = {
    "class": {"type": "object_name", "required": True, "about": "The name of the VolumeSnapshotClass."},
    "timeout": {"type": "deadline", "default": "10m", "about": "How long the snapshots of a workload may take."},
}
SNAPSHOT_SECONDS = 600.0
LEADER_ROWS: dict[str, dict[str, Any]] = {
    "label": {"type": "label_pair", "about": "The label that only the leader has."},
    "object": {"type": "mapping", "of": "object", "about": "An object that names the leader, such as a Lease."},
    "http": {"type": "mapping", "of": "leader_http", "about": "A GET request to each pod, through the API server."},
    "status": {"type": "statuses", "default": "200", "about": "The statuses of HTTP with which the leader answers."},
    "that": {
        "type": "text",
        "about": "A JMESPath expression that gives the name of the pod from `object`, or is true of the JSON that the leader answers.",
    },
}
HTTP_ROWS: dict[str, dict[str, Any]] = {
    "port": {"type": "port", "required": True, "about": "The port of the pods."},
    "path": {"type": "http_path", "default": "/", "about": "The path that is asked for."},
    "scheme": {
        "type": "scheme",
        "default": "http",
        "about": "How it is asked. The certificates of pods are not checked.",
    },
}
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class LeaderPlan:
    """How the leader is found: by a label and its value, by an expression on an object, or by what the pods answer."""

    label: tuple[str, str] | None = None
    object: Mapping[str, Any] | None = None
    http: Mapping[str, Any] | None = None
    status: tuple[int, ...] | None = None
    that: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> LeaderPlan | None:
        """From checked values; None if the option is not given."""
        return cls(**{name: given.get(name) for name in LEADER_ROWS}) if given else None

    @property
    def mistake(self) -> str:
        """What its options lack or contradict, beginning with the option; empty if nothing."""
        if sum(map(bool, (self.label, self.object, self.http))) != 1:
            return "leader: give exactly one of label, object and http"
        if self.object and self.object.get("kind") == SECRET:
            return (
                "leader.object: messages would show what a Secret gives, so it may not name the leader; let a Lease or a "
                "ConfigMap name it, or give label"
            )
        if self.object and not self.that:
            return "leader.that: is missing; give a JMESPath expression that gives the name of the pod"
        if self.status and not self.http:
            return "leader.status: has an effect only with http; leave it out"
        return "leader.that: has no effect with label; leave it out" if self.label and self.that else ""


@dataclass(frozen=True)
class SnapshotPlan:
    """The VolumeSnapshots before the first pod is replaced. `timeout` is in seconds."""

    of_class: str
    timeout: float = SNAPSHOT_SECONDS

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> SnapshotPlan | None:
        """From checked values; None if the option is not given."""
        return cls(given.get("class") or "", given.get("timeout") or SNAPSHOT_SECONDS) if given else None


@dataclass(frozen=True)
class BetweenPods:
    """How the pods of each workload of an entry are replaced. `settle` is in seconds."""

    order: str
    settle: float = 0.0
    gates: tuple[str, ...] = ()
    leader: LeaderPlan | None = None
    max_unavailable: int | str = 1
    snapshot: SnapshotPlan | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> BetweenPods | None:
        """From checked values; None if the option is not given."""
        if not given:
            return None
        # A mistake in a value has been told already; its value is None.
        leader = LeaderPlan.of(given.get("leader"))
        more = (leader, given.get("max_unavailable") or 1, SnapshotPlan.of(given.get("snapshot")))
        return cls(given.get("order") or "", given.get("settle") or 0.0, given.get("gates") or (), *more)


def label_pair(value: object) -> tuple[str, str]:
    """The name and the value of a label in `name=value`."""
    written = values.text(value)
    name, separator, wanted = written.partition("=")
    if not separator or not re.fullmatch(LABEL_NAME, name) or not re.fullmatch(LABEL_VALUE, wanted):
        raise ScheduleError(f"{show(written)} is not a label such as role=primary")
    return name, wanted


def port(value: object) -> int:
    """A port of a pod."""
    number = values.whole(1)(value)
    if number > 65535:
        raise ScheduleError(f"{number} is not a port; write 1 to 65535")
    return number


def http_path(value: object) -> str:
    """The path of a request to a pod. The API server passes it on as a part of its own path."""
    written = values.text(value)
    parts = written[1:].split("/")
    if not written.startswith("/") or (written != "/" and any(part in ("", ".", "..") for part in parts)):
        raise ScheduleError(f"{show(written)} is not a path such as /primary")
    if set(written) & set("?#%"):
        raise ScheduleError(f"{show(written)} has more than a path; write it without ?, # and %")
    return written


class WithBetweenPods(Protocol):
    """An entry of a plan, or the selection of a module."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it selects."""

    @property
    def between_pods(self) -> BetweenPods | None:
        """How pods are replaced one by one, if they are."""

    @property
    def canary(self) -> Any:
        """Its canary, with the defaults merged in."""

    @property
    def budgets(self) -> str:
        """What it does about budgets."""


def between_gates(entries: Sequence[WithBetweenPods]) -> dict[str, tuple[str, ...]]:
    """The names of gates in between_pods, by their path."""
    return {
        f"workloads[{index}].between_pods.gates": entry.between_pods.gates
        for index, entry in enumerate(entries)
        if entry.between_pods
    }


def between_errors(entries: Sequence[WithBetweenPods], root: str) -> list[str]:
    """What is wrong with between_pods in entries of a list."""
    told = [(f"{root}[{index}].", mistake(entry)) for index, entry in enumerate(entries)]
    return [where + what for where, what in told if what]


def mistake(entry: WithBetweenPods) -> str:
    """What of an entry contradicts its between_pods, beginning with the option; empty if nothing does."""
    its = entry.between_pods
    if its is None:
        return ""
    if "Deployment" in entry.kinds:
        return (
            "between_pods: the pods of a Deployment are always replaced by its controller; set kind to StatefulSet or "
            "DaemonSet, or leave between_pods out"
        )
    if its.order == pod_order.ORDINAL and "DaemonSet" in entry.kinds:
        return "between_pods.order: the pods of a DaemonSet have no ordinals; write age or zone, in an entry of its own if need be"
    if its.leader and its.leader.mistake:
        return f"between_pods.{its.leader.mistake}"
    if entry.canary:
        return "between_pods: cannot be combined with canary; take canary out of this entry, or out of the defaults"
    if entry.budgets == ENFORCE:
        return (
            f"between_pods: cannot be combined with budgets: {ENFORCE}, because between_pods says how many pods are replaced at a time; set "
            f"budgets: {HONOUR} for this entry"
        )
    return ""
