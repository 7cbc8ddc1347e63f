# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verbs that modules call: each makes tasks of what was selected, lets the loop carry them out, and reports."""

from __future__ import annotations

import datetime
import secrets
import socket
import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import history as past
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart as restarting
from ansible_collections.restartx.core.plugins.module_utils.rollout import undo as undoing
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import journal, requests, steps, work
from ansible_collections.restartx.core.plugins.module_utils.run.call import Call
from ansible_collections.restartx.core.plugins.module_utils.run.lease import Lease
from ansible_collections.restartx.core.plugins.module_utils.run.mandate import Terms
from ansible_collections.restartx.core.plugins.module_utils.run.patience import await_window
from ansible_collections.restartx.core.plugins.module_utils.run.scribe import Scribe, Title
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task, summary
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration, graph
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
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
    undo_failed = steps.UndoStep(call.mode, run_id=run, allow_owned=params["allow_owned"])
    limits = work.limits_of(call)
    terms = work.terms_of(
        call,
        window=Window.from_dict(params["window"]) if params["window"] else None,
        undo_failed=undo_failed if params["on_failure"] == "undo" else None,
    )
    entries = call.entries()
    found = work.find(call, entries, params["allow_empty"])
    step = steps.RestartStep(stamp, call.mode, call.clock.now, params["allow_owned"])
    tasks = work.tasks_of(found, entries, step)
    lease = scribe = None
    if params["journal"] and not call.check_mode:
        lease = _hold_lock(call, run)
        scribe = _begin_journal(call, run, tasks)
    elif params["journal"]:
        _begin_journal(call, run, tasks)
    work.carry_out(call, found, entries, tasks, terms, limits, scribe, lease)
    if lease and not call.controller.alive():
        lease.release()  # whoever has taken it is not there any more to give it back
    return work.result(tasks, "restarted", run_id=run)


def _begin_journal(call: Call, run: str, tasks: t.Sequence[Task]) -> Scribe:
    """Begins the journal, which a dry run only reads, and makes each task's restart the attempt that it tells."""
    options = {name: value for name, value in call.params["journal"].items() if name != "holder"}
    title = Title(run=run, ticket=call.params["ticket"], **options)
    scribe = Scribe.begin(call.cluster, call.clock, title, tasks, dry_run=call.check_mode)
    for task in tasks:
        stamp = replace(task.step.stamp, attempt=scribe.attempt(task))
        task.step = replace(task.step, stamp=stamp, already_undone=scribe.final(task))
    return scribe


def _hold_lock(call: Call, run: str) -> Lease | None:
    """Goes on holding the plan's lock, which whoever started the run has taken with k8s_rollout_lock; raises Held."""
    options = call.params["journal"]
    if not options["holder"]:
        return None
    lease = _lease(call, options["plan"], options["namespace"], options["holder"], run)
    lease.acquire(controller=call.controller)
    return lease


def _lease(call: Call, plan: str, namespace: str, holder: str, run: str | None) -> Lease:
    operator = call.params["operator"] or ""
    return Lease(call.cluster, call.clock, namespace, plan, holder, run=run or "", operator=operator)


def lock(call: Call) -> dict:
    """Takes or releases the lock of a plan on a cluster. Returns the module's result."""
    params = call.params
    patience = call.seconds("wait_timeout")
    if params["break_lock"] is not None and not params["break_lock"].strip():
        raise RolloutError("break_lock is empty; it takes the reason why the lock may be broken")
    call.identify()
    holder = params["holder"] or f"{socket.gethostname()}-{secrets.token_hex(3)}"
    lease = _lease(call, params["plan"], params["namespace"], holder, params["run_id"])
    changed = lease.ours != (params["state"] == "held")
    if not call.check_mode and params["state"] == "held":
        lease.acquire(patience, params["break_lock"], call.controller)
    elif not call.check_mode:
        lease.release()
    return {"changed": changed, "run_id": params["run_id"], "holder": holder}


def status(call: Call) -> dict:
    """Looks at what is selected, once or until it is rolled out. Returns the module's result."""
    entries = call.entries()
    terms = work.terms_of(call)
    found = work.find(call, entries, call.params["allow_empty"])
    tasks = work.tasks_of(found, entries, steps.StatusStep(once=not terms.wait))
    work.carry_out(call, found, entries, tasks, terms)
    return work.result(tasks, "rolled out")


def undo(call: Call) -> dict:
    """Brings back an earlier revision of what is selected. Returns the module's result."""
    params = call.params
    if params["to_revision"] < 0:
        raise RolloutError(f"unable to find specified revision {params['to_revision']} in history")
    entries = call.entries()
    terms = work.terms_of(call)
    found = work.find(call, entries, params["allow_empty"])
    step = steps.UndoStep(
        call.mode,
        to_revision=params["to_revision"],
        run_id=params["run_id"],
        allow_owned=params["allow_owned"],
        delete_stuck_pods=params["delete_stuck_pods"],
    )
    tasks = work.tasks_of(found, entries, step)
    work.carry_out(call, found, entries, tasks, terms)
    return work.result(tasks, "undone", run_id=params["run_id"])


def history(call: Call) -> dict:
    """The revisions of what is selected, and what each changed. Returns the module's result."""
    wanted = call.params["revision"]
    if wanted is not None and wanted <= 0:
        raise RolloutError(f"revision must be a positive integer: {wanted}")
    found = work.find(call, call.entries(), call.params["allow_empty"])
    results = [_history_of(call, workload, wanted) for workload in found.objects.values()]
    return {"results": results, "summary": summary(results)}


def pause(call: Call) -> dict:
    """Pauses or resumes the selected Deployments. Returns the module's result."""
    paused = call.params["state"] == "paused"
    entries = call.entries()
    found = work.find(call, entries, call.params["allow_empty"])
    tasks = work.tasks_of(found, entries, steps.PauseStep(call.mode, paused, call.params["allow_owned"]))
    work.carry_out(call, found, entries, tasks, Terms(wait=False))
    return work.result(tasks, call.params["state"])


def plan(call: Call) -> dict:
    """What a plan would restart on this cluster, in which order, and what its journal tells. Changes nothing."""
    params = call.params
    checked = plans.check(params["plan"])
    found = work.find(call, checked.entries)
    tasks = work.tasks_of(found, checked.entries, None)
    for task in tasks:
        task.message = restarting.refusal(task.object, params["allow_owned"]) or ""
        task.outcome = "refused" if task.message else "planned"
    return work.result(
        tasks,
        "fit for a restart",
        plan={
            "name": checked.name,
            "digest": checked.digest,
            "order": graph.levels(checked.entries),
            "workloads": {
                entry.id: [task.title for task in tasks if task.group == entry.id] for entry in checked.entries
            },
            "window": _window_now(checked.window, call.clock.now()) if checked.window else None,
        },
        journal=journal.read(call.cluster, params["journal_namespace"], checked.name),
    )


def _window_now(window: Window, now: datetime.datetime) -> dict:
    return {"open": window.is_open(now), "message": window.explain(now)}


def _history_of(call: Call, workload: dict, wanted: int | None) -> dict:
    """One entry of the results of the history: revisions ascending, each with its difference to the one before."""
    revisions = requests.revisions(call.cluster, workload)
    if wanted is not None and wanted not in [revision.number for revision in revisions]:
        raise RolloutError(f"unable to find the specified revision: {kinds.label(workload)} has no revision {wanted}")
    dropping = undoing.last_deploy_warning(workload, revisions)
    call.warnings += [dropping] if dropping else []
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
