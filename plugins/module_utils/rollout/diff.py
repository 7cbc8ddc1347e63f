# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two states of an object, without telling the values that may be secrets."""

from __future__ import annotations

from typing import Iterator

HIDDEN = "(hidden)"
HIDDEN_TOO = "(hidden, differs)"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_IGNORED = {
    ("status",),
    ("metadata", "resourceVersion"),
    ("metadata", "generation"),
    ("metadata", "managedFields"),
}
_MISSING = object()

Path = tuple  # of field names (str), and of positions (int) in lists whose entries have no names


def changed_fields(before: dict, after: dict) -> tuple[dict, dict]:
    """The parts of two states of an object that differ, as two objects; both are empty when nothing does.

    What the server keeps for itself does not count: status, resourceVersion, generation, managedFields.
    """
    left: dict = {}
    right: dict = {}
    for path, old, new in changes(before, after):
        _put(left, path, old)
        _put(right, path, HIDDEN_TOO if old == new == HIDDEN else new)
    return left, right


def changes(before: dict, after: dict) -> Iterator[tuple[Path, object, object]]:
    """Each leaf that differs: its path, and the two values, None where there is none.

    Entries of lists are compared by their `name` where all have one, so that a container put in front moves nothing.
    Values of environment variables, and the copy of the object that kubectl apply keeps, are hidden.
    """
    yield from _changes((), before, after)


def _changes(path: Path, before, after) -> Iterator[tuple[Path, object, object]]:
    if before == after or path in _IGNORED:
        return
    left, right = _parts(before), _parts(after)
    if left is None or right is None:
        yield path, _shown(path, before), _shown(path, after)
        return
    for name in [*left, *(name for name in right if name not in left)]:
        yield from _changes((*path, name), left.get(name, _MISSING), right.get(name, _MISSING))


def _parts(value) -> dict | None:
    """The parts of a value by name or position; None for a leaf. What is missing has no parts beside what has some."""
    if value is _MISSING:
        return None
    if isinstance(value, dict):
        return value or None
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        return None
    names = [entry.get("name") for entry in value]
    return dict(zip(names, value)) if None not in names and len(set(names)) == len(names) else None


def _shown(path: Path, value):
    if value is _MISSING:
        return None
    if path and (path[-1] == _LAST_APPLIED or _is_env_value(path)):
        return HIDDEN
    if isinstance(value, dict):
        return {name: _shown((*path, name), part) for name, part in value.items()}
    if isinstance(value, list):
        names = [entry.get("name", place) if isinstance(entry, dict) else place for place, entry in enumerate(value)]
        return [_shown((*path, name), entry) for name, entry in zip(names, value)]
    return value


def _is_env_value(path: Path) -> bool:
    return len(path) >= 3 and path[-1] == "value" and path[-3] == "env"


def _put(tree: dict, path: Path, value) -> None:
    if value is None:
        return
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value
