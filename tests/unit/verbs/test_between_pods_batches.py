# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts of several pods at a time (max_unavailable): together in the order, and the next ones when all of them are ready."""

from __future__ import annotations

import calling
import pytest
from canaries import rolled_out
from one_by_one import EvictingCluster, on_delete
from simulation import Executor, Killed, Noting

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from tests.unit.verbs.test_between_pods import later, led_by, message, outcome, restart, runs, start
from tests.unit.verbs.test_between_pods import plan as plan_of
from tests.unit.verbs.test_between_pods_partition import WithHistory, kill, spec_of
from tests.unit.verbs.test_between_pods_partition import plan as plan_of_partition
from tests.unit.verbs.test_between_pods_partition import start as start_partition

TWO = {"order": "ordinal", "max_unavailable": 2}
DOWN = ["db-4", "db-3", "db-2", "db-1", "db-0"]


def times_of(cluster):
    """When each pod was evicted."""
    times = {}
    cluster.allow = lambda pod: times.setdefault(pod["metadata"]["name"], cluster.executor.clock.passed) and None
    return times


@pytest.mark.parametrize("most", [2, "40%", "50%", "2"])
def test_some_pods_at_a_time_and_the_next_ones_when_all_of_them_are_ready(most):
    cluster = EvictingCluster(on_delete(replicas=5))
    times = times_of(cluster)
    result = restart(cluster, between_pods={"order": "ordinal", "max_unavailable": most})
    assert outcome(result) == "restarted", result
    assert cluster.evicted == DOWN and cluster.fewest["db"] == 3
    assert times["db-3"] - times["db-4"] < 1 and times["db-1"] - times["db-2"] < 1
    assert times["db-2"] - times["db-3"] > 4 and times["db-0"] - times["db-1"] > 4
    assert set(runs(cluster).values()) == {"r1"}


@pytest.mark.parametrize("most", [5, 9, "100%"])
def test_all_pods_may_be_replaced_at_once(most):
    cluster = EvictingCluster(on_delete(replicas=5))
    result = restart(cluster, between_pods={"order": "ordinal", "max_unavailable": most})
    assert outcome(result) == "restarted", result
    assert cluster.evicted == DOWN and cluster.fewest["db"] == 0


def test_only_pods_of_one_zone_at_a_time():
    cluster = EvictingCluster(on_delete("DaemonSet", replicas=7))
    zones = {f"db-{place}": "bca"[place % 3] for place in range(7)}

    def allow(pod):
        gone = [one["metadata"]["name"] for one in cluster.pods if "deletionTimestamp" in one["metadata"]]
        gone += [name for _one, name, _node in cluster.missing]
        down = [one["metadata"]["name"] for one in cluster.pods if one["status"]["conditions"][0]["status"] != "True"]
        assert {zones[name] for name in [*gone, *down]} <= {zones[pod["metadata"]["name"]]}

    cluster.allow = allow
    result = restart(cluster, kind="DaemonSet", between_pods={"order": "zone", "max_unavailable": 3})
    assert outcome(result) == "restarted", result
    evicted = [zones[name] for name in cluster.evicted]
    assert evicted == sorted(evicted) and len(evicted) == 7 and cluster.fewest["db"] == 4


def test_a_budget_that_allows_fewer_makes_them_fewer():
    cluster = EvictingCluster(on_delete(replicas=5))

    def allow(pod):
        ready = [one for one in cluster.pods if one["status"]["conditions"][0]["status"] == "True"]
        alive = [one for one in ready if "deletionTimestamp" not in one["metadata"]]
        return None if len(alive) == 5 else "db needs 4 healthy pods"

    cluster.allow = allow
    result = restart(cluster, between_pods=TWO)
    assert outcome(result) == "restarted", result
    assert cluster.evicted == DOWN and cluster.fewest["db"] == 4


def test_the_settle_time_is_between_the_batches_and_not_within_one():
    cluster = EvictingCluster(on_delete(replicas=4))
    times = times_of(cluster)
    result = restart(cluster, between_pods={**TWO, "settle": "60s"})
    assert outcome(result) == "restarted", result
    assert (
        times["db-2"] - times["db-3"] < 1 and times["db-1"] - times["db-2"] > 63 and times["db-0"] - times["db-1"] < 1
    )


