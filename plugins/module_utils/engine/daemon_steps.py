# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The restart of a DaemonSet whose pods are evicted one by one, while the type OnDelete keeps its controller from replacing
them. The release of a canary follows."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import CanaryStep
from ansible_collections.restartx.core.plugins.module_utils.engine.step import PodByPod
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import RestartStep
from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    canary,
    canary_fit,
    kinds,
    pod_batch,
    pod_order,
    restart,
    status,
)


@dataclass(frozen=True)
class DaemonStep(CanaryStep):
    """A restart that holds the controller, and evicts all pods. It is over when all are new and ready."""

    how: PodByPod | None = None  # None in a dry run

    def unfit(self, own: dict) -> str | None:
        return canary_fit.refusal_pod_by_pod(own)

    def pod_by_pod(self, workload: dict) -> PodByPod | None:
        return self.how if self._holds(workload) else None

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        if self._holds(workload):
            return pod_order.progress(workload, generation)
        return RestartStep.progress(self, workload, generation, found)  # somebody else lets the controller go on

    def released(self, workload: dict) -> dict:
        if not self._evicts(workload):
            return workload
        kind = kinds.kind_of(workload)
        strategy = {**kind.strategy_of(workload), **self.its.tight}
        return {**workload, "spec": {**workload["spec"], kind.strategy: strategy}}

    def evicting(self, workload: dict) -> dict | None:
        return pod_batch.rolling(workload, self.how.most if self.how else 1) if self._evicts(workload) else None

    def _evicts(self, workload: dict) -> bool:
        """Whether its controller replaces no pod from the restart on."""
        return bool(self.its.tight) and (not restart.carries(workload, self.stamp) or self._holds(workload))

    def _holds(self, workload: dict) -> bool:
        return canary.tightened(workload, self.its, self.stamp.run)
