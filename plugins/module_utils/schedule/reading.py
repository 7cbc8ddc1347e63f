# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the mappings and lists of a plan as schema.SCHEMA describes them, and collects all mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT, SCHEMA
from ansible_collections.restartx.core.plugins.module_utils.schedule.types import TYPES

# Where a misplaced option belongs. The order matters, because some names occur in two sections.
HOMES = {
    "defaults": "one of the defaults",
    "workloads": "an option of an entry of workloads",
    "window": "an option of the window",
    ROOT: "an option of the plan itself",
    "only": "an option of only",
    "accept": "an option of accept",
    "asked": "an option of gates of an entry or of the defaults",
    "canary": "an option of canary",
    "compare": "an option of compare of a canary",
    "between_pods": "an option of between_pods",
    "leader": "an option of leader of between_pods",
    "leader_http": "an option of http of a leader",
    "gate": "an option of a gate",
    "object": "an option of the object of a gate",
    "snapshot": "an option of snapshot of between_pods",
}


def read(section: str, data: object, path: str, errors: list[str]) -> dict | None:
    """The checked values of a mapping. Mistakes are added to `errors`, each as a sentence with its path.

    An option with a wrong value is None in the result, so that no further error says that it is missing.
    Returns None if data is not a mapping.
    """
    if not isinstance(data, Mapping):
        errors.append(f"{path}: {show(data)} is not a mapping of options")
        return None
    options = SCHEMA[section]
    result: dict[str, Any] = {}
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


def _value(option: Mapping[str, Any], value: object, where: str, errors: list[str]) -> object:
    if value is None:
        errors.append(f"{where}: has no value; give one, or leave the option out")
        return None
    if value == {} and option["type"] in ("mapping", "named", "gate"):
        errors.append(f"{where}: is an empty mapping; give it options, or leave it out")
        return None
    if option["type"] == "mapping":
        return read(option["of"], value, where, errors)
    if option["type"] == "named":
        return read_named(option["of"], value, where, errors)
    if option["type"] == "list":
        return read_list(option["of"], value, where, errors)
    if option["type"] == "gate" and isinstance(value, Mapping):
        return read("gate", value, where, errors)
    try:
        return TYPES[option["type"]].read(value)
    except ScheduleError as error:
        errors.append(f"{where}: {error}")
        return None


def read_list(section: str, data: object, path: str, errors: list[str]) -> list[dict | None] | None:
    """As read(), for a list of such mappings; None if data is not a list, or an empty one."""
    if not isinstance(data, (list, tuple)) or not data:
        errors.append(f"{path}: {show(data)} is not a list with at least one entry")
        return None
    return [read(section, item, f"{path}[{index}]", errors) for index, item in enumerate(data)]


def read_named(section: str, data: object, path: str, errors: list[str]) -> dict[str, dict | None] | None:
    """As read(), for a mapping of names to such mappings; None if data is none."""
    if not isinstance(data, Mapping):
        errors.append(f"{path}: {show(data)} is not a mapping of names")
        return None
    result = {}
    for name, value in data.items():
        try:
            values.identifier(name)
        except ScheduleError as error:
            errors.append(f"{path}: {error}")
            continue
        result[name] = read(section, value, f"{path}.{name}", errors)
    return result


def _unknown(section: str, key: object, path: str, where: str) -> str:
    if not isinstance(key, str):
        return (
            f"{path}: the key {show(key)} is not text; YAML reads on, off, yes and no as booleans; put them in quotes"
        )
    for home, words in HOMES.items():
        if key in SCHEMA[home]:
            return f"{where}: unknown here; it is {words}"
    # `labels` of an entry is meant for label_selectors, and never for the label of a leader.
    homes = [home for home in SCHEMA if home != "leader" or section == home]
    everywhere = [option for home in homes for option in SCHEMA[home]]
    for nearest in values.near(key, everywhere):
        home = (
            "" if nearest in SCHEMA[section] else f", {next(HOMES[home] for home in HOMES if nearest in SCHEMA[home])}"
        )
        return f'{where}: unknown option; did you mean "{nearest}"{home}?'
    return f"{where}: unknown option; the options here are {', '.join(SCHEMA[section])}"
