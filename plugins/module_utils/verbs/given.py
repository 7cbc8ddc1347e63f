# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks the options of a task before Ansible converts them: unknown options, and options without a value."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.schedule import values

# The only options for which an empty value has a meaning of its own.
EMPTY_HAS_A_MEANING = ("journal.expected_run",)
ANSIBLE = "_ansible_"  # prefix of what Ansible itself passes to each module
_EMPTY_TEXT = ("", "[]", "{}")  # from a command line, where an empty list arrives as text


def refusals(spec: t.Mapping[str, dict], given: t.Mapping[str, t.Any]) -> list[str]:
    """A sentence for each mistake in the options of a task, before Ansible checks their types."""
    return unknown_options(spec, given) + empty_options(spec, given)


def unknown_options(spec: t.Mapping[str, dict], given: t.Mapping[str, t.Any], prefix: str = "") -> list[str]:
    """The unknown options, each with the nearest known one."""
    names = {spelling: name for name in spec for spelling in (name, *spec[name].get("aliases", ()))}
    found = []
    for spelling, value in given.items():
        inner = spec.get(names.get(spelling, ""), {}).get("options")
        if inner and isinstance(value, dict):
            found += unknown_options(inner, value, f"{prefix}{spelling}.")
        if spelling not in names and not spelling.startswith(ANSIBLE):
            hint = values.closest(spelling, names) or f"; there are {', '.join(spec)}"
            found.append(f"{prefix}{spelling}: unknown option{hint}")
    return found


def empty_options(spec: t.Mapping[str, dict], given: t.Mapping[str, t.Any], prefix: str = "") -> list[str]:
    """A sentence for each option without a value.

    `given` are the options of the task before Ansible converts them: afterwards null looks like a default, and "" like
    an empty list. An empty value often comes from a variable that turned out empty. It must never select everything,
    and never drop what the option should pin. So it is an error for every option. Keys that are not in `spec` are
    ignored.
    """
    names = {spelling: name for name in spec for spelling in (name, *spec[name].get("aliases", ()))}
    found = []
    for spelling, value in given.items():
        option = spec.get(names.get(spelling, ""))
        path = f"{prefix}{spelling}"
        if option is None or path in EMPTY_HAS_A_MEANING:
            continue
        if option.get("options") and isinstance(value, dict) and value:
            found += empty_options(option["options"], value, f"{path}.")
        else:
            found += _empty_values(path, option["type"], value)
    return found


def _empty_values(path: str, kind: str, value: t.Any) -> list[str]:
    """The mistakes in the value of one option: it is empty, or an item of its list is."""
    if value is None:
        return [f"{path} has no value; give one, or leave the option out (in a template with default(omit))"]
    if value == [] or value == ():
        return [f"{path} is an empty list; name at least one, or leave the option out"]
    if value == {}:
        return [f"{path} is an empty mapping; give it a value, or leave the option out"]
    if isinstance(value, str) and value.strip() in _EMPTY_TEXT:
        return [f"{path} is empty; give it a value, or leave the option out"]
    items: t.Sequence[t.Any] = value if isinstance(value, (list, tuple)) else ()
    if kind == "list" and isinstance(value, str):
        items = values.split_terms(value)
    for place, item in enumerate(items):
        if item is None or item in ([], {}) or (isinstance(item, str) and item.strip() in _EMPTY_TEXT):
            return [f"{path}[{place}] is empty; give it a value, or leave it out"]
    return []
