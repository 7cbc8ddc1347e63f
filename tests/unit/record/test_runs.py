# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a run as a whole is over, as the journals of its clusters have it."""

from __future__ import annotations

import json

import calling
import pytest
from simulation import FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.record import journal, runs
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

PLAN = {"version": 1, "name": "ca", "defaults": {"namespace": "shop"}, "workloads": [{"id": "web", "name": ["web"]}]}
PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))


def restarted(*clusters):
    """A cluster that has finished its part of a run."""
    cluster = FakeCluster([deployment("web")])
    restart(cluster, "r1", *clusters)
    return cluster


def restart(cluster, run, *clusters):
    cluster.executor = None
    calling.run("k8s_rollout_restart", cluster, plan=PLAN, run_id=run, journal={"clusters": list(clusters)})


def mark_over(cluster, *clusters):
    options = {"plan": "ca", "run_id": "r1", "state": "over", "clusters": list(clusters)}
    return calling.run("k8s_rollout_journal", cluster, **options)


def held(cluster):
    return json.loads(cluster.objects[PATH]["data"][journal.KEY])


def test_a_run_is_over_once_all_its_clusters_are_done():
    cluster = restarted("eu", "us")
    result = mark_over(cluster, "us", "eu", "ap")
    assert (result["changed"], result["runs"][0]["over"]) == (True, True)
    assert held(cluster)["clusters"] == ["eu", "us", "ap"]
    assert mark_over(cluster, "eu", "us")["changed"] is False


def test_a_start_on_some_clusters_does_not_end_the_run_of_the_others():
    # One of three failed, and the other two were started again with --limit, or as a slice of a job.
    cluster = restarted("eu", "us", "ap")
    with pytest.raises(RolloutError, match='run "r1" of plan "ca" is also for ap; nothing was written'):
        mark_over(cluster, "eu", "us")
    assert held(cluster)["over"] is False


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_run_that_another_start_has_begun_again_is_not_over(state):
    cluster = restarted("eu", "us")
    cluster.objects[PATH]["data"][journal.KEY] = json.dumps({**held(cluster), "state": state})
    with pytest.raises(RolloutError, match=f'run "r1" of plan "ca" is {state} on this cluster; nothing was written'):
        mark_over(cluster, "eu", "us")
    assert held(cluster)["over"] is False


@pytest.mark.parametrize("clusters, kept", [(("eu", "us"), True), (("eu",), False)])
def test_a_run_that_other_clusters_may_still_have_to_finish_is_kept_longer_than_the_last_ones(clusters, kept):
    cluster = restarted(*clusters)
    for number in range(runs.KEPT):
        restart(cluster, f"r2-{number}", "eu")
    assert (PATH in cluster.objects) is kept
    assert sum("restartx.ca.r2-" in path for path in cluster.objects) == runs.KEPT
