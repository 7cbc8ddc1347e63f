# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restart plan, which is checked as a whole before anything is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import HONOUR
from ansible_collections.restartx.core.plugins.module_utils.schedule import gating, graph
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import (
    BetweenPods,
    between_errors,
    between_gates,
)
from ansible_collections.restartx.core.plugins.module_utils.schedule.canary import (
    CanaryPlan,
    canary_errors,
    canary_gates,
)
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.reading import read, read_list
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT
from ansible_collections.restartx.core.plugins.module_utils.schedule.selecting import Exclude, Only, Use, only_of
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

LAST_RESTARTS = 50
DEFAULTS = {"timeout": 600.0, "grace": 300.0}  # seconds
WORKLOAD, ENTRY, RUN = "workload", "entry", "run"  # what undo_scope may be
NO_UNDO = "has no effect, because on_failure is undo nowhere; set on_failure: undo too, or leave it out"
ALONE = "selection"  # the id of the entry from the selection options of a module
SELECTORS = ("name", "name_pattern", "label_selectors", "field_selectors", "select", "uses", "service_account", "image")


@dataclass(frozen=True)
class Entry:
    """One entry of `workloads`, with the defaults merged in. Durations are seconds.

    An entry without names and selectors selects all workloads of its kinds in its namespaces. `max_parallel` and
    `stagger` apply within the entry; those of the plan apply to the whole run in addition. timeout and grace None mean
    no limit. on_failure None means that of the plan.
    """

    id: str
    kinds: tuple[str, ...] = ("Deployment",)
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    name_patterns: tuple[str, ...] = ()
    label_selectors: tuple[str, ...] = ()
    field_selectors: tuple[str, ...] = ()
    select: str | None = None
    uses: tuple[Use, ...] = ()
    service_accounts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    only: Only | None = None
    exclude: Exclude | None = None
    all_namespaces: bool = False
    after: tuple[str, ...] = ()
    optional: bool = False
    timeout: float | None = None
    settle: float = 0
    grace: float | None = None
    max_parallel: int | None = None
    stagger: float | None = None
    on_failure: str | None = None
    gates: gating.Asked = gating.NOTHING_ASKED
    gate: str | None = None  # the name of the gate that the entry is; it then selects nothing
    budgets: str = HONOUR  # one of rollout.budgets.MODES
    canary: CanaryPlan | None = None
    between_pods: BetweenPods | None = None


@dataclass(frozen=True)
class Plan:
    """A checked plan.

    `digest` is the sha256 of the plan as canonical JSON, so any change changes it. `warnings` are sentences with paths
    about values that are allowed but may be surprising. `failure_budget` is a number of workloads, or a percentage such as
    `10%`. `accept` holds the codes of findings of the preflight that the plan accepts, each with its reason.
    """

    version: int
    name: str
    entries: tuple[Entry, ...]
    digest: str
    window: Window | None = None
    failure_budget: int | str = 0
    max_failure_rate: str | None = None  # a percentage such as `20%`
    last_restarts: int = LAST_RESTARTS
    max_parallel: int | None = None
    stagger: float = 0
    on_failure: str = "stop"
    undo_scope: str = "workload"
    undo_across_gates: bool = False
    delete_stuck_pods: bool = False
    logs: bool = True
    accept: tuple[tuple[str, str], ...] = ()
    gates: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # by name, as they were written
    asked: gating.Asked = gating.NOTHING_ASKED  # those before all restarts, and those after all of them
    warnings: tuple[str, ...] = ()


def reacting(entries: Sequence[Entry], on_failure: str, word: str) -> frozenset[str]:
    """The ids of the entries that react to a failure with `word`: an entry may have an on_failure of its own."""
    return frozenset(entry.id for entry in entries if (entry.on_failure or on_failure) == word)


def without_order(entry: Entry) -> Entry:
    """The entry without dependencies and limits."""
    plain = replace(entry, after=(), max_parallel=None, stagger=None, on_failure=None)
    return replace(plain, gates=gating.NOTHING_ASKED, canary=None, between_pods=None)