def test_one_that_does_not_come_back_stops_all_others_and_an_undo_takes_as_many_at_a_time():
    for on_failure, ends in (("stop", "unfinished"), ("undo", "undone")):
        cluster = EvictingCluster(on_delete(replicas=5))
        cluster.broken.add("db-4")
        result = restart(cluster, between_pods=TWO, on_failure=on_failure)
        assert outcome(result) == ends, result
        if ends == "unfinished":
            assert cluster.evicted == ["db-4", "db-3"] and "pod db-4 is new and not ready" in message(result)
        else:
            assert cluster.evicted[:3] == ["db-4", "db-3", "db-4"] and set(runs(cluster).values()) == {None}
            assert cluster.fewest["db"] == 3


def test_the_leader_goes_last_and_alone():
    cluster = EvictingCluster(on_delete(replicas=4))
    led_by(cluster, "db-3")

    def allow(pod):
        if pod["metadata"]["name"] == "db-3":
            assert all(one["status"]["conditions"][0]["status"] == "True" for one in cluster.pods)
            assert len(cluster.pods) == 4

    cluster.allow = allow
    result = restart(cluster, between_pods={**TWO, "max_unavailable": 4, "leader": {"label": "role=primary"}})
    assert outcome(result) == "restarted", result
    assert cluster.evicted == ["db-2", "db-1", "db-0", "db-3"]


def gate_on_room(cluster, least, hold, timeout):
    """A gate that is open while so many pods are ready."""
    resources = [{"kind": "StatefulSet", "name": "statefulsets", "namespaced": True}]
    cluster.objects["/apis/apps/v1"] = {"resources": resources}
    asked = {"object": {"kind": "StatefulSet", "name": "db", "namespace": "shop"}, "interval": "1s"}
    return {"room": {**asked, "that": f"status.readyReplicas >= `{least}`", "timeout": timeout, "for": hold}}


@pytest.mark.parametrize(
    "least, ready, hold, fewest",
    [(4, 3, "0", 3), (5, 3, "0", 4), (4, 30, "10s", 3), (5, 30, "10s", 4), (4, 3, "10s", 4), (4, 30, "40s", 4)],
)
def test_a_gate_that_closes_while_one_is_on_its_way_makes_them_fewer(least, ready, hold, fewest):
    """One that must be open for longer than a pod takes to get ready lets them go one by one."""
    cluster = EvictingCluster(on_delete(replicas=5), ready=ready)
    given = plan_of({**TWO, "gates": ["room"]}, gate_on_room(cluster, least, hold, "60s"), timeout="2m")
    result = start(cluster, given)
    assert outcome(result) == "restarted", result
    assert cluster.evicted == DOWN and cluster.fewest["db"] == fewest


def test_a_gate_that_is_closed_does_not_hide_that_a_pod_does_not_come_back():
    cluster = EvictingCluster(on_delete(replicas=5))
    cluster.broken.add("db-4")
    given = plan_of({**TWO, "gates": ["room"]}, gate_on_room(cluster, 5, "0", "1h"))
    result = start(cluster, given, wait_timeout="2h")
    assert outcome(result) == "unfinished" and cluster.evicted == ["db-4"]
    assert "not done after 30s: 1 of 5 pods are new; pod db-4 is new and not ready" in message(result)


def _end():
    raise Killed


def test_a_start_that_was_killed_at_any_moment_is_resumed_and_never_takes_more_at_a_time():
    cluster = EvictingCluster(on_delete(replicas=5))
    options = {"kind": ["StatefulSet"], "namespace": "shop", "run_id": "r1", "between_pods": TWO}
    executor = Noting(cluster)
    calling.run("k8s_rollout_restart", cluster, **options)
    for at in executor.moments:
        cluster = EvictingCluster(on_delete(replicas=5))
        Executor(cluster).later(at, _end)
        with pytest.raises(Killed):
            calling.run("k8s_rollout_restart", cluster, **options)
        result = restart(cluster, between_pods=TWO)
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert cluster.evicted == DOWN and cluster.fewest["db"] >= 3, at
        assert set(runs(cluster).values()) == {"r1"} and len(cluster.patches) == 1, at


