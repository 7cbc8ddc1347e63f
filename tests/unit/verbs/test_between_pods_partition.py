# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""StatefulSets of the strategy RollingUpdate, whose partition goes down pod by pod and is given back, also after a kill."""

from __future__ import annotations

import copy
import json

import calling
import pytest
from canaries import SteppingCluster, rolled_out
from simulation import Executor, Killed, Noting
from starts import message, outcome

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart

PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
BETWEEN = {"order": "ordinal", "settle": "60s"}
STRATEGIES = {
    "default": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
    "partition": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
    "only the type": {"type": "RollingUpdate"},
    "none": None,
}


def plan(between_pods="usual", gates=None, **defaults):
    between_pods = BETWEEN if between_pods == "usual" else between_pods
    entry = {
        "id": "db",
        "kind": "StatefulSet",
        "name": "db",
        **({"between_pods": between_pods} if between_pods else {}),
    }
    more = {"gates": gates} if gates else {}
    return {"version": 1, "name": "ca", "defaults": {"namespace": "shop", **defaults}, "workloads": [entry], **more}


class WithHistory(SteppingCluster):
    """Knows the templates that a workload has had, which an undo needs."""

    def __init__(self, workloads):
        self.history: list[dict] = []
        super().__init__(workloads)
        for one in workloads:
            self._remember(one)

    def _roll_out(self, one):
        super()._roll_out(one)
        self._remember(one)

    def _remember(self, one):
        template = copy.deepcopy(one["spec"]["template"])
        owner = {"apiVersion": "apps/v1", "kind": one["kind"], "name": one["metadata"]["name"], "controller": True}
        meta = {"name": f"db-{len(self.history)}", "namespace": "shop", "labels": template["metadata"]["labels"]}
        meta["ownerReferences"] = [{**owner, "uid": one["metadata"]["uid"]}]
        data = {"spec": {"template": {**template, "$patch": "replace"}}}
        number = len(self.history) + 1
        self.history.append({"kind": "ControllerRevision", "metadata": meta, "revision": number, "data": data})

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/controllerrevisions"):
            return Listing(copy.deepcopy(self.history), "1")
        return super().list(path, params, deadline=deadline)


def cluster_of(strategy="default", replicas=4):
    return WithHistory([rolled_out("StatefulSet", "db", replicas, STRATEGIES[strategy])])


def start(cluster, given, check_mode=False, run="r1", module="k8s_rollout_restart", **options):
    cluster.go_on(Executor(cluster))
    options = {"plan": given, "run_id": run, "journal": {"clusters": ["eu"]}, **options}
    return calling.run(module, cluster, check_mode, **options)


def spec_of(cluster):
    spec = cluster.objects[kinds.path("StatefulSet", "shop", "db")]["spec"]
    return copy.deepcopy({name: spec[name] for name in ("updateStrategy", "replicas") if name in spec})


def restarts(cluster):
    """The times of the restarts that pods carry."""
    return {pod["metadata"]["annotations"][restart.WRITTEN_AT] for pod in cluster.pods}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_partition_goes_down_pod_by_pod_and_is_given_back(strategy):
    cluster = cluster_of(strategy)
    before, least = spec_of(cluster), 3 if strategy == "partition" else 4
    result = start(cluster, plan())
    assert outcome(result) == "restarted", result
    assert cluster.replaced == [("db", number + 1) for number in range(least)]
    assert spec_of(cluster) == before
    assert cluster.executor.clock.passed > 60 * (least - 1)
    assert len(cluster.patches) == least


@pytest.mark.parametrize("strategy, replicas", [("default", 1), ("only the type", 1), ("none", 1), ("partition", 2)])
def test_the_last_pod_that_may_go_needs_no_hold(strategy, replicas):
    cluster = cluster_of(strategy, replicas)
    before = spec_of(cluster)
    assert outcome(start(cluster, plan())) == "restarted"
    assert cluster.replaced == [("db", 1)] and spec_of(cluster) == before and cluster.executor.clock.passed < 60


def _end():
    raise Killed