def selection_of(entry: Entry) -> Entry:
    """The part of an entry that says which workloads it selects, for comparisons."""
    plain = replace(without_order(entry), optional=False, timeout=None, settle=0, grace=None, budgets=HONOUR)
    return replace(plain, names=tuple(sorted(entry.names)))


def check(data: object) -> Plan:
    """The plan that `restart_plan` describes. Raises PlanError with everything that is wrong with it."""
    errors: list[str] = []
    values = read(ROOT, data, ROOT, errors) or {}
    defaults = {**DEFAULTS, **(values.get("defaults") or {})}
    entries = _entries(values.get("workloads") or [], defaults, f"{ROOT}.workloads", errors)
    written = values.get("window")
    window = None if written is None else Window.from_values(written, f"{ROOT}.window", errors)
    asked = gating.Asked.of(defaults.get("gates"))
    if isinstance(data, Mapping) and not errors:
        of_all = [asked, *(entry.gates for entry in entries)]
        errors += gating.mistakes(data, of_all, {**canary_gates(entries, defaults), **between_gates(entries)}, ROOT)
    if "last_restarts" in values and "max_failure_rate" not in values:
        errors.append(
            f"{ROOT}.last_restarts: has no effect without max_failure_rate; add it, or leave last_restarts out"
        )
    on_failure = defaults.get("on_failure", "stop")
    if "undo_scope" in defaults and not (errors or reacting(entries, on_failure, "undo")):
        errors.append(f"{ROOT}.defaults.undo_scope: {NO_UNDO}")
    if not errors and defaults.get("undo_scope") != RUN:
        undoing = (at for at, one in enumerate(entries) if one.gate and one.on_failure == "undo")
        errors += [f"{ROOT}.workloads[{at}].on_failure: {gating.GATE_UNDO}" for at in undoing]
    gates = gating.all_of(data) if isinstance(data, Mapping) and not errors else {}
    crosses = defaults.get("undo_scope") in (ENTRY, RUN) and any("job" in gate for gate in gates.values())
    if "undo_across_gates" in defaults and not (errors or crosses):
        errors.append(f"{ROOT}.defaults.undo_across_gates: {gating.NOTHING_ACROSS}")
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
        max_failure_rate=values.get("max_failure_rate"),
        last_restarts=values.get("last_restarts", LAST_RESTARTS),
        max_parallel=defaults.get("max_parallel"),
        stagger=defaults.get("stagger", 0),
        on_failure=on_failure,
        undo_scope=defaults.get("undo_scope", WORKLOAD),
        undo_across_gates=defaults.get("undo_across_gates", False),
        delete_stuck_pods=defaults.get("delete_stuck_pods", False),
        logs=defaults.get("logs", True),
        gates=tuple(gates.items()),
        asked=asked,
        accept=tuple((row["finding"], row["reason"]) for row in values.get("accept") or ()),
        warnings=window.warnings(f"{ROOT}.window") if window else (),
    )


def check_entries(data: object, defaults: Mapping[str, object], root: str = "workloads") -> tuple[Entry, ...]:
    """The entries of a `workloads` list that stands alone, as in a module's option.

    `defaults` are written as in the plan's `defaults`; those that are None are not set. Raises PlanError.
    """
    errors: list[str] = []
    merged = read("defaults", {key: value for key, value in defaults.items() if value is not None}, "", errors)
    entries = _entries(read_list("workloads", data, root, errors) or [], merged or {}, root, errors)
    errors += [
        f"{root}[{index}].{option}: only a plan has {what}; give the whole plan, or leave {option} out"
        for index, entry in enumerate(entries)
        for option, what in (("gates", "gates"), ("gate", "gates"), ("canary", "canaries"))
        if getattr(entry, option) not in (None, gating.NOTHING_ASKED)
    ]
    errors += [
        f"{path}: only a plan has gates; give the whole plan" for path, one in between_gates(entries).items() if one
    ]
    if errors:
        raise PlanError(errors)
    return entries


