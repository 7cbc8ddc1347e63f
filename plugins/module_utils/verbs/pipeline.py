# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that verbs share: from a call to its workloads, through the loop, to the result of the module."""

from __future__ import annotations

import functools
import types
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Executor, together
from ansible_collections.restartx.core.plugins.module_utils.engine.gating import RunGates
from ansible_collections.restartx.core.plugins.module_utils.engine.holds import Hold
from ansible_collections.restartx.core.plugins.module_utils.engine.loop import Loop
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Guard, Observer
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.task import GRACE, Task, summary, verdict
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection import resolve
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import NOTHING, Earlier
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

NO_LIMITS = types.MappingProxyType({"stop_on_failure": False})


def find(call: Call, entries: t.Sequence[Entry], allow_empty: bool = False) -> Found:
    """The workloads that the entries select. The entries and the identity of the cluster are checked first.

    Raises ClusterError and RolloutError.
    """
    begin(call, entries)
    return select(call, entries, allow_empty)


def begin(call: Call, entries: t.Sequence[Entry]) -> None:
    """Checks the entries and the identity of the cluster. Raises ClusterError and RolloutError."""
    resolve.check(entries, call.clock.now())
    call.identify()


def select(call: Call, entries: t.Sequence[Entry], allow_empty: bool = False, earlier: Earlier = NOTHING) -> Found:
    """The workloads that the entries select, in a run that may have `earlier` starts."""
    look = functools.partial(_look, call)
    now = call.clock.now()
    return resolve.find(call.cluster, entries, allow_empty, call.deadline, look, now, earlier, together)


def _look(call: Call, path: str) -> list[dict] | None:
    """A list that is only used for suggestions; None without permission or without an answer."""
    try:
        return call.cluster.list(path, deadline=call.deadline).items
    except ClusterError:
        return None


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
            grace=_or_default(by_id[found.entry_of[key]].grace),
        )
        for key, workload in found.objects.items()
    ]


def _or_default(grace: float | None) -> float:
    return GRACE if grace is None else grace


def run_options(call: Call, **more: t.Any) -> RunOptions:
    """The options of the call. Check mode does not wait, because nothing changes."""
    own = {
        "wait": call.params["wait"] and not call.check_mode,
        "deadline": call.deadline,
        "wait_timeout": call.span("wait_timeout"),
        "fail_fast": call.params.get("fail_fast", False),
        "logs": call.params["logs"],
    }
    return RunOptions(**{**own, **more})


def limits_of(call: Call) -> dict:
    """The limits of the call, as arguments for Pace. Raises ScheduleError."""
    return {
        "max_parallel": call.count("max_parallel", least=1),
        "stagger": call.seconds("stagger") or 0.0,
        "failure_budget": call.failure_budget(),
        "stop_on_failure": call.params["on_failure"] != "continue",
    }


def carry_out(
    call: Call,
    found: Found,
    entries: t.Sequence[Entry],
    tasks: t.Sequence[Task],
    options: RunOptions,
    limits: t.Mapping[str, t.Any] = NO_LIMITS,
    observers: t.Sequence[Observer] = (),
    guards: t.Sequence[Guard] = (),
    holds: t.Sequence[Hold] = (),
    doing: str = "",
    run: str | None = None,
    gates: RunGates | None = None,
) -> None:
    """Carries out the tasks. Afterwards each has its outcome, and the call has the warnings of the loop.

    `doing` is the participle for workloads in progress, such as "restarting". `run` is the id of the run, if there is one.
    """
    gates = gates or RunGates()
    groups = _groups(entries, tasks, gates)
    executor = Executor(call.cluster, call.clock)
    told = [call.progress] if options.wait and call.progress.listened else []
    pace, listeners = Pace(groups, **limits), [*observers, *told]
    loop = Loop(tasks, pace, executor, options, call.controller, listeners, guards, holds, gates)
    if told:
        call.progress.begin(doing, run, tasks, loop.hold)
    if options.wait:
        loop.follow(found)
    loop.run()
    call.warnings += loop.warnings


def _groups(entries: t.Sequence[Entry], tasks: t.Sequence[Task], gates: RunGates) -> list[Group]:
    """The order of the run. Gates that no entry is come after everything else."""
    members: dict[str, list[str]] = {entry.id: [] for entry in entries}
    last = [gate for gate in gates.entries if gate.group not in members]
    for task in tasks:
        members[task.group].append(task.title)
    for gate in gates.entries:
        if gate not in last:
            members[gate.group].append(gate.title)
    groups = [
        Group(
            entry.id,
            tuple(members[entry.id]),
            entry.after,
            entry.max_parallel,
            entry.stagger or 0.0,
            None if entry.on_failure is None else entry.on_failure != "continue",
            free=entry.gate is not None,
        )
        for entry in entries
    ]
    return [*groups, *(Group(gate.group, (gate.title,), tuple(members), free=True) for gate in last)]


def entries_of(tasks: t.Sequence[Task], with_risks: bool = True) -> list[dict]:
    """The `results`. `risks` are left out where findings tell them: hundreds of workloads often have the same ones."""
    return [task.result() if with_risks else {**task.result(), "risks": []} for task in tasks]


def result(tasks: t.Sequence[Task], done: str, with_risks: bool = True, **rest: t.Any) -> dict:
    """The result of the module. A `msg` in it says which workloads are not `done`, which is a participle."""
    results = entries_of(tasks, with_risks)
    report = {
        "changed": any(task.changed for task in tasks),
        "results": results,
        "summary": summary(results),
        "diffs": [_diff(task.title, *task.diff) for task in tasks if task.diff],
        **rest,
    }
    failure = verdict(tasks, done)
    if failure:
        report["msg"] = failure
    return report


def _diff(title: str, before: dict, after: dict) -> dict:
    return {"before_header": title, "after_header": title, "before": before, "after": after}
