# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verbs that modules call: each makes tasks of what was selected, lets the loop carry them out, and reports."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.rollout import history as past
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout import status as judging
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart as restarting
from ansible_collections.restartx.core.plugins.module_utils.run import explain, steps
from ansible_collections.restartx.core.plugins.module_utils.run.call import Call
from ansible_collections.restartx.core.plugins.module_utils.run import journal as journals
from ansible_collections.restartx.core.plugins.module_utils.run.loop import Loop, Terms
from ansible_collections.restartx.core.plugins.module_utils.run.patience import await_window
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Found, find
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task, summary, verdict
from ansible_collections.restartx.core.plugins.module_utils.run.world import World
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration, graph
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window


def restart(call: Call) -> dict:
    """Restarts what is selected, in order and under the limits. Returns the module's result."""
    params = call.params
    run = params["run_id"] or call.new_run_id()
    stamp = restarting.Stamp(
        run=run,
        at=call.clock.now(),
        annotations=params["annotations"] or {},
        **{name: params[name] for name in ("reason", "ticket", "operator", "change_cause")},
    )
    terms = _terms(
        call,
        window=Window.from_dict(params["window"]) if params["window"] else None,
        undo_failed=steps.UndoStep(call.mode, run_id=run) if params["on_failure"] == "undo" else None,
    )
    entries = call.entries()
    identity = call.identity
    found = find(call.cluster, entries, params["allow_empty"])
    tasks = _tasks(found, entries, steps.RestartStep(stamp, call.mode, call.clock.now, params["allow_owned"]))
    journal = journals.Journal.begin(call, run, tasks) if params["journal"] and not call.check_mode else None
    for task in tasks if journal else ():
        task.step = replace(
            task.step, stamp=replace(stamp, attempt=journal.attempt(task)), already_undone=journal.final(task)
        )
    loop = _carry_out(call, found, entries, tasks, terms, journal)
    return _report(call, loop, "restarted", run_id=run, cluster=identity)


def status(call: Call) -> dict:
    """Looks at what is selected, once or until it is rolled out. Returns the module's result."""
    entries = call.entries()
    identity = call.identity
    found = find(call.cluster, entries, call.params["allow_empty"])
    tasks = _tasks(found, entries, steps.StatusStep())
    if call.params["wait"]:
        loop = _carry_out(call, found, entries, tasks, _terms(call))
        return _report(call, loop, "rolled out", cluster=identity)
    for task in tasks:
        _judge_once(call, task)
    return _result(call, tasks, "rolled out", cluster=identity)


def undo(call: Call) -> dict:
    """Brings back an earlier revision of what is selected. Returns the module's result."""
    params = call.params
    if params["to_revision"] < 0:
        raise RolloutError(f"unable to find specified revision {params['to_revision']} in history")
    entries = call.entries()
    terms = _terms(call)
    identity = call.identity
    found = find(call.cluster, entries, params["allow_empty"])
    step = steps.UndoStep(
        call.mode,
        to_revision=params["to_revision"],
        run_id=params["run_id"],
        allow_owned=params["allow_owned"],
        delete_stuck_pods=params["delete_stuck_pods"],
    )
    tasks = _tasks(found, entries, step)
    loop = _carry_out(call, found, entries, tasks, terms)
    return _report(call, loop, "undone", run_id=params["run_id"], cluster=identity)


def history(call: Call) -> dict:
    """The revisions of what is selected, and what each changed. Returns the module's result."""
    wanted = call.params["revision"]
    if wanted is not None and wanted <= 0:
        raise RolloutError(f"revision must be a positive integer: {wanted}")
    identity = call.identity
    found = find(call.cluster, call.entries(), call.params["allow_empty"])
    results = [_history_of(call, workload, wanted) for workload in found.objects.values()]
    return {"results": results, "summary": summary(results), "cluster": identity}


def pause(call: Call) -> dict:
    """Pauses or resumes the selected Deployments. Returns the module's result."""
    paused = call.params["state"] == "paused"
    entries = call.entries()
    identity = call.identity
    found = find(call.cluster, entries, call.params["allow_empty"])
    tasks = _tasks(found, entries, steps.PauseStep(call.mode, paused, call.params["allow_owned"]))
    loop = _carry_out(call, found, entries, tasks, Terms(wait=False))
    return _report(call, loop, call.params["state"], cluster=identity)


def plan(call: Call) -> dict:
    """What a plan would restart on this cluster, in which order, and what its journal tells. Changes nothing."""
    params = call.params
    checked = plans.check(params["plan"])
    identity = call.identity
    found = find(call.cluster, checked.entries)
    tasks = _tasks(found, checked.entries, None)
    for task in tasks:
        task.message = restarting.refusal(task.object, params["allow_owned"]) or ""
        task.outcome = "refused" if task.message else "planned"
    return _result(
        call,
        tasks,
        "fit for a restart",
        cluster=identity,
        plan={
            "name": checked.name,
            "digest": checked.digest,
            "order": graph.levels(checked.entries),
            "workloads": {
                entry.id: [task.title for task in tasks if task.group == entry.id] for entry in checked.entries
            },
            "window": _window_now(checked.window, call.clock.now()) if checked.window else None,
        },
        journal=journals.read(call.cluster, params["journal_namespace"], checked.name),
    )


