# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the workloads that the user selected: one list for each kind and scope.

Only the option `only` needs a further one: the pods of each namespace in which something else is selected.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import ALONE, Entry
from ansible_collections.restartx.core.plugins.module_utils.selection import filters, selectors
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import NOTHING, Earlier, Key
from ansible_collections.restartx.core.plugins.module_utils.selection.lists import (
    Cluster,
    Listing,
    Lists,
    Match,
    Scope,
    Together,
    narrowed,
)
from ansible_collections.restartx.core.plugins.module_utils.selection.missing import (
    LeftOut,
    Look,
    Missing,
    Search,
    look_nowhere,
)


@dataclass
class Found:
    """The selected workloads, in the order of the entries, and the data for following them."""

    objects: dict[Key, dict] = field(default_factory=dict)
    entry_of: dict[Key, str] = field(default_factory=dict)
    scope_of: dict[Key, Scope] = field(default_factory=dict)
    versions: dict[Scope, str] = field(default_factory=dict)  # resourceVersion of each list
    not_joined: dict[Key, str] = field(default_factory=dict)  # what an entry selects only since the run began


def check(entries: t.Sequence[Entry], now: datetime.datetime | None = None) -> None:
    """Raises RolloutError if a selector of an entry is not valid. Sends no request.

    Without `now` it is not checked whether an instant is in the future.
    """
    for entry in entries:
        for selector in entry.label_selectors:
            selectors.check_label_selector(selector)
        for selector in entry.field_selectors:
            selectors.check_field_selector(selector)
        if entry.select:
            selectors.compile_select(entry.select)
        for selector in entry.exclude.label_selectors if entry.exclude else ():
            selectors.check_label_selector(selector, "exclude.label_selectors")
        if entry.only and now and entry.only.instant(now) > now:
            raise RolloutError(
                f"{'' if entry.id == ALONE else f'{entry.id}: '}only.started_before: {entry.only} is in the future, so it "
                "would select everything; write an instant in the past, or a duration such as 30d"
            )


def find(
    cluster: Cluster,
    entries: t.Sequence[Entry],
    allow_empty: bool = False,
    deadline: float | None = None,
    look: Look = look_nowhere,
    now: datetime.datetime | None = None,
    earlier: Earlier = NOTHING,
    together: Together = map,
) -> Found:
    """Lists and selects. Unless it may be empty, an entry must find all of its names, and something in each namespace.

    `deadline` is an instant of the cluster's clock. `look` is called for suggestions if something is not found. `now` is
    needed for the option `only`. `earlier` are the workloads of a run that is resumed. `together` calls a function
    for each item, perhaps several at once. Raises ClusterError, and RolloutError that names everything that is missing,
    or the object that two entries select.
    """
    asked = Lists(cluster, deadline)
    scopes = _scopes(entries)
    asked.ask(dict.fromkeys(scope for of_entry in scopes.values() for scope in of_entry), together)
    named = {scope: _by_name(listing.items) for scope, listing in asked.listings.items()}
    matches = {entry.id: _matches(entry, scopes[entry.id], asked.listings, named) for entry in entries}
    for id, match in _recall(earlier, matches, asked):
        matches[id].append(match)
    strict = [entry for entry in entries if not (allow_empty or entry.optional)]
    absent = [
        missing for entry in strict for missing in _missing(entry, [workload for _scope, workload in matches[entry.id]])
    ]
    if absent:
        raise RolloutError(_search(cluster, entries, asked.listings, look).explain(absent))
    left_out = [_narrow(entry, matches, asked, now, earlier) for entry in entries]
    nothing_left = [one for one in left_out if one and one.entry in strict and one.entry.id not in earlier.may_be_empty]
    if nothing_left:
        raise RolloutError(_search(cluster, entries, asked.listings, look).explain_left_out(nothing_left))
    found = Found(versions={scope: listing.resource_version for scope, listing in asked.listings.items()})
    for entry in entries:
        for scope, workload in matches[entry.id]:
            if earlier.joins(entry, workload):
                _add(found, entry, scope, workload)
            else:
                found.not_joined[kinds.key(workload)] = entry.id
    return found


def _search(cluster: Cluster, entries: t.Sequence[Entry], listings: t.Mapping[Scope, Listing], look: Look) -> Search:
    return Search(
        where=cluster.context or cluster.host,
        context=cluster.context,
        known=[workload for listing in listings.values() for workload in listing.items],
        asked={scope.path: listing.items for scope, listing in listings.items() if not scope.params},
        named={namespace for entry in entries for namespace in entry.namespaces},
        look=look,
    )


