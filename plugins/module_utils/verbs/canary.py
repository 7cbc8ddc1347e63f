# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canaries of a plan: what they need, and the steps that they add to the restart of a workload."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.engine import canary_steps, partition_steps, steps
from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import CanaryStep, EnforceStep
from ansible_collections.restartx.core.plugins.module_utils.engine.daemon_steps import DaemonStep
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Step, Trial
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.record import held, journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_order import AGE, ORDINAL
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import BetweenPods
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, Plan
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.verbs import between_pods
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

WHOLE = "{}: the canary is all that is restarted, so no other pod waits for it"


def check(call: Call, plan: Plan | None) -> None:
    """Raises RolloutError if the call cannot carry out the canaries of the plan."""
    if plan is None or not any(entry.canary for entry in plan.entries):
        return
    if call.params["journal"] is None:
        raise RolloutError(
            "canary: needs the option journal, because only the journal knows after a kill what the strategy was before; "
            "give journal too, or leave canary out of the plan"
        )
    if not (call.params["wait"] or call.check_mode):
        raise RolloutError(
            "canary: needs wait: true, because it is judged while the call waits; set wait to true, or leave canary out of "
            "the plan"
        )


def pods_of(plan: Plan | None) -> dict[str, canary.Pods]:
    """The number of pods in the canary of each entry that has one."""
    return pods_of_entries(plan.entries) if plan else {}


def pods_of_entries(entries: t.Sequence[Entry]) -> dict[str, canary.Pods]:
    """The same of some entries. What holds the controller between two pods is a canary with each of them."""
    found: dict[str, canary.Pods] = {entry.id: entry.canary.pods for entry in entries if entry.canary}
    for entry in entries:
        its = entry.between_pods
        if its:
            found[entry.id] = canary.Each(its.max_unavailable, its.order == ORDINAL and not its.leader)
    return found


def prepare(
    call: Call,
    plan: Plan,
    gates: t.Mapping[str, Gate],
    comparisons: t.Mapping[str, Gate],
    run: str,
    known: t.Mapping[str, t.Any] | None,
    tasks: t.Sequence[Task],
    enforced: t.Mapping[Key, Canary],
) -> dict[Key, Canary]:
    """Lets each workload with a canary begin with it, and those of which budgets ask for another strategy with that one.
    Returns what is set in their strategies.

    `known` is the journal of the run as an earlier start left it, and `enforced` what budgets ask for. A dry run only sends
    the first patch.
    """
    plans, pods = {entry.id: entry for entry in plan.entries}, pods_of(plan)
    found: dict[Key, Canary] = {}
    for task in tasks:
        entry = known["workloads"].get(journal.entry_name(task.key)) if known else None
        restarts = t.cast(steps.RestartStep, task.step)
        if entry and entry["outcome"] in DONE and restart.carries(task.object, restarts.stamp):
            continue  # judged by an earlier start
        asked = pods.get(task.group), enforced.get(task.key)
        its = held.canary_of(entry, task.object, *asked, run, call.mode.field_manager)
        if its is None:
            continue
        found[task.key] = its
        if restart.carries(task.object, restarts.stamp):
            its = canary.stage(task.object, its, run)  # an earlier start may be through with the canary
        if its.enforced is not None:
            task.step = enforcing = first(restarts, its)
            if not call.check_mode:
                task.then(canary_steps.of_enforced(enforcing))
            continue
        task.step = begin = first(restarts, its)
        if not its.pods or call.check_mode:
            continue
        if isinstance(begin, DaemonStep):
            way = plans[task.group].between_pods or BetweenPods(AGE)  # a plan that no longer says how
            task.step = begin = replace(begin, how=between_pods.how(way, task.key[1], gates))
        for step in _following(begin, task.object, plans[task.group], gates, comparisons.get(task.group)):
            task.then(step)
        if canary.whole(task.object, its) and not its.moves:
            call.warnings.append(WHOLE.format(task.title))
    return found


def _following(
    begin: CanaryStep | EnforceStep, workload: dict, entry: Entry, gates: t.Mapping[str, Gate], comparison: Gate | None
) -> t.Iterable[Step]:
    """The steps that follow the restart of the first pods, or of all of them one by one."""
    its = begin.its
    if isinstance(begin, DaemonStep):
        return [canary_steps.of_enforced(begin)]
    names, hold = _judged(entry, workload)
    trial = Trial(its.pods, hold, tuple((name, gates[name]) for name in names), comparison)
    if not its.moves:
        return canary_steps.of(begin, trial)
    trial = replace(trial, words=its.words, unopened=Outcome.UNFINISHED, all_ready=True)
    return partition_steps.of(begin, workload, trial)


def _judged(entry: Entry, workload: dict) -> tuple[t.Sequence[str], float]:
    """The names of the gates for the pods of a canary, and for how long these are held. A plan that no longer has the canary
    lets the rollout go on as soon as its pods are ready."""
    if entry.between_pods:
        least = float(kinds.field(workload, "spec.minReadySeconds", 0))
        return entry.between_pods.gates, max(entry.between_pods.settle, least)
    return (entry.canary.gates, entry.canary.hold) if entry.canary else ((), 0.0)


def first(step: steps.RestartStep, its: Canary) -> CanaryStep | EnforceStep:
    """The restart that also sets what its canary or budgets need, in place of a plain one."""
    given = {name: getattr(step, name) for name in ("stamp", "mode", "now", "allow_owned", "settled", "under_way")}
    if its.enforced is not None:
        return EnforceStep(**given, its=its)
    return DaemonStep(**given, its=its) if its.moves and its.evicts else CanaryStep(**given, its=its)
