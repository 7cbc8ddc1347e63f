# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts and pods as dry runs: what the API server and admission say of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Forbidden, Invalid
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import together
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.step import End
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.record import held, journal, resume
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart as restarting
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, without_order
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs import between_pods, budgets, canary, pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

NO_DRY_RUN = "does not support dry run"
_EXCEEDED = "exceeded quota"  # of this moment; preflight/quotas.py computes what the run needs


@dataclass
class Pods:
    """What dry runs made from the templates: pods as admission changed them, and errors, by workload.

    `unread` holds the namespaces in which no dry run is possible, with the reason.
    """

    made: dict[tuple[str, str, str], dict] = field(default_factory=dict)
    refused: dict[tuple[str, str, str], str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def restarts(call: Call, entries: t.Sequence[Entry], found: Found, runs: t.Sequence[dict] = ()) -> list[Task]:
    """Sends the patch of each restart as a dry run. Returns a task for each workload, planned or refused.

    `runs` are the runs of the plan that the cluster knows. A webhook that takes part in no dry run (its sideEffects are
    not None) refuses all of them, which says nothing about a restart.
    """
    params = call.params
    marks = {name: params[name] for name in ("reason", "ticket", "operator")}
    stamp = restarting.Stamp(run=call.new_run_id(), at=call.clock.now(), **marks)
    mode = Mode(field_manager=params["field_manager"], dry_run=True)
    step = steps.RestartStep(stamp, mode, call.clock.now, params["allow_owned"])
    unordered = [without_order(entry) for entry in entries]
    tasks = pipeline.tasks_of(found, unordered, step)
    canaries = canary.pods_of_entries(entries)
    between = {entry.id: entry.between_pods for entry in entries if entry.between_pods}
    enforced = budgets.planned(call, entries, tasks)
    for task in tasks:
        if task.group in between:
            task.step = between_pods.restart_step(step, between[task.group], task.key[1])
        holder = held.holder(runs, task.object)
        if holder:
            task.step = replace(
                step, settled=End(Outcome.REFUSED, held.refusal(holder, task.object, call.cluster.context))
            )
        elif tight := held.tightener(runs, task.object):
            task.step = _of_tight(step, task.object, *tight)
        elif _only_waited_for(task.object, runs, params["field_manager"]):
            task.step = replace(t.cast(steps.RestartStep, task.step), under_way=True)
        elif its := held.canary_of(
            None, task.object, canaries.get(task.group), enforced.get(task.key), stamp.run, params["field_manager"]
        ):
            task.step = canary.first(step, its)
    pipeline.carry_out(call, found, unordered, tasks, RunOptions(wait=False))
    for task in tasks:
        good = task.good or NO_DRY_RUN in task.message
        task.settle_as(Outcome.PLANNED if good else Outcome.REFUSED, "" if task.good else task.message)
    return tasks


def _of_tight(step: steps.RestartStep, workload: dict, run: dict, its: Canary) -> steps.RestartStep:
    """The step for a workload that the canary of a run still holds. Which run is started is not known yet, so it may be
    that one, as long as a start would continue it."""
    if not journal.is_open(run):
        return replace(step, settled=End(Outcome.REFUSED, held.tight_refusal(run, workload, its)))
    return canary.first(replace(step, stamp=replace(step.stamp, run=run["run"])), its)


def _only_waited_for(workload: dict, runs: t.Sequence[dict], field_manager: str) -> bool:
    """Whether an unfinished run of the plan has restarted the workload, so that its next start only waits for it."""
    run = next((one for one in runs if one["run"] == restarting.run_of(workload)), None)
    if run is None or run["state"] == "finished":
        return False
    entry = run["workloads"].get(journal.entry_name(kinds.key(workload)))
    state = resume.decide(entry, workload, run["run"], resume.retry_of(None), field_manager)
    return state.attempt <= restarting.attempt_of(workload, run["run"])


def pods(call: Call, workloads: t.Sequence[dict]) -> Pods:
    """Creates a pod from the template of each workload as a dry run. Nothing is created.

    The permission to create pods is asked for first in one namespace each. The user of the dry run is not the controller
    that creates the pods, so a policy that looks at the user may decide otherwise for it.
    """
    found = Pods()
    first = {workload["metadata"]["namespace"]: workload for workload in workloads}
    for workload, answer in zip(first.values(), together(lambda one: _made(call, one), list(first.values()))):
        _note(found, workload, answer)
    others = [one for one in workloads if one is not first[one["metadata"]["namespace"]]]
    others = [one for one in others if one["metadata"]["namespace"] not in found.unread]
    for workload, answer in zip(others, together(lambda one: _made(call, one), others)):
        _note(found, workload, answer)
    return found


def _made(call: Call, workload: dict) -> dict | ClusterError:
    namespace, template = workload["metadata"]["namespace"], workload["spec"]["template"]
    metadata = {name: template.get("metadata", {}).get(name) or {} for name in ("labels", "annotations")}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "generateName": f"{workload['metadata']['name'][:40]}-", "namespace": namespace},
        "spec": template["spec"],
    }
    try:
        return call.cluster.create(kinds.pods_path(namespace), body, dry_run=True)
    except (Forbidden, Invalid) as error:
        return error


def _note(found: Pods, workload: dict, answer: dict | ClusterError) -> None:
    key, namespace = kinds.key(workload), workload["metadata"]["namespace"]
    if isinstance(answer, dict):
        found.made[key] = answer
    elif not answer.refusal:
        found.unread[namespace] = "dry runs of pods"
    elif NO_DRY_RUN in answer.refusal:
        found.unread[namespace] = "dry runs of pods (a webhook does not support them)"
    elif _EXCEEDED not in answer.refusal:
        found.refused[key] = answer.refusal
