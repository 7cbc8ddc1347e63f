# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a restart without a plan: one entry, made of variables that are named as the options of an entry."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT, SCHEMA

ID = "selected"
NAMES = "names"  # Ansible reserves the variable `name`
OF_PLAN = ("window", "failure_budget")
OF_DEFAULTS = ("max_parallel", "stagger", "on_failure", "undo_scope", "budgets", "delete_stuck_pods", "logs")
OF_ENTRY = tuple(
    option for option in SCHEMA["workloads"] if option not in {"id", "after", "optional", "name", "gates", *OF_DEFAULTS}
)
LIMITS = ("timeout", "settle", "grace")  # options of an entry that select nothing
KNOWN = (NAMES, *OF_ENTRY, *OF_DEFAULTS, *OF_PLAN)


class SelectionError(Exception):
    """The variables do not say what to restart."""


def plan_of(variables: t.Mapping[str, t.Any]) -> dict:
    """The plan for these variables. Its name has a digest of what is selected, so the same selection is the same plan.

    Other variables are left alone. Raises SelectionError if nothing is selected, if an option has no value, or if a
    variable is nearly the name of an option.
    """
    wrong = [
        f"the variable {name} is unknown; did you mean {nearest}?"
        for name in sorted(variables)
        if (nearest := _meant(name)) is not None
    ]
    given = {name: variables[name] for name in KNOWN if name in variables}
    wrong += [
        f"{name}: has no value; give one, or leave the variable out"
        for name, value in given.items()
        if value is None or (isinstance(value, (str, list, tuple, dict)) and not _content(value))
    ]
    if not wrong and not given.keys() & {"namespace", "all_namespaces"}:
        wrong.append("namespace is missing; name one or more: -e namespace=shop")
    if wrong:
        raise SelectionError("; ".join(wrong))
    entry = {"name" if name == NAMES else name: given[name] for name in (NAMES, *OF_ENTRY) if name in given}
    # With other limits it is still the same selection, so an unfinished run is resumed.
    selection = {name: value for name, value in entry.items() if name not in LIMITS}
    digest = hashlib.sha256(json.dumps(selection, sort_keys=True, default=str).encode()).hexdigest()[:8]
    return {
        "version": 1,
        "name": f"{ID}-{digest}",
        **{name: given[name] for name in OF_PLAN if name in given},
        **_defaults(given),
        "workloads": [{"id": ID, **entry}],
    }


def _defaults(given: t.Mapping[str, t.Any]) -> dict:
    defaults = {name: given[name] for name in OF_DEFAULTS if name in given}
    return {"defaults": defaults} if defaults else {}


def _content(value: str | t.Sequence | t.Mapping) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


def _meant(name: str) -> str | None:
    """The option that a variable is nearly named as; None if there is none, or if that is another variable.

    Only the forms that people mix up: one and many, and other signs between words. Other names are the user's own.
    """
    plain = name.lower().replace("-", "_")
    if name in KNOWN or name == ROOT:
        return None
    return next((option for option in KNOWN if plain in (option, f"{option}s", option.removesuffix("s"))), None)