def test_an_undo_of_a_run_takes_as_many_at_a_time():
    cluster = EvictingCluster(on_delete(replicas=5))
    start(cluster, plan_of(TWO))
    cluster.evicted.clear()
    cluster.fewest.clear()
    later(cluster)
    assert outcome(calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})) == "undone"
    assert cluster.evicted == DOWN and cluster.fewest["db"] == 3


def partitioned(replicas, partition=0):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    return WithHistory([rolled_out("StatefulSet", "db", replicas, strategy)])


@pytest.mark.parametrize(
    "replicas, partition, most, numbers",
    [(5, 0, 2, [2, 4, 5]), (6, 0, "50%", [3, 6]), (5, 2, 2, [2, 3]), (3, 0, 3, [3]), (3, 0, 9, [3]), (4, 3, 2, [1])],
)
def test_a_partition_goes_down_by_so_many_at_a_time(replicas, partition, most, numbers):
    cluster = partitioned(replicas, partition)
    before = spec_of(cluster)
    result = start_partition(cluster, plan_of_partition({"order": "ordinal", "settle": "60s", "max_unavailable": most}))
    assert outcome(result) == "restarted", result
    assert [number for _name, number in cluster.replaced] == numbers
    assert spec_of(cluster) == before and len(cluster.patches) == len(numbers)
    assert cluster.executor.clock.passed >= 60 * (len(numbers) - 1)


def test_a_partition_that_a_kill_has_left_goes_on_by_as_many():
    given = plan_of_partition({"order": "ordinal", "settle": "60s", "max_unavailable": 2})
    cluster = partitioned(5)
    executor = Noting(cluster)
    options = {"plan": given, "run_id": "r1", "journal": {"clusters": ["eu"]}}
    calling.run("k8s_rollout_restart", cluster, **options)
    for at in executor.moments:
        cluster = partitioned(5)
        before = spec_of(cluster)
        Executor(cluster).later(at, _end)
        with pytest.raises(Killed):
            calling.run("k8s_rollout_restart", cluster, **options)
        assert (cluster.replaced[-1][1] if cluster.replaced else 0) <= 2 * (at // 60 + 1), at
        result = start_partition(cluster, given)
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert [number for _name, number in cluster.replaced] == [2, 4, 5] and spec_of(cluster) == before, at


@pytest.mark.parametrize("most, numbers", [(1, [3, 4, 5, 6, 7]), ("30%", [3, 5, 7]), (3, [3, 6, 7]), (5, [3, 6, 7])])
def test_a_repaired_plan_lets_a_partition_go_on_by_fewer_but_not_by_more(most, numbers):
    def given(most):
        return plan_of_partition({"order": "ordinal", "settle": "60s", "max_unavailable": most})

    for again in (False, True):
        cluster = partitioned(7)
        before = spec_of(cluster)
        kill(cluster, given(3), 30)
        if again:
            kill(cluster, given(most), 30)
        result = start_partition(cluster, given(most))
        assert outcome(result) in ("restarted", "already_restarted"), result
        assert [number for _name, number in cluster.replaced] == numbers and spec_of(cluster) == before


def test_a_restart_that_is_tried_again_with_a_repaired_plan_begins_with_fewer():
    cluster = partitioned(7)
    before, three = spec_of(cluster), {"order": "ordinal", "settle": "60s", "max_unavailable": 3}
    cluster.go_on(executor := Executor(cluster))
    one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
    executor.later(30, lambda: cluster.restart_container(one, cluster.pods[0]))
    options = {"run_id": "r1", "journal": {"clusters": ["eu"]}}
    result = calling.run("k8s_rollout_restart", cluster, plan=plan_of_partition(three), **options)
    assert outcome(result) == "failed" and cluster.replaced == [("db", 3)], result
    Executor(cluster)
    one["status"]["readyReplicas"] = 6
    given = plan_of_partition({**three, "max_unavailable": 2})
    assert outcome(calling.run("k8s_rollout_restart", cluster, plan=given, **options)) == "restarted"
    assert [number for _name, number in cluster.replaced] == [3, 2, 4, 6, 7] and spec_of(cluster) == before
