# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may start now: order, limits on parallelism, staggering, and what a failure holds back.

Pace knows names and numbers only: neither clusters nor clocks. Time is any number of seconds that grows.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True)
class Group:
    """The members that belong to one entry of a plan; they start when the groups in `after` are complete."""

    id: str
    members: tuple[str, ...]
    after: tuple[str, ...] = ()
    max_parallel: int | None = None
    stagger: float = 0


class Pace:
    """Decides which members may start; the caller starts them, and says so with started() and ended().

    The groups' order is checked before (graph.check). max_parallel None is no limit, stagger is the least number of
    seconds between two starts; both hold over all groups here, and a group's own hold within the group.
    A group is complete when all its members ended well, and one without members as soon as what it needs is. A bad member
    keeps everything that depends on its group from starting. With stop_on_failure nothing new starts once more than
    failure_budget members ended badly.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        max_parallel: int | None = None,
        stagger: float = 0,
        failure_budget: int = 0,
        stop_on_failure: bool = True,
    ):
        self._groups = {group.id: group for group in groups}
        self._group_of = {member: group for group in groups for member in group.members}
        if len(self._group_of) != sum(len(group.members) for group in groups):
            raise ValueError("a member belongs to two groups")
        self._max_parallel = max_parallel
        self._stagger = stagger
        self._failure_budget = failure_budget
        self._stop_on_failure = stop_on_failure
        # Dicts with None are sets that keep the written order.
        self._waiting = {group.id: dict.fromkeys(group.members) for group in groups}
        self._running = {group.id: set() for group in groups}
        self._bad: dict[str, list[str]] = {group.id: [] for group in groups}
        self._last_start: dict[str | None, float] = {}  # by group, where it staggers; None is the whole run
        self._stopped: str | None = None
        # What follows from the above, kept up to date so that thousands of groups are not gone through at each event.
        self._needs = {group.id: _needs(group, self._groups) for group in groups}
        self._needed_by: dict[str, list[str]] = {group.id: [] for group in groups}
        for name, needs in self._needs.items():
            for needed in needs:
                self._needed_by[needed].append(name)
        self._missing = {name: len(needs) for name, needs in self._needs.items()}  # needs that are not complete yet
        self._ordered = list(groups)
        self._position = {group.id: position for position, group in enumerate(groups)}
        self._open = [self._position[g.id] for g in groups if g.members and not self._needs[g.id]]  # ascending
        self._hopeful = {group.id for group in groups if group.members}  # with members that may still start
        self._under_way = 0

    @property
    def running(self) -> frozenset[str]:
        """The members that are started and not ended."""
        return frozenset().union(*self._running.values())

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing can start any more."""
        return not self._under_way and (self._stopped is not None or not self._hopeful)

    def due(self, now: float) -> list[str]:
        """The members that may all start now, in the order of the groups and, within them, of the members."""
        if self._stopped is not None:
            return []
        result: list[str] = []
        places = self._places(None, self._max_parallel, self._stagger, self._under_way, now)
        for position in self._open:
            if places <= len(result):
                break
            group = self._ordered[position]
            running = len(self._running[group.id])
            own = self._places(group.id, group.max_parallel, group.stagger, running, now)
            result += islice(self._waiting[group.id], min(own, places - len(result)))
        return result

    def _places(self, scope: str | None, limit: int | None, stagger: float, running: int, now: float) -> int:
        """How many more may start now in a group, or with None in the whole run."""
        places = len(self._group_of) if limit is None else max(limit - running, 0)
        if not stagger:
            return places
        too_early = scope in self._last_start and now < self._last_start[scope] + stagger
        return 0 if too_early else min(places, 1)

    def next_due(self, now: float) -> float | None:
        """The first time, now or later, at which something is due if nothing else happens; None when there is none."""
        ends_of_pauses = {
            start + (self._stagger if scope is None else self._groups[scope].stagger)
            for scope, start in self._last_start.items()
        }
        for moment in sorted({now, *(end for end in ends_of_pauses if end > now)}):
            if self.due(moment):
                return moment
        return None

    def started(self, member: str, now: float) -> None:
        """The caller has started this member."""
        group = self._group_of[member]
        self._leaves(member, group)
        self._running[group.id].add(member)
        self._under_way += 1
        if self._stagger:
            self._last_start[None] = now
        if group.stagger:
            self._last_start[group.id] = now

    def ended(self, member: str, now: float, good: bool) -> None:
        """This member ended; also one that never started here (done by an earlier attempt, or refused)."""
        group = self._group_of[member]
        if member in self._running[group.id]:
            self._running[group.id].remove(member)
            self._under_way -= 1
        elif member in self._waiting[group.id]:
            self._leaves(member, group)
        else:
            raise ValueError(f"{member} has ended already")
        if not good:
            self._failed(member, group)
        elif self._complete(group.id):
            for name in self._needed_by[group.id]:
                self._missing[name] -= 1
                if not self._missing[name] and self._waiting[name]:
                    insort(self._open, self._position[name])
                    self._hopeful.add(name)

    def _leaves(self, member: str, group: Group) -> None:
        """The member waits no more."""
        waiting = self._waiting[group.id]
        del waiting[member]
        if not waiting:
            self._hopeful.discard(group.id)
            if not self._missing[group.id]:
                self._open.remove(self._position[group.id])

    def _failed(self, member: str, group: Group) -> None:
        """The member ended badly: what depends on it, near or far, is held back, and perhaps all the rest too."""
        self._bad[group.id].append(member)
        held = deque(self._needed_by[group.id] if len(self._bad[group.id]) == 1 else ())
        while held:
            name = held.popleft()
            if name in self._hopeful:
                self._hopeful.remove(name)
                held.extend(self._needed_by[name])
        if not self._stop_on_failure or self._stopped:
            return
        bad = [name for names in self._bad.values() for name in names]
        if len(bad) > self._failure_budget:
            self.stop(f"stopped: {_listed(bad)} failed, and failure_budget is {self._failure_budget}")

    def stop(self, reason: str) -> None:
        """Nothing new starts any more; the first reason stays."""
        self._stopped = self._stopped or reason

    def waiting_for(self) -> dict[str, str]:
        """Why each member that has not started has not."""
        return {
            member: self._reason(self._groups[group]) for group, members in self._waiting.items() for member in members
        }

    def _complete(self, group: str) -> bool:
        return not (self._waiting[group] or self._running[group] or self._bad[group])

    def _held_back(self, group: Group) -> str | None:
        """Why this group can never start, by the nearest failure among what it depends on; None when it can."""
        ways = deque((needed, needed) for needed in self._needs[group.id])  # its own need, and what that leads to
        seen = set(self._needs[group.id])
        while ways:
            needed, origin = ways.popleft()
            if self._bad[origin]:
                through = f'"{needed}", held back by "{origin}"' if origin != needed else f'"{needed}"'
                return f"needs {through}, of which {_listed(self._bad[origin])} failed"
            further = [way for way in self._needs[origin] if way not in seen]
            seen.update(further)
            ways.extend((needed, way) for way in further)
        return None

    def _reason(self, group: Group) -> str:
        held_back = self._held_back(group) or self._stopped
        if held_back:
            return held_back
        for needed in self._needs[group.id]:
            if not self._complete(needed):
                return f'needs "{needed}", which is not complete yet'
        return "waits for its turn"


def _needs(group: Group, groups: Mapping[str, Group]) -> tuple[str, ...]:
    """The groups with members that must be complete first; those without hand on what they need themselves."""
    ways, seen, result = deque(group.after), set(), []
    while ways:
        needed = ways.popleft()
        if needed in seen:
            continue
        seen.add(needed)
        if groups[needed].members:
            result.append(needed)
        else:
            ways.extend(groups[needed].after)
    return tuple(result)


def _listed(names: Sequence[str], most: int = 3) -> str:
    """ "a, b, c and 4 more"."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
