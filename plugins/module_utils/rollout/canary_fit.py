# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which strategies allow a canary."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import ON_DELETE, ROLLING


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
    if kind.on_each_node and kind.wanted(workload) and not kind.missing_at_once(workload):
        return (
            f"{kind.label(workload)} has maxUnavailable: 0, but a pod of its canary is evicted before its successor is ready; "
            f"set maxUnavailable: 1 and maxSurge: 0 in spec.{kind.strategy}.{ROLLING}, or leave canary out for it, in an entry "
            "of its own"
        )
    return None
