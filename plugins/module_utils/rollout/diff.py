# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The differences between two states of an object, without values that may be secrets."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

HIDDEN = "(hidden)"
HIDDEN_TOO = "(hidden, differs)"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_IGNORED = {
    ("status",),
    ("metadata", "resourceVersion"),
    ("metadata", "generation"),
    ("metadata", "managedFields"),
    ("metadata", "annotations", "deprecated.daemonset.template.generation"),  # set by the server, like generation
}
_MISSING = object()

Path = tuple  # of names of fields, and of the names of a list's entries (_Entry)


class _Entry(str):
    """The name of an entry of a list."""


def changed_fields(before: dict, after: dict) -> tuple[dict, dict]:
    """The parts of two states of an object that differ, as two objects. Both are empty if nothing differs.

    Fields that the server maintains are ignored: status, resourceVersion, generations, managedFields.
    """
    left: dict = {}
    right: dict = {}
    for path, old, new in changes(before, after):
        _put(left, path, old)
        _put(right, path, HIDDEN_TOO if old == new == HIDDEN else new)
    return left, right


def path_text(path: Path) -> str:
    """A path as people write it: `spec.containers[app].image`."""
    text = ""
    for part in path:
        plain = not isinstance(part, _Entry) and re.fullmatch(r"[\w$-]+", part)
        text += (f".{part}" if text else part) if plain else f"[{part}]"
    return text


def changes(before: t.Any, after: t.Any, path: Path = ()) -> Iterator[tuple[Path, t.Any, t.Any]]:
    """Each leaf that differs: its path and the two values, None for a missing one.

    Items of lists are compared by their `name` if all have one, so that a container that is added first moves no
    others. Values of environment variables, and the copy of the object that kubectl apply keeps, are hidden.
    """
    if before == after or path in _IGNORED:
        return
    left, right = _parts(before, path), _parts(after, path)
    if left is None or right is None or not (left or right) or _moved(left, right):
        yield path, _shown(path, before), _shown(path, after)
        return
    for name in [*left, *(name for name in right if name not in left)]:
        yield from changes(left.get(name, _MISSING), right.get(name, _MISSING), (*path, name))


def _parts(value: t.Any, path: Path) -> dict | None:
    """The parts of a value by name; None for a leaf. A missing field counts as empty, a missing item as a leaf."""
    if value is _MISSING:
        return None if isinstance(path[-1], _Entry) else {}
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return None
    names = [entry.get("name") for entry in value]
    unique = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return {_Entry(name): entry for name, entry in zip(names, value)} if unique else None


def _moved(left: dict, right: dict) -> bool:
    """Whether items changed places. The order matters, because environment variables refer to earlier ones."""
    return [name for name in left if name in right] != [name for name in right if name in left] and any(
        isinstance(name, _Entry) for name in left
    )


def _shown(path: Path, value: t.Any) -> t.Any:
    if value is _MISSING:
        return None
    if path and (path[-1] == LAST_APPLIED or _is_env_value(path)):
        return HIDDEN
    if isinstance(value, dict):
        return {name: _shown((*path, name), part) for name, part in value.items()}
    if isinstance(value, list):
        names = [entry.get("name", place) if isinstance(entry, dict) else place for place, entry in enumerate(value)]
        return [_shown((*path, name), entry) for name, entry in zip(names, value)]
    return value


def _is_env_value(path: Path) -> bool:
    return len(path) >= 3 and path[-1] == "value" and path[-3] == "env"


def _put(tree: dict, path: Path, value: t.Any) -> None:
    if value is None:
        return
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
