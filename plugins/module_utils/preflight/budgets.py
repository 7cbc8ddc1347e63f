# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What PodDisruptionBudgets mean for restarts: which they refuse, which have to wait, and which they do not allow at all."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER, NOTE, RISK, Finding
from ansible_collections.restartx.core.plugins.module_utils.preflight.planned import cover_of, enforced
from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets as rollouts
from ansible_collections.restartx.core.plugins.module_utils.rollout import enforce, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import HONOUR, Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_batch import rolling


def budgets(workload: Object, facts: Facts) -> list[Finding]:
    """How the budgets of its pods and its strategy fit together."""
    if not kinds.kind_of(workload).wanted(workload):
        return []
    namespace = workload["metadata"].get("namespace", "")
    about = [budget for budget in facts.budgets if rollouts.may_select(budget, workload)]
    covers = [cover_of(budget, namespace, facts) for budget in about]
    known = [cover for cover in covers if cover]
    refusals = _of_evictions(workload, known, facts)
    if refusals or kinds.key(workload) in facts.evicted:
        label = kinds.label(workload)
        return [Finding("budget_allows_nothing", BLOCKER, label, *_told(refusal)) for refusal in refusals]
    found, planned = _enforced(workload, known, facts)
    for budget, cover in zip(about, covers):
        found += _budget(planned, budget, cover, facts)
    return found


def _enforced(workload: Object, covers: list[Cover], facts: Facts) -> tuple[list[Finding], Object]:
    """What `budgets: enforce` sets in its strategy, and the workload with that."""
    its = enforced(workload, covers, facts)
    if its is None:
        return [], workload
    label, planned = kinds.label(workload), enforce.tightened(workload, its)
    refusal = enforce.refusal_by_owner(workload, facts.field_manager)
    if refusal:
        return [Finding("budget_undercut", BLOCKER, label, *_told(refusal))], planned
    sentence = (
        f"the restart of {label} sets {enforce.words(its)} until it is rolled out, so that it undercuts no budget"
    )
    advice = "if new pods are created first, there must be room for one more in quotas and on nodes"
    return [Finding("strategy_tightened", NOTE, label, sentence, advice)], planned


def _of_evictions(workload: Object, covers: list[Cover], facts: Facts) -> list[str]:
    """Why no pod of it may be evicted, if a restart does that, pod by pod or for the canary of a DaemonSet."""
    key = kinds.key(workload)
    if key in facts.evicted:
        return rollouts.refusals_of_evictions(workload, rolling(workload, facts.evicted[key]), covers, canary=False)
    if key in facts.canaries and kinds.kind_of(workload).on_each_node:
        return rollouts.refusals_of_evictions(workload, rolling(workload, 1), covers, canary=True)
    return []


def _told(refusal: str) -> tuple[str, str]:
    """The sentence of a refusal, and what to do."""
    sentence, _semicolon, advice = refusal.partition("; ")
    return sentence, advice


def _budget(workload: Object, budget: Object, cover: Cover | None, facts: Facts) -> list[Finding]:
    kind, label = kinds.kind_of(workload), kinds.label(workload)
    namespace, name = workload["metadata"].get("namespace", ""), budget["metadata"]["name"]
    look = f"{facts.kubectl} get pdb {name} --namespace {namespace}"
    honoured = kinds.key(workload) in facts.honoured
    advice = "" if kinds.key(workload) in facts.enforced or not cover else enforce.advice(workload, [cover])
    refusal = cover.refusal(workload, advice if honoured else "") if cover else None
    if refusal and honoured:
        return [Finding("budget_undercut", BLOCKER, label, *_told(refusal))]
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
