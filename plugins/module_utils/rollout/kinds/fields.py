# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading plain API objects."""

from __future__ import annotations

import functools
import typing as t
from datetime import UTC, datetime
from urllib.parse import quote

Object = dict[str, t.Any]  # an object of the API, or a part of one


def field(thing: t.Any, dotted: str, default: t.Any = None) -> t.Any:
    """The value at a dotted path of nested dicts; `default` if it is missing or null."""
    for part in _parts(dotted):
        if not isinstance(thing, dict):
            return default
        thing = thing.get(part)
    return default if thing is None else thing


@functools.cache  # there are only a few paths, and they are used for every event
def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.split("."))


def group_of(thing: Object) -> str:
    """The API group of an object, empty for the core group. An object without apiVersion counts as a workload."""
    return str(thing.get("apiVersion", "apps/v1")).rpartition("/")[0]


def annotations_of(thing: Object) -> dict[str, str]:
    """The annotations of an object itself."""
    found: dict[str, str] = field(thing, "metadata.annotations", {})
    return found


def template_annotations(workload: Object) -> dict[str, str]:
    """The annotations of a workload's pod template."""
    found: dict[str, str] = field(workload, "spec.template.metadata.annotations", {})
    return found


def labels_of(thing: Object) -> dict[str, str]:
    """The labels of an object itself."""
    found: dict[str, str] = field(thing, "metadata.labels", {})
    return found


def controller_of(thing: Object) -> Object | None:
    """The owner reference of an object's controller; None if it has none."""
    references: list[Object] = field(thing, "metadata.ownerReferences", [])
    return next((reference for reference in references if reference.get("controller")), None)


def condition(thing: Object, kind: str) -> Object:
    """The first condition of this type in an object's status; {} if there is none."""
    found: list[Object] = field(thing, "status.conditions", [])
    return next((one for one in found if one.get("type") == kind), {})


def history_limit(workload: Object) -> int:
    """How many old revisions the controller keeps: spec.revisionHistoryLimit."""
    limit: int = field(workload, "spec.revisionHistoryLimit", 10)
    return limit


def managers_of(thing: Object) -> list[Object]:
    """The entries of metadata.managedFields with the owners of fields in metadata and spec."""
    entries: list[Object] = field(thing, "metadata.managedFields", [])
    return [entry for entry in entries if not entry.get("subresource")]


def owned_fields(entry: Object, *path: str) -> Object | None:
    """The part of a managedFields entry below `path`; None if the entry owns nothing there."""
    fields: Object | None = entry.get("fieldsV1", {})
    for part in path:
        if fields is None:
            return None
        fields = fields.get(f"f:{part}")
    return fields


def parse_time(text: str | None) -> datetime | None:
    """The instant in an API timestamp or a restartedAt annotation; None if it is not a valid one."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def api_path(root: str, namespace: str | None, plural: str, name: str | None = None) -> str:
    """An API path. Names come from users, so each is quoted to stay one segment of the path."""
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{root}{scope}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def object_label(words: str, thing: Object) -> str:
    """The name of an object for messages, with these words for its kind."""
    metadata = thing.get("metadata", {})
    where = f' in namespace "{metadata["namespace"]}"' if metadata.get("namespace") else ""
    return f'{words} "{metadata.get("name", "")}"{where}'


def share(value: int | str, of: int, up: bool) -> int:
    """A number of pods, given as such or as a percentage of all."""
    if isinstance(value, int):
        return value
    hundredths = int(value.rstrip("%")) * of
    return -(-hundredths // 100) if up else hundredths // 100
