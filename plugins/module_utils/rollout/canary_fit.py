# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which strategies allow a canary or evictions, and whether a DaemonSet has its strategy from them."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.hold import LEFTOVERS
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    managers_of,
    owned_fields,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import (
    ON_DELETE,
    ROLLING,
    TYPE,
    Canary,
)


def refusal(workload: Object) -> str | None:
    """Why a workload with its own strategy cannot have a canary, as one sentence with what to do; None if it can."""
    kind = kinds.kind_of(workload)
    of_type = kind.strategy_of(workload).get("type")
    if of_type == "Recreate":
        return (
            f"{kind.label(workload)} has the strategy Recreate, so all its pods stop before a canary could start; "
            "set it to RollingUpdate, or leave canary out for it"
        )
    if of_type == ON_DELETE:
        return (
            f"{kind.label(workload)} has the update strategy OnDelete, so no controller replaces the other pods after a canary; "
            "give it between_pods instead of canary, in an entry of its own, or set it to RollingUpdate"
        )
    return _refusal_of_surge(workload, "a pod of its canary", "canary")


def refusal_pod_by_pod(workload: Object) -> str | None:
    """Why the pods of a DaemonSet with its own strategy cannot be evicted one by one; None if they can."""
    return _refusal_of_surge(workload, "each pod", "between_pods")


def _refusal_of_surge(workload: Object, what: str, option: str) -> str | None:
    kind = kinds.kind_of(workload)
    if kind.on_each_node and kind.wanted(workload) and not kind.missing_at_once(workload):
        return (
            f"{kind.label(workload)} has maxUnavailable: 0, but {what} is evicted before its successor is ready; "
            f"set maxUnavailable: 1 and maxSurge: 0 in spec.{kind.strategy}.{ROLLING}, or leave {option} out for it, in an entry "
            "of its own"
        )
    return None


def refusal_by_budgets(workload: Object, its: Canary) -> str | None:
    """Why a DaemonSet cannot have a canary with the strategy that budgets ask for afterwards; None if it can."""
    if not its.evicts or (its.afterwards or {}).get("maxUnavailable") != 0:
        return None
    return (
        f"{kinds.label(workload)}: its PodDisruptionBudgets allow no pod to be stopped, but a pod of its canary is evicted before its "
        "successor is ready; let them allow one pod, or leave canary out for it, in an entry of its own"
    )


def held_by(workload: Object) -> str | None:
    """The run that has set a DaemonSet to OnDelete for its canary, or for its pods one by one, as the owners of the type and of the
    marks show; None if none has."""
    kind, run = kinds.known(workload), marks.run_of(workload) if kinds.known(workload) else None
    if not (kind and run and kind.on_each_node and kind.strategy_of(workload).get(TYPE) == ON_DELETE):
        return None
    own = [one for one in managers_of(workload) if marks.RUN in marks.template_annotations_owned(one)]
    return run if any(owned_fields(one, "spec", kind.strategy, TYPE) is not None for one in own) else None


def refusal_while_held(workload: Object) -> str | None:
    """Why a DaemonSet that a run holds is not restarted otherwise, with what to do; None if none holds it."""
    run = held_by(workload)
    if run is None:
        return None
    return (
        f'{kinds.label(workload)} is held by run "{run}" (update strategy OnDelete); continue that run, undo it, or '
        f"give the strategy back ({LEFTOVERS}), then start again"
    )


def refusal_of_undo(workload: Object, run: str | None, its: Canary | None) -> str | None:
    """Why an undo, of a run if it is given, leaves alone a DaemonSet that a canary holds; None if it does not. Only with what the
    journal knows of the canary (`its`), the strategy is given back too, and without that no pod would be replaced."""
    of_another = run is not None and marks.run_of(workload) != run
    held = None if its or of_another else refusal_while_held(workload)
    return f"{held}; an undo gives it back only with the journal of that run" if held else None
