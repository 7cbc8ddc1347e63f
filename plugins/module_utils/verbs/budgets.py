# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The PodDisruptionBudgets of what is restarted: read before anything is touched, and honoured or reported."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine.budget_reads import look
from ansible_collections.restartx.core.plugins.module_utils.engine.budget_starts import Start, may_stop_pods
from ansible_collections.restartx.core.plugins.module_utils.engine.budgets import BudgetHold
from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import CanaryStep
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import together
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Act, End, Follow
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets, enforce, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import (
    ASKING,
    ENFORCE,
    HONOUR,
    REPORT,
    Cover,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_batch import rolling
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

SHOWN = 5  # workloads in a warning


@dataclass
class Known:
    """What was read before the run: by namespace, the budgets that are about restarts. `honouring` are the entries that
    honour them, also those that set a strategy for that (`enforcing`)."""

    honouring: frozenset[str]
    enforcing: frozenset[str] = frozenset()
    covers: dict[str, list[Cover]] = field(default_factory=dict)
    at: float = 0.0
    unread: list[str] = field(default_factory=list)  # namespaces whose budgets may not be read

    def of(self, workload: dict) -> t.Iterator[Cover]:
        """The budgets that may select pods of a workload."""
        for cover in self.covers.get(workload["metadata"]["namespace"], ()):
            if budgets.may_select(cover.budget, workload):
                yield cover


def check(call: Call, entries: t.Sequence[Entry]) -> None:
    """Raises RolloutError if the call cannot give back what budgets ask for."""
    if not any(entry.budgets == ENFORCE for entry in entries):
        return
    if call.params["journal"] is None:
        raise RolloutError(
            f"budgets: {ENFORCE} needs the option journal, because only the journal knows after a kill what the strategy was "
            f"before; give a plan with a journal, or set budgets: {HONOUR}"
        )
    if not (call.params["wait"] or call.check_mode):
        raise RolloutError(
            f"budgets: {ENFORCE} needs wait: true, because the strategy is given back after the rollout; set wait to true, or "
            f"set budgets: {HONOUR}"
        )


def enforced(call: Call, known: Known, tasks: t.Sequence[Task]) -> dict[Key, Canary]:
    """What the restarts of entries that enforce budgets set in the strategies of their workloads."""
    found = {}
    for task in tasks:
        if task.group in known.enforcing:
            its = enforce.planned(task.object, list(known.of(task.object)), call.mode.field_manager)
            if its:
                found[task.key] = its
    return found


def planned(call: Call, entries: t.Sequence[Entry], tasks: t.Sequence[Task]) -> dict[Key, Canary]:
    """The same for the check of a plan, which tells by itself of a missing permission, and of strategies that others own."""
    concerned = [entry for entry in entries if entry.budgets == ENFORCE]
    groups = {entry.id for entry in concerned}
    manager = call.mode.field_manager
    own = [task for task in tasks if task.group in groups and not enforce.refusal_by_owner(task.object, manager)]
    try:
        return enforced(call, read(call, concerned, own), own) if own else {}
    except RolloutError:
        return {}


def read(call: Call, entries: t.Sequence[Entry], tasks: t.Sequence[Task]) -> Known:
    """Reads the budgets of the namespaces in which a restart may stop pods. Raises RolloutError without permission."""
    known = Known(
        frozenset(entry.id for entry in entries if entry.budgets in ASKING),
        frozenset(entry.id for entry in entries if entry.budgets == ENFORCE),
    )
    evicting = {entry.id: entry.between_pods.max_unavailable for entry in entries if entry.between_pods}
    asking = [one for one in tasks if one.group in evicting or may_stop_pods(one) or _may_be_tried_again(one)]
    seen = [
        rolling(one.object, evicting[one.group]) if one.group in evicting else one.step.released(one.object)
        for one in tasks
    ]
    _read(call, known, asking, seen)
    return known


def _may_be_tried_again(task: Task) -> bool:
    """Whether a workload of an earlier start of the run may be restarted once more."""
    return isinstance(task.step.judge(task.object), Follow) and status.judge(task.object).state != status.DONE


def _read(call: Call, known: Known, stopping: t.Sequence[Task], workloads: t.Sequence[dict]) -> None:
    namespaces = list(dict.fromkeys(task.key[1] for task in stopping))
    honoured = {task.key[1] for task in stopping if task.group in known.honouring}

    def one(namespace: str) -> list[Cover] | None:
        try:
            return look(call.cluster, namespace, workloads, call.deadline)
        except Forbidden as error:
            if namespace not in honoured:
                return None
            raise RolloutError(f"{error}; {without_permission(call.cluster.context)}") from error

    for namespace, covers in zip(namespaces, together(one, namespaces) if namespaces else ()):
        if covers is None and namespace not in known.unread:
            known.unread.append(namespace)
        elif covers is not None:
            known.covers[namespace] = covers
    known.at = call.clock.monotonic()


def without_permission(context: str | None) -> str:
    """What to do if budgets may not be read."""
    where = f" --context {context}" if context else ""
    return (
        "nothing was touched: an administrator can grant it with kubectl"
        f"{where} apply -f rbac/budgets.yml, or set budgets: {REPORT}"
    )


def apply(call: Call, known: Known, tasks: t.Sequence[Task], run: str) -> list[BudgetHold]:
    """Refuses what would undercut a budget in any case, and warns of what is only reported. Returns what keeps restarts
    from starting while there is no room. A dry run waits for nothing."""
    reported = []
    # What a canary holds was read with the strategy that is set for the hold.
    held = [task for task in tasks if isinstance(task.step, CanaryStep) and may_stop_pods(task)]
    held = [task for task in held if task.step.released(task.object) != task.object]
    _read(call, known, held, [task.step.evicting(task.object) or task.step.released(task.object) for task in tasks])
    for task in tasks:
        start = Start.of(task)
        workload = start.workload if isinstance(task.step.judge(task.object), Act) else None
        if workload is None:
            continue
        refused = _refusal(known, task, workload, start.evicts)
        if refused:
            task.step = replace(t.cast(t.Any, task.step), settled=End(Outcome.REFUSED, refused))
        elif task.group not in known.honouring and not start.evicts:
            told = (cover.refusal(workload) or cover.closed(workload) for cover in known.of(workload))
            reported += [f"{task.title}: {one.partition('; ')[0]}" for one in itertools.islice(filter(None, told), 1)]
    if reported:
        would = "would be " if call.check_mode else ""
        call.warnings.append(f"{would}restarted although budgets leave no room: {some(reported, SHOWN)}")
    if known.unread:
        call.warnings.append(
            f"whether PodDisruptionBudgets allow the restarts is not known in namespace {some(known.unread, SHOWN)}, because "
            "budgets may not be read there; rbac/budgets.yml grants it"
        )
    if call.check_mode or not known.honouring:
        return []
    hold = BudgetHold(tasks, known.honouring, run, call.cluster, call.clock, known.covers, known.at)
    for task in tasks:
        # The rest of a rollout after its canary waits for room, whatever kind of it the restart waited for.
        asks = known.honouring if isinstance(task.step, CanaryStep) else known.enforcing
        task.room = hold.room if task.group in asks else None
    return [hold]


def _refusal(known: Known, task: Task, workload: dict, evicts: bool) -> str | None:
    """Why a restart is refused: it would undercut a budget that is honoured, or it evicts pods, and Kubernetes never allows
    that."""
    covers = list(known.of(workload))
    for cover in covers if task.group in known.honouring and not evicts else ():
        refusal = cover.refusal(workload)
        if refusal and task.group not in known.enforcing and not isinstance(task.step, CanaryStep):
            refusal = cover.refusal(workload, enforce.advice(workload, covers))
        if refusal:
            return refusal
    of_canary = isinstance(task.step, CanaryStep) and task.step.its.evicts
    if not (evicts or of_canary):
        return None
    refusals = budgets.refusals_of_evictions(task.object, workload, covers, canary=not evicts)
    return next(iter(refusals), None)


def journaled(of_gates: t.Callable[[], dict[str, t.Any]], tasks: t.Sequence[Task]) -> dict[str, t.Any]:
    """What the journal has of the gates, and why rollouts are held for budgets."""
    told = of_gates()
    waiting = [task for task in tasks if task.held and task.state in FOLLOWED]
    held = {f"budgets of {task.title}": f"{task.title}: {task.held}" for task in waiting}
    return {**told, "waits_for": {**told["waits_for"], **held}}
