# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the preflight reports: findings, each with a code, a severity, and what to do."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

BLOCKER = "blocker"  # the run would fail
RISK = "risk"  # the run may fail, or users may notice it
NOTE = "note"  # worth knowing
SEVERITIES = (BLOCKER, RISK, NOTE)  # the worst first
NEVER = "never"
STOP_ON = (BLOCKER, RISK, NEVER)

# Each code, with what it means. The severity of a code may depend on the case.
CODES = {
    # What the cluster refuses.
    "no_journal_namespace": "The namespace of the journals does not exist.",
    "permission_missing": "The identity lacks a permission that the run needs.",
    "no_snapshots": "The cluster cannot make the VolumeSnapshots that `between_pods` asks for.",
    "being_deleted": "The workload is being deleted.",
    "paused": "The Deployment is paused.",
    "on_delete": "The update strategy is OnDelete, so a restart replaces no pod.",
    "partitioned": "A partition holds back all pods, or some of them.",
    "owned": "Another controller manages the workload, and may revert a change.",
    "patch_refused": "The API server or admission refuses the patch that restarts the workload.",
    "pod_refused": "The API server or admission refuses a pod that is made from the template.",
    "missing_reference": "The template needs a ConfigMap, a Secret or a volume claim that does not exist.",
    "rollout_under_way": "An earlier rollout of the workload is not done.",
    "unready_pod": "A pod of the workload is not ready already.",
    # What does not fit.
    "quota": "A ResourceQuota leaves too little for the pods, or for the revisions, that a restart creates.",
    "no_room": "No node can run a new pod of the workload.",
    "little_room": "The nodes have too little room for all pods that the run creates at once.",
    "autoscaler_at_maximum": "A HorizontalPodAutoscaler has reached its maximum.",
    # What users feel.
    "one_replica": "The workload has one pod.",
    "all_pods_at_once": "The strategy may stop all pods before a new one is ready.",
    "recreate": "The strategy Recreate stops all pods before it starts new ones.",
    "no_readiness_probe": "No container has a readiness probe.",
    "no_pre_stop": "No container has a preStop hook.",
    "budget_undercut": "The strategy undercuts a PodDisruptionBudget even if all pods are healthy, and `budgets` is `honour` or `enforce`.",
    "strategy_tightened": "With `budgets: enforce`, the restart sets another strategy for a while, so that it undercuts no budget.",
    "budget_allows_nothing": "PodDisruptionBudgets never allow to stop, or to evict, a pod.",
    "below_budget": "A rolling update may leave fewer pods than a PodDisruptionBudget wants.",
    "one_node": "All pods run on one node.",
    "one_zone": "All pods run in one zone.",
    "short_progress_deadline": "New pods may need longer than spec.progressDeadlineSeconds.",
    "image_pull": "New pods pull an image, so they need its registry.",
    "latest_tag": "An image has the tag latest, and nodes that have one of that name do not pull it again.",
    # What cannot be taken back.
    "no_history": "spec.revisionHistoryLimit is 0, so there is nothing to undo to.",
    "last_deployment_dropped": "The restart drops the last revision that differs in more than restarts.",
    "gitops": "A GitOps tool manages the workload.",
    # What is unknown.
    "not_checked": "Something could not be read, so it was not checked.",
}


@dataclass(frozen=True)
class Finding:
    """One finding. `object` names what it is about, and `advice` says what to do."""

    code: str
    severity: str
    object: str
    sentence: str
    advice: str

    def result(self) -> dict[str, str]:
        """The finding as part of the result of a module."""
        return asdict(self)


def stopping(findings: t.Sequence[t.Mapping], stop_on: str) -> list[t.Mapping]:
    """The findings, as in results, that stop a run with this stop_on. Those that the plan accepts do not."""
    bad = () if stop_on == NEVER else SEVERITIES[: SEVERITIES.index(stop_on) + 1]
    return [one for one in findings if one["severity"] in bad and not one.get("accepted")]


def in_words(finding: t.Mapping) -> str:
    """A finding, as in results, in one line with what to do."""
    return f"{finding['severity']} {finding['code']}: {finding['sentence']}; {finding['advice']}"


def ordered(findings: t.Iterable[Finding]) -> list[Finding]:
    """The findings, the worst first, each once."""
    places = list(CODES)
    return sorted(
        dict.fromkeys(findings), key=lambda one: (SEVERITIES.index(one.severity), places.index(one.code), one.object)
    )
