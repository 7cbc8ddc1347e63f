# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the user selected to the workloads themselves: one list for each kind and scope."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, selection
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True)
class Scope:
    """What one list asks for, and the watch after it."""

    kind: str
    namespace: str | None
    label_selector: str = ""
    field_selector: str = ""

    @property
    def path(self) -> str:
        return kinds.path(self.kind, self.namespace)

    @property
    def params(self) -> dict[str, str]:
        chosen = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in chosen.items() if value}

    def __str__(self) -> str:
        where = f'namespace "{self.namespace}"' if self.namespace else "all namespaces"
        by = [f"labels {self.label_selector}"] if self.label_selector else []
        by += [f"fields {self.field_selector}"] if self.field_selector else []
        return " with ".join([f"{kinds.KINDS[self.kind].name} in {where}", *by])


@dataclass
class Found:
    """The selected workloads, in the order of the entries, and what is needed to follow them."""

    objects: dict[Key, dict] = field(default_factory=dict)
    entry_of: dict[Key, str] = field(default_factory=dict)
    scope_of: dict[Key, Scope] = field(default_factory=dict)
    versions: dict[Scope, str] = field(default_factory=dict)  # resourceVersion of each list


def find(cluster, entries: t.Sequence[Entry], allow_empty: bool = False) -> Found:
    """Lists and selects. An entry that finds nothing, or not all of its names, is an error unless it may be empty.

    Raises RolloutError that names what was searched, or the object that two entries mean.
    """
    for entry in entries:
        for selector in entry.label_selectors:
            selection.check_label_selector(selector)
        for selector in entry.field_selectors:
            selection.check_field_selector(selector)
    checks = {entry.id: selection.compile_select(entry.select) if entry.select else None for entry in entries}
    scopes = {entry.id: _scopes(entry, entries) for entry in entries}
    listings = {scope: cluster.list(scope.path, scope.params) for scope in _unique(scopes)}
    found = Found(versions={scope: listing.resource_version for scope, listing in listings.items()})
    for entry in entries:
        matches = [
            (scope, workload)
            for scope in scopes[entry.id]
            for workload in listings[scope].items
            if _wanted(workload, entry, checks[entry.id])
        ]
        if entry.names:  # as written: who names them in an order, with max_parallel 1, means that order
            matches.sort(key=lambda match: entry.names.index(match[1]["metadata"]["name"]))
        if not (allow_empty or entry.optional):
            _complain_if_missing(cluster, entry, scopes[entry.id], [workload for _scope, workload in matches])
        for scope, workload in matches:
            _add(found, entry, scope, workload)
    return found


def _wanted(workload: dict, entry: Entry, check: t.Callable[[dict], bool] | None) -> bool:
    if entry.names and workload["metadata"]["name"] not in entry.names:
        return False
    return check is None or check(workload)


def _add(found: Found, entry: Entry, scope: Scope, workload: dict) -> None:
    key = kinds.key(workload)
    other = found.entry_of.get(key)
    if other is not None:
        if other == entry.id:
            return
        raise RolloutError(
            f'{kinds.label(workload)} is meant by two workloads of the plan, "{other}" and "{entry.id}"; '
            "narrow one of them, for its place in the order must be clear"
        )
    found.objects[key] = workload
    found.entry_of[key] = entry.id
    found.scope_of[key] = scope


def _complain_if_missing(cluster, entry: Entry, scopes: list[Scope], workloads: list[dict]) -> None:
    present = {workload["metadata"]["name"] for workload in workloads}
    missing = [name for name in entry.names if name not in present]
    if workloads and not missing:
        return
    what = " or ".join(f'"{name}"' for name in missing)
    searched = "; ".join(str(scope) for scope in scopes)
    condition = f", select {entry.select}" if entry.select else ""
    raise RolloutError(
        f"nothing found{' named ' + what if what else ''} in {cluster.context or cluster.host}: searched {searched}"
        f"{condition}; check the spelling and the cluster, or allow it with allow_empty (in a plan: optional)"
    )


def _scopes(entry: Entry, entries: t.Sequence[Entry]) -> list[Scope]:
    """One scope for each kind and namespace; entries that only name workloads share the namespace's list."""
    labels = ",".join(entry.label_selectors)
    result = []
    for kind in entry.kinds:
        for namespace in entry.namespaces or (None,):
            fields = list(entry.field_selectors)
            if len(_names_asked(entries, kind, namespace, entry)) == 1:
                fields.append(f"metadata.name={entry.names[0]}")
            result.append(Scope(kind, namespace, labels, ",".join(fields)))
    return result


def _names_asked(entries: t.Sequence[Entry], kind: str, namespace: str | None, entry: Entry) -> set[str]:
    if not entry.names:
        return set()
    alike = [
        other
        for other in entries
        if other.names
        and kind in other.kinds
        and namespace in (other.namespaces or (None,))
        and (other.label_selectors, other.field_selectors) == (entry.label_selectors, entry.field_selectors)
    ]
    return {name for other in alike for name in other.names}


def _unique(scopes: dict[str, list[Scope]]) -> list[Scope]:
    return list(dict.fromkeys(scope for of_entry in scopes.values() for scope in of_entry))
