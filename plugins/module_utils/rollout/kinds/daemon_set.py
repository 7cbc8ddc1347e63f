# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""DaemonSets: one pod on each matching node."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.controller_revisions import (
    NOT_ROLLING,
    WithControllerRevisions,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import (
    DONE,
    WAITING,
    Verdict,
    is_dead,
    status_of,
)


class DaemonSet(WithControllerRevisions):
    name = "DaemonSet"
    plural = "daemonsets"
    words = "daemon set"
    short = "ds"
    on_each_node = True
    rounds_up = True
    updated = "updatedNumberScheduled"
    ready = "numberReady"
    available = "numberAvailable"
    present = "currentNumberScheduled"

    def judge(self, workload: Object, generation: int, revision: int) -> Verdict:
        if self.strategy_of(workload).get("type") != "RollingUpdate":
            return NOT_ROLLING
        if generation > status_of(workload, "observedGeneration"):
            return Verdict(WAITING, "Waiting for daemon set spec update to be observed...")
        name, desired = workload["metadata"]["name"], self.wanted(workload)
        prefix = f'Waiting for daemon set "{name}" rollout to finish:'
        updated = status_of(workload, self.updated)
        if updated < desired:
            return Verdict(WAITING, f"{prefix} {updated} out of {desired} new pods have been updated...")
        available = status_of(workload, self.available)
        if available < desired:
            return Verdict(WAITING, f"{prefix} {available} of {desired} updated pods are available...")
        return Verdict(DONE, f'daemon set "{name}" successfully rolled out')

    def wanted(self, workload: Object) -> int:
        """One pod on each matching node, as the controller last counted them."""
        desired: int = status_of(workload, "desiredNumberScheduled")
        return desired

    def keeps(self, workload: Object, healthy: int) -> int:
        """Old pods that are ready, but not yet for minReadySeconds, are replaced all at once (rollingUpdate in Kubernetes'
        daemon/update.go)."""
        least = super().keeps(workload, healthy)
        if not field(workload, "spec.minReadySeconds"):
            return least
        return min(least, healthy, status_of(workload, self.available))

    def no_pods(self, workload: Object) -> str | None:
        """The number of matching nodes is unknown until the controller has counted them for the first time."""
        counted = status_of(workload, "observedGeneration") > 0
        return "no node should run its pods" if counted and self.wanted(workload) == 0 else None

    def waits_for(self, workload: Object, pod: Object) -> bool:
        """The successor runs on the same node, and starts earlier only with a surge. The controller does not count a
        dead pod that is being deleted."""
        surge = (self.strategy_of(workload).get("rollingUpdate") or {}).get("maxSurge", self.surge)
        return surge in (0, "0", "0%") and not is_dead(pod)
