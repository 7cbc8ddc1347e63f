# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order in which a run is undone: what was restarted last comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.schedule import graph
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import DEFAULTS, Entry

Key = tuple[str, str, str]  # kind, namespace, name


def entries(plan: Sequence[Entry] | None, members: Mapping[str, Sequence[Key]]) -> list[Entry]:
    """The entries of an undo, in their order, from the entries of the plan and the workloads that a run had in each.

    An entry waits for all that waited for it in the plan, directly or not. The result names each workload, so entries with several
    kinds or namespaces are split. Entries that the plan no longer has wait for nothing. Without a plan, each entry waits
    for the one that follows it in `members`.
    """
    order = list(plan) if plan is not None else _chain(list(members))
    known = {entry.id for entry in order}
    order += [_entry(name) for name in members if name not in known]
    parts = {entry.id: _split(entry, members.get(entry.id, ())) for entry in order}
    followers: dict[str, list[str]] = {entry.id: [] for entry in order}
    for entry in order:
        for needed in entry.after:
            followers[needed].append(entry.id)
    place = {name: number for number, names in enumerate(graph.levels(order)) for name in names}
    last_first = list(reversed(order))
    return [
        replace(part, after=tuple(_before(entry.id, followers, parts)))
        for entry in sorted(last_first, key=lambda entry: -place[entry.id])
        for part in parts[entry.id]
    ]


def _chain(names: Sequence[str]) -> list[Entry]:
    """Entries of which each waits for the one before it."""
    return [replace(_entry(name), after=tuple(names[at - 1 : at])) for at, name in enumerate(names)]


def _entry(name: str) -> Entry:
    """An entry of which only the workloads are known."""
    return Entry(id=name, timeout=DEFAULTS["timeout"], grace=DEFAULTS["grace"])


def _split(entry: Entry, keys: Iterable[Key]) -> list[Entry]:
    """The entry with exactly these workloads, the last one first: an entry for each kind and namespace."""
    names: dict[tuple[str, str], list[str]] = {}
    for kind, namespace, name in keys:
        names.setdefault((kind, namespace), []).append(name)
    return [
        Entry(
            id=entry.id if len(names) == 1 else f"{entry.id} ({kind} in {namespace})",
            kinds=(kind,),
            namespaces=(namespace,),
            names=tuple(reversed(found)),
            timeout=entry.timeout,
            settle=entry.settle,
            grace=entry.grace,
            max_parallel=entry.max_parallel,
            stagger=entry.stagger,
        )
        for (kind, namespace), found in names.items()
    ]


def _before(name: str, followers: Mapping[str, Sequence[str]], parts: Mapping[str, Sequence[Entry]]) -> list[str]:
    """All entries that must be undone before this one, also through others: those may have nothing to undo."""
    found: dict[str, None] = {}
    ways, seen = list(followers[name]), set()
    while ways:
        follower = ways.pop()
        if follower not in seen:
            seen.add(follower)
            found |= {part.id: None for part in parts[follower]}
            ways += followers[follower]
    return list(found)
