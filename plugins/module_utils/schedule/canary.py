# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of a canary: how many pods it takes, for how long they are held, and what must hold then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

# The rows of schema.SCHEMA for a canary.
ROWS: dict[str, dict[str, Any]] = {
    "pods": {
        "type": "pods",
        "default": "1",
        "about": "How many pods are replaced first. A percentage is rounded up. One pod at least is left for later.",
    },
    "hold": {
        "type": "deadline",
        "required": True,
        "about": "How long these pods must stay ready, with no container restarted, before the others are replaced.",
    },
    "gates": {
        "type": "ids",
        "about": "Names of gates. Each must open after `hold`, before the other pods are replaced.",
    },
    "compare": {
        "type": "mapping",
        "of": "compare",
        "about": "A number of the canary that is compared with the other pods.",
    },
}
COMPARE_ROWS: dict[str, dict[str, Any]] = {
    "prometheus": {
        "type": "text",
        "required": True,
        "about": "An expression of Prometheus that gives a ratio. `$canary` and `$stable` stand for patterns of pods.",
    },
    "url": {"type": "url", "required": True, "about": "The address of Prometheus."},
    "max_ratio": {"type": "number", "required": True, "about": "The highest ratio with which the restart goes on."},
    "auth": {"type": "id", "about": "The name of credentials in `restartx_gate_auth`."},
}
CANARY, STABLE = "$canary", "$stable"


@dataclass(frozen=True)
class Comparison:
    """What is compared, and the highest ratio that is allowed."""

    prometheus: str
    url: str
    max_ratio: float
    auth: str | None = None


@dataclass(frozen=True)
class CanaryPlan:
    """What a plan says of the canary of each workload of an entry. `hold` is in seconds."""

    pods: int | str
    hold: float
    gates: tuple[str, ...] = ()
    compare: Comparison | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> CanaryPlan | None:
        """From checked values; None if there is no canary."""
        if not given:
            return None
        # A mistake in a value has been told already; its value is None.
        compare = given.get("compare") or {}
        complete = all(compare.get(name) is not None for name in ("prometheus", "url", "max_ratio"))
        return cls(
            given.get("pods") or 1,
            given.get("hold") or 0.0,
            given.get("gates") or (),
            Comparison(**compare) if complete else None,
        )


class WithCanary(Protocol):
    """An entry of a plan."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it selects."""

    @property
    def canary(self) -> CanaryPlan | None:
        """Its canary, with the defaults merged in."""


def pods(value: object) -> int | str:
    """How many pods a canary takes: a whole number, or a percentage as `10%`."""
    try:
        found = values.budget(value)
    except ScheduleError:
        found = 0
    if not values.budget_of(found, 100):
        raise ScheduleError(f"{show(value)} is neither a whole number of at least 1 nor a percentage such as 10%")
    return found


def canary_gates(entries: Sequence[WithCanary], defaults: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names of gates in canaries, by their path. Those of the defaults are named once."""
    common = CanaryPlan.of(defaults.get("canary"))
    found = {"defaults.canary.gates": common.gates} if common else {}
    for index, entry in enumerate(entries):
        if entry.canary and entry.canary != common:
            found[f"workloads[{index}].canary.gates"] = entry.canary.gates
    return found


def canary_errors(entries: Sequence[WithCanary], root: str) -> list[str]:
    """Entries with a canary that compares nothing."""
    return [
        f"{root}[{index}].canary.compare.prometheus: has no {name}; write it where the pattern of these pods belongs"
        for index, entry in enumerate(entries)
        for name in (CANARY, STABLE)
        if entry.canary and entry.canary.compare and name not in entry.canary.compare.prometheus
    ]
