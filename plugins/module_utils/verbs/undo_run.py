# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undoes what a run restarted on this cluster, as its journal says, in reverse order and under the lock of its plan."""

from __future__ import annotations

import types
import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.record import held, journal
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Held, Lease
from ansible_collections.restartx.core.plugins.module_utils.record.undo_writer import UndoWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import across, backwards, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs import between_pods, lock, pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

SHOWN = 5  # run ids in a message
# A workload whose undo fails holds back none of the others: they may be what it waits for.
HOLDS_BACK_NOTHING = types.MappingProxyType({"stop_on_failure": False, "hold_back": False})
UNORDERED = "workloads"  # the entry of workloads whose journal names none


def undo_run(call: Call) -> dict:
    """Undoes the run of the options `run_id` and `journal`. Returns the module's result."""
    params, options = call.params, call.params["journal"]
    call.refuse_beside("journal", "the journal names the workloads")
    if params["kind"] is not None:
        raise RolloutError("kind: has no effect together with journal; leave it out")
    if params["run_id"] is None:
        raise RolloutError("journal: needs the option run_id, the run to undo; give it too, or leave journal out")
    try:
        plan = values.plan_name(options["plan"])
    except ScheduleError as error:
        raise ScheduleError(f"journal.plan: {error}") from error
    try:
        with lock.held(call, plan, options, params["run_id"], options["operator"]) as lease:
            return _under_lock(call, plan, lease)
    except Held as error:
        return {"msg": str(error), "run_id": params["run_id"], "locked": True}


def _under_lock(call: Call, plan: str, lease: Lease | None) -> dict:
    params, options = call.params, call.params["journal"]
    known, maps = journal.read_run(call.cluster, options["namespace"], plan, params["run_id"])
    if known is None:
        raise RolloutError(_unknown(call, plan))
    written = held.plan_of(known)
    members = members_of(known)
    entries = backwards.entries(written.entries if written else None, members)
    found = pipeline.find(call, entries, allow_empty=True)
    call.warnings += _gone(known, found.objects)
    step = steps.UndoStep(
        call.mode,
        run_id=params["run_id"],
        allow_owned=params["allow_owned"],
        delete_stuck_pods=params["delete_stuck_pods"] or (written is not None and written.delete_stuck_pods),
    )
    tasks = tasks_of(found, entries, step, known)
    between_pods.undo_of_run(written.entries if written else (), members, params["run_id"], tasks)
    # Whoever finishes an undo leaves alone what it does.
    across_gates = known["across_gates"] if options["across_gates"] is None else options["across_gates"]
    if written and not across_gates:
        keep(tasks, across.Before(written, known["gates"]), members)
    between_pods.check_permissions_of_undo(call, tasks)
    limits: dict[str, t.Any] = {**HOLDS_BACK_NOTHING}
    if written:
        limits |= {"max_parallel": written.max_parallel, "stagger": written.stagger}
    run_options = pipeline.run_options(call, logs=params["logs"] and (written is None or written.logs))
    observers, guards = [], [lease] if lease else []
    if not call.check_mode:
        where, operator = options["namespace"], options["operator"]
        to_write = (call.cluster, call.clock, where, known, maps, operator, tasks)
        observers.append(UndoWriter.of_run(*to_write, across_gates=across_gates))
    pipeline.carry_out(
        call, found, entries, tasks, run_options, limits, observers, guards, doing="rolling back", run=params["run_id"]
    )
    kept = [task.title for task in tasks if is_kept(task)]
    result = pipeline.result(tasks, "rolled back", run_id=params["run_id"])
    return {**result, "kept": kept} if kept else result


def tasks_of(found: Found, entries: t.Sequence[Entry], step: steps.UndoStep, known: dict | None) -> list[Task]:
    """The tasks that undo these workloads. What the run holds, as its journal says, is released too."""
    if known:
        step = replace(step, canaries=held.canaries_of(known, found.objects))
    tasks = pipeline.tasks_of(found, entries, step)
    may_be_held = held.pausing(held.plan_of(known)) if known else frozenset[str]()
    for task in tasks:
        if known and held.is_held(known, task.object, may_be_held):
            task.step = replace(step, releases=True, partition=held.partition_before(known, task.object))
    return tasks


def is_kept(task: Task) -> bool:
    """Whether the workload was left alone. What gives back a strategy follows an undo, so it was not."""
    return isinstance(task.step, steps.UndoStep) and bool(task.step.kept)


def keep(tasks: t.Sequence[Task], before: across.Before, members: t.Mapping[str, t.Sequence[backwards.Key]]) -> None:
    """Leaves alone what was restarted before a gate had opened. `members` are the workloads of each entry."""
    entry_of = {key: entry for entry, keys in members.items() for key in keys}
    for task in tasks:
        name = before.gate(entry_of.get(task.key), marks.restarted_at(task.object))
        if name:
            kept = f'it was restarted before the gate "{name}" had opened, and undo_across_gates is false, so it stays'
            task.step = replace(t.cast(steps.UndoStep, task.step), kept=kept)


def members_of(known: dict) -> dict[str, list[backwards.Key]]:
    """The workloads of a run by entry, in the order of the journal."""
    members: dict[str, list[backwards.Key]] = {}
    for key, entry in journal.by_key(known["workloads"]).items():
        if key[0] not in kinds.KINDS:
            raise RolloutError(
                f'the journal of run "{known["run"]}" names a {key[0]}, which this version does not know'
            )
        members.setdefault(entry["entry"] or UNORDERED, []).append(key)
    return members


def _gone(known: dict, found: t.Collection[backwards.Key]) -> list[str]:
    there = {journal.entry_name(key) for key in found}
    gone = [name for name in known["workloads"] if name not in there]
    return [f"no longer on the cluster, so there is nothing to undo: {some(gone, SHOWN)}"] if gone else []


def _unknown(call: Call, plan: str) -> str:
    run, namespace = call.params["run_id"], call.params["journal"]["namespace"]
    ids = [one["run"] for one in journal.read_runs(call.cluster, namespace, plan)]
    near = values.closest(run, ids) or (f"; known are {', '.join(ids[:SHOWN])}" if ids else "; there is none")
    return f'run_id: no journal of run "{run}" of plan "{plan}" is in namespace "{namespace}"{near}'
