# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart sets in the strategy of a workload for a while, and the strategy from before (rollout/canary.py). The
journal has it from its first write on.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

ROLLING = "rollingUpdate"
MANAGER = "restartx"


@dataclass(frozen=True)
class Canary:
    """The canary of one workload: how many pods it takes, and the strategy from before the run.

    `before` is the strategy as the object has it; None if the field is absent. `partition` is what a StatefulSet gets.
    `managers` are the field managers that have sent it, or will. If it `moves`, the partition goes down pod by pod, to the
    one from before.
    """

    pods: int
    before: Object | None
    partition: int | None = None
    managers: tuple[str, ...] = (MANAGER,)
    moves: bool = False

    @classmethod
    def of_record(cls, found: t.Mapping[str, t.Any]) -> Canary:
        """From a journal. Raises KeyError, TypeError or ValueError if that has no canary of this form."""
        before, partition = found["before"], found.get("partition")
        if not isinstance(before, (dict, type(None))):
            raise TypeError(f"{before!r} is not a strategy")
        managers = tuple(str(name) for name in found.get("managers", (MANAGER,)))
        number = None if partition is None else int(partition)
        return cls(int(found["pods"]), before, number, managers, moves=bool(found.get("moves", False)))

    @property
    def record(self) -> Object:
        """As a journal has it."""
        partition = {} if self.partition is None else {"partition": self.partition}
        managers = {} if self.managers == (MANAGER,) else {"managers": list(self.managers)}
        moves = {"moves": True} if self.moves else {}
        return {"pods": self.pods, "before": self.before, **partition, **managers, **moves}

    @property
    def rolling(self) -> Object | None:
        """The part of the strategy from before that the canary changes."""
        return (self.before or {}).get(ROLLING)

    @property
    def tight(self) -> Object:
        """What it sets there. Without pods, there is nothing to hold."""
        if not self.pods:
            return {}
        return {"maxSurge": self.pods, "maxUnavailable": 0} if self.partition is None else {"partition": self.partition}

    @property
    def differences(self) -> Object:
        """What of that was not so before."""
        return {name: value for name, value in self.tight.items() if (self.rolling or {}).get(name) != value}

    def holds(self, now: Object) -> bool:
        """Whether this is what it has set."""
        if self.moves and self.tight:
            return self.floor < (now.get("partition") or 0) <= self.tight["partition"]
        return all(now.get(name) == value for name, value in self.tight.items())

    @property
    def floor(self) -> int:
        """The partition of a StatefulSet from before."""
        found: int = (self.rolling or {}).get("partition") or 0
        return found

    @property
    def words(self) -> str:
        """What it is, for messages."""
        return "restart pod by pod" if self.moves else "canary"


NONE = Canary(0, None)
