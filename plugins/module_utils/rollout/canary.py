# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary of a restart: what keeps the rollout from going on after the first pods, and what gives back the strategy.

A Deployment gets a surge of the canary's pods and no unavailable pod, and is paused once those pods are there. A
StatefulSet gets a partition. A DaemonSet gets the type OnDelete, and pods are evicted: those of the canary, or all of them. These
fields are given back only while they are what was set, and belong to the manager that has set it: it may be somebody's own.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    budget_hold,
    canary_fit,
    exact_patch,
    kinds,
    marks,
    pod_batch,
    status,
    tight_strategy,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.hold import LEFTOVERS
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    field,
    managers_of,
    owned_fields,
    share,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch, status_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import (
    MANAGER,
    NONE,
    ON_DELETE,
    ROLLING,
    TYPE,
    Canary,
    given_back,
    part_of,
)

__all__ = ["NONE", "Canary", "given_back"]


@dataclass(frozen=True)
class Each:
    """Instead of a number of pods: all, some at a time (a number or a percentage). A StatefulSet can only do so `by_partition`."""

    most: int | str = 1
    by_partition: bool = True


Pods = t.Union[int, str, Each]  # noqa: UP007  ansible-test's pylint takes the other form for an operation


def of(workload: Object, pods: Pods, field_manager: str = MANAGER) -> Canary:
    """The canary of a workload that nothing holds yet. `pods` is a number, or a percentage of its pods, rounded up."""
    kind = kinds.kind_of(workload)
    if isinstance(pods, Each):
        first = of(workload, 1, field_manager)
        if first.evicts:
            return replace(first, pods=kind.wanted(workload), moves=True)
        number = min(pod_batch.number(pods.most, workload), max(kind.wanted(workload) - first.floor, 0))
        return replace(first, pods=number, partition=max(kind.wanted(workload) - number, first.floor), moves=True)
    wanted, before = kind.wanted(workload), copy.deepcopy(field(workload, f"spec.{kind.strategy}"))
    if kind.pausable:
        return Canary(_number(pods, wanted), before, managers=(field_manager,))
    if kind.on_each_node:
        return Canary(_number(pods, wanted), before, managers=(field_manager,), evicts=True)
    floor: int = field(before, f"{ROLLING}.partition", 0)
    number = _number(pods, max(wanted - floor, 0))
    return Canary(number, before, max(wanted - number, floor), (field_manager,))


def planned(workload: Object, pods: Pods | None, field_manager: str = MANAGER) -> Canary | None:
    """The canary of a workload whose plan says so of `pods`; None if it has none, or nothing to hold pod by pod."""
    kind = kinds.kind_of(workload)
    if isinstance(pods, Each):
        held_so = kind.on_each_node or (pods.by_partition and not kind.pausable)
        pods = pods if held_so and kind.strategy_of(workload).get("type") != ON_DELETE else None
    return None if pods is None else of(workload, pods, field_manager)


def _number(pods: int | str, wanted: int) -> int:
    """At least one pod, and not all of them if there are several."""
    return min(max(share(pods, wanted, up=True), 1), max(wanted - 1, 1), wanted)


def whole(workload: Object, canary: Canary) -> bool:
    """Whether the canary is all that is restarted."""
    wanted = kinds.kind_of(workload).wanted(workload)
    return canary.pods >= wanted - canary.floor


def refusal(workload: Object, canary: Canary, run: str, field_manager: str) -> str | None:
    """Why a workload cannot have this canary now, as one sentence with what to do; None if it can. See also canary_fit.py."""
    kind = kinds.kind_of(workload)
    option = "between_pods" if canary.moves else "canary"
    rolling = not canary.evicts or canary.afterwards
    parts = [*([TYPE] if canary.evicts else []), *([ROLLING] if rolling else [])]
    owners = {part: owner_of_strategy(workload, field_manager, part) for part in parts}
    for part, owner in owners.items():
        if owner:
            return (
                f'"{owner}" owns the strategy of {kind.label(workload)} by apply, and would set back what a {canary.words} sets; '
                f"take spec.{kind.strategy}.{part} out of what it applies, or leave {option} out for it"
            )
    free = released(workload, canary, run)
    again = (
        f"give its strategy back ({LEFTOVERS}), then start again" if tightened(workload, canary, run) else "start again"
    )
    if not given_back(free, canary):
        return f"the strategy of {kind.label(workload)} was changed since its {canary.words} was planned; {again}"
    if canary.evicts:
        return None  # nodes come and go
    fresh = of(free, Each(canary.pods) if canary.moves else canary.pods)
    if (fresh.pods, fresh.partition) == (canary.pods, canary.partition):
        return None
    return (
        f"{kind.label(workload)} was scaled to {kind.wanted(workload)} since its {canary.words} was planned, so other pods "
        f"would be first; {again}"
    )


