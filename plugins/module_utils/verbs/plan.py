# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks a plan against a cluster, and changes nothing."""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.record.title import with_held
from ansible_collections.restartx.core.plugins.module_utils.schedule import changes, graph, period
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Earlier
from ansible_collections.restartx.core.plugins.module_utils.verbs import (
    dry_run,
    earlier,
    gating,
    permissions,
    pipeline,
    preflight,
    snapshots,
)
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def plan(call: Call) -> dict:
    """What a plan would restart on this cluster and in which order, and its journals. Changes nothing."""
    params = call.params
    checked = call.checked_plan()
    gates, after_wave = gating.gates_of(call, checked), gating.AfterWave.of(call)
    gating.comparisons_of(call, checked)
    pipeline.begin(call, checked.entries)
    known = _known_runs(call, checked)
    found = pipeline.select(call, checked.entries, earlier=_earlier(call, checked, known or []))
    preflight.accepted_of(checked)
    permissions.check(call, checked, found, tuple(after_wave.given.values()))
    snapshots.check(call, checked.entries, set(found.entry_of.values()))
    runs = _read_runs(call, checked) if known is None else known
    tasks = dry_run.restarts(call, checked.entries, found, runs)
    findings = preflight.findings_of(call, checked.entries, found, tasks, checked)
    return pipeline.result(
        tasks,
        "fit for a restart",
        with_risks=False,
        plan={
            "name": checked.name,
            "digest": checked.digest,
            "order": graph.levels(checked.entries),
            "workloads": {
                entry.id: [task.title for task in tasks if task.group == entry.id] for entry in checked.entries
            },
            "gates": {entry.id: gates[entry.gate].provider.about() for entry in checked.entries if entry.gate},
            "after_wave": {"bake": after_wave.bake, "gates": list(after_wave.gates)}
            if after_wave.bake or after_wave.gates
            else None,
            "window": _window_now(checked.window, call.clock.now()) if checked.window else None,
            "periods": period.names(checked.window, call.clock.now()),
            "circuit": {"max_failure_rate": checked.max_failure_rate, "last_restarts": checked.last_restarts}
            if checked.max_failure_rate is not None
            else None,
        },
        findings=preflight.condensed(findings),
        runs=[{**journal.header(run), "changes": _changes(run, checked, params["plan"])} for run in runs],
    )


def _read_runs(call: Call, checked: plans.Plan) -> list[dict]:
    namespace = call.params["journal_namespace"]
    return with_held(call.cluster, namespace, journal.read_runs(call.cluster, namespace, checked.name))


def _known_runs(call: Call, checked: plans.Plan) -> list[dict] | None:
    """The runs of the plan; None without permission to read them, which permissions.check() reports with all others."""
    try:
        return _read_runs(call, checked)
    except Forbidden:
        return None


def _earlier(call: Call, checked: plans.Plan, runs: t.Sequence[dict]) -> Earlier:
    """The selection of the run that this start may resume: the newest one, with a ticket the newest one of it."""
    ticket = (call.params["ticket"] or "").strip()
    run = next((one for one in runs if not ticket or str(one["ticket"] or "").strip() == ticket), None)
    if run and run["parts"]:
        run, _held = journal.read_run(call.cluster, call.params["journal_namespace"], checked.name, run["run"])
    return earlier.of_check(run, checked.entries)


def _changes(run: dict, checked: plans.Plan, data: t.Mapping) -> list[str]:
    """What has changed between the plan in the journal of a run and this plan, for people."""
    try:
        before = json.loads(run["plan_text"] or "null")
    except ValueError:
        before = None
    same = run["digest"] == checked.digest or not isinstance(before, dict)
    return [] if same else changes.between(before, data)


def _window_now(window: Window, now: datetime.datetime) -> dict:
    return {"open": window.is_open(now), "message": window.explain(now)}
