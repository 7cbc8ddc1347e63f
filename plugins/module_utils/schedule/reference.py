# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan's options for people (a Markdown table) and for editors (a JSON schema), both made from SCHEMA."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT, SCHEMA
from ansible_collections.restartx.core.plugins.module_utils.schedule.types import TYPES


def markdown_table() -> str:
    """One row for each option, in the order of SCHEMA, with its path below `restart_plan`."""
    rows = ["| option | value | default | meaning |", "| --- | --- | --- | --- |"]
    rows += [f"| `{path}` | {words} | {default} | {about} |" for path, words, default, about in _rows(ROOT, "")]
    return "\n".join(rows) + "\n"


_SUFFIXES = {"list": "[]", "named": ".NAME"}
_WORDS = {"list": "list of mappings", "mapping": "mapping", "named": "mapping of names to mappings"}


def _rows(section: str, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for key, option in SCHEMA[section].items():
        inner = option.get("of")
        path = f"{prefix}{key}{_SUFFIXES.get(option['type'], '')}"
        words = _WORDS[option["type"]] if inner else TYPES[option["type"]].words
        default = "required" if option.get("required") else option.get("default", "")
        yield path, words, default, option["about"]
        if inner:
            yield from _rows(inner, f"{path}.")


def json_schema() -> dict:
    """A JSON schema (2020-12) of the value of `restart_plan`.

    It describes options and the types of their values. Only plan.check() checks rules between options.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": ROOT, **_object(ROOT)}


def _object(section: str) -> dict:
    options = SCHEMA[section]
    return {
        "type": "object",
        "properties": {key: {"description": option["about"], **_value(option)} for key, option in options.items()},
        "required": [key for key, option in options.items() if option.get("required")],
        "additionalProperties": False,
    }


def _value(option: dict) -> dict:
    if option["type"] == "list":
        return {"type": "array", "minItems": 1, "items": _object(option["of"])}
    if option["type"] == "named":
        return {"type": "object", "additionalProperties": _object(option["of"])}
    return _object(option["of"]) if option["type"] == "mapping" else TYPES[option["type"]].json
