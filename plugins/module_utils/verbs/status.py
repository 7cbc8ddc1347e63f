# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watches the selected workloads until they are rolled out, or reads their status once."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.task import text_of
from ansible_collections.restartx.core.plugins.module_utils.rollout import status as rollout
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def status(call: Call) -> dict:
    """Reads the status of the selected workloads, once or until they are rolled out. Returns the module's result."""
    if call.params["plan"] is not None:
        return _of_plan(call)
    entries = call.entries()
    found = pipeline.find(call, entries, call.params["allow_empty"])
    return _judged(call, entries, found)


def _of_plan(call: Call) -> dict:
    """The status of a plan's workloads. Those that exist are shown even if others are missing."""
    call.refuse_beside("plan", "set it in the plan")
    plan = call.checked_plan()
    # Neither their order nor the age of their pods matters for their status.
    entries = [replace(plans.without_order(entry), only=None) for entry in plan.entries]
    absent = None
    try:
        found = pipeline.find(call, entries, call.params["allow_empty"])
    except RolloutError as error:
        found = pipeline.find(call, entries, allow_empty=True)  # fails again for any other reason
        absent = str(error)
    result = {**_judged(call, entries, found), "plan": plan.name, "absent": absent}
    if absent:
        result["msg"] = "; ".join(filter(None, [absent, result.get("msg")]))
    return result


def _judged(call: Call, entries: t.Sequence[plans.Entry], found: Found) -> dict:
    options = pipeline.run_options(call)
    tasks = pipeline.tasks_of(found, entries, steps.StatusStep(once=not options.wait))
    pipeline.carry_out(call, found, entries, tasks, options, doing="waiting for")
    report = pipeline.result(tasks, "rolled out")
    for entry, task in zip(report["results"], tasks):
        entry["last_progress"] = text_of(rollout.last_progress(task.object))
    return report