def _entries(rows: Sequence[dict | None], defaults: dict[str, Any], root: str, errors: list[str]) -> tuple[Entry, ...]:
    """Makes entries from checked values. Adds contradictions between options and between entries to `errors`."""
    entries = []
    for index, values in enumerate(rows):
        if values is not None:
            errors.extend(_scope_errors(values, defaults, f"{root}[{index}]"))
            entries.append(_gate_entry(values) if "gate" in values else _entry(values, defaults))
    # An entry without a valid id would cause errors in others.
    if len(entries) == len(rows) and all(entry.id for entry in entries):
        errors.extend(graph.check(entries, root))
    if not errors:
        errors += [*_duplicates(entries, root), *canary_errors(entries, root), *between_errors(entries, root)]
    if entries and all(entry.gate for entry in entries):
        errors.append(f"{root}: all entries are gates; add one that selects workloads")
    return tuple(entries)


def _scope_errors(values: dict, defaults: dict, path: str) -> list[str]:
    """An entry must say where to look, and `all_namespaces` alone would restart a whole cluster."""
    if "gate" in values:
        return gating.entry_mistakes(values, path)
    if not values.get("all_namespaces"):
        if "namespace" in {**values, **defaults} or values.get("all_namespaces", False) is None:
            return []
        return [f"{path}.namespace: is required, here or as a default, unless all_namespaces is true"]
    if "namespace" in values:
        return [f"{path}.all_namespaces: cannot be combined with namespace; keep one of the two"]
    if not any(selector in values for selector in SELECTORS):
        return [f"{path}.all_namespaces: would select everything; add one of {', '.join(SELECTORS)}"]
    return []


def _entry(values: dict[str, Any], defaults: dict[str, Any]) -> Entry:
    def get(key: str, otherwise: Any) -> Any:
        return values.get(key, defaults.get(key, otherwise))

    everywhere = bool(values.get("all_namespaces"))
    return Entry(
        id=values.get("id") or "",
        kinds=get("kind", ("Deployment",)),
        names=values.get("name", ()),
        name_patterns=values.get("name_pattern", ()),
        namespaces=() if everywhere else get("namespace", ()),
        label_selectors=values.get("label_selectors", ()),
        field_selectors=values.get("field_selectors", ()),
        select=values.get("select"),
        uses=values.get("uses", ()),
        service_accounts=values.get("service_account", ()),
        images=values.get("image", ()),
        only=only_of(values.get("only")),
        exclude=Exclude.of(values.get("exclude")),
        all_namespaces=everywhere,
        after=values.get("after") or (),
        optional=values.get("optional", False),
        timeout=get("timeout", None),
        settle=get("settle", 0),
        grace=get("grace", None),
        budgets=get("budgets", HONOUR),
        # Not from the defaults, which apply to the whole run.
        max_parallel=values.get("max_parallel"),
        stagger=values.get("stagger"),
        on_failure=values.get("on_failure"),
        gates=gating.Asked.of(values.get("gates")),
        canary=CanaryPlan.of(get("canary", None)),
        between_pods=BetweenPods.of(values.get("between_pods")),
    )


def _gate_entry(values: dict[str, Any]) -> Entry:
    """An entry that is a gate. It has no kinds, so it selects nothing."""
    gate = values["gate"]
    return Entry(
        id=values.get("id") or "",
        kinds=(),
        after=values.get("after") or (),
        optional=True,
        on_failure=values.get("on_failure"),
        gate=gate if isinstance(gate, str) else values.get("id"),
    )


def _by_name_only(entry: Entry) -> Entry:
    """The entry without conditions, which are compared only on the cluster."""
    return Entry(entry.id, entry.kinds, entry.names, entry.namespaces, all_namespaces=entry.all_namespaces)


def _duplicates(entries: Sequence[Entry], root: str) -> list[str]:
    """Objects that two entries name. Entries with selectors can be compared only on the cluster."""
    errors = []
    seen: dict[tuple[str, str, str], int] = {}
    for index, entry in enumerate(entries):
        if selection_of(entry) != selection_of(_by_name_only(entry)):
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
