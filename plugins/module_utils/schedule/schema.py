# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one literal description of a plan: it drives reading, the reference page and the JSON schema.

SCHEMA has a section for each mapping of a plan, and in it one row for each option:
type      a key of TYPES: how the value is read
of        for the types mapping and list: the section that describes what is inside
required  whether it must be there (default: no)
default   what holds when it is not there, in words for people
about     what it means
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.schedule import days, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

ROOT = "restart_plan"
SCHEMA = {
    ROOT: {
        "version": {"type": "version", "required": True, "about": "The version of this format."},
        "name": {"type": "label", "required": True, "about": "What the plan is called in journals and messages."},
        "defaults": {"type": "mapping", "of": "defaults", "about": "What holds for all entries."},
        "workloads": {
            "type": "list",
            "of": "workloads",
            "required": True,
            "about": "The entries: each selects workloads, and says after which other entries they are restarted.",
        },
        "window": {
            "type": "mapping",
            "of": "window",
            "default": "always open",
            "about": "When restarts may start.",
        },
        "failure_budget": {
            "type": "count",
            "default": "0",
            "about": "How many workloads of the run on one cluster may fail while new ones still start.",
        },
    },
    "defaults": {
        "kind": {"type": "kinds", "default": "Deployment", "about": "`kind` of entries that do not say."},
        "namespace": {"type": "namespaces", "about": "`namespace` of entries that do not say."},
        "timeout": {"type": "deadline", "about": "`timeout` of entries that do not say."},
        "settle": {"type": "duration", "default": "0", "about": "`settle` of entries that do not say."},
        "grace": {"type": "duration", "default": "5m", "about": "`grace` of entries that do not say."},
        "max_parallel": {
            "type": "limit",
            "default": "no limit",
            "about": "How many workloads of the whole run on one cluster are under way at once.",
        },
        "stagger": {
            "type": "duration",
            "default": "0",
            "about": "The least time between two starts in the whole run on one cluster.",
        },
        "on_failure": {
            "type": "on_failure",
            "default": "stop",
            "about": "What a failure leads to; see below.",
        },
    },
    "workloads": {
        "id": {"type": "id", "required": True, "about": "What `after` and messages call the entry."},
        "kind": {"type": "kinds", "default": "Deployment", "about": "The kinds to select."},
        "name": {"type": "names", "default": "all names", "about": "The names to select."},
        "namespace": {
            "type": "namespaces",
            "about": "The namespaces to look in. Needed here or in `defaults`, unless `all_namespaces` is true.",
        },
        "all_namespaces": {
            "type": "flag",
            "default": "false",
            "about": "Look in every namespace. Needs a name, a selector or `select` beside it.",
        },
        "label_selectors": {"type": "texts", "about": "Label selectors, as kubectl's `-l`; all of them hold."},
        "field_selectors": {"type": "texts", "about": "Field selectors, as kubectl's; all of them hold."},
        "select": {"type": "text", "about": "A JMESPath expression on the object; true selects it."},
        "after": {"type": "ids", "about": "Ids of the entries that must be complete before this one starts."},
        "optional": {"type": "flag", "default": "false", "about": "Finding nothing is no error."},
        "timeout": {
            "type": "deadline",
            "about": "How long one workload may take, from its own restart.",
        },
        "settle": {
            "type": "duration",
            "default": "0",
            "about": "How long a workload must stay well before it counts as done.",
        },
        "grace": {
            "type": "duration",
            "about": "How long pods that keep ending, or that get no image, no configuration or no node, may take to recover.",
        },
        "max_parallel": {
            "type": "limit",
            "default": "no limit",
            "about": "How many workloads of this entry are under way at once; the limit of the run holds as well.",
        },
        "stagger": {
            "type": "duration",
            "default": "0",
            "about": "The least time between two starts within this entry; that of the run holds as well.",
        },
    },
    "window": {
        "days": {
            "type": "days",
            "default": "every day",
            "about": "Days of the week on which the window starts: `fri` with `22:00-04:00` covers Saturday 02:00.",
        },
        "hours": {"type": "hours", "default": "00:00-24:00", "about": "From and to; may cross midnight."},
        "timezone": {"type": "zone", "required": True, "about": "IANA name of the zone in which all this is meant."},
        "freezes": {"type": "freezes", "about": "Times in which the window stays closed."},
    },
}

# Where an option that stands in the wrong place belongs; in this order, as some names stand in two sections.
HOMES = {
    "defaults": "one of the defaults",
    "workloads": "an option of an entry of workloads",
    "window": "an option of the window",
    ROOT: "an option of the plan itself",
}