def _recall(earlier: Earlier, matches: t.Mapping[str, list[Match]], asked: Lists) -> t.Iterator[tuple[str, Match]]:
    """The workloads of earlier starts that no entry matches any more, each with the id of its entry."""
    matched = {kinds.key(workload) for found in matches.values() for _scope, workload in found}
    lost = [key for key in earlier.members if key not in matched]
    listed = _by_key(asked.listings)
    names: dict[Scope, list[str]] = {}
    for kind, namespace, name in lost:
        if (kind, namespace, name) not in listed:
            names.setdefault(Scope(kind, namespace), []).append(name)
    for scope, wanted in names.items():
        one = narrowed(scope, wanted[0]) if len(wanted) == 1 else scope
        listed = {**_by_key({one: asked.workloads(one)}), **listed}
    for key in lost:
        if key in listed and earlier.began(listed[key][1]):
            yield earlier.members[key], listed[key]


def _by_key(listings: t.Mapping[Scope, Listing]) -> dict[Key, Match]:
    return {kinds.key(workload): (scope, workload) for scope, listing in listings.items() for workload in listing.items}


def _narrow(
    entry: Entry, matches: dict[str, list[Match]], asked: Lists, now: datetime.datetime | None, earlier: Earlier
) -> LeftOut | None:
    """Takes out of the matches what `exclude` or `only` leaves out. Returns which of them has left nothing, if any has.

    What the run has selected before stays.
    """
    found = matches[entry.id]
    if entry.exclude:
        excluded = filters.excluded_by(entry.exclude)
        matches[entry.id] = [one for one in found if earlier.keeps(entry, one[1]) or not excluded(one[1])]
        if found and not matches[entry.id]:
            return LeftOut(entry, "exclude", len(found))
    found = matches[entry.id]
    if entry.only:
        if now is None:
            raise ValueError("the option only needs the current time")
        instant = entry.only.instant(now)
        matches[entry.id] = [
            one
            for one in found
            if earlier.began(one[1])
            or filters.started_before(one[1], asked.pods(one[1]["metadata"].get("namespace")), instant)
        ]
        if found and not matches[entry.id]:
            return LeftOut(entry, "only", len(found))
    return None


def _matches(
    entry: Entry, scopes: list[Scope], listings: t.Mapping[Scope, Listing], named: t.Mapping[Scope, dict]
) -> list[Match]:
    selects = filters.selected_by(entry)
    return [
        (scope, workload)
        # In the written order: with max_parallel 1, users expect the order of the names.
        for name in entry.names or (None,)
        for scope in scopes
        for workload in (named[scope].get(name, ()) if name else listings[scope].items)
        if selects(workload)
    ]


def _missing(entry: Entry, workloads: t.Sequence[dict]) -> t.Iterator[Missing]:
    names = {workload["metadata"]["name"] for workload in workloads}
    namespaces = {workload["metadata"].get("namespace") for workload in workloads}
    missing = Missing(
        entry=entry,
        names=tuple(dict.fromkeys(name for name in entry.names if name not in names)),
        namespaces=tuple(namespace for namespace in entry.namespaces if namespace not in namespaces),
        nothing=not workloads,
    )
    if missing.names or missing.namespaces or missing.nothing:
        yield missing


def _by_name(workloads: t.Iterable[dict]) -> dict[str, list[dict]]:
    """The workloads by name. In a scope of all namespaces, a name may exist several times."""
    found: dict[str, list[dict]] = {}
    for workload in workloads:
        found.setdefault(workload["metadata"]["name"], []).append(workload)
    return found


def _add(found: Found, entry: Entry, scope: Scope, workload: dict) -> None:
    key = kinds.key(workload)
    other = found.entry_of.get(key)
    if other is not None:
        if other == entry.id:
            return
        raise RolloutError(
            f'{kinds.label(workload)} is selected by two entries of the plan, "{other}" and "{entry.id}"; '
            "narrow one of them, because its place in the order must be clear"
        )
    found.objects[key] = workload
    found.entry_of[key] = entry.id
    found.scope_of[key] = scope


def _scopes(entries: t.Sequence[Entry]) -> dict[str, list[Scope]]:
    """For each entry, one scope for each kind and namespace. Entries that only name workloads share a list."""
    names: dict[Scope, set[str]] = {}
    for entry in entries:
        for scope in _broad(entry) if entry.names else ():
            names.setdefault(scope, set()).update(entry.names)
    return {
        entry.id: [
            narrowed(scope, entry.names[0]) if entry.names and len(names[scope]) == 1 else scope
            for scope in _broad(entry)
        ]
        for entry in entries
    }


def _broad(entry: Entry) -> list[Scope]:
    """The scopes of an entry, regardless of its names."""
    labels, fields = ",".join(entry.label_selectors), ",".join(entry.field_selectors)
    return [Scope(kind, namespace, labels, fields) for kind in entry.kinds for namespace in entry.namespaces or (None,)]
