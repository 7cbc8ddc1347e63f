# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What PodDisruptionBudgets mean for restarts: which they refuse, which have to wait, and which they do not allow at all."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER, NOTE, RISK, Finding
from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets as rollouts
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import HONOUR, Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field, labels_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches


def budgets(workload: Object, facts: Facts) -> list[Finding]:
    """How the budgets of its pods and its strategy fit together."""
    found = []
    for budget in facts.budgets:
        if kinds.kind_of(workload).wanted(workload) and rollouts.may_select(budget, workload):
            found += _budget(workload, budget, facts)
    return found


def _budget(workload: Object, budget: Object, facts: Facts) -> list[Finding]:
    kind, label = kinds.kind_of(workload), kinds.label(workload)
    namespace, name = workload["metadata"].get("namespace", ""), budget["metadata"]["name"]
    look = f"{facts.kubectl} get pdb {name} --namespace {namespace}"
    honoured = kinds.key(workload) in facts.honoured
    cover = _cover(budget, namespace, facts)
    refusal = cover.refusal(workload) if cover else None
    if refusal and honoured:
        sentence, _semicolon, advice = refusal.partition("; ")
        return [Finding("budget_undercut", BLOCKER, label, sentence, advice)]
    stops = kind.stops_at_once(workload)
    if not stops:
        if cover and cover.allows_nothing():
            sentence = f"{rollouts.label(budget)} never allows to stop a pod of {label}; its restart stops none before a new one"
            return [
                Finding("budget_allows_nothing", NOTE, label, sentence, f"a node cannot be drained either; see: {look}")
            ]
        return []
    healthy, least = field(budget, "status.currentHealthy", 0), field(budget, "status.desiredHealthy", 0)
    if not refusal and healthy - stops >= least:
        return []
    sentence = (
        f"a rolling update of {label} may stop {stops} of {kind.wanted(workload)} pods at once, but the "
        f'PodDisruptionBudget "{name}" wants {least} healthy pods of {healthy}; a rolling update ignores budgets'
    )
    advice = f"lower maxUnavailable, or restart it when more pods are healthy; see: {look}"
    if honoured:
        sentence = sentence.replace(
            "a rolling update ignores budgets", f"budgets: {HONOUR} waits for more healthy pods"
        )
    return [Finding("below_budget", RISK, label, sentence, advice)]


def _cover(budget: Object, namespace: str, facts: Facts) -> Cover | None:
    """The budget with its pods; None if they could not be read."""
    if not (facts.knows("pods") or facts.knows("pods", namespace)):
        return None
    selector = field(budget, "spec.selector")
    pods = [pod for pod in facts.pods_in(namespace) if matches(selector, labels_of(pod))]
    return Cover(budget, pods, facts.workloads_in(namespace))
