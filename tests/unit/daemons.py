# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A simulated cluster with DaemonSets: their controller replaces one pod after another, unless their strategy is OnDelete.

Starts of the run "r1" of the plan "ca" restart the DaemonSet "agent" of it."""

from __future__ import annotations

import copy

import calling
from canaries import SteppingCluster
from one_by_one import EvictingCluster, on_delete
from simulation import LATENCY, Executor

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods

AGENT = kinds.path("DaemonSet", "shop", "agent")
PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def daemon_set(name: str = "agent", pods: int = 5, strategy: dict | None = None, **spec) -> dict:
    """A DaemonSet on so many nodes, with the strategy that the API server writes by default, or another."""
    return on_delete("DaemonSet", name, pods, updateStrategy=copy.deepcopy(strategy or ROLLING), **spec)


class DaemonCluster(EvictingCluster):
    """`deleted` are the pods that the controller has replaced, and `strategies` those that were written, in order."""

    edit = SteppingCluster.edit
    _written = SteppingCluster._written

    def __init__(self, *workloads, **options):
        self.deleted: list[str] = []
        self.strategies: list[dict] = []
        super().__init__(*workloads, **options)

    def patch(self, path, body, content, *, field_manager=None, dry_run=False, **options):
        before = copy.deepcopy(self.objects.get(path))
        after = super().patch(path, body, content, field_manager=field_manager, dry_run=dry_run, **options)
        if dry_run or "/configmaps/" in path:
            return after
        self._written(self.objects[path], before, field_manager)
        self.strategies.append(copy.deepcopy(self.objects[path]["spec"]["updateStrategy"]))
        return copy.deepcopy(self.objects[path])

    def _observe(self, one):
        super()._observe(one)
        self.executor.later(LATENCY, lambda: self._replace_next(one))

    def set_ready(self, pod, ready):
        super().set_ready(pod, ready)
        self.executor.later(LATENCY, lambda: self._replace_next(self._owner(pod)))

    def _replace_next(self, one):
        """An old pod that is not ready is replaced at once, and a ready one while all are."""
        if one["spec"]["updateStrategy"].get("type") != "RollingUpdate":
            return
        newest = self.history[one["metadata"]["uid"]][-1]["metadata"]["name"]
        mine = [pod for pod in self.pods if pod["metadata"]["ownerReferences"][0]["uid"] == one["metadata"]["uid"]]
        mine = [pod for pod in mine if which_pods.active(pod)]
        old = [pod for pod in mine if pod["metadata"]["labels"]["controller-revision-hash"] != newest]
        down = [pod for pod in mine if not which_pods.ready(pod)]
        whole = len(mine) == one["spec"]["replicas"] and not down
        for pod in [pod for pod in old if pod in down] or (old[:1] if whole else []):
            self.deleted.append(pod["metadata"]["name"])
            pod["metadata"]["deletionTimestamp"] = "2026-11-24T22:00:00Z"
            self.count(one)
            self.executor.later(LATENCY, lambda: self.show(one))
            self.executor.later(self.ends, lambda pod=pod: self._gone(one, pod))


def undo(cluster):
    cluster.go_on(Executor(cluster))
    return calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})


def leftovers_of(cluster, **options):
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, **options)
    return [(one["code"], one["repaired"]) for one in result["leftovers"] if one["code"] != "locked"], result


def strategy_of(cluster):
    return cluster.objects[AGENT]["spec"]["updateStrategy"]


def runs(cluster):
    return {pod["metadata"]["name"]: kinds.annotations_of(pod).get(marks.RUN) for pod in cluster.pods}
