# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The revisions of the selected workloads."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.engine import requests, steps
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task, summary
from ansible_collections.restartx.core.plugins.module_utils.rollout import history as past
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout import undo as undoing
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def history(call: Call) -> dict:
    """The revisions of the selected workloads, and the changes of each. Returns the module's result."""
    wanted = call.params["revision"]
    if wanted is not None and wanted <= 0:
        raise RolloutError(f"revision must be a positive integer: {wanted}")
    found = pipeline.find(call, call.entries(), call.params["allow_empty"])
    results = [_history_of(call, workload, wanted) for workload in found.objects.values()]
    return {"results": results, "summary": summary(results)}


def _history_of(call: Call, workload: dict, wanted: int | None) -> dict:
    """An entry of the results of the history: revisions ascending, each with its differences from the one before."""
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
    task = Task(key=kinds.key(workload), group="", object=workload, step=steps.StatusStep())
    task.outcome = Outcome.UNCHANGED
    task.message = f"{len(revisions)} revisions" if revisions else "No rollout history found."
    return {**task.result(), "revisions": described}
