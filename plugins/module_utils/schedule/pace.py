# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what may start now: order, limits on parallelism, staggering, and the effects of failures.

Pace works only with names and numbers, without clusters and clocks. Time is a number of seconds that never decreases.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import graph
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import budget_of

SHOWN = 3  # members in a reason


@dataclass(frozen=True)
class Group:
    """The members of one entry of a plan. They start when the groups in `after` are complete."""

    id: str
    members: tuple[str, ...]
    after: tuple[str, ...] = ()
    max_parallel: int | None = None
    stagger: float = 0
    stop_on_failure: bool | None = None  # None: as for all groups
    free: bool = False  # its members are gates: they wait only for the groups in `after`, and take no place


class Holds(Protocol):
    """Further reasons why members may not start. `member` None means all members: a reason then holds every one. `now`
    may be in the future."""

    def reason(self, member: str | None, now: float) -> str | None:
        """Why it may not start now; None if it may."""

    def lasting(self, member: str | None, now: float) -> bool:
        """Whether the call does not wait for the reason that holds it."""


class NoHolds:
    """Nothing is held."""

    def reason(self, member: str | None, now: float) -> str | None:
        """None: it may start."""
        return None

    def lasting(self, member: str | None, now: float) -> bool:
        """Never."""
        return False


class Pace:
    """Decides which members may start. The caller starts them, and reports it with started() and ended().

    The order of the groups must be checked before (graph.check). max_parallel None means no limit. stagger is the
    minimum number of seconds between two starts. Both apply to all groups here, and those of a group apply within the
    group. A group is complete when all its members succeeded. A group without members is complete when its `after` is.
    A failed member keeps everything that depends on its group from starting. With stop_on_failure, nothing new starts
    after more than failure_budget members failed. Without hold_back, a failed member holds back nothing: what depends
    on it only starts after it. Members that `holds` keep from starting are skipped, and do not block others.
    """

    holds: Holds = NoHolds()

    def __init__(
        self,
        groups: Sequence[Group],
        max_parallel: int | None = None,
        stagger: float = 0,
        failure_budget: int | str = 0,
        stop_on_failure: bool = True,
        hold_back: bool = True,
    ):
        self._groups = {group.id: group for group in groups}
        self._group_of = {member: group for group in groups for member in group.members}
        if len(self._group_of) != sum(len(group.members) for group in groups):
            raise ValueError("a member belongs to two groups")
        self._free = [group.id for group in groups if group.free]
        total = sum(len(group.members) for group in groups if not group.free)
        self._max_parallel = max_parallel
        self._stagger = stagger
        self._failure_budget, self._budget_given = budget_of(failure_budget, total), failure_budget
        # How many workloads a percentage of them are, for people.
        self._share = "" if isinstance(failure_budget, int) else f", which is {self._failure_budget} of {total}"
        self._stop_on_failure = stop_on_failure
        self._hold_back = hold_back
        # Dicts with None as values serve as sets that keep the written order.
        self._waiting = {group.id: dict.fromkeys(group.members) for group in groups}
        self._running: dict[str, set[str]] = {group.id: set() for group in groups}
        self._bad: dict[str, list[str]] = {group.id: [] for group in groups}
        self._counted: list[str] = []  # the failed members that count against the failure budget
        self._last_start: dict[str | None, float] = {}  # by group with a stagger; None is the whole run
        self.stopped: str | None = None  # why nothing new starts any more
        # Derived values, kept up to date so that an event does not loop over thousands of groups.
        self._needs = {group.id: graph.needs(group, self._groups) for group in groups}
        self._needed_by: dict[str, list[str]] = {group.id: [] for group in groups}
        for name, needs in self._needs.items():
            for needed in needs:
                self._needed_by[needed].append(name)
        self._missing = {name: len(needs) for name, needs in self._needs.items()}  # number of needs not complete yet
        self._ordered = list(groups)
        self._position = {group.id: position for position, group in enumerate(groups)}
        self._open = [self._position[g.id] for g in groups if g.members and not self._needs[g.id]]  # ascending
        self._hopeful = {group.id for group in groups if group.members}  # with members that may still start
        self._under_way = 0

    @property
    def running(self) -> frozenset[str]:
        """The members that have started and not ended."""
        return frozenset().union(*self._running.values())

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing else can start."""
        return not self._under_way and (self.stopped is not None or not self._hopeful)

    def due(self, now: float) -> list[str]:
        """The members that may all start now, in the order of the groups and, within them, of the members."""
        if self.stopped is not None:
            return []
        result: list[str] = []
        places = self._free_places(now)
        if not places or not self._open or self.holds.reason(None, now):
            return []
        for position in self._open:
            if places <= len(result):
                break
            group = self._ordered[position]
            own = self._places_in(group, now)
            free = (member for member in self._waiting[group.id] if not self.holds.reason(member, now))
            result += islice(free, 0 if group.free else min(own, places - len(result)))
        return result

    def free_due(self) -> list[str]:
        """The members of free groups that may start now."""
        ready = () if self.stopped else (name for name in self._free if not self._missing[name])
        return [member for name in ready for member in self._waiting[name]]

    def held_up(self, now: float) -> bool:
        """Whether nothing runs, and everything that could start is held by a reason for which the call does not
        wait."""
        if self._under_way or self.stopped or not self._open:
            return False
        each = (self.holds.lasting(member, now) for member in self._could_start())
        return self.holds.lasting(None, now) or (next(each, False) and all(each))

    def held(self, now: float) -> str | None:
        """Why nothing may start although there is a place for it; None if something may, or if there is no place."""
        if self.stopped or not self._free_places(now) or next(self._could_start(now), None) is None:
            return None
        alone = () if self._under_way else self._could_start(now)
        each = (self.holds.reason(member, now) for member in alone)
        return self.holds.reason(None, now) or next(filter(None, each), None)

    def _could_start(self, now: float | None = None) -> Iterator[str]:
        """The members that only holds keep from starting. With `now`, only those for which their groups have a place."""
        groups = (self._ordered[position] for position in self._open)
        ready = (one for one in groups if not one.free and (now is None or self._places_in(one, now)))
        return (member for group in ready for member in self._waiting[group.id])

    def _free_places(self, now: float) -> int:
        running = self._under_way - sum(len(self._running[name]) for name in self._free)
        return self._places(None, self._max_parallel, self._stagger, running, now)

    def _places_in(self, group: Group, now: float) -> int:
        return self._places(group.id, group.max_parallel, group.stagger, len(self._running[group.id]), now)

    def _places(self, scope: str | None, limit: int | None, stagger: float, running: int, now: float) -> int:
        """How many more may start now in a group, or in the whole run (None)."""
        places = len(self._group_of) if limit is None else max(limit - running, 0)
        if not stagger:
            return places
        too_early = scope in self._last_start and now < self._last_start[scope] + stagger
        return 0 if too_early else min(places, 1)

    def next_due(self, now: float) -> float | None:
        """The first time, now or later, at which something is due if nothing else happens; None if there is none."""
        ends_of_pauses = {
            start + (self._stagger if scope is None else self._groups[scope].stagger)
            for scope, start in self._last_start.items()
        }
        for moment in sorted({now, *(end for end in ends_of_pauses if end > now)}):
            if self.due(moment):
                return moment
        return None

    def started(self, member: str, now: float, paced: bool = True) -> None:
        """The caller has started this member. If it is not `paced`, no other member waits for the stagger after it."""
        group = self._group_of[member]
        self._leaves(member, group)
        self._running[group.id].add(member)
        self._under_way += 1
        if self._stagger and paced:
            self._last_start[None] = now
        if group.stagger and paced:
            self._last_start[group.id] = now

    def put_back(self, member: str) -> None:
        """This member was started without any effect. It waits again, after the others of its group."""
        group = self._group_of[member]
        self._running[group.id].remove(member)
        self._under_way -= 1
        if not self._waiting[group.id] and not self._missing[group.id]:
            insort(self._open, self._position[group.id])
        self._waiting[group.id][member] = None
        if not self._held_back(group):
            self._hopeful.add(group.id)

    def ended(self, member: str, now: float, good: bool, counts: bool = True) -> None:
        """This member ended, perhaps without a start here (done by an earlier start, or refused).

        A failed member with `counts` false does not use the failure budget. It only holds back what depends on it.
        """
        group = self._group_of[member]
        if member in self._running[group.id]:
            self._running[group.id].remove(member)
            self._under_way -= 1
        elif member in self._waiting[group.id]:
            self._leaves(member, group)
        else:
            raise ValueError(f"{member} has ended already")
        if not good and self._hold_back:
            self._failed(member, group, counts)
        elif self._complete(group.id):
            for name in self._needed_by[group.id]:
                self._missing[name] -= 1
                if not self._missing[name] and self._waiting[name]:
                    insort(self._open, self._position[name])
                    self._hopeful.add(name)

    def _leaves(self, member: str, group: Group) -> None:
        """The member no longer waits."""
        waiting = self._waiting[group.id]
        del waiting[member]
        if not waiting:
            self._hopeful.discard(group.id)
            if not self._missing[group.id]:
                self._open.remove(self._position[group.id])

    def _failed(self, member: str, group: Group, counts: bool) -> None:
        """The member failed: everything that depends on it, directly or not, is held back, and perhaps all others
        too."""
        self._bad[group.id].append(member)
        held = deque(self._needed_by[group.id] if len(self._bad[group.id]) == 1 else ())
        while held:
            name = held.popleft()
            if name in self._hopeful:
                self._hopeful.remove(name)
                held.extend(self._needed_by[name])
        stops = self._stop_on_failure if group.stop_on_failure is None else group.stop_on_failure
        self._counted += [member] if counts and stops else []
        if self.stopped:
            return
        bad = [name for names in self._bad.values() for name in names if name in self._counted]
        if len(bad) > self._failure_budget:
            self.stop(f"stopped: {some(bad, SHOWN)} failed, and failure_budget is {self._budget_given}{self._share}")

    def stop(self, reason: str) -> None:
        """From now on, nothing new starts. The first reason is kept."""
        self.stopped = self.stopped or reason

    def waiting_for(self, now: float = 0.0) -> dict[str, str]:
        """The reason for each member that has not started."""
        held = self.stopped or self.holds.reason(None, now)
        reasons = {}
        for group, members in self._waiting.items():
            reason = self._reason(self._groups[group], held) if members else None
            for member in members:
                reasons[member] = reason or self.holds.reason(member, now) or "waits for its turn"
        return reasons

    def _complete(self, group: str) -> bool:
        return not (self._waiting[group] or self._running[group] or self._bad[group])

    def _held_back(self, group: Group) -> str | None:
        """Why this group can never start: the nearest failure among its dependencies; None if it can."""
        way = graph.nearest(group.id, self._needs, self._bad)
        if way is None:
            return None
        needed, origin = way
        through = f'"{needed}", held back by "{origin}"' if origin != needed else f'"{needed}"'
        return f"needs {through}, of which {some(self._bad[origin], SHOWN)} failed"

    def _reason(self, group: Group, held: str | None) -> str | None:
        """Why no member of the group may start; None if it may. `held` is the reason that holds all groups."""
        held_back = self._held_back(group) or held
        if held_back:
            return held_back
        for needed in self._needs[group.id]:
            if not self._complete(needed):
                return f'needs "{needed}", which is not complete yet'
        return None
