# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts the selected workloads, in the order and within the limits of the plan."""

from __future__ import annotations

import contextlib
import functools
import json
import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.holds import Hold
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Observer
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.step import End
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.undo_scope import UndoScope
from ansible_collections.restartx.core.plugins.module_utils.record import held, resume
from ansible_collections.restartx.core.plugins.module_utils.record.journal_writer import JournalWriter
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Held, Lease
from ansible_collections.restartx.core.plugins.module_utils.record.title import Known, Title
from ansible_collections.restartx.core.plugins.module_utils.rollout import hold
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart as restarting
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import NONE, Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import across
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import (
    Plan,
)
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.verbs import (
    between_pods,
    budgets,
    canary,
    earlier,
    gating,
    lock,
    pipeline,
    snapshots,
)
from ansible_collections.restartx.core.plugins.module_utils.verbs.asked import Asked, asked_of
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.undo_scope import Rest, Undone


def restart(call: Call) -> dict:
    """Restarts the selected workloads, in order and within the limits. Returns the module's result."""
    params = call.params
    asked = asked_of(call)
    run = params["run_id"] or call.new_run_id()
    stamp = restarting.Stamp(
        run=run,
        at=call.clock.now(),
        annotations=params["annotations"] or {},
        **{name: params[name] for name in ("reason", "ticket", "operator", "change_cause")},
    )
    undo_failed = steps.UndoStep(
        call.mode, run_id=run, allow_owned=params["allow_owned"], delete_stuck_pods=asked.delete_stuck_pods
    )
    options = pipeline.run_options(
        call,
        window=None if call.check_mode else asked.window,
        undo_failed=undo_failed,
        undo_only=asked.undo,
        logs=asked.logs,
    )
    try:
        return _under_lock(call, asked, run, stamp, options)
    except Held as error:
        return {"msg": str(error), "run_id": run, "locked": True}


def _under_lock(call: Call, asked: Asked, run: str, stamp: restarting.Stamp, options: RunOptions) -> dict:
    params = call.params
    with _lock(call, asked.plan, run) as lease:
        pipeline.begin(call, asked.entries)
        title = _title(call, asked, run)
        known = Known.read(call.cluster, title) if title else None
        last = held.plan_of(known.run) if known and known.run else None
        resumed = last is not None and last.undo_scope == asked.undo_scope
        scope = UndoScope(asked.undo_scope, asked.undo, resumed)
        of_earlier = earlier.of_run(run, known.run if known else None, asked.entries)
        found = pipeline.select(call, asked.entries, params["allow_empty"], of_earlier)
        earlier.warn_of_others(call, run, found)
        step = steps.RestartStep(stamp, call.mode, call.clock.now, params["allow_owned"])
        tasks = pipeline.tasks_of(found, asked.entries, step)
        known_budgets = budgets.read(call, asked.entries, tasks)
        enforced = budgets.enforced(call, known_budgets, tasks)
        title = replace(title, enforced=enforced) if title else None
        between_pods.check_permissions(call, asked.entries, tasks)
        writer = _begin_journal(call, title, known, step, tasks, of_earlier.closed) if title and known else None
        canaries: dict[Key, Canary] = {}
        if asked.plan and title and known:
            given = (asked.plan, asked.gates, asked.comparisons, run, known.run)
            canaries |= canary.prepare(call, *given, tasks, enforced)
            options = replace(options, undo_failed=replace(options.undo_failed, canaries=canaries))
        options = between_pods.prepare(asked.entries, asked.gates, run, tasks, options)
        _hold_failed(call, asked, run, tasks, writer, canaries)
        gates = _gates(call, asked, known.run if known else None, scope, tasks, writer)
        of_budgets = budgets.apply(call, known_budgets, tasks, run)
        made, unmade = snapshots.holds(call, asked.entries, run, asked.limits)
        observers: list[Observer] = [scope, *gates.observers, *of_budgets, *made]
        if writer:
            writer.taken_back = lambda: scope.whole_run
            writer.gates = functools.partial(budgets.journaled, gates.journaled, tasks)
            writer.gates_closed = lambda: bool(gates.unpassed)
            observers.append(writer)
        guards, told = [lease] if lease else [], {"doing": "restarting", "run": run}
        holds: list[Hold] = [scope, *gates.holds, *of_budgets, *made, *unmade]  # snapshots last, so that they are fresh
        pipeline.carry_out(
            call, found, asked.entries, tasks, options, asked.limits, observers, guards, holds, gates=gates.run, **told
        )
        gates.explain(tasks)
        of_all = (asked.entries, tasks, asked.limits)
        before = across.Before(asked.plan, gates.journaled()["gates"]) if asked.plan else None
        rest = Rest(call, scope, options.undo_failed, *of_all, title, lease, asked.logs, before).undo()
    return _result(asked, gates, scope, tasks, rest, run)