@dataclass(frozen=True)
class Type:
    """How a value is read, what it is in words, and what it is in JSON schema."""

    read: Callable[[object], object]
    words: str
    json: dict


def _one_or_list(one: dict) -> dict:
    return {"anyOf": [one, {"type": "array", "items": one}]}


_TEXT = {"type": "string", "minLength": 1}
_DURATION = {"type": ["string", "number"]}
_ON_FAILURE = ("stop", "continue", "undo")

TYPES = {
    "version": Type(values.version, "`1`", {"const": values.VERSION}),
    "label": Type(values.label, "name", {"type": "string", "pattern": f"^{values.LABEL}$"}),
    "id": Type(values.identifier, "id", {"type": "string", "pattern": f"^{values.ID}$"}),
    "ids": Type(values.many(values.identifier, empty=True), "one or a list", _one_or_list(_TEXT)),
    "kinds": Type(
        values.many(values.kind),
        f"one or a list of {', '.join(f'`{kind}`' for kind in values.KINDS)}",
        _one_or_list(_TEXT),
    ),
    "names": Type(values.many(values.name), "one or a list", _one_or_list(_TEXT)),
    "namespaces": Type(values.many(values.namespace), "one or a list", _one_or_list(_TEXT)),
    "texts": Type(values.many(values.text), "one or a list", _one_or_list(_TEXT)),
    "text": Type(values.text, "text", _TEXT),
    "flag": Type(values.flag, "true or false", {"type": "boolean"}),
    "limit": Type(values.whole(1), "1 or more", {"type": "integer", "minimum": 1}),
    "count": Type(values.whole(0), "0 or more", {"type": "integer", "minimum": 0}),
    "duration": Type(values.duration, "duration", _DURATION),
    "deadline": Type(values.deadline, "duration, more than 0", _DURATION),
    "on_failure": Type(
        values.choice(*_ON_FAILURE), ", ".join(f"`{word}`" for word in _ON_FAILURE), {"enum": list(_ON_FAILURE)}
    ),
    "days": Type(values.many(days.day), "one or a list of `mon` to `sun`", _one_or_list(_TEXT)),
    "hours": Type(values.many(days.hours), 'one or a list, as `"22:00-01:00"`', _one_or_list(_TEXT)),
    "zone": Type(days.zone, "as `Europe/Berlin`", _TEXT),
    "freezes": Type(values.many(days.freeze, empty=True), "one or a list", _one_or_list(_TEXT)),
}


def read(section: str, data: object, path: str, errors: list[str]) -> dict | None:
    """The checked values of a mapping; what is wrong is added to `errors`, each sentence with its path.

    An option whose value is wrong is in the result as None, so that no further error says it is missing.
    Returns None when data is no mapping at all.
    """
    if not isinstance(data, Mapping):
        errors.append(f"{path}: {show(data)} is not a mapping of options")
        return None
    options = SCHEMA[section]
    result = {}
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in options:
            errors.append(_unknown(section, key, path, where))
            continue
        result[key] = _value(options[key], value, where, errors)
    for key, option in options.items():
        if option.get("required") and key not in data:
            errors.append(f"{path}.{key}: is required")
    return result


def _value(option: dict, value: object, where: str, errors: list[str]) -> object:
    if value is None:
        errors.append(f"{where}: has no value; give one, or leave the option out")
        return None
    if option["type"] == "mapping":
        return read(option["of"], value, where, errors)
    if option["type"] == "list":
        return read_list(option["of"], value, where, errors)
    try:
        return TYPES[option["type"]].read(value)
    except ScheduleError as error:
        errors.append(f"{where}: {error}")
        return None


def read_list(section: str, data: object, path: str, errors: list[str]) -> list[dict | None] | None:
    """As read(), for a list of such mappings; None when data is no list, or an empty one."""
    if not isinstance(data, (list, tuple)) or not data:
        errors.append(f"{path}: {show(data)} is not a list with at least one entry")
        return None
    return [read(section, item, f"{path}[{index}]", errors) for index, item in enumerate(data)]


def _unknown(section: str, key: object, path: str, where: str) -> str:
    if not isinstance(key, str):
        return (
            f"{path}: the key {show(key)} is not text; "
            "YAML makes booleans of on, off, yes and no; put them in quotes"
        )
    for home, words in HOMES.items():
        if key in SCHEMA[home]:
            return f"{where}: unknown here; it is {words}"
    return f"{where}: unknown option{values.closest(key, SCHEMA[section])}"
