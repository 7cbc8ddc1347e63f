# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods and PodDisruptionBudgets for tests, and a simulated cluster that has them."""

from __future__ import annotations

import math

from simulation import FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches

FREEING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
SPARE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def freeing(name, **labels):
    """A Deployment of two pods that stops one before its successor is ready."""
    one = deployment(name)
    one["spec"]["strategy"] = FREEING
    one["spec"]["template"]["metadata"]["labels"].update(labels)
    return one


def pod(workload=None, number=0, ready=True, labels=None, **metadata):
    """A pod of a workload, or of nobody."""
    meta = {"name": f"pod-{number}", "namespace": "shop", "labels": dict(labels or {}), **metadata}
    if workload:
        name, kind = workload["metadata"]["name"], workload["kind"]
        template = workload["spec"]["template"]["metadata"]["labels"]
        owner = {"kind": kind, "name": name, "uid": workload["metadata"]["uid"], "controller": True}
        meta["labels"] |= {**template, "pod-template-hash": "x"}
        if kind == "Deployment":
            owner = {**owner, "kind": "ReplicaSet", "name": f"{name}-x", "uid": "of-a-replica-set"}
        meta |= {"name": f"{name}-{number}", "ownerReferences": [owner]}
    return {"metadata": meta, "status": {"conditions": [{"type": "Ready", "status": str(bool(ready))}]}}


def budget(name="all", selector=None, expected=None, pods=(), **spec):
    """A budget whose status is what its controller makes of these pods and of how many there should be."""
    selector = {"matchLabels": {"tier": "core"}} if selector is None else selector
    found = {
        "metadata": {"name": name, "namespace": "shop", "generation": 1},
        "spec": {"selector": selector, **spec},
    }
    found["status"] = status_of(found, pods, expected)
    return found


def status_of(one, pods, expected=None):
    """The status, read off the documentation of the API and not from the code under test."""
    mine = [pod for pod in pods if matches(one["spec"]["selector"], pod["metadata"]["labels"])]
    healthy = len([pod for pod in mine if _is_healthy(pod)])
    expected = len(mine) if expected is None else expected
    least, most = one["spec"].get("minAvailable"), one["spec"].get("maxUnavailable")
    number = least if most is None else most
    if isinstance(number, str):
        number = math.ceil(float(number.rstrip("%")) / 100 * expected)
    wants = number if most is None else max(0, expected - number)
    return {
        "observedGeneration": 1,
        "currentHealthy": healthy,
        "desiredHealthy": wants,
        "expectedPods": expected,
        "disruptionsAllowed": max(0, healthy - wants),
    }


def _is_healthy(pod):
    ready = [one["status"] for one in pod["status"]["conditions"] if one["type"] == "Ready"]
    return ready == ["True"] and "deletionTimestamp" not in pod["metadata"]


class BudgetedCluster(FakeCluster):
    """A cluster with budgets, whose pods are ready as the status of their workload says. `others` are further pods."""

    def __init__(self, workloads, budgets=(), others=(), **more):
        super().__init__(workloads, **more)
        self.budgets = list(budgets)
        self.others = list(others)
        self.least: dict[str, int] = {}  # by budget: how few healthy pods a list has seen

    def all_pods(self):
        found = list(self.others)
        for one in [one for path, one in self.objects.items() if "/apis/apps/" in path]:
            ready = one["status"].get("readyReplicas", one["status"].get("numberReady"))
            found += [pod(one, number, ready=number < ready) for number in range(2)]
        return found

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/poddisruptionbudgets"):
            self._ask("list", path, deadline)
            pods = self.all_pods()
            current = [
                {**one, "status": status_of(one, pods)} if one["status"].get("observedGeneration") == 1 else one
                for one in self.budgets
            ]
            return Listing(current, "1")
        if path.endswith("/pods"):
            self.pods = self.all_pods()
        return super().list(path, params, deadline=deadline)


def asked_for(cluster, plural):
    """How often something of this kind was listed."""
    return len([path for verb, path in cluster.asked if verb == "list" and path.endswith(f"/{plural}")])
