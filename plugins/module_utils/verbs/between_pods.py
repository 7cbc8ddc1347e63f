# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts pod by pod: what they need, and the steps that replace those of a restart and of an undo."""

from __future__ import annotations

import typing as t
from dataclasses import fields, replace

from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import CanaryStep
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.pod_steps import PodsRestartStep, PodsUndoStep
from ansible_collections.restartx.core.plugins.module_utils.engine.step import End, PodByPod
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import RestartStep, UndoStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.gates import read
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.leader import (
    LeaderByHttp,
    LeaderByLabel,
    LeaderByObject,
    LeaderRule,
)
from ansible_collections.restartx.core.plugins.module_utils.gates.objects import ObjectGate
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import BetweenPods, mistake
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.verbs import permissions, pod_access, snapshots
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def check(call: Call, entries: t.Sequence[Entry]) -> None:
    """Raises RolloutError if the call cannot replace pods one by one in these entries."""
    given = [entry for entry in entries if entry.between_pods]
    for entry in given:
        wrong = mistake(entry)
        if wrong:
            raise RolloutError(wrong)
        try:
            leader_of(t.cast(BetweenPods, entry.between_pods), None)
        except ScheduleError as error:
            raise ScheduleError(f"between_pods of {entry.id}: leader: {error}") from error
    if given and not (call.params["wait"] or call.check_mode):
        raise RolloutError(
            "between_pods: needs wait: true, because pods are evicted while the call waits; set wait to true, or leave "
            "between_pods out"
        )


def leader_of(its: BetweenPods, namespace: str | None) -> LeaderRule | None:
    """How the leader of a workload is found; None if it has none. `namespace` is that of the workload. Raises
    ScheduleError."""
    given = its.leader
    if given is None:
        return None
    if given.label:
        return LeaderByLabel(*given.label)
    if given.http:
        scheme, path = given.http.get("scheme") or "http", given.http.get("path") or "/"
        that = read.expression(given.that) if given.that else None
        return LeaderByHttp(scheme, given.http["port"], path, given.status or (200,), that)
    gate = read.gate_of({"object": dict(given.object or {}), "that": given.that}, namespace)
    return LeaderByObject(t.cast(ObjectGate, gate.provider))


def _of(entries: t.Sequence[Entry]) -> dict[str, BetweenPods]:
    return {entry.id: entry.between_pods for entry in entries if entry.between_pods}


def check_permissions(call: Call, entries: t.Sequence[Entry], tasks: t.Sequence[Task]) -> None:
    """Raises RolloutError that names what the evictions and snapshots need and the cluster does not grant, or does not have."""
    snapshots.check(call, entries, {task.group for task in tasks})
    _require(call, list(pod_access.of_workloads(entries, ((task.group, task.object) for task in tasks))))


def check_permissions_of_undo(call: Call, tasks: t.Sequence[Task]) -> None:
    """The same for the evictions of an undo. Without waiting, it evicts nothing. It goes on without a leader."""
    hows = [(task, task.step.pod_by_pod(task.object)) for task in tasks if call.params["wait"]]
    evicting = [(task, how) for task, how in hows if how and not isinstance(task.step.judge(task.object), End)]
    _require(call, [(task.key[1], BetweenPods(how.order), True) for task, how in evicting])


def _require(call: Call, asked: t.Sequence[tuple[str | None, BetweenPods, bool]]) -> None:
    lacking = permissions.denied(call, pod_access.needed(asked)) if asked else []
    if lacking:
        told = ", ".join(map(str, lacking))
        commands = "; ".join(pod_access.commands(call.cluster.context, lacking))
        of_canaries = {
            one[1].order == pod_order.CANARY for one in asked if set(lacking) & set(pod_access.needed([one]))
        }
        needing = "the canary of a DaemonSet needs" if of_canaries == {True} else "between_pods needs"
        needing = needing if len(of_canaries) == 1 else "between_pods or a canary needs"
        raise RolloutError(
            f"permission is missing on {call.cluster.context or call.cluster.host}: to {told}, which {needing}; nothing "
            f"was touched: an administrator can grant it with: {commands}"
        )


def prepare(
    entries: t.Sequence[Entry], gates: t.Mapping[str, Gate], run: str, tasks: t.Sequence[Task], options: RunOptions
) -> RunOptions:
    """Lets the pods of these entries be replaced one by one: by their restart, and by the undo that follows a failure."""
    plans, pods = _of(entries), dict[Key, PodByPod]()
    for task in tasks:
        its = plans.get(task.group)
        if its and not isinstance(task.step, CanaryStep):  # which lets its controller go on pod by pod
            task.step = restart_step(t.cast(RestartStep, task.step), its, task.key[1], gates)
            pods[task.key] = _undoing(its, run, task)
    return replace(options, undo_failed=undo_step(options.undo_failed, pods)) if pods else options


def restart_step(
    step: RestartStep, its: BetweenPods, namespace: str, gates: t.Mapping[str, Gate] | None = None
) -> PodsRestartStep:
    """The step in place of a restart. A dry run asks no gates."""
    given = {one.name: getattr(step, one.name) for one in fields(RestartStep)}
    return PodsRestartStep(**given, its=how(its, namespace, gates))


def how(its: BetweenPods, namespace: str, gates: t.Mapping[str, Gate] | None = None) -> PodByPod:
    """How the pods of a workload in this namespace are replaced one by one."""
    named = tuple((name, gates[name]) for name in its.gates) if gates else ()
    return PodByPod(its.order, its.settle, named, leader=leader_of(its, namespace), most=its.max_unavailable)


def _undoing(its: BetweenPods, run: str, task: Task) -> PodByPod:
    """How the pods of a run are evicted when it is undone."""
    return PodByPod(its.order, run=run, leader=leader_of(its, task.key[1]), most=its.max_unavailable)


def undo_step(step: UndoStep, pods: t.Mapping[Key, PodByPod]) -> PodsUndoStep:
    """The step in place of an undo."""
    given = {one.name: getattr(step, one.name) for one in fields(UndoStep)}
    return PodsUndoStep(**given, pods=pods)


def undo_of_run(
    entries: t.Sequence[Entry], members: t.Mapping[str, t.Sequence[Key]], run: str, tasks: t.Sequence[Task]
) -> None:
    """Lets the undo of a run replace pods one by one. `entries` are those of its plan, as far as that can be read, and
    `members` the workloads that the run had in each.

    What no controller replaces was restarted pod by pod, also if the plan no longer says how: the oldest pod goes first then.
    """
    plans, entry_of = _of(entries), {key: entry for entry, keys in members.items() for key in keys}
    for task in tasks:
        its, step = plans.get(entry_of.get(task.key, "")), t.cast(UndoStep, task.step)
        canary_of = step.canaries.get(task.key)
        free = canary.released(task.object, canary_of, run) if canary_of else task.object
        goes_on = canary_of is not None and canary_of.evicts and not pod_order.by_pods(free)
        if not goes_on and (its or pod_order.by_pods(free)):  # its controller does it once the strategy is given back
            its = its or BetweenPods(pod_order.AGE)
            task.step = undo_step(step, {task.key: _undoing(its, run, task)})
