# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of the entries of a plan: checks `after`, and sorts the entries in levels."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence, Sized
from typing import Protocol

from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest


class Node(Protocol):
    """The part of an entry that this file uses."""

    @property
    def id(self) -> str: ...

    @property
    def after(self) -> tuple[str, ...]: ...


class Members(Node, Protocol):
    """A group of workloads in the order of a run."""

    @property
    def members(self) -> tuple[str, ...]: ...


def check(entries: Sequence[Node], root: str = "workloads") -> list[str]:
    """One sentence for each mistake in the ids and the order, with paths below `root`."""
    errors = []
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if entry.id in seen:
            errors.append(f'{root}[{index}].id: "{entry.id}" is the id of {root}[{seen[entry.id]}] already')
        seen.setdefault(entry.id, index)
    for index, entry in enumerate(entries):
        for needed in entry.after:
            if needed not in seen:
                others = [other for other in seen if other != entry.id]
                errors.append(f'{root}[{index}].after: no workload "{needed}"{closest(needed, others)}')
    cycle = _cycle({entry.id: [needed for needed in entry.after if needed in seen] for entry in entries})
    if cycle:
        errors.append(f"{root}[{seen[cycle[0]]}].after: goes in a circle: {' -> '.join(cycle)}")
    return errors


def _cycle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """One cycle as a path that ends where it starts, or nothing. Not recursive, because plans may be long chains."""
    done: set[str] = set()
    for start in after:
        path, branches = [start], [iter(after[start])]
        while branches and start not in done:
            needed = next(branches[-1], None)
            if needed is None:
                done.add(path.pop())
                branches.pop()
            elif needed in path:
                return path[path.index(needed) :] + [needed]
            elif needed not in done:
                path.append(needed)
                branches.append(iter(after[needed]))
    return []


def before(entries: Sequence[Node]) -> dict[str, frozenset[str]]:
    """The ids of all entries that are complete before each entry starts. The entries must be checked before."""
    found: dict[str, frozenset[str]] = {}
    by_id = {entry.id: entry for entry in entries}
    for level in levels(entries):
        for entry in level:
            needed = by_id[entry].after
            found[entry] = frozenset(needed).union(*(found[one] for one in needed))
    return found


def levels(entries: Sequence[Node]) -> list[list[str]]:
    """Ids by depth: those that wait for nothing, then those that wait only for these, and so on, in the written order.

    Levels only show the order to users. The run itself does not wait for levels. The entries must be checked before.
    """
    result: list[list[str]] = []
    done: set[str] = set()
    rest = list(entries)
    while rest:
        result.append([entry.id for entry in rest if done.issuperset(entry.after)])
        done.update(result[-1])
        rest = [entry for entry in rest if entry.id not in done]
    return result


def needs(group: Members, groups: Mapping[str, Members]) -> tuple[str, ...]:
    """The groups with members that must be complete first. A group without members is replaced by its own needs."""
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


def nearest(start: str, needs: Mapping[str, Sequence[str]], marked: Mapping[str, Sized]) -> tuple[str, str] | None:
    """The nearest group that `start` needs and that has something in `marked`, after the need of `start` that leads to it.
    None if there is none."""
    ways = deque((needed, needed) for needed in needs[start])
    seen = set(needs[start])
    while ways:
        needed, origin = ways.popleft()
        if len(marked[origin]):
            return needed, origin
        further = [way for way in needs[origin] if way not in seen]
        seen.update(further)
        ways.extend((needed, way) for way in further)
    return None