def owner_of_strategy(workload: Object, field_manager: str, part: str = ROLLING) -> str | None:
    """Another manager that owns by apply what is changed for a while: this part of the strategy, or the pause."""
    strategy = _strategy(workload)
    for entry in managers_of(workload):
        manager: str = entry.get("manager", "unknown")
        if entry.get("operation") != "Apply" or manager == field_manager:
            continue
        if owned_fields(entry, "spec", "paused") is not None:
            return manager
        if owned_fields(entry, "spec", strategy, part) is not None:
            return manager
    return None


def with_canary(restart: Patch, workload: Object, canary: Canary) -> Patch:
    """The patch of a restart, which sets what holds its rollout as well. It starts a rollout that is held already."""
    kind = kinds.kind_of(workload)
    if not canary.tight:
        return restart
    tight = canary.tight if canary.evicts else {ROLLING: canary.tight}
    spec: Object = {**restart.body["spec"], kind.strategy: tight}
    if canary.pods and kind.pausable and field(workload, "spec.paused"):
        spec["paused"] = None
    return Patch(restart.content, {**restart.body, "spec": spec})


def pauses(workload: Object) -> bool:
    """Whether the rollout of a workload must be paused to hold it after the canary."""
    return kinds.kind_of(workload).pausable and not field(workload, "spec.paused")


def tightened(workload: Object, canary: Canary, run: str) -> bool:
    """Whether the strategy of a workload is what the canary of this run has set, and was not so before."""
    where = (_strategy(workload), *canary.path)
    return (
        bool(canary.differences)
        and canary.holds(part_of(workload, canary))
        and _set_by(workload, canary, run, [(*where, name) for name in canary.differences if name in canary.deciding])
    )


def _set_by(workload: Object, canary: Canary, run: str, paths: t.Sequence[tuple[str, ...]]) -> bool:
    """Whether the canary of this run has set one of these fields of the spec: they belong to its manager. Another
    manager that changes them owns them then. An object that does not tell may only carry the run."""
    entries, carried = managers_of(workload), marks.run_of(workload)
    if not entries:
        return carried == run
    own = [entry for entry in entries if entry.get("manager") in canary.managers]
    later = carried not in (None, run) and any(marks.RUN in marks.template_annotations_owned(entry) for entry in own)
    if later and canary.enforced is None:
        return False  # restarted by that run, which none is while the canary of another run holds it
    return any(owned_fields(entry, "spec", *path) is not None for entry in own for path in paths)


def present(workload: Object, canary: Canary, run: str) -> bool:
    """Whether the canary of this run holds the rollout, or would still have to: it was not given back."""
    if canary.enforced is not None and budget_hold.is_held(workload, canary):
        return True
    if not canary.tight:
        return False
    if tightened(workload, canary, run) or _paused_by_run(workload, canary, run):
        return True
    # Nothing shows whether a strategy that was the same before is given back: it is judged again.
    return not canary.differences and given_back(workload, canary) and marks.run_of(workload) == run


def stage(workload: Object, canary: Canary, run: str) -> Canary:
    """What of it a workload has: the canary, or what budgets ask for after it."""
    return canary if canary.afterwards is None or present(workload, canary, run) else canary.enforcing


def released(workload: Object, canary: Canary, run: str) -> Object:
    """The workload as it is after what the canary of this run set is given back."""
    canary = stage(workload, canary, run)
    free = budget_hold.freed(workload, canary)
    if _paused_by_run(workload, canary, run):
        free = {**free, "spec": {name: value for name, value in free["spec"].items() if name != "paused"}}
    names = canary.kept(part_of(workload, canary))
    return tight_strategy.restored(free, canary, names) if tightened(workload, canary, run) else free