def _result(
    asked: Asked, gates: gating.Gates, scope: UndoScope, tasks: t.Sequence[Task], rest: Undone | None, run: str
) -> dict:
    """The result of the module. `rest` is what came of the undo of the rest."""
    result = pipeline.result([*tasks, *(rest.others if rest else ())], "restarted", asked.plan is None, run_id=run)
    if asked.gates or asked.after_wave.gates:
        result["gates"] = gates.results()
        told = result.get("msg", "")
        unsaid = gates.unsaid(told)
        result |= {"msg": "; ".join(filter(None, [told, *unsaid]))} if unsaid else {}
    if rest:
        result |= {"undo_scope": scope.scope, "msg": result.get("msg", "") + rest.words}
        result |= {"kept": [task.title for task in rest.kept]} if rest.kept else {}
    return result


def _gates(
    call: Call,
    asked: Asked,
    known: t.Mapping[str, t.Any] | None,
    scope: UndoScope,
    tasks: t.Sequence[Task],
    writer: JournalWriter | None,
) -> gating.Gates:
    """The gates of the run. Those after the rollout of a workload are not asked again if an earlier start saw them open."""
    unchanged = (
        writer is not None
        and known is not None
        and all(writer.was_done(task) and restarting.run_of(task.object) == known["run"] for task in tasks)
    )
    gates = gating.Gates(call, asked.plan, asked.gates, known, asked.after_wave.gates, unchanged)
    gates.run = replace(gates.run, needless=lambda: scope.whole_run)
    for entry in gates.run.entries:
        own = next((one.on_failure for one in asked.entries if one.id == entry.group), None)
        if asked.plan and (own or asked.plan.on_failure) == "undo":
            entry.failed = functools.partial(scope.gate_failed, entry.group)
    for task in tasks:
        task.settle = max(task.settle, asked.after_wave.bake)
        task.gates_passed = writer is not None and writer.was_done(task)
    return gates


@contextlib.contextmanager
def _lock(call: Call, plan: Plan | None, run: str) -> t.Iterator[Lease | None]:
    """Holds the lock of the plan if there is a journal: from before the workloads are read until the last write. Raises
    Held."""
    options = call.params["journal"]
    if options is None or plan is None:
        yield None
        return
    with lock.held(call, plan.name, options, run, call.params["operator"]) as lease:
        yield lease


def _title(call: Call, asked: Asked, run: str) -> Title | None:
    """The run of the journal; None without the option journal."""
    options, plan = call.params["journal"], asked.plan
    if options is None or plan is None:
        return None
    return Title(
        namespace=options["namespace"],
        plan=plan.name,
        digest=plan.digest,
        run=run,
        ticket=call.params["ticket"],
        period=options["period"],
        clusters=options["clusters"],
        job=options["job"],
        operator=call.params["operator"],
        plan_text=json.dumps(call.params["plan"], default=str),
        expected_run=options["expected_run"],
        retry=resume.retry_of(options["retry"]),
        pausing=asked.pause,
        undoing=asked.undo,
        canaries=canary.pods_of(plan),
        break_circuit=options["break_circuit"],
        field_manager=call.params["field_manager"],
        window=asked.window,
    )


def _hold_failed(
    call: Call,
    asked: Asked,
    run: str,
    tasks: t.Sequence[Task],
    writer: JournalWriter | None,
    canaries: t.Mapping[Key, Canary],
) -> None:
    """Lets the workloads of entries with `on_failure: pause` be held after a failure. Without a journal, only a Deployment
    itself shows that an earlier call with this run has done so."""
    for task in tasks:
        if task.group in asked.pause and not task.step.pod_by_pod(task.object):  # then nothing more is evicted
            if writer is None and hold.held(task.object, run, None):
                told = hold.refusal(task.object, run, None, call.cluster.context)
                task.step = replace(t.cast(steps.RestartStep, task.step), settled=End(Outcome.REFUSED, told))
            partition = writer.partition(task) if writer else held.partition_of(None, task.object, True)
            its = canaries.get(task.key, NONE)
            step = steps.HoldStep(call.mode, run, partition, call.cluster.context, its)
            task.then(step, after_failure=True)


def _begin_journal(
    call: Call,
    title: Title,
    known: Known,
    step: steps.RestartStep,
    tasks: t.Sequence[Task],
    unchanged: t.Collection[str],
) -> JournalWriter | None:
    """Starts the journal, which a dry run only reads, and sets what each task does in this start of the run."""
    writer = JournalWriter.begin(call.cluster, call.clock, title, known, tasks, unchanged, dry_run=call.check_mode)
    runs = [known.run, *known.runs] if known.run else known.runs
    for task in tasks:
        state, holder = writer.earlier(task), held.holder(runs, task.object)
        settled = End(state.outcome, state.message, earlier=True) if state.outcome else None
        tight = held.tightener(runs, task.object, title.run)
        if holder:
            settled = End(Outcome.REFUSED, held.refusal(holder, task.object, call.cluster.context))
        elif tight:
            settled = End(Outcome.REFUSED, held.tight_refusal(tight[0], task.object, tight[1]))
        task.step = replace(step, stamp=replace(step.stamp, attempt=state.attempt), settled=settled)
    return None if call.check_mode else writer
