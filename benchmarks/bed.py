# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is restarted: a number of Deployments on a cluster of KWOK nodes, and its way back to rest after a restart."""

from __future__ import annotations

import os
import time
from pathlib import Path

import yaml
from house import Namespace, workload

from lab import Cluster
from lab.nodes import ALLOCATABLE
from lab.poll import wait_until
from tools.shipped_role import shipped_role

NAMESPACE = "bench"
SELECTOR = "bench=yes"
MAX_WAIT = 900  # seconds until thousands of Deployments are up
QUIET = 0.3  # cores that all processes of a cluster use at most when nothing is going on
_TICKS = os.sysconf("SC_CLK_TCK")


def nodes_for(count: int, replicas: int) -> int:
    """How many nodes `count` Deployments need while each has its old pods, its new ones, and some that still end."""
    return max(3, -(-3 * count * replicas // int(ALLOCATABLE["pods"])))


class Bed:
    """`count` Deployments of `replicas` pods on one cluster, in the namespace `bench`, with the label `bench=yes`.

    `kubeconfig` is that of the service account in rbac/, as which all ways to restart them act.
    """

    def __init__(self, cluster: Cluster, count: int, replicas: int):
        self.cluster = cluster
        self.names = [f"app-{number:04}" for number in range(count)]
        self.kubeconfig = shipped_role(cluster, [NAMESPACE], cluster.directory / "bench.kubeconfig")
        self._namespace = Namespace(cluster, None, NAMESPACE)
        labels = dict([SELECTOR.split("=")])
        self._namespace.create(*(workload("Deployment", name, replicas, labels) for name in self.names), ready=False)
        self.settle()

    @property
    def access(self) -> dict[str, str]:
        """What the floor needs to know, which reads no kubeconfig."""
        user = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]
        return {
            "server": self.cluster.server,
            "authority": str(self.cluster.authority.certificate_path),
            "token": user["token"],
            "namespace": NAMESPACE,
            "selector": SELECTOR,
        }

    def settle(self) -> None:
        """Wait until every rollout is done, every old pod is gone, and the cluster has nothing left to do."""
        wait_until(self._rolled_out, "all Deployments to be rolled out", timeout=MAX_WAIT, interval=1)
        wait_until(self._no_pod_ends, "the old pods to be gone", timeout=MAX_WAIT, interval=1)
        wait_until(self._quiet, "the cluster to have nothing left to do", timeout=MAX_WAIT)

    def _rolled_out(self) -> bool:
        return all(map(_at_rest, self._namespace.list("deployments")))

    def _no_pod_ends(self) -> bool:
        return not any(pod["metadata"].get("deletionTimestamp") for pod in self._namespace.list("pods"))

    def _quiet(self) -> bool:
        """Whether the cluster's processes use next to nothing for a second."""
        before = self._cpu()
        time.sleep(1)
        return self._cpu() - before < QUIET

    def _cpu(self) -> float:
        """The seconds of CPU that the cluster's processes have used so far."""
        used = 0
        for process in self.cluster.processes().values():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])  # utime and stime of proc(5)
        return used / _TICKS


def _at_rest(deployment: dict) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and counts == {wanted}
        and not status.get("terminatingReplicas")
    )
