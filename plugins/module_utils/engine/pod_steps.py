# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps for workloads whose pods are evicted one by one, because no controller replaces them: restart and undo."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.engine.step import (
    Act,
    Decision,
    End,
    Follow,
    PodByPod,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import RestartStep, UndoStep
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks, pod_order, restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key


@dataclass(frozen=True)
class PodsRestartStep(RestartStep):
    """A restart after which the pods are evicted one by one."""

    its: PodByPod | None = None

    def judge(self, workload: dict) -> Decision:
        if self.settled:
            return self.settled
        if restart.carries(workload, self.stamp):
            deployed = pod_order.deployed(workload, self.stamp.run, self.mode.field_manager)
            return End(Outcome.SUPERSEDED, deployed) if deployed else Follow(Outcome.ALREADY_RESTARTED)
        order, leads = (self.its.order, self.its.leader is not None) if self.its else ("", False)
        other = None if self.under_way else pod_order.refusal(workload, order, leads)
        if other:
            return End(Outcome.REFUSED, other)
        refusal = restart.refusal(workload, allow_owned=self.allow_owned, by_pods=True)
        if not (refusal or self.under_way):
            refusal = pod_order.pending(workload, self.stamp.run, self.mode.field_manager)
        return End(Outcome.REFUSED, refusal) if refusal else Act()

    def pod_by_pod(self, workload: dict) -> PodByPod | None:
        return self.its if pod_order.by_pods(workload) else None

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        if pod_order.by_pods(workload):
            return pod_order.progress(workload, generation)
        return super().progress(workload, generation, found)

    def replaced(self, workload: dict) -> str | None:
        return marks.changed(workload, self.stamp.run, self.mode.field_manager, since=self.stamp.at)


@dataclass(frozen=True)
class PodsUndoStep(UndoStep):
    """An undo after which those pods are evicted one by one that are of the run. `pods` says how, by workload."""

    pods: t.Mapping[Key, PodByPod] = field(default_factory=dict)

    def judge(self, workload: dict) -> Decision:
        decision = super().judge(workload)
        given_up = isinstance(decision, End) and decision.outcome is Outcome.UNCHANGED and not self.kept
        if given_up and self.pod_by_pod(workload):
            return Follow(Outcome.UNCHANGED)  # an undo may have been interrupted before all its pods were replaced
        return decision

    def pod_by_pod(self, workload: dict) -> PodByPod | None:
        return self.pods.get(kinds.key(workload)) if pod_order.by_pods(workload) else None

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        if self.pod_by_pod(workload):
            return pod_order.progress(workload, generation, whole=False)
        return super().progress(workload, generation, found)

    def unwaited(self, outcome: Outcome, workload: dict, message: str) -> tuple[Outcome, str]:
        if self.mode.dry_run or not self.pod_by_pod(workload):
            return outcome, message
        _kind, namespace, name = kinds.key(workload)
        return Outcome.UNFINISHED, (
            f"the template is back, but there was no time to evict the pods of run {self.run_id}; to see them: kubectl get pods "
            f"--namespace {namespace} --output wide; undo the run again to evict those of {name}"
        )
