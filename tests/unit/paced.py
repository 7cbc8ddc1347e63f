# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A simulated cluster in which a rollout stops one pod after another, and other pods share its PodDisruptionBudget."""

from __future__ import annotations

import copy

import budgets
from canaries import SteppingCluster, rolled_out
from simulation import LATENCY

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds

ONE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
ONE_OF_SET = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}
CORE = {"tier": "core"}


class PacedCluster(SteppingCluster):
    """One workload `api` of four pods. A pod is stopped every second, and its successor is ready two seconds later. `others`
    are four pods of somebody else under the same budget, and `least` is how few healthy pods there were at once."""

    def __init__(self, kind="Deployment", strategy=None, replicas=4, pace=1.0, **spec):
        one = rolled_out(kind, "api", replicas, strategy or (ONE if kind == "Deployment" else ONE_OF_SET))
        one["spec"]["template"]["metadata"]["labels"] |= CORE
        super().__init__([one])
        self.kind, self.spec, self.pace = kind, spec or {"minAvailable": 7}, pace
        self.others = [budgets.pod(number=number, labels=CORE, uid=f"uid-other-{number}") for number in range(4)]
        self.evicted: set[str] = set()  # names of pods in the status of the budget
        self.down: set[int] = set()  # places, counted from the top, in which a pod is not ready yet
        self.moving = False
        self.stopped: list[tuple[float, int]] = []  # when the rollout stopped a pod, and how many were healthy then
        self.before = copy.deepcopy(self.strategy)
        self.templates = [copy.deepcopy(one["spec"]["template"])]  # of the revisions of a StatefulSet, oldest first

    @property
    def api(self):
        return self.objects[kinds.path(self.kind, "shop", "api")]

    @property
    def strategy(self):
        spec = self.api["spec"]
        return {name: spec[name] for name in ("strategy", "updateStrategy", "paused") if name in spec}

    def break_one(self, is_ready=False):
        """One of the other pods is not ready, or is so again."""
        self.others[0]["status"]["conditions"][0]["status"] = str(is_ready)

    def all_pods(self):
        one, found = self.api, []
        updated = one["status"]["updatedReplicas"]
        replicas = one["spec"]["replicas"] + self.extra
        for place in range(replicas):
            pod = budgets.pod(one, replicas - 1 - place, ready=place not in self.down)
            newest = one["status"].get("updateRevision", "x")
            pod["metadata"]["labels"]["controller-revision-hash"] = newest if place < updated else "old"
            if self.kind == "Deployment" and place < updated:
                number = self._revision(one)
                pod["metadata"]["labels"]["pod-template-hash"] = number
                pod["metadata"]["ownerReferences"][0]["name"] = f"api-{number}"
            pod["metadata"]["uid"] = f"uid-{replicas - 1 - place}"
            found.append(pod)
        return [*found, *self.others]

    @property
    def extra(self):
        """How many pods more there are in a rollout that stops none before a new one is ready."""
        rolling = self.api["spec"].get("strategy", {}).get("rollingUpdate") or {}
        under_way = 0 < self.api["status"]["updatedReplicas"] < self.api["spec"]["replicas"]
        return 1 if under_way and rolling.get("maxUnavailable") == 0 else 0

    @property
    def healthy(self):
        return sum(pod["status"]["conditions"][0]["status"] == "True" for pod in self.all_pods())

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/poddisruptionbudgets"):
            self._ask("list", path, deadline)
            one = budgets.budget("all", {"matchLabels": CORE}, pods=self.all_pods(), **self.spec)
            one["status"]["disruptedPods"] = dict.fromkeys(self.evicted, "2026-11-24T22:00:00Z")
            return Listing([one], "1")
        if path.endswith("/controllerrevisions"):
            self._ask("list", path, deadline)
            return Listing(self._controller_revisions(), "1")
        if path.endswith("/pods"):
            self.pods = self.all_pods()
        return super().list(path, params, deadline=deadline)

    def _controller_revisions(self):
        found = []
        for number, template in enumerate(self.templates, 1):
            owner = {"kind": self.kind, "name": "api", "uid": self.api["metadata"]["uid"], "controller": True}
            meta = {"name": f"api-{number}", "namespace": "shop", "labels": template["metadata"]["labels"]}
            data = {"spec": {"template": {**copy.deepcopy(template), "$patch": "replace"}}}
            found.append(
                {
                    "kind": "ControllerRevision",
                    "metadata": {**meta, "ownerReferences": [owner]},
                    "revision": number,
                    "data": data,
                }
            )
        return found

    def go_on(self, executor):
        self.moving = False
        self._observe(self.api)
        for place in self.down:
            executor.later(2 * self.pace, lambda place=place: self._ready(place))

    def _roll_out(self, one):
        self._note_revision(one)
        template = copy.deepcopy(one["spec"]["template"])
        self.templates = [*(old for old in self.templates if old != template), template]
        self._observe(one, updated=0)

    def _observe(self, one, updated=None):
        updated = one["status"]["updatedReplicas"] if updated is None else updated
        replicas = one["spec"]["replicas"]
        one["status"]["updatedReplicas"] = updated
        ready = replicas + self.extra - len(self.down)
        numbers = {
            "replicas": replicas + self.extra,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        one["status"] |= {**numbers, "observedGeneration": one["metadata"]["generation"]}
        if self.kind == "StatefulSet":
            annotations = one["spec"]["template"]["metadata"].get("annotations", {})
            one["status"]["updateRevision"] = f"api-{abs(hash(str(annotations)))}"
            one["status"]["currentRevision"] = one["status"]["updateRevision"] if updated == replicas else "old"
        self.executor.later(LATENCY, lambda: self.show(one))
        if not self.moving and updated < replicas:
            self.moving = True
            self.executor.later(self.pace, self._stop_one)

    def _stop_one(self):
        one = self.api
        self.moving = False
        updated, replicas = one["status"]["updatedReplicas"], one["spec"]["replicas"]
        partition = (one["spec"].get("updateStrategy", {}).get("rollingUpdate") or {}).get("partition", 0)
        if one["spec"].get("paused") or self.down or updated >= replicas - partition:
            return
        if (one["spec"].get("strategy", {}).get("rollingUpdate") or {}).get("maxUnavailable") == 0:
            self._observe(one, updated + 1)
            return
        self.down.add(updated)
        self.stopped.append((self.executor.clock.passed, self.healthy))
        self._observe(one, updated + 1)
        self.executor.later(2 * self.pace, lambda place=updated: self._ready(place))

    def _ready(self, place):
        self.down.discard(place)
        self._observe(self.api)
