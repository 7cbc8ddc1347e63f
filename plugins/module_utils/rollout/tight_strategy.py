# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart sets in the strategy of a workload for a while, and the strategy from before: for its canary
(rollout/canary.py), or so that it undercuts no budget (rollout/enforce.py). The journal has it from its first write on.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    managers_of,
    owned_fields,
)

ROLLING = "rollingUpdate"
TYPE, ON_DELETE = "type", "OnDelete"
MANAGER = "restartx"
DEFAULTED: tuple[Object, ...] = ({}, {"maxUnavailable": 1})  # what the API server adds to a partition, if anything


@dataclass(frozen=True)
class Canary:
    """The canary of one workload: how many pods it takes, and the strategy from before the run.

    `before` is the strategy as the object has it; None if the field is absent. `partition` is what a StatefulSet gets.
    `managers` are the field managers that have sent it, or will. Without a canary, `enforced` is what budgets ask for; {} if
    the rollout is only held for them (rollout/budget_hold.py). If it `moves`, the partition goes down by so many pods at a time,
    to the one from before. If it `evicts`, the pods of a DaemonSet are evicted, and its type OnDelete keeps the others; with both,
    all of them are evicted, some at a time. With a canary, `afterwards` is what budgets ask for: it is set when the canary is over (`enforcing`).
    """

    pods: int
    before: Object | None
    partition: int | None = None
    managers: tuple[str, ...] = (MANAGER,)
    enforced: Object | None = None
    moves: bool = False
    evicts: bool = False
    afterwards: Object | None = None

    @classmethod
    def of_record(cls, found: t.Mapping[str, t.Any]) -> Canary:
        """From a journal. Raises KeyError, TypeError or ValueError if that has no canary of this form."""
        before, partition, enforced = found["before"], found.get("partition"), found.get("enforced")
        afterwards = found.get("afterwards")
        for part in (before, enforced, afterwards):
            if not isinstance(part, (dict, type(None))):
                raise TypeError(f"{part!r} is not a strategy")
        managers = tuple(str(name) for name in found.get("managers", (MANAGER,)))
        number = None if partition is None else int(partition)
        moves, evicts = (bool(found.get(name, False)) for name in ("moves", "evicts"))
        return cls(int(found["pods"]), before, number, managers, enforced, moves, evicts, afterwards)

    @property
    def record(self) -> Object:
        """As a journal has it."""
        partition = {} if self.partition is None else {"partition": self.partition}
        managers = {} if self.managers == (MANAGER,) else {"managers": list(self.managers)}
        enforced = {} if self.enforced is None else {"enforced": self.enforced}
        how = {name: True for name in ("moves", "evicts") if getattr(self, name)}
        afterwards = {} if self.afterwards is None else {"afterwards": self.afterwards}
        return {"pods": self.pods, "before": self.before, **partition, **managers, **enforced, **how, **afterwards}

    @property
    def lowers(self) -> bool:
        """Whether it is a partition that goes down."""
        return self.moves and not self.evicts

    @property
    def path(self) -> tuple[str, ...]:
        """Where in the strategy it changes something."""
        return () if self.evicts else (ROLLING,)

    def part(self, strategy: Object | None) -> Object | None:
        """The part of a strategy in which it changes something."""
        return strategy if self.evicts else (strategy or {}).get(ROLLING)

    @property
    def rolling(self) -> Object | None:
        """This part of the strategy from before."""
        return self.part(self.before)

    @property
    def tight(self) -> Object:
        """What is set there. Without pods, and before the last one, there is nothing to hold."""
        if self.enforced is not None:
            return self.enforced
        if not self.pods or (self.lowers and (self.partition or 0) <= self.floor):
            return {}
        if self.evicts:
            return {TYPE: ON_DELETE}
        if self.partition is None:
            return {"maxSurge": self.pods, "maxUnavailable": 0}
        return {"partition": self.partition, **(self.afterwards or {})}

    @property
    def budgets(self) -> Object | None:
        """What budgets ask for. It may be nothing, and then the rollout is only held while they leave no room."""
        return self.afterwards if self.enforced is None else self.enforced

    @property
    def enforcing(self) -> Canary:
        """What is set after the canary, without it."""
        if self.afterwards is None:
            return self
        return replace(self, pods=0, partition=None, evicts=False, enforced=self.afterwards, afterwards=None)

    def at_most(self, most: int) -> Canary:
        """The same, by no more pods at a time, as a repaired plan has it. What is replaced already may be more."""
        fewer = self.pods - min(self.pods, most)
        return replace(self, pods=self.pods - fewer, partition=(self.partition or 0) + fewer)

    @property
    def differences(self) -> Object:
        """What of that was not so before."""
        return {name: value for name, value in self.tight.items() if (self.rolling or {}).get(name) != value}

    @property
    def deciding(self) -> Object:
        """What of that shows whether it is still set: a partition holds a workload whatever else is changed."""
        tight, partition = self.tight, self.differences.get("partition")
        return tight if partition is None else {"partition": partition}

    def holds(self, now: Object) -> bool:
        """Whether this is what it has set."""
        if self.lowers and self.tight:
            return self.floor < (now.get("partition") or 0) <= self.tight["partition"]
        return all(now.get(name) == value for name, value in self.deciding.items())

    def kept(self, now: Object) -> list[str]:
        """The names of what nobody has changed since, if it holds."""
        return [name for name, value in self.tight.items() if name in self.deciding or now.get(name) == value]

    @property
    def floor(self) -> int:
        """The partition of a StatefulSet from before."""
        found: int = (self.rolling or {}).get("partition") or 0
        return found

    @property
    def words(self) -> str:
        """What it is, for messages."""
        return "restart pod by pod" if self.moves else "canary"

    def whose(self, run: str) -> str:
        """What has set the strategy that a workload has, for messages: `is held by the canary of run r1`."""
        return (
            f"is held by the {self.words} of {run}"
            if self.enforced is None
            else f"has the strategy that {run} set for budgets"
        )


NONE = Canary(0, None)


def part_of(workload: Object, its: Canary) -> Object:
    """The part of the strategy of a workload in which it changes something."""
    return its.part(kinds.kind_of(workload).strategy_of(workload)) or {}


def given_back(workload: Object, its: Canary) -> bool:
    """Whether the strategy is what it was before, in all that the canary sets."""
    before, now = its.rolling or {}, part_of(workload, its)
    return all(now.get(name) == before.get(name) for name in its.tight)


def set_by_others(workload: Object, its: Canary) -> bool:
    """Whether another manager has set, or set back, what it changes."""
    where = (kinds.kind_of(workload).strategy, *its.path)
    others = [entry for entry in managers_of(workload) if entry.get("manager") not in its.managers]
    return any(owned_fields(entry, "spec", *where, name) is not None for entry in others for name in its.differences)


def restored(workload: Object, its: Canary, names: t.Container[str]) -> Object:
    """The workload with these fields of the part that it changes as they were before."""
    kind, spec = kinds.kind_of(workload), dict(workload["spec"])
    now = kind.strategy_of(workload)
    strategy = {name: value for name, value in now.items() if name != ROLLING}
    part = {name: value for name, value in (its.part(now) or {}).items() if name not in names}
    part |= {name: value for name, value in (its.rolling or {}).items() if name in names}
    if its.evicts:
        strategy = part
    elif its.rolling is not None or part not in DEFAULTED:
        strategy[ROLLING] = part
    if strategy or its.before is not None:
        spec[kind.strategy] = strategy
    else:
        del spec[kind.strategy]
    return {**workload, "spec": spec}
