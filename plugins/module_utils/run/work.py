# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verbs have in common: from a call to its workloads, through the loop, to the module's result."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.run import resolve
from ansible_collections.restartx.core.plugins.module_utils.run.call import Call
from ansible_collections.restartx.core.plugins.module_utils.run.lease import Lease
from ansible_collections.restartx.core.plugins.module_utils.run.loop import Loop
from ansible_collections.restartx.core.plugins.module_utils.run.mandate import Terms
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.run.scribe import Scribe
from ansible_collections.restartx.core.plugins.module_utils.run.task import GRACE, Task, summary, verdict
from ansible_collections.restartx.core.plugins.module_utils.run.world import World
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

NO_LIMITS = types.MappingProxyType({"stop_on_failure": False})


def find(call: Call, entries: t.Sequence[Entry], allow_empty: bool = False) -> Found:
    """The workloads that the entries mean. What is wrong with the entries, or which cluster it is, is said first.

    Raises ClusterError and RolloutError.
    """
    resolve.check(entries)
    call.identify()
    return resolve.find(call.cluster, entries, allow_empty, call.deadline)


def tasks_of(found: Found, entries: t.Sequence[Entry], step: t.Any) -> list[Task]:
    """A task for each workload that was found."""
    by_id = {entry.id: entry for entry in entries}
    return [
        Task(
            key=key,
            group=found.entry_of[key],
            object=workload,
            step=step,
            timeout=by_id[found.entry_of[key]].timeout,
            settle=by_id[found.entry_of[key]].settle,
            grace=GRACE if by_id[found.entry_of[key]].grace is None else by_id[found.entry_of[key]].grace,
        )
        for key, workload in found.objects.items()
    ]


def terms_of(call: Call, **more: t.Any) -> Terms:
    """The call's terms. Nothing is waited for in check mode: nothing happens in it."""
    return Terms(
        wait=call.params["wait"] and not call.check_mode,
        deadline=call.deadline,
        wait_timeout=call.span("wait_timeout"),
        fail_fast=call.params.get("fail_fast", False),
        **more,
    )


def limits_of(call: Call) -> dict:
    """The limits of a call that may fail halfway, as Pace takes them. Raises ScheduleError."""
    return {
        "max_parallel": call.count("max_parallel", least=1),
        "stagger": call.seconds("stagger") or 0.0,
        "failure_budget": call.count("failure_budget", least=0) or 0,
        "stop_on_failure": call.params["on_failure"] != "continue",
    }


def carry_out(
    call: Call,
    found: Found,
    entries: t.Sequence[Entry],
    tasks: t.Sequence[Task],
    terms: Terms,
    limits: t.Mapping[str, t.Any] = NO_LIMITS,
    journal: Scribe | None = None,
    lease: Lease | None = None,
) -> None:
    """Carries the tasks out; afterwards each has its outcome, and the call the loop's warnings."""
    members: dict[str, list[str]] = {entry.id: [] for entry in entries}
    for task in tasks:
        members[task.group].append(task.title)
    groups = [
        Group(entry.id, tuple(members[entry.id]), entry.after, entry.max_parallel, entry.stagger or 0.0)
        for entry in entries
    ]
    world = World(call.cluster, call.clock)
    loop = Loop(tasks, Pace(groups, **limits), world, terms, call.controller, journal, lease)
    if terms.wait:
        loop.follow(found)
    loop.run()
    call.warnings += loop.warnings


def result(tasks: t.Sequence[Task], done: str, **rest: t.Any) -> dict:
    """The module's result; an `msg` in it says what is not `done`, which is a participle."""
    results = [task.result() for task in tasks]
    report = {
        "changed": any(task.changed for task in tasks),
        "results": results,
        "summary": summary(results),
        "diffs": [_diff(task) for task in tasks if task.diff],
        **rest,
    }
    failure = verdict(tasks, done)
    if failure:
        report["msg"] = failure
    return report


def _diff(task: Task) -> dict:
    before, after = task.diff
    return {"before_header": task.title, "after_header": task.title, "before": before, "after": after}