def some_at_a_time(workload: Object, canary: Canary) -> Object:
    """The StatefulSet with the strategy that a partition which goes down by some pods at a time comes to."""
    kind = kinds.kind_of(workload)
    strategy = kind.strategy_of(workload)
    own = share((strategy.get(ROLLING) or {}).get("maxUnavailable", 1), kind.wanted(workload), up=True)
    rolling = {**(strategy.get(ROLLING) or {}), "maxUnavailable": max(1, min(own, canary.pods))}
    strategy = {**strategy, ROLLING: rolling}
    return {**workload, "spec": {**workload["spec"], kind.strategy: strategy}}


def release(workload: Object, canary: Canary, run: str) -> Patch | None:
    """The JSON patch that gives back the strategy of exactly the version that was read, and nothing else. None if there
    is nothing to give back."""
    return exact_patch.exactly(workload, released(workload, canary, run))


def goes_on(workload: Object, canary: Canary) -> Patch | None:
    """The same for a rollout that is only held for budgets; it keeps the strategy that they ask for."""
    return exact_patch.exactly(workload, budget_hold.freed(workload, canary))


def with_release(undo: Patch, workload: Object, canary: Canary, run: str) -> Patch:
    """The patch of an undo, which gives back the strategy as well."""
    return exact_patch.with_spec(undo, workload["spec"], released(workload, canary, run)["spec"])


def arrived(workload: Object, canary: Canary, generation: int | None) -> status.Verdict:
    """Whether the pods of the canary are there. They need not be ready yet."""
    newest = max(generation or 0, field(workload, "metadata.generation", 0))
    counts = status.counts(workload)
    if status_of(workload, "observedGeneration") < newest or counts.updated < min(canary.pods, counts.wanted):
        return status.Verdict(status.WAITING, f"{canary.words}: {words(workload)}")
    return status.Verdict(status.DONE, f"{canary.words}: {words(workload)}")


def judge(workload: Object, generation: int | None = None) -> status.Verdict:
    """The status of a rollout as for kubectl, but a DaemonSet that is OnDelete only while a run holds it is under way."""
    run = canary_fit.held_by(workload)
    if run is None:
        return status.judge(workload, generation)
    told = f'{kinds.label(workload)} is held by run "{run}" (update strategy OnDelete): {words(workload)}'
    return status.Verdict(status.WAITING, told)


def words(workload: Object) -> str:
    """How far the canary is: `1 of 3 pods new`."""
    seen = status.pods(workload)
    return f"{seen['new']} of {seen['total']} pods new"


def how_held(workload: Object, canary: Canary, run: str) -> str:
    """What still holds a workload, for messages; empty if nothing does."""
    canary = stage(workload, canary, run)
    parts = ["paused"] if _paused_by_run(workload, canary, run) else budget_hold.how(workload, canary)
    if tightened(workload, canary, run):
        now = part_of(workload, canary)
        names = [name for name in canary.kept(now) if name in canary.differences]
        parts += [f"{'update strategy' if name == TYPE else name} {now[name]}" for name in names]
    return " and ".join(parts)


def left(workload: Object, canary: Canary, run: str) -> str:
    """What a step leaves behind of the canary if it is the last one, as a clause; empty if nothing."""
    canary, what = stage(workload, canary, run), how_held(workload, canary, run)
    if not what:
        return ""
    held = f"it stays held after its {canary.words} ({what})"
    if canary.enforced is not None:
        held = f"it keeps the strategy that its restart has set for budgets ({what})"
    elif pauses(workload):
        held = f"its rollout goes on, because it is not paused, with what its canary has set ({what})"
    return f"{held}; to find and give back what is left: {LEFTOVERS}"


def _strategy(workload: Object) -> str:
    return kinds.kind_of(workload).strategy


def _paused_by_run(workload: Object, canary: Canary, run: str) -> bool:
    """Whether the canary has paused the workload. If the run has given its strategy back, the pause has another cause. If
    somebody else has set the strategy as it was before, the pause is still that of the canary."""
    if not (canary.pods and field(workload, "spec.paused") and _set_by(workload, canary, run, [("paused",)])):
        return False
    if not canary.differences:
        return True
    kept = not given_back(workload, canary) or tight_strategy.set_by_others(workload, canary)
    return tightened(workload, canary, run) or (kept and marks.run_of(workload) == run)
