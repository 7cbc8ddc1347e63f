# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Repairs what runs have left: releases locks and holds, finishes undos, and continues runs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.budget_reads import look
from ansible_collections.restartx.core.plugins.module_utils.engine.give_back import freed_by_undo
from ansible_collections.restartx.core.plugins.module_utils.record import held, holders, leftovers
from ansible_collections.restartx.core.plugins.module_utils.record.holders import Holder
from ansible_collections.restartx.core.plugins.module_utils.record.leftovers import Key, Leftover, Run
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, exact_patch, hold, kinds, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover, may_select
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import OF_PLAN, Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.restart import restart
from ansible_collections.restartx.core.plugins.module_utils.verbs.undo_run import undo_run

Failures = dict[tuple[str, t.Optional[str]], str]  # noqa: UP045  as in record/progress.py; what went wrong, by plan and run


@dataclass
class Done:
    """What a repair has done: whether anything was changed, what went wrong, and what was left alone."""

    changed: bool = False
    failures: Failures = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)  # what a gate on a Job has kept from being undone
    going_on: list[dict] = field(default_factory=list)  # workloads whose rollouts it has let go on


_EXPECTED = (ClusterError, RolloutError, ScheduleError)
_WORDS = {
    leftovers.LOCKED: "release the lock of plan {0.plan}",
    leftovers.PAUSED: "resume {0.object}",
    leftovers.PARTITIONED: "set the partition of {0.object} back",
    leftovers.TIGHTENED: "give back the strategy of {0.object}",
    leftovers.UNDOING: "finish the undo of run {0.run}",
}


@dataclass(frozen=True)
class Found:
    """What one search has found, and what a repair of it needs."""

    leftovers: list[Leftover]
    runs: dict[str, list[Run]]  # of each plan, the newest first
    holders: dict[str, Holder]
    objects: dict[Key, dict]
    at_work: list[Holder]
    unread: list[str]


def words(one: Leftover) -> str:
    """What the repair of a leftover does, in the infinitive."""
    return _WORDS.get(one.code, "continue run {0.run} of plan {0.plan}").format(one)


def repair(call: Call, found: Found, others: t.Sequence[t.Mapping]) -> Done:
    """Repairs what was found and can be repaired, in the order of the codes."""
    done = Done()
    by_code: dict[str, list[Leftover]] = {code: [] for code in leftovers.CODES}
    for one in found.leftovers:
        if one.repairable:
            by_code[one.code].append(one)
    for one in by_code[leftovers.LOCKED]:
        _try(done, one, _unlock, call, found, one)
    for one in [one for code in leftovers.HELD for one in by_code[code]]:
        _try(done, one, _release, call, found, one)
    for one in by_code[leftovers.TIGHTENED]:
        _try(done, one, _give_back, call, found, one, done.going_on)
    for one in by_code[leftovers.UNDOING]:
        _try(done, one, _finish_undo, call, one)
    to_restart = [one for code in leftovers.TO_RESTART for one in by_code[code]]
    for key, one in {(one.plan, one.run): one for one in to_restart}.items():
        undone = any((each.plan, each.run) == key for each in by_code[leftovers.UNDONE])
        _try(done, one, _restart, call, found, one, others, undone)
    return done


def _try(done: Done, one: Leftover, work: t.Callable[..., dict], *arguments: t.Any) -> None:
    """Does the work, which returns the result of a module."""
    try:
        result = work(*arguments)
    except _EXPECTED as error:
        result = {"msg": str(error)}
    done.changed = done.changed or bool(result.get("changed"))
    done.kept += result.get("kept") or []
    if "msg" in result:
        done.failures.setdefault((one.plan, one.run), f"to {words(one)} failed: {result['msg']}")


def _finish_undo(call: Call, one: Leftover) -> dict:
    return undo_run(
        _with(call, kind=None, run_id=one.run, journal={"plan": one.plan, "across_gates": None, **_records(call)})
    )


def _restart(call: Call, found: Found, one: Leftover, others: t.Sequence[t.Mapping], undone: bool) -> dict:
    return restart(_continuing(call, found, one, others, undone))


def _unlock(call: Call, found: Found, one: Leftover) -> dict:
    holders.release(call.cluster, call.params["journal_namespace"], found.holders[one.plan])
    return {"changed": True}


def _release(call: Call, found: Found, one: Leftover) -> dict:
    if one.key is None:
        raise ValueError(f"{one.object} is no workload")
    workload = found.objects[one.key]
    (run,) = [run for run in found.runs[one.plan] if run.journal["run"] == one.run]
    partition = run.keys[one.key].get("partition")
    body = hold.release(workload, partition)
    if body:
        patch, its = Patch("strategic", body), held.canary_in(run.keys[one.key], workload, str(one.run))
        if its:  # what budgets ask for is given back when everything is rolled out
            free = hold.released(workload, partition)
            patch = exact_patch.with_spec(patch, free["spec"], freed_by_undo(free, its, str(one.run))["spec"])
        sent = (patch.body, patch.content, call.mode, call.deadline)
        requests.patch(call.cluster, workload, *sent, lambda now: hold.release(now, partition) is None)
    return {"changed": body is not None}


