# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restart plan: what a person wrote, checked as a whole before anything is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.schedule import graph
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT, read, read_list
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

SELECTORS = ("name", "label_selectors", "field_selectors", "select")


@dataclass(frozen=True)
class Entry:
    """One entry of `workloads`, with the defaults merged in. Durations are seconds.

    An entry without names and selectors means all workloads of its kinds in its namespaces. `max_parallel` and
    `stagger` hold within the entry, those of the plan hold over the whole run as well. timeout and grace None: the caller's.
    """

    id: str
    kinds: tuple[str, ...] = ("Deployment",)
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    label_selectors: tuple[str, ...] = ()
    field_selectors: tuple[str, ...] = ()
    select: str | None = None
    all_namespaces: bool = False
    after: tuple[str, ...] = ()
    optional: bool = False
    timeout: float | None = None
    settle: float = 0
    grace: float | None = None
    max_parallel: int | None = None
    stagger: float | None = None


@dataclass(frozen=True)
class Plan:
    """A checked plan. `digest` is the sha256 of what was written, as canonical JSON: any change changes it."""

    version: int
    name: str
    entries: tuple[Entry, ...]
    digest: str
    window: Window | None = None
    failure_budget: int = 0
    max_parallel: int | None = None
    stagger: float = 0
    on_failure: str = "stop"


def check(data: object) -> Plan:
    """The plan that `restart_plan` describes. Raises PlanError with everything that is wrong with it."""
    errors: list[str] = []
    values = read(ROOT, data, ROOT, errors) or {}
    defaults = values.get("defaults") or {}
    entries = _entries(values.get("workloads") or [], defaults, f"{ROOT}.workloads", errors)
    window = None
    if values.get("window") is not None:
        window = Window.from_values(values["window"], f"{ROOT}.window", errors)
    if errors:
        raise PlanError(errors)
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    return Plan(
        version=values["version"],
        name=values["name"],
        entries=entries,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        window=window,
        failure_budget=values.get("failure_budget", 0),
        max_parallel=defaults.get("max_parallel"),
        stagger=defaults.get("stagger", 0),
        on_failure=defaults.get("on_failure", "stop"),
    )


def check_entries(data: object, defaults: Mapping[str, object], root: str = "workloads") -> tuple[Entry, ...]:
    """The entries of a `workloads` list that stands alone, as in a module's option.

    `defaults` are written as in the plan's `defaults`; those that are None are not set. Raises PlanError.
    """
    errors: list[str] = []
    merged = read("defaults", {key: value for key, value in defaults.items() if value is not None}, "", errors)
    entries = _entries(read_list("workloads", data, root, errors) or [], merged or {}, root, errors)
    if errors:
        raise PlanError(errors)
    return entries


def _entries(rows: Sequence[dict | None], defaults: dict, root: str, errors: list[str]) -> tuple[Entry, ...]:
    """Entries from values that are read; adds what is wrong between options and between entries to `errors`."""
    entries = []
    for index, values in enumerate(rows):
        if values is not None:
            errors.extend(_scope_errors(values, defaults, f"{root}[{index}]"))
            entries.append(_entry(values, defaults))
    # An entry whose id could not be read would make others seem wrong.
    if len(entries) == len(rows) and all(entry.id for entry in entries):
        errors.extend(graph.check(entries, root))
    if not errors:
        errors.extend(_duplicates(entries, root))
    return tuple(entries)


def _scope_errors(values: dict, defaults: dict, path: str) -> list[str]:
    """Where an entry looks must be said, and `all_namespaces` alone would restart a whole cluster."""
    if not values.get("all_namespaces"):
        if "namespace" in {**values, **defaults} or values.get("all_namespaces", False) is None:
            return []
        return [f"{path}.namespace: is required, here or as a default, unless all_namespaces is true"]
    if "namespace" in values:
        return [f"{path}.all_namespaces: contradicts namespace beside it; keep one of the two"]
    if not any(selector in values for selector in SELECTORS):
        return [f"{path}.all_namespaces: would select everything; add one of {', '.join(SELECTORS)}"]
    return []


def _entry(values: dict, defaults: dict) -> Entry:
    def get(key: str, otherwise: object) -> object:
        return values.get(key, defaults.get(key, otherwise))

    everywhere = bool(values.get("all_namespaces"))
    return Entry(
        id=values.get("id"),
        kinds=get("kind", ("Deployment",)),
        names=values.get("name", ()),
        namespaces=() if everywhere else get("namespace", ()),
        label_selectors=values.get("label_selectors", ()),
        field_selectors=values.get("field_selectors", ()),
        select=values.get("select"),
        all_namespaces=everywhere,
        after=values.get("after") or (),
        optional=values.get("optional", False),
        timeout=get("timeout", None),
        settle=get("settle", 0),
        grace=get("grace", None),
        # Not from the defaults: there they hold over the whole run.
        max_parallel=values.get("max_parallel"),
        stagger=values.get("stagger"),
    )


def _duplicates(entries: Sequence[Entry], root: str) -> list[str]:
    """Objects that two entries name. Selectors may narrow an entry, so only the cluster can tell about those."""
    errors = []
    seen: dict[tuple[str, str, str], int] = {}
    for index, entry in enumerate(entries):
        if entry.label_selectors or entry.field_selectors or entry.select:
            continue
        for key in [(k, ns, name) for k in entry.kinds for ns in entry.namespaces for name in entry.names]:
            if key in seen:
                kind, namespace, name = key
                errors.append(
                    f'{root}[{index}].name: {kind} "{name}" in namespace "{namespace}" '
                    f"is named by {root}[{seen[key]}] already"
                )
            seen.setdefault(key, index)
    return errors