def kill(cluster, given, at):
    """A start that is killed at this instant."""
    Executor(cluster).later(at, _end)
    options = {"plan": given, "run_id": "r1", "journal": {"clusters": ["eu"]}}
    with pytest.raises(Killed):
        calling.run("k8s_rollout_restart", cluster, **options)


def moments(given):
    """The moments after each event of a start that ends well."""
    cluster = cluster_of(replicas=3)
    executor = Noting(cluster)
    calling.run("k8s_rollout_restart", cluster, plan=given, run_id="r1", journal={"clusters": ["eu"]})
    return executor.moments


def test_a_kill_at_any_moment_leaves_nothing_looser_and_a_resume_goes_on_with_the_rest():
    for at in moments(plan()):
        cluster = cluster_of(replicas=3)
        before = spec_of(cluster)
        kill(cluster, plan(), at)
        replaced = cluster.replaced[-1][1] if cluster.replaced else 0
        assert replaced <= at // 60 + 1, at
        result = start(cluster, plan())
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert spec_of(cluster) == before, at
        assert [number for _name, number in cluster.replaced] == [1, 2, 3], at
        assert len(restarts(cluster)) == 1, at


def test_what_a_kill_at_any_moment_leaves_is_found_and_its_undo_gives_the_partition_back():
    for at in moments(plan()):
        cluster = cluster_of(replicas=3)
        before = spec_of(cluster)
        kill(cluster, plan(), at)
        one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
        if PATH not in cluster.objects or restart.run_of(one) != "r1":
            continue
        found = json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"]["StatefulSet/shop/db"]
        assert found["canary"]["moves"] is True and found["canary"]["before"] == before["updateStrategy"], at
        cluster.go_on(Executor(cluster))
        leftovers = calling.run("k8s_rollout_leftovers", cluster, plan="ca")
        codes = [one["code"] for one in leftovers["leftovers"]]
        assert codes in (["locked", "unfinished"], ["unfinished"]) or spec_of(cluster) == before, (at, codes)
        cluster.go_on(Executor(cluster))
        undo = {"plan": "ca", "break_lock": "killed"}
        result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal=undo)
        assert outcome(result) == "undone", (at, result)
        assert spec_of(cluster) == before and restart.run_of(one) is None, at


def test_a_pod_that_does_not_stay_ready_stops_it_and_is_undone():
    for on_failure, ends in (("stop", "failed"), ("undo", "undone")):
        cluster = cluster_of()
        before = spec_of(cluster)
        cluster.go_on(executor := Executor(cluster))
        one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
        executor.later(90, lambda c=cluster, o=one: c.restart_container(o, c.pods[0]))
        options = {"plan": plan(on_failure=on_failure), "run_id": "r1", "journal": {"clusters": ["eu"]}}
        result = calling.run("k8s_rollout_restart", cluster, **options)
        assert "the restart pod by pod failed: the container main of its pod db-x1 was restarted" in message(result)
        assert outcome(result) == ends, result
        if on_failure == "undo":
            assert spec_of(cluster) == before and restart.run_of(one) is None
        else:
            assert cluster.replaced[-1] == ("db", 2)
            assert "it stays held after its restart pod by pod (partition 2)" in message(result)


def test_no_pod_is_replaced_while_an_old_one_is_not_ready():
    """With podManagementPolicy: Parallel, the controller would not wait for it."""
    for back, ends in ((200, "restarted"), (9000, "unfinished")):
        cluster = cluster_of()
        cluster.go_on(executor := Executor(cluster))
        one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]

        def ready(number, c=cluster, o=one):
            o["status"] |= {"readyReplicas": number, "availableReplicas": number}
            c.show(o)

        executor.later(30, lambda r=ready: r(3))
        executor.later(back, lambda r=ready: r(4))
        options = {"plan": plan(timeout="5m"), "run_id": "r1", "journal": {"clusters": ["eu"]}}
        result = calling.run("k8s_rollout_restart", cluster, **options)
        assert outcome(result) == ends, result
        if ends == "unfinished":
            assert "3 of 4 pods are ready" in message(result) and cluster.replaced == [("db", 1)]
        else:
            assert cluster.patches[1][0] - cluster.patches[0][0] >= back - 1


SHUT = {"shut": {"tcp": "127.0.0.1:1", "timeout": "20s"}}  # a port on which nothing listens