def _window_now(window: Window, now: datetime.datetime) -> dict:
    return {"open": window.is_open(now), "message": window.explain(now)}


def _terms(call: Call, **more: t.Any) -> Terms:
    wait = call.params["wait"] and not call.check_mode
    wait_timeout = call.seconds("wait_timeout")
    return Terms(
        wait=wait,
        wait_timeout=wait_timeout,
        deadline=call.clock.monotonic() + wait_timeout if wait_timeout is not None else None,
        fail_fast=call.params.get("fail_fast", False),
        **more,
    )


def _tasks(found: Found, entries: t.Sequence[Entry], step: t.Any) -> list[Task]:
    by_id = {entry.id: entry for entry in entries}
    return [
        Task(
            key=key,
            group=found.entry_of[key],
            object=workload,
            step=step,
            timeout=by_id[found.entry_of[key]].timeout,
            settle=by_id[found.entry_of[key]].settle,
        )
        for key, workload in found.objects.items()
    ]


def _carry_out(call: Call, found: Found, entries: t.Sequence[Entry], tasks: list[Task], terms: Terms, journal=None):
    """Runs the loop over the tasks; a run of one step without order or limits is the simplest plan."""
    params = call.params
    members: dict[str, list] = {entry.id: [] for entry in entries}
    for task in tasks:
        members[task.group].append(task.title)
    groups = [
        Group(entry.id, tuple(members[entry.id]), entry.after, entry.max_parallel, entry.stagger or 0.0)
        for entry in entries
    ]
    pace = Pace(
        groups,
        max_parallel=params.get("max_parallel"),
        stagger=call.seconds("stagger") or 0.0,
        failure_budget=params.get("failure_budget") or 0,
        stop_on_failure=params.get("on_failure", "continue") != "continue",
    )
    world = World(call.cluster, call.clock)
    loop = Loop(tasks, pace, world, terms, call.controller, journal)
    if terms.wait:
        loop.follow(found)
    loop.run()
    return loop


def _report(call: Call, loop: Loop, verb: str, **rest: t.Any) -> dict:
    call.warnings += loop.warnings
    return _result(call, list(loop.tasks.values()), verb, **rest)


def _result(call: Call, tasks: t.Sequence[Task], verb: str, **rest: t.Any) -> dict:
    results = [task.result() for task in tasks]
    report = {
        "changed": any(task.changed for task in tasks),
        "results": results,
        "summary": summary(results),
        "diffs": [_diff(task) for task in tasks if task.diff],
        **rest,
    }
    failure = verdict(tasks, verb)
    if failure:
        report["msg"] = failure
    return report


def _diff(task: Task) -> dict:
    before, after = task.diff
    name = task.title
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def _judge_once(call: Call, task: Task) -> None:
    seen = judging.judge(task.object)
    task.message = seen.message
    task.outcome = {"done": "rolled_out", "waiting": "in_progress", "failed": "failed"}[seen.state]
    if seen.state != "done":
        try:
            task.cause = explain.find_cause(call.cluster, task.object)
        except ClusterError as error:
            call.warnings.append(f"no cause for {task.title}: {error}")


def _history_of(call: Call, workload: dict, wanted: int | None) -> dict:
    """One entry of the results of the history: revisions ascending, each with its difference to the one before."""
    revisions = steps.past(call.cluster, workload)
    if wanted is not None and wanted not in [revision.number for revision in revisions]:
        raise RolloutError(f"unable to find the specified revision: {kinds.label(workload)} has no revision {wanted}")
    described = [
        {
            "revision": revision.number,
            "change_cause": revision.change_cause,
            "reason": revision.reason,
            "ticket": revision.ticket,
            "operator": revision.operator,
            "run_id": revision.run,
            "restarted_at": revision.restarted_at,
            "created_at": revision.created_at,
            "differences": past.differences(older, revision) if older else [],
        }
        for older, revision in zip([None, *revisions], revisions)
        if wanted in (None, revision.number)
    ]
    task = Task(key=kinds.key(workload), group="", object=workload, step=None)
    task.outcome = "unchanged"
    task.message = f"{len(revisions)} revisions" if revisions else "No rollout history found."
    return {**task.result(), "revisions": described}


def maintenance_window(params: dict, clock: t.Any, controller: t.Any) -> dict:
    """Looks at a maintenance window, or waits for it. Returns the module's result."""
    window = Window.from_dict(params["window"])
    patience = duration.parse(params["wait_timeout"]) if params["wait_timeout"] is not None else None
    return await_window(window, params["outside"], patience, clock, controller)
