# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holding a rollout under way while a PodDisruptionBudget leaves no room for it (`budgets: enforce`).

A Deployment is paused, and the partition of a StatefulSet is raised so far that no further pod is stopped. A DaemonSet
cannot be held. A field manager of its own sends that. So the object itself shows, also after a kill at any moment, what
was held for budgets, and what somebody else, or the run after a failure, has paused is never released with it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, status, tight_strategy
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    field,
    managers_of,
    owned_fields,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import observed
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.stateful_set import ordinal
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import ROLLING, Canary

SUFFIX = "-budgets"
LONGEST_MANAGER = 128  # characters that the API server accepts
PARTITION = "partition"


def manager_of(field_manager: str) -> str:
    """The field manager that holds for budgets in the name of this one."""
    return field_manager[: LONGEST_MANAGER - len(SUFFIX)] + SUFFIX


def can_hold(workload: Object) -> bool:
    """Whether a rollout of the workload can be held, and stops pods."""
    kind = kinds.kind_of(workload)
    rolling = kind.strategy_of(workload).get("type") not in ("Recreate", "OnDelete")
    return rolling and not kind.on_each_node and bool(kind.stops_at_once(workload))


def rest(workload: Object) -> int:
    """How many pods the rollout of a workload has still to replace, as far as its status shows."""
    kind, counts = kinds.kind_of(workload), status.counts(workload)
    if not observed(workload):
        return counts.wanted
    if kind.on_each_node or kind.pausable:
        return max(counts.old, counts.wanted - counts.updated if kind.on_each_node else 0)
    return max(0, counts.wanted - _partition(workload) - counts.updated)


def patch(workload: Object, pods: t.Sequence[Object]) -> Object | None:
    """The strategic merge patch that holds exactly the version that was read. None if no more pods must be replaced, or if
    somebody holds it already. `pods` are those of a StatefulSet."""
    if not rest(workload):
        return None
    spec: Object = {"paused": True}
    if not kinds.kind_of(workload).pausable:
        lowest = _lowest_replaced(workload, pods)
        if lowest <= _partition(workload):
            return None
        spec = {"updateStrategy": {ROLLING: {PARTITION: lowest}}}
    elif field(workload, "spec.paused"):
        return None
    return {"metadata": {"resourceVersion": workload["metadata"]["resourceVersion"]}, "spec": spec}


def _lowest_replaced(workload: Object, pods: t.Sequence[Object]) -> int:
    """The lowest place, from the top without a gap, in which a pod is of the newest revision, or is stopped already. It counts
    from the first ordinal."""
    kind, start = kinds.kind_of(workload), field(workload, "spec.ordinals.start", 0)
    newest, lowest = kind.newest_hash(workload), kind.wanted(workload)
    old = {
        ordinal(pod) - start
        for pod in pods
        if kind.owns(workload, pod)
        and not field(pod, "metadata.deletionTimestamp")
        and (newest is None or kind.revision_of(pod) != newest)
    }
    while lowest > 0 and lowest - 1 not in old:
        lowest -= 1
    return lowest


def is_held(workload: Object, its: Canary | None) -> bool:
    """Whether the run holds the workload for budgets. Who changes the field afterwards owns it then."""
    if its is None or its.budgets is None:
        return False
    kind = kinds.kind_of(workload)
    path: tuple[str, ...] = ("paused",)
    raised = bool(field(workload, "spec.paused"))
    if not kind.pausable:
        path, raised = (kind.strategy, ROLLING, PARTITION), not kind.on_each_node and _partition(workload) > its.floor
    managers = {manager_of(name) for name in its.managers}
    own = [entry for entry in managers_of(workload) if entry.get("manager") in managers]
    return raised and any(owned_fields(entry, "spec", *path) is not None for entry in own)


def freed(workload: Object, its: Canary | None) -> Object:
    """The workload without that hold."""
    if its is None or not is_held(workload, its):
        return workload
    if kinds.kind_of(workload).pausable:
        spec = {name: value for name, value in workload["spec"].items() if name != "paused"}
        return {**workload, "spec": spec}
    return tight_strategy.restored(workload, its, {PARTITION})


def words(workload: Object) -> str:
    """How it is held, for messages: `paused`, or `held by its partition 2`."""
    return "paused" if kinds.kind_of(workload).pausable else f"held by its partition {_partition(workload)}"


def how(workload: Object, its: Canary) -> list[str]:
    """What holds it for budgets, for messages; empty if nothing does."""
    if not is_held(workload, its):
        return []
    return ["paused"] if kinds.kind_of(workload).pausable else [f"{PARTITION} {_partition(workload)}"]


def _partition(workload: Object) -> int:
    found: int = field(workload, f"spec.updateStrategy.{ROLLING}.{PARTITION}", 0)
    return found
