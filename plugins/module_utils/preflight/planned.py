# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The strategies with which workloads are rolled out: a canary and `budgets: enforce` change them for a while."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets as rollouts
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, enforce, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field, labels_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import ROLLING


def planned(workload: Object, facts: Facts) -> Object:
    """The workload with the strategy of its restart, as far as it is about pods that run beside the old ones. A canary of a
    Deployment stops none before its pods are ready, and what follows may create even more."""
    kind, its = kinds.kind_of(workload), enforced(workload, covers_of(workload, facts), facts)
    found = enforce.tightened(workload, its) if its else workload
    pods = facts.canaries.get(kinds.key(workload))
    if pods is None or not kind.pausable or kind.strategy_of(workload).get("type") == "Recreate":
        return found
    first = canary.of(workload, pods).pods
    if not first:
        return found
    rolling = {"maxSurge": max(first, kind.surge_at_once(found)), "maxUnavailable": 0}
    strategy = {**kind.strategy_of(found), ROLLING: rolling}
    return {**found, "spec": {**found["spec"], kind.strategy: strategy}}


def enforced(workload: Object, covers: list[Cover], facts: Facts) -> Canary | None:
    """What `budgets: enforce` sets in its strategy; None if nothing."""
    if kinds.key(workload) not in facts.enforced:
        return None
    return enforce.of(workload, covers, facts.field_manager)


def covers_of(workload: Object, facts: Facts) -> list[Cover]:
    """The budgets of its pods, as far as these could be read."""
    namespace = workload["metadata"].get("namespace", "")
    about = [budget for budget in facts.budgets if rollouts.may_select(budget, workload)]
    return [found for budget in about if (found := cover_of(budget, namespace, facts))]


def cover_of(budget: Object, namespace: str, facts: Facts) -> Cover | None:
    """The budget with its pods; None if they could not be read."""
    if not (facts.knows("pods") or facts.knows("pods", namespace)):
        return None
    selector = field(budget, "spec.selector")
    pods = [pod for pod in facts.pods_in(namespace) if matches(selector, labels_of(pod))]
    return Cover(budget, pods, facts.workloads_in(namespace))
