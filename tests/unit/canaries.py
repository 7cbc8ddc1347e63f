# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A simulated cluster whose controllers replace pods one after another, as far as the strategy of a workload allows."""

from __future__ import annotations

import copy

from simulation import LATENCY, FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds

STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
STARTED = "2026-11-24T22:00:00Z"


def rolled_out(kind: str, name: str, replicas: int = 3, strategy: dict | None = None) -> dict:
    """A workload with the strategy that the API server writes by default, or another."""
    one = workload(kind, name)
    one["spec"]["replicas"] = replicas
    if kind == "Deployment":
        one["spec"]["strategy"] = copy.deepcopy(strategy or STRATEGY)
    elif strategy is not None:
        one["spec"]["updateStrategy"] = copy.deepcopy(strategy)
    _tell(one, replicas)
    return one


class SteppingCluster(FakeCluster):
    """New pods are there at once, and ready after `ready` seconds. Rollouts that nothing holds are done after `takes`."""

    def __init__(self, workloads, ready=2.0, takes=10.0):
        super().__init__(workloads, takes=takes)
        for one in self.objects.values():
            _default(one)
        self.ready = ready
        self.created = 0
        self.replaced: list[tuple[str, int]] = []  # name and number of new pods, whenever that changes

    def go_on(self, executor):
        """The controllers do not care who has ended: they go on in a new executor."""
        for one in self.objects.values():
            if one.get("kind") in kinds.KINDS:
                self._observe(one)
                for pod in self.pods:
                    if "conditions" not in pod["status"]:
                        executor.later(self.ready, lambda one=one, pod=pod: self.get_ready(one, pod))

    def patch(self, path, body, content, *, field_manager=None, dry_run=False, **options):
        before = copy.deepcopy(self.objects.get(path))
        after = super().patch(path, body, content, field_manager=field_manager, dry_run=dry_run, **options)
        if dry_run or "/configmaps/" in path:
            return after
        self._written(self.objects[path], before, field_manager)
        return copy.deepcopy(self.objects[path])

    def edit(self, one, change, manager="kubectl-edit"):
        """Somebody changes a workload."""
        before = copy.deepcopy(one)
        change(one)
        self.touch(one)
        self._written(one, before, manager)
        if one["spec"]["template"] != before["spec"]["template"]:
            self._roll_out(one)
        else:
            self._observe(one)

    def _written(self, one, before, manager):
        """What the API server does with each write: it adds defaults, and notes who owns what was changed."""
        _default(one)
        old, new = dict(_leaves(before["spec"])), dict(_leaves(one["spec"]))
        changed = [path for path, value in new.items() if path not in old or old[path] != value]
        at = self.executor.clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        entries = one["metadata"].setdefault("managedFields", [])
        for entry in entries:
            for path in [*changed, *(old.keys() - new.keys())]:
                _drop(entry["fieldsV1"], ["f:spec", *(f"f:{part}" for part in path)])
        own = [entry for entry in entries if (entry["manager"], entry["operation"]) == (manager, "Update")]
        if not own:
            own = [{"manager": manager, "operation": "Update", "fieldsV1": {}}]
            entries += own
        own[0]["time"] = at
        for path in changed:
            fields = own[0]["fieldsV1"]
            for part in ("spec", *path):
                fields = fields.setdefault(f"f:{part}", {})

    def _roll_out(self, one):
        self._note_revision(one)
        _tell(one, 0)
        self.pods = [pod for pod in self.pods if pod["metadata"]["labels"]["app"] != one["metadata"]["name"]]
        self._observe(one)

    def _observe(self, one):
        _tell(one, one["status"]["updatedReplicas"])
        self.executor.later(LATENCY, lambda: self.show(one))
        generation, replicas = one["metadata"]["generation"], one["spec"]["replicas"]
        if one["spec"].get("paused") or one["status"]["updatedReplicas"] >= replicas:
            return
        first = last = replicas
        if one["kind"] == "StatefulSet":
            first = last = replicas - (one["spec"]["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
        elif isinstance(one["spec"]["strategy"]["rollingUpdate"].get("maxSurge"), int):
            first = min(one["spec"]["strategy"]["rollingUpdate"]["maxSurge"], replicas)

        def replace(number):
            if one["metadata"]["generation"] == generation and not one["spec"].get("paused"):
                self._replace(one, number)

        self.executor.later(LATENCY, lambda: replace(first))
        self.executor.later(self.takes, lambda: replace(last))

    def _replace(self, one, number):
        name = one["metadata"]["name"]
        for _each in range(number - one["status"]["updatedReplicas"]):
            self.created += 1
            self.pods.append(pod_of(one, self._revision(one), self.created))
            self.executor.later(self.ready, lambda pod=self.pods[-1]: self.get_ready(one, pod))
        if number > one["status"]["updatedReplicas"]:
            self.replaced.append((name, number))
            _tell(one, number)
            self.show(one)

    def _revision(self, one):
        if one["kind"] == "StatefulSet":
            return one["status"]["updateRevision"]
        return self.revisions[one["metadata"]["uid"]][-1]["metadata"]["labels"]["pod-template-hash"]

    def get_ready(self, one, pod, is_ready=True):
        """A pod gets ready, or stops being so, and its workload tells of it."""
        at = self.executor.clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        pod["status"]["conditions"] = [{"type": "Ready", "status": str(is_ready), "lastTransitionTime": at}]
        self.show(one)

    def restart_container(self, one, pod):
        """A container of a pod ends and runs again, so quickly that only the count of its restarts shows it."""
        pod["status"]["containerStatuses"][0]["restartCount"] += 1


def _leaves(thing, *path):
    """The values in nested dicts by their paths."""
    if not (isinstance(thing, dict) and thing):
        yield path, thing
        return
    for name, value in thing.items():
        yield from _leaves(value, *path, name)


def _drop(fields, path):
    """Takes a path out of owned fields, with what is empty then."""
    first, *rest = path
    if first in fields:
        if rest:
            _drop(fields[first], rest)
        if not fields[first] or not rest:
            del fields[first]


def _default(one):
    """What the API server adds to a strategy, by the gates of version 1.37."""
    spec = one.get("spec", {})
    if one.get("kind") == "StatefulSet":
        strategy = spec.get("updateStrategy") or {}
        defaults = {"partition": 0, "maxUnavailable": 1}
        if strategy.get("type") == "RollingUpdate" and isinstance(strategy.get("rollingUpdate"), dict):
            strategy["rollingUpdate"] = {**defaults, **strategy["rollingUpdate"]}
    elif one.get("kind") == "Deployment" and (spec.get("strategy") or {}).get("type") == "RollingUpdate":
        defaults = {"maxSurge": "25%", "maxUnavailable": "25%"}
        spec["strategy"]["rollingUpdate"] = {**defaults, **(spec["strategy"].get("rollingUpdate") or {})}


def _tell(one, updated):
    replicas = one["spec"]["replicas"]
    counts = {
        "replicas": replicas,
        "updatedReplicas": updated,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
    }
    one["status"] = {**counts, "observedGeneration": one["metadata"]["generation"]}
    if one["kind"] == "StatefulSet":
        annotations = one["spec"]["template"]["metadata"].get("annotations", {})
        one["status"]["updateRevision"] = f"{one['metadata']['name']}-{abs(hash(str(annotations)))}"
        one["status"]["currentRevision"] = one["status"]["updateRevision"] if updated == replicas else "old"


def pod_of(one, revision, number):
    """A pod of a workload that runs, and is not ready yet."""
    template, kind = copy.deepcopy(one["spec"]["template"]), kinds.kind_of(one)
    name = one["metadata"]["name"]
    owner = {"kind": one["kind"], "name": name, "uid": one["metadata"]["uid"], "controller": True}
    if kind.revision_creates_pods:
        owner = {"kind": "ReplicaSet", "name": f"{name}-{revision}", "uid": revision, "controller": True}
    return {
        "metadata": {
            **template["metadata"],
            "name": f"{name}-x{number}",
            "namespace": one["metadata"]["namespace"],
            "uid": f"uid-pod-{number}",
            "creationTimestamp": STARTED,
            "labels": {**template["metadata"]["labels"], kind.hash_label: revision},
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0, "state": {"running": {}}}],
        },
    }
