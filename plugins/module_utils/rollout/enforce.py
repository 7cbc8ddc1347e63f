# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart sets in the strategy of a workload so that it undercuts no PodDisruptionBudget (`budgets: enforce`).

A strategy that creates new pods first stops none. Another one stops no more pods than the budgets allow if all pods are
healthy. Where that is none, new pods are created first, if the kind can do so. What was there is given back as after a
canary (rollout/canary.py).
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold, canary, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import ENFORCE, REPORT, Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import MANAGER, ROLLING

NO_POD = {"maxUnavailable": 0}
ADVICE = f"set budgets: {ENFORCE}"


def tight(workload: Object, covers: t.Iterable[Cover]) -> Object:
    """What to set in the rolling update of a workload; {} if nothing. `covers` are the budgets of its pods."""
    kind = kinds.kind_of(workload)
    if kind.strategy_of(workload).get("type") in ("Recreate", "OnDelete"):
        return {}
    about = [cover for cover in covers if cover.stops(workload)]
    if about and kind.surge_at_once(workload):
        return dict(NO_POD)
    room = min((room for cover in about if (room := cover.room()) is not None), default=None)
    if room is None:
        return {}
    if room == 0 and _may_surge(kind, workload):
        return {"maxSurge": 1, **NO_POD}
    most = max(room, 1)  # where there is no room at all, the budget refuses the restart, or it waits
    return {"maxUnavailable": _as_before(kind, workload, most)} if kind.stops_at_once(workload) > most else {}


def _as_before(kind: kinds.Kind, workload: Object, most: int) -> int | str:
    """At most so many pods, as a percentage if the strategy has one: it must not become looser if the workload is scaled."""
    rolling = kind.strategy_of(workload).get(ROLLING) or {}
    part = 100 * most // kind.wanted(workload)
    return f"{part}%" if isinstance(rolling.get("maxUnavailable", kind.unavailable), str) and part else most


def _may_surge(kind: kinds.Kind, workload: Object) -> bool:
    """Whether two pods of the workload may run in the place of one. Those of a DaemonSet do so on the same node. Whoever
    allows a Deployment no surge may do so because its pods cannot share a volume."""
    pod = field(workload, "spec.template.spec", {})
    if not kind.on_each_node:
        return kind.can_surge and not any(volume.get("persistentVolumeClaim") for volume in pod.get("volumes") or [])
    ports = [
        port
        for part in ("initContainers", "containers")
        for one in pod.get(part) or []
        for port in one.get("ports") or []
    ]
    return not (pod.get("hostNetwork") or any(port.get("hostPort") for port in ports))


def of(workload: Object, covers: t.Sequence[Cover], field_manager: str = MANAGER) -> Canary | None:
    """What a restart of the workload sets and gives back; None if it sets nothing.

    Where another manager owns the strategy by apply, it is only set if the restart would be refused without it.
    """
    enforced = tight(workload, covers)
    if not enforced:
        return None
    if canary.owner_of_strategy(workload, field_manager) and not any(cover.refusal(workload) for cover in covers):
        return None
    before = copy.deepcopy(field(workload, f"spec.{kinds.kind_of(workload).strategy}"))
    return Canary(0, before, managers=(field_manager,), enforced=enforced)


def planned(workload: Object, covers: t.Sequence[Cover], field_manager: str = MANAGER) -> Canary | None:
    """The same, also of a restart that sets nothing, but whose rollout may have to be held while a budget leaves no room."""
    found = of(workload, covers, field_manager)
    if found or not (budget_hold.can_hold(workload) and any(cover.stops(workload) for cover in covers)):
        return found
    if canary.owner_of_strategy(workload, field_manager):
        return None
    before = copy.deepcopy(field(workload, f"spec.{kinds.kind_of(workload).strategy}"))
    return Canary(0, before, managers=(field_manager,), enforced={})


def tightened(workload: Object, its: Canary) -> Object:
    """The workload with the strategy that its restart sets."""
    if not its.tight:
        return workload
    kind = kinds.kind_of(workload)
    strategy = kind.strategy_of(workload)
    rolling = {**(strategy.get(ROLLING) or {}), **its.tight}
    return {**workload, "spec": {**workload["spec"], kind.strategy: {**strategy, ROLLING: rolling}}}


def after_canary(workload: Object, its: Canary, run: str) -> Object:
    """The workload as it is after a canary of this run, with what budgets ask for, if they do, and if nobody has changed the
    strategy meanwhile."""
    free = canary.released(workload, its, run)
    return tightened(free, its.enforcing) if its.afterwards and canary.given_back(free, its.enforcing) else free


def advice(workload: Object, covers: t.Sequence[Cover]) -> str:
    """How `enforce` would let a restart be carried out that a budget refuses; empty if it would not."""
    its = of(workload, covers)
    if its is None or canary.owner_of_strategy(workload, MANAGER):
        return ""
    return ADVICE if not any(cover.refusal(tightened(workload, its)) for cover in covers) else ""


def refusal(workload: Object, its: Canary, run: str, field_manager: str) -> str | None:
    """Why the strategy of a workload cannot be set, as one sentence with what to do; None if it can."""
    owned = refusal_by_owner(workload, field_manager)
    if owned or canary.tightened(workload, its, run) or canary.given_back(workload, its):
        return owned
    return f"the strategy of {kinds.label(workload)} was changed since the run began; start again"


def refusal_by_owner(workload: Object, field_manager: str) -> str | None:
    """Why the strategy cannot be set because another manager owns it, as one sentence with what to do; None if none does."""
    kind, owner = kinds.kind_of(workload), canary.owner_of_strategy(workload, field_manager)
    if owner:
        return (
            f'"{owner}" owns the strategy of {kind.label(workload)} by apply, and would set back what budgets: {ENFORCE} sets; '
            f"take spec.{kind.strategy}.{ROLLING} out of what it applies, or set budgets: {REPORT}"
        )
    return None


def words(its: Canary) -> str:
    """What is set, for messages: `maxUnavailable 0 and maxSurge 1`."""
    return " and ".join(f"{name} {value}" for name, value in its.tight.items())