def test_a_gate_that_stays_closed_leaves_the_rest_to_a_resume():
    cluster = cluster_of()
    result = start(cluster, plan({**BETWEEN, "gates": ["shut"]}, SHUT))
    assert outcome(result) == "unfinished" and cluster.replaced == [("db", 1)]
    assert 'the restart pod by pod failed: the gate "shut"' in message(result)
    result = start(cluster, plan())
    assert outcome(result) in ("restarted", "already_restarted"), result
    assert [number for _name, number in cluster.replaced] == [1, 2, 3, 4] and len(restarts(cluster)) == 1


def test_a_run_that_is_finished_is_not_refused_by_its_next_start():
    cluster = cluster_of()
    start(cluster, plan())
    patches = len(cluster.patches)
    assert outcome(start(cluster, plan())) == "already_restarted" and len(cluster.patches) == patches
    assert outcome(start(cluster, plan(), check_mode=True)) == "already_restarted"


def test_a_run_that_has_given_back_a_partition_of_many_pods_is_resumed():
    cluster = cluster_of(replicas=300)
    kill(cluster, plan(), 30)
    cluster.go_on(Executor(cluster))
    one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
    cluster.edit(one, lambda o: o["spec"]["updateStrategy"]["rollingUpdate"].update(partition=0))
    patches = len(cluster.patches)
    result = start(cluster, plan())
    assert outcome(result) == "already_restarted", result
    assert cluster.replaced[-1] == ("db", 300) and len(cluster.patches) == patches


def test_the_check_of_a_run_that_goes_on_does_not_refuse_what_it_has_restarted():
    cluster = cluster_of()
    cluster.go_on(executor := Executor(cluster))
    executor.later(150, _end)
    waiting = {"id": "shut", "gate": {"tcp": "127.0.0.1:1", "timeout": "1h"}, "after": ["db"]}
    given = plan({"order": "ordinal"})
    given["workloads"].append(waiting)
    with pytest.raises(Killed):
        calling.run("k8s_rollout_restart", cluster, plan=given, run_id="r1", journal={"clusters": ["eu"]})
    assert cluster.replaced[-1] == ("db", 4)
    cluster.go_on(Executor(cluster))
    assert outcome(calling.run("k8s_rollout_plan", cluster, plan=given)) == "planned"


def test_the_check_of_a_plan_sends_the_restart_of_the_first_pod():
    cluster = cluster_of()
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_plan", cluster, plan=plan())
    assert outcome(result) == "planned", result
    for wrong in ({"order": "age"}, {"order": "ordinal", "leader": {"label": "role=primary"}}):
        result = calling.run("k8s_rollout_plan", cluster, plan=plan(wrong))
        assert outcome(result) == "refused" and "set spec.updateStrategy.type to OnDelete" in message(result)


def test_another_manager_that_owns_the_strategy_is_named():
    cluster = cluster_of()
    one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
    owned = {"f:spec": {"f:updateStrategy": {"f:rollingUpdate": {"f:partition": {}}}}}
    one["metadata"]["managedFields"] = [{"manager": "argocd", "operation": "Apply", "fieldsV1": owned}]
    result = start(cluster, plan())
    assert outcome(result) == "refused"
    assert "would set back what a restart pod by pod sets" in message(result)
    assert "or leave between_pods out for it" in message(result)


@pytest.mark.parametrize("replicas", [4, 2])  # of two, the second one is the last
def test_no_further_pod_is_replaced_outside_the_window(replicas):
    cluster = cluster_of(replicas=replicas)
    before = spec_of(cluster)
    given = {
        **plan({"order": "ordinal", "settle": "90s"}, on_failure="undo"),
        "window": {"hours": "21:00-22:01", "timezone": "UTC"},
    }
    result = start(cluster, given)
    assert outcome(result) == "unfinished" and cluster.replaced == [("db", 1)], result
    assert f"it stays held after its restart pod by pod (partition {replicas - 1})" in message(result)
    assert outcome(start(cluster, plan())) in ("restarted", "already_restarted")
    assert spec_of(cluster) == before and cluster.replaced[-1] == ("db", replicas) and len(restarts(cluster)) == 1
