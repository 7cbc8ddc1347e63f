# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A simulated cluster with workloads of the update strategy OnDelete: their pods are replaced only when they are evicted."""

from __future__ import annotations

import copy
import datetime

from simulation import LATENCY, FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import NotFound, OverBudget
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods

ZONE = "topology.kubernetes.io/zone"
LONG_AGO = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


def on_delete(kind: str = "StatefulSet", name: str = "db", replicas: int = 3, **spec) -> dict:
    """A workload whose pods no controller replaces."""
    one = workload(kind, name)
    one["spec"] |= {"replicas": replicas, "updateStrategy": {"type": "OnDelete"}, **spec}
    return one


class EvictingCluster(FakeCluster):
    """An evicted pod is gone after `ends` seconds, and its successor is ready `ready` seconds later, or never if it is in
    `broken` and carries a run. `allow` says why a budget does not allow to evict a pod."""

    def __init__(self, *workloads, ready=3.0, ends=1.0):
        super().__init__(workloads)
        self.ready, self.ends = ready, ends
        self.history: dict[str, list[dict]] = {}  # ControllerRevisions by uid, the newest last
        self.evicted: list[str] = []
        self.missing: list[tuple[dict, str, str]] = []  # pods that are gone: the workload, name and node
        self.broken: set[str] = set()
        self.allow = lambda pod: None
        self.fewest: dict[str, int] = {}
        self.number = 0
        for one in list(self.objects.values()):
            self._note_template(one)
            for place in range(one["spec"]["replicas"]):
                name = f"{one['metadata']['name']}-{place}"
                self._add(one, name, f"node-{place}", "True")
            self.count(one)
        for place in range(9):
            labels = {ZONE: "bca"[place % 3]}
            self.objects[f"/api/v1/nodes/node-{place}"] = {"kind": "Node", "metadata": {"name": "x", "labels": labels}}

    # What the API server answers

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/controllerrevisions"):
            self._ask("list", path, deadline)
            return Listing(copy.deepcopy([one for known in self.history.values() for one in known]), "1")
        return super().list(path, params, deadline=deadline)

    def create(self, path, body, *, permitted=None, **options):
        if not path.endswith("/eviction"):
            return super().create(path, body, permitted=permitted, **options)
        self._ask("evict", path, permitted=permitted)
        uid = body["deleteOptions"]["preconditions"]["uid"]
        pod = next((pod for pod in self.pods if pod["metadata"]["uid"] == uid), None)
        if pod is None:
            raise NotFound(f"{path} not found", status=404)
        refusal = self.allow(pod)
        if refusal:
            raise OverBudget(f"no: {refusal}", status=429, refusal=refusal)
        self.evicted.append(pod["metadata"]["name"])
        pod["metadata"]["deletionTimestamp"] = "2026-11-24T22:00:00Z"
        one = self._owner(pod)
        self.count(one)
        self.executor.later(LATENCY, lambda: self.show(one))
        self.executor.later(self.ends, lambda: self._gone(one, pod))
        return {}

    # What the controllers do

    def go_on(self, executor):
        """The controllers do not care who has ended: they go on in a new executor."""
        for pod in list(self.pods):
            if "deletionTimestamp" in pod["metadata"]:
                executor.later(self.ends, lambda pod=pod: self._gone(self._owner(pod), pod))
            elif not which_pods.ready(pod):
                executor.later(self.ready, lambda pod=pod: self._get_ready(self._owner(pod), pod))
        for one, name, node in list(self.missing):
            executor.later(LATENCY, lambda one=one, name=name, node=node: self._create(one, name, node))
        for one in self.objects.values():
            if one.get("kind") in kinds.KINDS:
                executor.later(LATENCY, lambda one=one: self._observe(one))

    def _roll_out(self, one):
        self._note_template(one)
        self._observe(one)

    def _observe(self, one):
        self.count(one)
        self.executor.later(LATENCY, lambda: self.show(one))

    def _gone(self, one, pod):
        if pod in self.pods:
            self.pods.remove(pod)
            which = (one, pod["metadata"]["name"], pod["spec"]["nodeName"])
            self.missing.append(which)
            self.count(one)
            self.show(one)
            self.executor.later(LATENCY, lambda: self._create(*which))

    def _create(self, one, name, node):
        if (one, name, node) not in self.missing:
            return
        self.missing.remove((one, name, node))
        pod = self._add(one, name, node, "False")
        self.count(one)
        self.show(one)
        self.executor.later(self.ready, lambda: self._get_ready(one, pod))

    def _add(self, one, name, node, ready):
        template, revision = one["spec"]["template"], self.history[one["metadata"]["uid"]][-1]["metadata"]["name"]
        self.number += 1
        owner = {
            "kind": one["kind"],
            "name": one["metadata"]["name"],
            "uid": one["metadata"]["uid"],
            "controller": True,
        }
        pod = {
            "metadata": {
                **copy.deepcopy(template["metadata"]),
                "name": name,
                "namespace": "shop",
                "uid": f"uid-{self.number}",
                "creationTimestamp": f"2026-11-24T21:{59 - self.number % 60:02}:00Z",
                "labels": {**template["metadata"]["labels"], "controller-revision-hash": revision},
                "ownerReferences": [owner],
            },
            "spec": {**copy.deepcopy(template["spec"]), "nodeName": node},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-11-24T21:00:00Z"}],
                "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0, "state": {"running": {}}}],
            },
        }
        self.pods.append(pod)
        return pod

    def _get_ready(self, one, pod):
        if pod["metadata"]["name"] in self.broken and marks.RUN in kinds.annotations_of(pod):
            return
        self.set_ready(pod, "True")

    def set_ready(self, pod, ready):
        """A pod gets ready, or is no longer so."""
        at = self._now()
        pod["status"]["conditions"] = [{"type": "Ready", "status": ready, "lastTransitionTime": at}]
        one = self._owner(pod)
        self.count(one)
        self.show(one)

    def _now(self):
        at = self.executor.clock.now() if self.executor else LONG_AGO
        return at.isoformat(timespec="seconds").replace("+00:00", "Z")

    def _owner(self, pod):
        return next(one for one in self.objects.values() if one["metadata"].get("uid") == _uid(pod))

    def _note_template(self, one):
        """A revision for each template, with a new number when one comes back."""
        known = self.history.setdefault(one["metadata"]["uid"], [])
        template = copy.deepcopy(one["spec"]["template"])
        same = [old for old in known if {**template, "$patch": "replace"} == old["data"]["spec"]["template"]]
        for old in same:
            known.remove(old)
        made = same[0]["metadata"]["creationTimestamp"] if same else self._now()
        number = max((old["revision"] for old in [*known, *same]), default=0) + 1
        name = same[0]["metadata"]["name"] if same else f"{one['metadata']['name']}-rev{len(known)}"
        owner = {"apiVersion": "apps/v1", "kind": one["kind"], "name": one["metadata"]["name"], "controller": True}
        known.append(
            {
                "apiVersion": "apps/v1",
                "kind": "ControllerRevision",
                "metadata": {
                    "name": name,
                    "namespace": "shop",
                    "creationTimestamp": made,
                    "labels": {**template["metadata"]["labels"], "controller-revision-hash": name},
                    "ownerReferences": [{**owner, "uid": one["metadata"]["uid"]}],
                },
                "revision": number,
                "data": {"spec": {"template": {**template, "$patch": "replace"}}},
            }
        )

    def count(self, one):
        """The status of a workload."""
        name, mine = one["metadata"]["name"], [pod for pod in self.pods if _uid(pod) == one["metadata"]["uid"]]
        newest = self.history[one["metadata"]["uid"]][-1]["metadata"]["name"]
        updated = sum(pod["metadata"]["labels"]["controller-revision-hash"] == newest for pod in mine)
        ready = sum(which_pods.ready(pod) and which_pods.active(pod) for pod in mine)
        self.fewest[name] = min(self.fewest.get(name, ready), ready)
        one["status"] = {"observedGeneration": one["metadata"]["generation"]}
        if one["kind"] == "DaemonSet":
            one["status"] |= {"desiredNumberScheduled": one["spec"]["replicas"], "currentNumberScheduled": len(mine)}
            one["status"] |= {"updatedNumberScheduled": updated, "numberReady": ready, "numberAvailable": ready}
        else:
            one["status"] |= {"replicas": len(mine), "updatedReplicas": updated, "updateRevision": newest}
            one["status"] |= {"readyReplicas": ready, "availableReplicas": ready, "currentRevision": f"{name}-rev0"}


def _uid(pod):
    return pod["metadata"].get("ownerReferences", [{}])[0].get("uid")
