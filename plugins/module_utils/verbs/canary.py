# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canaries of a plan: what they need, and the steps that they add to the restart of a workload."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine import canary_steps, steps
from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import CanaryStep, EnforceStep
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Trial
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.record import held, journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Plan
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

WHOLE = "{}: the canary is all that is restarted, so no other pod waits for it"


def check(call: Call, plan: Plan | None) -> None:
    """Raises RolloutError if the call cannot carry out the canaries of the plan."""
    if not pods_of(plan):
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


def pods_of(plan: Plan | None) -> dict[str, int | str]:
    """The number of pods in the canary of each entry that has one."""
    return {entry.id: entry.canary.pods for entry in plan.entries if entry.canary} if plan else {}


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
    plans, pods = {entry.id: entry.canary for entry in plan.entries}, pods_of(plan)
    found: dict[Key, Canary] = {}
    for task in tasks:
        entry = known["workloads"].get(journal.entry_name(task.key)) if known else None
        restarts = t.cast(steps.RestartStep, task.step)
        if entry and entry["outcome"] in DONE and restart.carries(task.object, restarts.stamp):
            continue  # judged by an earlier start
        planned = pods.get(task.group) or enforced.get(task.key)
        its = held.canary_of(entry, task.object, planned, run, call.mode.field_manager)
        if its is None:
            continue
        found[task.key] = its
        if its.enforced is not None:
            task.step = enforcing = first(restarts, its)
            if not call.check_mode:
                task.then(canary_steps.of_enforced(enforcing))
            continue
        task.step = begin = first(restarts, its)
        given = plans[task.group]
        # A plan that no longer has the canary lets the rollout go on as soon as its pods are ready.
        names, hold = (given.gates, given.hold) if given else ((), 0.0)
        if its.pods and not call.check_mode:
            trial = Trial(its.pods, hold, tuple((name, gates[name]) for name in names), comparisons.get(task.group))
            for step in canary_steps.of(begin, trial):
                task.then(step)
            if canary.whole(task.object, its):
                call.warnings.append(WHOLE.format(task.title))
    return found


def planned(step: steps.RestartStep, workload: dict, pods: int | str) -> steps.RestartStep:
    """The step that sends the restart of the first pods in the check of a plan."""
    return first(step, canary.of(workload, pods))


def first(step: steps.RestartStep, its: Canary) -> CanaryStep | EnforceStep:
    """The restart that also sets what its canary or budgets need, in place of a plain one."""
    given = {name: getattr(step, name) for name in ("stamp", "mode", "now", "allow_owned", "settled", "under_way")}
    return CanaryStep(**given, its=its) if its.enforced is None else EnforceStep(**given, its=its)
