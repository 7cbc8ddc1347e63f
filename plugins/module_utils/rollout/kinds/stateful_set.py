# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""StatefulSets: pods with an identity, replaced one after another from the highest ordinal down."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.controller_revisions import (
    NOT_ROLLING,
    WithControllerRevisions,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import (
    DONE,
    WAITING,
    Verdict,
    observed,
    status_of,
)


class StatefulSet(WithControllerRevisions):
    name = "StatefulSet"
    plural = "statefulsets"
    words = "statefulset"
    short = "sts"
    can_surge = False

    def judge(self, workload: Object, generation: int, revision: int) -> Verdict:
        strategy = self.strategy_of(workload)
        if strategy.get("type") != "RollingUpdate":
            return NOT_ROLLING
        observed = status_of(workload, "observedGeneration")
        if observed == 0 or generation > observed:
            return Verdict(WAITING, "Waiting for statefulset spec update to be observed...")
        replicas, ready = field(workload, "spec.replicas"), status_of(workload, self.ready)
        if replicas is not None and ready < replicas:
            return Verdict(WAITING, f"Waiting for {replicas - ready} pods to be ready...")
        updated = status_of(workload, self.updated)
        # The API server sets `partition: 0` by default, except if only the type is given; kubectl then continues below.
        rolling = strategy.get("rollingUpdate")
        if rolling is None:
            return self._judge_revisions(workload, updated)
        partition = rolling.get("partition")
        if replicas is not None and partition is not None and updated < replicas - partition:
            progress = f"{updated} out of {replicas - partition} new pods have been updated..."
            return Verdict(WAITING, f"Waiting for partitioned roll out to finish: {progress}")
        return Verdict(DONE, f"partitioned roll out complete: {updated} new pods have been updated...")

    def _judge_revisions(self, workload: Object, updated: int) -> Verdict:
        newest, current = status_of(workload, "updateRevision", ""), status_of(workload, "currentRevision", "")
        if newest != current:
            words = f"waiting for statefulset rolling update to complete {updated} pods at revision {newest}..."
            return Verdict(WAITING, words)
        pods = status_of(workload, "currentReplicas")
        return Verdict(DONE, f"statefulset rolling update complete {pods} pods at revision {current}...")

    def unavailable_pods(self, workload: Object) -> str | None:
        """kubectl waits until pods are ready, but not until they have been ready for spec.minReadySeconds."""
        wanted, ready = self.wanted(workload), status_of(workload, self.ready)
        available = status_of(workload, self.available, ready)
        return f"{available} of {wanted} pods are available" if available < wanted else None

    def held_back(self, workload: Object) -> str | None:
        wanted, partition = self.wanted(workload), self.partition(workload)
        if not partition or status_of(workload, self.updated) >= wanted:
            return None
        if partition >= wanted:
            return f"its partition {partition} holds back all {wanted} pods"
        return f"its partition {partition} holds back {partition} of {wanted} pods"

    def strategy_risks(self, workload: Object) -> list[str]:
        found = super().strategy_risks(workload)
        wanted, partition = self.wanted(workload), self.partition(workload)
        if partition >= wanted > 0:
            found.append(f"its partition {partition} holds back all {wanted} pods: none is restarted")
        elif partition and wanted:
            found.append(f"its partition {partition} holds back {partition} of {wanted} pods: they are not restarted")
        return found

    def stops_at_once(self, workload: Object) -> int:
        return min(super().stops_at_once(workload), max(0, self.wanted(workload) - self.partition(workload)))

    def keeps(self, workload: Object, healthy: int) -> int:
        """With the policy Parallel, a pod is replaced although another one is not ready."""
        if field(workload, "spec.podManagementPolicy") == "Parallel":
            return healthy - self.stops_at_once(workload)
        return super().keeps(workload, healthy)

    def keeps_midway(self, workload: Object, healthy: int, ailing: int) -> int:
        """With the policy Parallel, it waits for its new pods, and not for old ones."""
        ailing = ailing if field(workload, "spec.podManagementPolicy") == "Parallel" else 0
        return super().keeps(workload, healthy) - ailing

    def hold_spec(self, workload: Object, pods: t.Sequence[Object]) -> Object:
        """The partition counts from the first ordinal (updateStatefulSet in Kubernetes' stateful_set_control.go)."""
        newest, start = self.newest_hash(workload), field(workload, "spec.ordinals.start", 0)
        new = [
            ordinal(pod) - start
            for pod in pods
            if newest and self.owns(workload, pod) and self.revision_of(pod) == newest and ordinal(pod) >= start
        ]
        lowest = min(new, default=self.wanted(workload))
        return _with_partition(max(lowest, self.partition(workload)))

    def release_spec(self, workload: Object, partition: int | None) -> Object:
        return {} if partition is None else _with_partition(partition)

    def is_held(self, workload: Object, partition: int | None) -> bool:
        return partition is not None and self.partition(workload) != partition

    def restart_refusal(self, workload: Object) -> str | None:
        wanted, partition = self.wanted(workload), self.partition(workload)
        if partition >= wanted > 0:
            return (
                f"{self.label(workload)} has the partition {partition} for its {wanted} pods, so a restart would "
                f"replace no pod; lower spec.updateStrategy.rollingUpdate.partition below {wanted}"
            )
        return super().restart_refusal(workload)

    def partition(self, workload: Object) -> int:
        """The ordinal (counted from the first one) below which pods are not replaced."""
        rolling = self.strategy_of(workload).get("rollingUpdate") or {}
        partition: int = rolling.get("partition") or 0
        return partition

    def may_stick(self, workload: Object) -> bool:
        """With the OrderedReady policy the controller waits for every pod to be ready before it replaces one."""
        ordered = field(workload, "spec.podManagementPolicy", "OrderedReady") == "OrderedReady"
        rolling = field(workload, "spec.updateStrategy.type", "RollingUpdate") == "RollingUpdate"
        return ordered and rolling

    def blocking_pods(self, workload: Object, pods: t.Sequence[Object]) -> list[Object]:
        if not self.may_stick(workload):
            return []
        found = [
            pod
            for pod in pods
            if self.owns(workload, pod)
            and not _ready(pod)
            and not field(pod, "metadata.deletionTimestamp")
            and field(pod, "status.phase") not in ("Failed", "Succeeded")  # the controller replaces those itself
        ]
        return sorted(found, key=ordinal, reverse=True)

    def stuck_pods(self, workload: Object, pods: t.Sequence[Object]) -> list[Object]:
        """A pod that never becomes ready blocks its own replacement (kubernetes#67250).

        Returns pods of this StatefulSet that are not ready, have another revision than the current one, and would be
        created again with the current one. Returns nothing until the controller has observed the newest spec, because
        the current revision is not known before.
        """
        seen = status_of(workload, "observedGeneration") >= workload["metadata"].get("generation", 0)
        wanted = status_of(workload, "updateRevision", None)
        if not (seen and wanted):
            return []
        return [
            pod
            for pod in self.blocking_pods(workload, pods)
            if self.revision_of(pod) not in (None, wanted) and ordinal(pod) >= self._first_replaced(workload, pod)
        ]

    def newest_hash(self, workload: Object) -> str | None:
        return status_of(workload, "updateRevision", None) if observed(workload) else None

    def hash_of(self, held: Object) -> str | None:
        name: str = held["metadata"]["name"]
        return name

    def _first_replaced(self, workload: Object, pod: Object) -> int:
        """The lowest ordinal at which the controller would create this pod again with the current revision
        (newVersionedStatefulSetPod in its stateful_set_utils.go). Pods below it keep their revision."""
        start: int = field(workload, "spec.ordinals.start", 0)
        if field(workload, "spec.updateStrategy.rollingUpdate") is not None:
            return start + self.partition(workload)
        itself = self.revision_of(pod) == status_of(workload, "currentRevision", None)
        current: int = status_of(workload, "currentReplicas")
        return start + current - (1 if itself else 0)


def _with_partition(partition: int) -> Object:
    return {"updateStrategy": {"rollingUpdate": {"partition": partition}}}


def ordinal(pod: Object) -> int:
    """The number at the end of the name of a pod; -1 if it has none."""
    text = pod["metadata"]["name"].rpartition("-")[2]
    return int(text) if text.isdecimal() else -1


def _ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"
