# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of a plan's entries: what `after` says, checked and laid out in levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest


class Node(Protocol):
    """What is needed of an entry here."""

    id: str
    after: tuple[str, ...]


def check(entries: Sequence[Node], root: str = "workloads") -> list[str]:
    """What is wrong with the ids and the order, one sentence each, with paths below `root`; empty when all is well."""
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
    """One circle as a path that ends where it starts, or nothing; without recursion, as plans may be long chains."""
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


def levels(entries: Sequence[Node]) -> list[list[str]]:
    """Ids by depth: those that wait for nothing, then those that wait only for these, and so on, in written order.

    For showing the order to people; the run itself does not wait for levels. The entries are checked before.
    """
    result: list[list[str]] = []
    done: set[str] = set()
    rest = list(entries)
    while rest:
        result.append([entry.id for entry in rest if done.issuperset(entry.after)])
        done.update(result[-1])
        rest = [entry for entry in rest if entry.id not in done]
    return result
