# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of a restart pod by pod: in which order, and what must be so before each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.restartx.core.plugins.module_utils.rollout import pod_order

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
    "gates": {"type": "ids", "about": "Names of gates. Each must open before each pod is evicted."},
}


@dataclass(frozen=True)
class BetweenPods:
    """How the pods of each workload of an entry are replaced. `settle` is in seconds."""

    order: str
    settle: float = 0.0
    gates: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> BetweenPods | None:
        """From checked values; None if the option is not given."""
        if not given:
            return None
        # A mistake in a value has been told already; its value is None.
        return cls(given.get("order") or "", given.get("settle") or 0.0, given.get("gates") or ())


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
    if entry.canary:
        return "between_pods: cannot be combined with canary; take canary out of this entry, or out of the defaults"
    return ""