def _give_back(call: Call, found: Found, one: Leftover, going_on: list[dict]) -> dict:
    if one.key is None or one.run is None:
        raise ValueError(f"{one.object} is no workload of a run")
    workload, run_id = found.objects[one.key], one.run
    (run,) = [run for run in found.runs[one.plan] if run.journal["run"] == run_id]
    its = held.canary_in(run.keys[one.key], workload, run_id)
    patch = canary.release(workload, its, run_id) if its else None
    if its and its.budgets is not None and not run.undoing:
        free = freed_by_undo(workload, its, run_id)
        goes_on = exact_patch.exactly(workload, free)
        if goes_on:
            return _let_go_on(call, workload, its, run_id, goes_on, going_on)
    if its and patch and its.budgets is not None and status.judge(workload).state != status.DONE:
        if run.undoing:  # the call that finishes the undo gives it back
            return {"changed": False}
        raise RolloutError(
            f"{kinds.label(workload)} is not rolled out yet, so its strategy is not given back, because that could stop more "
            f"pods than budgets allow; wait until it is rolled out and repair again, or undo run {run_id}"
        )
    if its and patch:
        sent = (patch.body, patch.content, call.mode, call.deadline)
        requests.patch(call.cluster, workload, *sent, lambda now: canary.release(now, its, run_id) is None)
    return {"changed": patch is not None}


def _let_go_on(call: Call, workload: dict, its: Canary, run: str, patch: Patch, going_on: list[dict]) -> dict:
    """Lets a rollout go on that was held for budgets, or by its canary, if budgets leave room for it besides those that go on
    already. It keeps the strategy that they ask for."""
    label, free = kinds.label(workload), freed_by_undo(workload, its, run)
    covers = look(call.cluster, workload["metadata"]["namespace"], [free], call.deadline)
    closed = next(filter(None, (cover.closed_midway(free, _pending(cover, going_on)) for cover in covers)), None)
    if closed:
        raise RolloutError(
            f"{label} is held ({canary.how_held(workload, its, run)}) and stays so, because {closed}; repair again when there is room, or "
            f"undo run {run}"
        )
    sent = (patch.body, patch.content, call.mode, call.deadline)
    after = requests.patch(
        call.cluster, workload, *sent, lambda now: freed_by_undo(now, its, run)["spec"] == now["spec"]
    )
    going_on.append(after)
    left = canary.how_held(after, its, run)
    told = (
        f"{label} goes on, and keeps the strategy that was set for budgets ({left}); repair again when it is rolled out"
    )
    return {"changed": True, **({"msg": told} if left else {})}


def _pending(cover: Cover, going_on: t.Iterable[dict]) -> int:
    """How many pods of a budget these rollouts may still stop."""
    return sum(max(0, cover.may_stop(one)) for one in going_on if may_select(cover.budget, one))


def _continuing(call: Call, found: Found, one: Leftover, others: t.Sequence[t.Mapping], undone: bool) -> Call:
    """The call of k8s_rollout_restart that continues a run, or begins it on this cluster."""
    runs = found.runs.get(one.plan, [])
    known = next((run.journal for run in runs if run.journal["run"] == one.run), None)
    if known is None:
        (other,) = [other for other in others if (other["plan"], other["run"]) == (one.plan, one.run)]
        known, document = {**other, "job": None}, other["document"]
    else:
        document = leftovers.document_of(known)
    options = {
        "clusters": known["clusters"] or [],
        "job": known["job"],
        "period": known["period"],
        "expected_run": runs[0].journal["run"] if runs else "",
        "retry": ["failed", *(["undone"] if undone else [])],
        "break_circuit": None,  # a run that continues needs no reason
        **_records(call),
    }
    return _with(call, plan=document, run_id=one.run, ticket=known["ticket"], journal=options)


def _records(call: Call) -> dict:
    """The options of a journal that both modules have."""
    params = call.params
    return {
        "namespace": params["journal_namespace"],
        "operator": params["operator"],
        "lock_timeout": params["lock_timeout"],
        "break_lock": None,
    }


def _with(call: Call, **params: t.Any) -> Call:
    """The call with the options of another module: what is not given has the default of that module."""
    defaults = {
        **OF_PLAN,
        "annotations": None,
        "change_cause": None,
        "allow_empty": False,
        "bake": None,
        "wave_gates": None,
        "fail_fast": False,
        "wait": True,
        "to_revision": 0,
    }
    return replace(call, params={**defaults, **call.params, "plan": None, **params})
