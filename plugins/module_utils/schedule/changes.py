# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Describes the changes between two versions of a plan."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import show

SHOWN = 6  # changes in one line


def between(before: Mapping, after: Mapping) -> list[str]:
    """Each change as `path: old -> new`, at most a few of them.

    Entries are compared by their id. The plans need not be valid, because the old one may have another version.
    """
    found = [*_mapping("", _plain(before), _plain(after)), *_entries(before, after)]
    more = len(found) - SHOWN
    return [*found[:SHOWN], f"and {more} more"] if more > 0 else found


def _plain(plan: Mapping) -> dict:
    return {key: value for key, value in plan.items() if key != "workloads"}


def _entries(before: Mapping, after: Mapping) -> list[str]:
    old, new = _by_id(before), _by_id(after)
    found = [f"workload {name} added" for name in new if name not in old]
    found += [f"workload {name} removed" for name in old if name not in new]
    for name in new:
        if name in old:
            found += _mapping(f"{name}.", old[name], new[name])
    return found


def _by_id(plan: Mapping) -> dict[str, Mapping]:
    rows = plan.get("workloads")
    return {str(row.get("id")): row for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else {}


def _mapping(prefix: str, before: Mapping, after: Mapping) -> list[str]:
    found = []
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _mapping(f"{prefix}{key}.", old, new)
        elif key not in before:
            found.append(f"{prefix}{key}: {show(new)} added")
        elif key not in after:
            found.append(f"{prefix}{key}: {show(old)} removed")
        else:
            found.append(f"{prefix}{key}: {show(old)} -> {show(new)}")
    return found
