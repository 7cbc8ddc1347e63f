# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Evictions beside a rolling update of the same run: Kubernetes does not know which pods that is about to stop."""

from __future__ import annotations

import calling
import pytest
from budgets import budget
from one_by_one import EvictingCluster, on_delete
from simulation import Executor

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks

CORE = {"tier": "core"}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
WEB = kinds.path("StatefulSet", "shop", "web")


class SharedCluster(EvictingCluster):
    """`db` is OnDelete and has three pods. `web` has four, and its rollout of run r1 has replaced one of them when it begins.
    A budget selects all of them. `times` are those of evictions."""

    def __init__(self, least, kind="StatefulSet"):
        workloads = on_delete(kind), on_delete("StatefulSet", "web", 4, updateStrategy=ROLLING)
        for one in workloads:
            one["spec"]["template"]["metadata"]["labels"] |= CORE
        super().__init__(*workloads)
        self.kind, self.least, self.times = kind, least, []
        self.allow = lambda pod: self.times.append(self.executor.clock.passed)
        self.go_on(Executor(self))
        web = self.objects[WEB]
        web["spec"]["template"]["metadata"]["annotations"] = {
            marks.RUN: "r1",
            marks.RESTARTED_AT: "2026-11-24T21:59:00Z",
        }
        self._note_template(web)
        self.replace(1)

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/poddisruptionbudgets"):
            self._ask("list", path, deadline)
            return Listing([budget("all", {"matchLabels": CORE}, 7, self.pods, minAvailable=self.least)], "1")
        return super().list(path, params, deadline=deadline)

    def replace(self, number):
        """So many pods of `web` are new."""
        web = self.objects[WEB]
        revision = self.history[web["metadata"]["uid"]][-1]["metadata"]["name"]
        mine = [pod for pod in self.pods if pod["metadata"]["name"].startswith("web-")]
        for pod in mine[4 - number :]:
            pod["metadata"]["labels"]["controller-revision-hash"] = revision
        self.count(web)

    def finish(self):
        self.replace(4)
        self.show(self.objects[WEB])


def restart(cluster, budgets="honour", **options):
    workloads = [
        {"id": "db", "kind": cluster.kind, "name": "db", "between_pods": {"order": "age"}},
        {"id": "web", "kind": "StatefulSet", "name": "web"},
    ]
    defaults = {"namespace": "shop", "budgets": budgets}
    plan = {"version": 1, "name": "ca", "defaults": defaults, "workloads": workloads}
    result = calling.run("k8s_rollout_restart", cluster, plan=plan, run_id="r1", **options)
    return {one["name"]: (one["outcome"], one["message"]) for one in result["results"]}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_an_eviction_waits_while_a_rolling_update_may_take_the_room_of_the_budget(kind):
    cluster = SharedCluster(6, kind)
    cluster.executor.later(60, cluster.finish)
    found = restart(cluster)
    assert {name: said for name, (said, _message) in found.items()} == {"db": "restarted", "web": "already_restarted"}
    assert len(cluster.evicted) == 3 and min(cluster.times) >= 60


def test_it_says_which_budget_it_waits_for():
    cluster = SharedCluster(6)
    said, message = restart(cluster, wait_timeout="40s")["db"]
    assert said == "unfinished" and not cluster.evicted
    told = "0 of 3 pods are new; PodDisruptionBudget shop/all wants 6 healthy pods: 7 are healthy, and other rollouts of the run"
    assert f"{told} may still stop 1" in message


@pytest.mark.parametrize("least, budgets", [(5, "honour"), (6, "report")])
def test_it_waits_for_nothing_where_there_is_room_for_both_or_budgets_are_only_reported(least, budgets):
    cluster = SharedCluster(least)
    cluster.executor.later(60, cluster.finish)
    assert restart(cluster, budgets)["db"][0] == "restarted"
    assert len(cluster.evicted) == 3 and max(cluster.times) < 60


def test_a_rolling_update_leaves_room_for_the_evictions_that_have_begun():
    cluster = SharedCluster(6)
    cluster.objects[WEB]["spec"]["template"]["metadata"]["annotations"] = {}
    cluster._note_template(cluster.objects[WEB])
    cluster.replace(4)
    db = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
    db["spec"]["template"]["metadata"]["annotations"] = {marks.RUN: "r1", marks.RESTARTED_AT: "2026-11-24T21:59:00Z"}
    cluster._note_template(db)
    cluster.count(db)
    started = []
    patch = cluster.patch

    def note(path, *args, **options):
        started.append((path, cluster.executor.clock.passed, len(cluster.evicted)))
        return patch(path, *args, **options)

    cluster.patch = note
    found = restart(cluster, wait_timeout="3m")
    assert found["db"][0] == "already_restarted", found
    (path, at, evicted), *_more = started
    assert path == WEB and evicted == 3 and at > max(cluster.times)
