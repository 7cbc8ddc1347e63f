# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The update strategy of a kind of workload: how many pods a rollout stops and creates."""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field, share


class Strategy(abc.ABC):
    """The part of a kind that is about its strategy.

    `strategy` is the field of spec with the update strategy; `surge` and `unavailable` are the API's defaults for it.
    """

    strategy: t.ClassVar[str] = "updateStrategy"
    surge: t.ClassVar[int | str] = 0
    unavailable: t.ClassVar[int | str] = 1
    rounds_up: t.ClassVar[bool] = False  # a percentage of pods that may be unavailable
    can_surge: t.ClassVar[bool] = True  # whether it knows maxSurge

    @abc.abstractmethod
    def wanted(self, workload: Object) -> int:
        """How many pods there should be."""

    def strategy_of(self, workload: Object) -> Object:
        """The update strategy of the workload; {} if none is set."""
        found: Object = field(workload, f"spec.{self.strategy}", {})
        return found

    def strategy_risks(self, workload: Object) -> list[str]:
        """How its update strategy may affect its users, as short sentences."""
        strategy = self.strategy_of(workload)
        wanted = self.wanted(workload)
        if strategy.get("type") == "OnDelete":
            return ["its update strategy is OnDelete: pods are replaced only when somebody deletes them"]
        if wanted and self.missing_at_once(workload) >= wanted:
            pods = "its only pod" if wanted == 1 else f"all {wanted} pods"
            return [f"{pods} may be stopped before a successor is ready"]
        return []

    def missing_at_once(self, workload: Object) -> int:
        """How many of the wanted pods may be missing at once in a rollout (as ResolveFenceposts of the controllers)."""
        rolling, wanted = self.strategy_of(workload).get("rollingUpdate") or {}, self.wanted(workload)
        unavailable = share(rolling.get("maxUnavailable", self.unavailable), wanted, up=self.rounds_up)
        return unavailable if unavailable or self.surge_at_once(workload) else 1

    def surge_at_once(self, workload: Object) -> int:
        """How many pods there may be at once in a rollout beyond those wanted."""
        rolling = self.strategy_of(workload).get("rollingUpdate") or {}
        return share(rolling.get("maxSurge", self.surge), self.wanted(workload), up=True)

    def stops_at_once(self, workload: Object) -> int:
        """How many pods a rollout may stop at once if all are healthy."""
        if self.strategy_of(workload).get("type") == "OnDelete":
            return 0
        return min(self.missing_at_once(workload), self.wanted(workload))

    def keeps(self, workload: Object, healthy: int) -> int:
        """How many pods a rollout leaves healthy. So many of them are `healthy` now; it may be more than those, if the
        rollout stops no pod before others are healthy."""
        return self.wanted(workload) - self.stops_at_once(workload)

    def keeps_midway(self, workload: Object, healthy: int, ailing: int) -> int:
        """The same while the rollout is under way. So many of its old pods (`ailing`) are not healthy."""
        return self.keeps(workload, healthy)
