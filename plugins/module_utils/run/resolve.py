# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the user selected to the workloads themselves: one list for each kind and scope."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

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


def check(entries: t.Sequence[Entry]) -> None:
    """Raises RolloutError when a selector of an entry is none; asks no cluster."""
    for entry in entries:
        for selector in entry.label_selectors:
            selection.check_label_selector(selector)
        for selector in entry.field_selectors:
            selection.check_field_selector(selector)
        if entry.select:
            selection.compile_select(entry.select)


def find(cluster, entries: t.Sequence[Entry], allow_empty: bool = False, deadline: float | None = None) -> Found:
    """Lists and selects. An entry that finds nothing, or not all of its names, is an error unless it may be empty.

    `deadline` is an instant of the cluster's clock. Raises ClusterError, and RolloutError that names what was searched,
    or the object that two entries mean.
    """
    scopes = _scopes(entries)
    listings = {
        scope: cluster.list(scope.path, scope.params, deadline=deadline)
        for scope in dict.fromkeys(scope for of_entry in scopes.values() for scope in of_entry)
    }
    named = {scope: _by_name(listing.items) for scope, listing in listings.items()}
    found = Found(versions={scope: listing.resource_version for scope, listing in listings.items()})
    for entry in entries:
        selects = selection.compile_select(entry.select) if entry.select else _everything
        matches = [
            (scope, workload)
            # As written: who names workloads in an order, with max_parallel 1, means that order.
            for name in entry.names or (None,)
            for scope in scopes[entry.id]
            for workload in (named[scope].get(name, ()) if name else listings[scope].items)
            if selects(workload)
        ]
        if not (allow_empty or entry.optional):
            _complain_if_missing(cluster, entry, scopes[entry.id], [workload for _scope, workload in matches])
        for scope, workload in matches:
            _add(found, entry, scope, workload)
    return found


def _by_name(workloads: t.Iterable[dict]) -> dict[str, list[dict]]:
    """In a scope of all namespaces a name may be there several times."""
    found: dict[str, list[dict]] = {}
    for workload in workloads:
        found.setdefault(workload["metadata"]["name"], []).append(workload)
    return found


def _everything(workload: dict) -> bool:
    return True


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


def _scopes(entries: t.Sequence[Entry]) -> dict[str, list[Scope]]:
    """For each entry one scope for each kind and namespace; entries that only name workloads share a list."""
    names: dict[Scope, set[str]] = {}
    for entry in entries:
        for scope in _broad(entry) if entry.names else ():
            names.setdefault(scope, set()).update(entry.names)
    return {
        entry.id: [
            _narrowed(scope, entry.names[0]) if entry.names and len(names[scope]) == 1 else scope
            for scope in _broad(entry)
        ]
        for entry in entries
    }


def _broad(entry: Entry) -> list[Scope]:
    """An entry's scopes without regard to its names."""
    labels, fields = ",".join(entry.label_selectors), ",".join(entry.field_selectors)
    return [Scope(kind, namespace, labels, fields) for kind in entry.kinds for namespace in entry.namespaces or (None,)]


def _narrowed(scope: Scope, name: str) -> Scope:
    """The scope of the one workload that is asked for in it."""
    escaped = name.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
    return replace(scope, field_selector=",".join(filter(None, [scope.field_selector, f"metadata.name={escaped}"])))
