# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the journals of runs and the locks of plans, and marks a run as over."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import together
from ansible_collections.restartx.core.plugins.module_utils.record import journal as journals
from ansible_collections.restartx.core.plugins.module_utils.record import lease, runs
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def journal(call: Call) -> dict:
    """The journals and locks of one plan or of all plans on this cluster. Returns the module's result."""
    params = call.params
    plan, namespace, run = call.plan_name(), params["namespace"], params["run_id"]
    call.identify()
    if params["state"] == "over":
        changed = not call.check_mode and _mark_over(call, plan, run)
        return {"changed": changed, "run_id": run, "runs": _runs(call, plan, run)}
    found = _runs(call, plan, run)
    plans = [plan] if plan else sorted({one["plan"] for one in found})
    locks = together(lambda name: lease.holder_of(call.cluster, namespace, name), plans)
    return {"changed": False, "run_id": run, "runs": found, "locks": [lock for lock in locks if lock]}


def _mark_over(call: Call, plan: str, run: str) -> bool:
    namespace = call.params["namespace"]
    try:
        return runs.mark_over(call.cluster, namespace, plan, run, call.params["clusters"])
    except NotFound as error:
        raise RolloutError(
            f'no journal of run "{run}" of plan "{plan}" is in namespace "{namespace}"; nothing was written'
        ) from error


def _runs(call: Call, plan: str | None, run: str | None) -> list[dict]:
    """The headers of the journals, the newest first. Raises RolloutError if there is none of the `run`."""
    namespace = call.params["namespace"]
    if plan:
        held = journals.read_runs(call.cluster, namespace, plan)
    else:
        held, unreadable = journals.read_all(call.cluster, namespace)
        call.warnings += unreadable
    known = [journals.header(one) for one in held]
    found = [one for one in known if run in (None, one["run"])]
    if run is not None and not found:
        near = closest(run, [one["run"] for one in known])
        of_plan = f' of plan "{plan}"' if plan else ""
        raise RolloutError(f'no journal of run "{run}"{of_plan} is in namespace "{namespace}"{near}')
    return found
