# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the journals say about workloads that a run holds: for inspection after a failure (`on_failure: pause`), or after
their canary.

The journal of a run has its plan, and so the entries that react in this way. For each StatefulSet of such an entry it has
the partition from before the run, from its first write on, and for each workload with a canary the strategy. The object
shows the rest.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    budget_hold,
    canary,
    hold,
    kinds,
    marks,
    pod_batch,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError

Journal = t.Mapping[str, t.Any]

UNDECIDED = (None, Outcome.IN_PROGRESS, Outcome.UNFINISHED)  # outcomes of a canary that was not judged


def plan_of(run: Journal) -> plans.Plan | None:
    """The plan of a run as its journal has it. None if it has none that this version can read."""
    try:
        return plans.check(json.loads(run["plan_text"] or "null"))
    except (ValueError, PlanError):
        return None


def pausing(plan: plans.Plan | None) -> frozenset[str]:
    """The ids of the entries of a plan whose failed workloads are held."""
    return plans.reacting(plan.entries, plan.on_failure, "pause") if plan else frozenset()


def undoing(plan: plans.Plan | None) -> frozenset[str]:
    """The ids of the entries of a plan whose failed workloads are undone."""
    return plans.reacting(plan.entries, plan.on_failure, "undo") if plan else frozenset()


def partition_of(entry: Journal | None, workload: dict, may_be_held: bool) -> int | None:
    """The partition that the journal must have for a workload: the one that it has already, or that of the object at
    the first start of the run. None if the run does not hold it by a partition."""
    known = entry is not None and entry["uid"] in (None, workload["metadata"].get("uid"))
    if known and entry is not None and "partition" in entry:
        return int(entry["partition"])
    if not may_be_held or kinds.kind_of(workload).pausable or not hold.can_be_held(workload):
        return None
    return int(kinds.field(workload, "spec.updateStrategy.rollingUpdate.partition", 0))


def canary_of(
    entry: Journal | None,
    workload: dict,
    pods: canary.Pods | None,
    asked: Canary | None,
    run: str,
    field_manager: str,
) -> Canary | None:
    """The canary that the journal must have for a workload: the one that it has already, as long as that has left
    something, or that of the object as it is. `pods` are its pods as the plan has them, and `asked` is what budgets ask
    for. None if the strategy stays as it is."""
    known = canary_in(entry, workload, run)
    if known and canary.present(workload, canary.stage(workload, known, run), run):
        if known.moves and not known.evicts and isinstance(pods, canary.Each):
            known = known.at_most(pod_batch.number(pods.most, workload))
        return replace(known, managers=tuple(dict.fromkeys([*known.managers, field_manager])))
    its = canary.planned(workload, pods, field_manager)
    return replace(its, afterwards=asked.enforced) if its and asked and not its.moves else its or asked


def canary_in(entry: Journal | None, workload: dict, run: str) -> Canary | None:
    """The canary of a workload as its entry in the journal of a run has it. None if the run has given its strategy back:
    what is like the canary's then is somebody's own. An undo gives back what budgets ask for only at its end."""
    if entry is None or "canary" not in entry or entry["uid"] not in (None, workload["metadata"].get("uid")):
        return None
    its, undone = (
        Canary.of_record(entry["canary"]),
        entry["outcome"] == Outcome.UNDONE and marks.run_of(workload) != run,
    )
    return None if entry["outcome"] in DONE or (undone and its.budgets is None) else its


def canaries_of(run: Journal, objects: t.Mapping[tuple[str, str, str], dict]) -> dict[tuple[str, str, str], Canary]:
    """The canaries of a run, by workload."""
    found = {key: canary_in(_entry(run, workload), workload, run["run"]) for key, workload in objects.items()}
    return {key: one for key, one in found.items() if one}


def tightener(runs: t.Iterable[dict], workload: dict, run: str | None = None) -> tuple[dict, Canary] | None:
    """The run (other than this one) whose canary still holds a workload, and that canary; None if there is none."""
    for other in runs:
        its = canary_in(_entry(other, workload), workload, other["run"])
        if other["run"] != run and its and canary.how_held(workload, its, other["run"]):
            return other, its
    return None


def tight_refusal(run: Journal, workload: dict, its: Canary) -> str:
    """Why a workload whose strategy another run has changed is not restarted, with what to do."""
    held = canary.how_held(workload, its, run["run"])
    whose = canary.stage(workload, its, run["run"]).whose(f'run "{run["run"]}"')
    return (
        f"{kinds.label(workload)} {whose} ({held}); continue that run, undo it, or "
        f"give the strategy back ({hold.LEFTOVERS}), then start again"
    )


def is_held(run: Journal, workload: dict, may_be_held: t.Container[str] | None = None) -> bool:
    """Whether this run left the workload held. `may_be_held` are the entries of its plan that react in this way."""
    entry = _entry(run, workload)
    if entry is None or entry["outcome"] in DONE or not hold.held(workload, run["run"], entry.get("partition")):
        return False
    its = canary_in(entry, workload, run["run"])
    undecided = entry["outcome"] in UNDECIDED
    if undecided and budget_hold.is_held(workload, its):
        return False  # it waits for room, and the next start of the run goes on with it
    if its and its.enforced is None and undecided and canary.how_held(workload, its, run["run"]):
        return False  # only its canary holds it, and the next start of the run goes on with that
    return "partition" in entry or entry["entry"] in (pausing(plan_of(run)) if may_be_held is None else may_be_held)


def holder(runs: t.Iterable[Journal], workload: dict) -> Journal | None:
    """The run that left the workload held; None if none did."""
    carried = marks.run_of(workload)
    return next((run for run in runs if run["run"] == carried and is_held(run, workload)), None)


def refusal(run: Journal, workload: dict, context: str | None) -> str:
    """Why a workload that a run left held is not restarted, with what to do."""
    entry = _entry(run, workload) or {}
    its = canary_in(entry or None, workload, run["run"])
    tight = bool(its and canary.how_held(workload, its, run["run"]))
    return hold.refusal(workload, run["run"], entry.get("partition"), context, tight)


def partition_before(run: Journal, workload: dict) -> int | None:
    """The partition of a StatefulSet before the run held it."""
    return (_entry(run, workload) or {}).get("partition")


def _entry(run: Journal, workload: dict) -> Journal | None:
    entry: Journal | None = run["workloads"].get(journal.entry_name(kinds.key(workload)))
    if entry is None or entry["uid"] not in (None, workload["metadata"].get("uid")):
        return None
    return entry
