# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rolls the selected workloads back to an earlier revision."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.engine import executor, requests, steps
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.undo_run import undo_run

SHOWN = 5  # run ids in a message


def undo(call: Call) -> dict:
    """Rolls the selected workloads back to an earlier revision. Returns the module's result."""
    params = call.params
    if params["to_revision"] < 0:
        raise RolloutError(f"unable to find specified revision {params['to_revision']} in history")
    if params["journal"] is not None:
        return undo_run(call)
    entries = call.entries()
    options = pipeline.run_options(call)
    found = pipeline.find(call, entries, params["allow_empty"])
    step = steps.UndoStep(
        call.mode,
        to_revision=params["to_revision"],
        run_id=params["run_id"],
        allow_owned=params["allow_owned"],
        delete_stuck_pods=params["delete_stuck_pods"],
    )
    if params["run_id"] is not None and found.objects:
        _check_run(call, params["run_id"], list(found.objects.values()))
    tasks = pipeline.tasks_of(found, entries, step)
    pipeline.carry_out(call, found, entries, tasks, options, doing="rolling back")
    return pipeline.result(tasks, "rolled back", run_id=params["run_id"])


def _check_run(call: Call, run: str, workloads: list[dict]) -> None:
    """Raises RolloutError if the run has restarted none of the workloads, because its id may be mistyped.

    The revisions that the cluster keeps show a run that was undone already.
    """
    known = {restart.run_of(workload) for workload in workloads}
    if run in known:
        return
    kept = executor.together(lambda workload: requests.revisions(call.cluster, workload), workloads)
    known |= {revision.run for revisions in kept for revision in revisions}
    if run not in known:
        ids = sorted(filter(None, known), reverse=True)
        near = closest(run, ids) or (f"; known are {', '.join(ids[:SHOWN])}" if ids else "; none carries a run")
        raise RolloutError(f'run_id: no workload of the {len(workloads)} selected was restarted by run "{run}"{near}')
