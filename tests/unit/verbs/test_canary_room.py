# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rest of a rollout after its canary goes on only while budgets leave room for it."""

from __future__ import annotations

import json

import calling
import pytest
from paced import PacedCluster
from simulation import Executor, Killed, Noting
from starts import carry_out, ended

from ansible_collections.restartx.core.plugins.module_utils.record import journal

KINDS = ("Deployment", "StatefulSet")
PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))


def plan(kind, budgets="honour", **more):
    canary = {"canary": {"pods": 1, "hold": "20s"}, **more}
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", "budgets": budgets},
        "workloads": [{"id": "api", "kind": kind, "name": "api", **{name: one for name, one in canary.items() if one}}],
    }


def broken(kind, mended_at=100.0):
    """A pod of somebody else is not ready from the hold of the canary on."""
    cluster = PacedCluster(kind)
    executor = Noting(cluster)
    executor.later(15, cluster.break_one)
    if mended_at is not None:
        executor.later(mended_at, lambda: cluster.break_one(is_ready=True))
    return cluster


def noting(cluster):
    """When journals are written, and when something is listed."""
    patch, listing, written, read = cluster.patch, cluster.list, [], []

    def noting_patch(path, *given, **options):
        if "/configmaps/" in path:
            written.append(cluster.executor.clock.passed)
        return patch(path, *given, **options)

    def noting_list(path, *given, **options):
        read.append((cluster.executor.clock.passed, path))
        return listing(path, *given, **options)

    cluster.patch, cluster.list = noting_patch, noting_list
    return written, read


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_waits_for_room_and_says_so(kind):
    cluster, seen = broken(kind), []
    written, read = noting(cluster)

    def look():
        waits_for = json.loads(cluster.objects[PATH]["data"][journal.KEY])["waits_for"]
        seen.append((cluster.api["status"]["updatedReplicas"], waits_for))

    cluster.executor.later(80, look)
    assert ended(carry_out(cluster, plan(kind)))[0] == "restarted"
    reason = "PodDisruptionBudget shop/all wants 7 healthy pods: {} are healthy, and this rollout would leave 6"
    told = reason.format(8 if kind == "Deployment" else 7)
    assert seen == [(1, {"budgets of " + f"{kind} shop/api": f"{kind} shop/api: {told}"})]
    assert all(at > 100 and healthy >= 7 for at, healthy in cluster.stopped[kind == "StatefulSet" :])
    assert len(cluster.stopped) == (3 if kind == "Deployment" else 4) and cluster.strategy == cluster.before
    # The number in the reason changes once, and is written once a minute. Budgets are read with their pods.
    assert len([at for at in written if 30 < at < 100]) <= 2
    during = [path.rpartition("/")[2] for at, path in read if 30 < at < 100]
    assert 0 < during.count("pods") <= during.count("poddisruptionbudgets") + 2


@pytest.mark.parametrize("kind", KINDS)
def test_without_room_it_stays_the_canary_that_it_is_and_the_next_start_goes_on(kind):
    cluster = broken(kind, mended_at=None)
    said, message = ended(carry_out(cluster, plan(kind), wait_timeout="80s"))
    assert (
        said == "unfinished" and "the rest waits, because PodDisruptionBudget shop/all wants 7 healthy pods" in message
    )
    assert "it stays held after its canary" in message
    cluster.break_one(is_ready=True)
    cluster.go_on(Executor(cluster))
    assert ended(carry_out(cluster, plan(kind)))[0] in ("restarted", "already_restarted")
    assert cluster.strategy == cluster.before


@pytest.mark.parametrize("kind", KINDS)
def test_with_report_it_asks_nobody(kind):
    cluster = broken(kind, mended_at=None)
    assert ended(carry_out(cluster, plan(kind, budgets="report")))[0] == "restarted"


def test_a_canary_that_breaks_while_the_rest_waits_has_failed():
    cluster = broken("StatefulSet", mended_at=None)
    cluster.executor.later(60, lambda: (cluster.down.add(0), cluster._observe(cluster.api))[1])
    said, message = ended(carry_out(cluster, plan("StatefulSet")))
    assert said == "failed" and "is no longer ready" in message


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_moment_and_a_resume_end_as_if_there_was_none(kind):
    cluster = broken(kind, mended_at=60.0)
    executor = cluster.executor
    carry_out(cluster, plan(kind))

    def end():
        raise Killed

    for at in executor.moments[::12]:
        cluster = broken(kind, mended_at=60.0)
        cluster.executor.later(at, end)
        with pytest.raises(Killed):
            carry_out(cluster, plan(kind))
        cluster.break_one(is_ready=True)
        cluster.go_on(Executor(cluster))
        assert ended(carry_out(cluster, plan(kind)))[0] in ("restarted", "already_restarted"), at
        assert cluster.strategy == cluster.before, at


def test_the_preflight_counts_the_pods_of_a_canary_which_run_beside_the_old_ones():
    def codes(**entry):
        cluster = PacedCluster("Deployment")
        cluster.objects["/api/v1/namespaces/shop/resourcequotas/q"] = {
            "kind": "ResourceQuota",
            "metadata": {"name": "q", "namespace": "shop"},
            "spec": {"hard": {"pods": "8"}},
            "status": {"used": {"pods": "8"}},
        }
        Executor(cluster)
        found = calling.run("k8s_rollout_preflight", cluster, plan=plan("Deployment", **entry))["findings"]
        return {one["code"] for one in found}

    assert "quota" in codes()
    assert "quota" not in codes(canary=None)


JOB = "/apis/batch/v1/namespaces/shop/jobs/fine"
OPEN = {"conditions": [{"type": "Complete", "status": "True"}]}
FINE = {"fine": {"job": "shop/fine", "timeout": "10m", "interval": "5s"}}


def open_until(cluster, at, again_at):
    """The gate is closed in between."""
    cluster.objects[JOB] = {"status": OPEN}
    cluster.executor.later(at, lambda: cluster.objects[JOB].update(status={}))
    cluster.executor.later(again_at, lambda: cluster.objects[JOB].update(status=OPEN))
    return cluster


@pytest.mark.parametrize("kind", KINDS)
def test_the_gates_of_a_canary_are_asked_again_after_it_has_waited_for_room(kind):
    cluster = open_until(broken(kind), 60, 200)
    given = plan(kind, canary={"pods": 1, "hold": "20s", "gates": ["fine"]})
    assert ended(carry_out(cluster, {**given, "gates": FINE}))[0] == "restarted"
    assert all(at >= 200 for at, _healthy in cluster.stopped[kind == "StatefulSet" :]) and len(cluster.stopped) >= 3
    assert len([path for _verb, path in cluster.asked if path == JOB]) < 40


def test_a_partition_does_not_go_down_on_gates_that_opened_before_it_waited_for_room():
    cluster = open_until(broken("StatefulSet"), 60, 200)
    given = plan("StatefulSet", canary=None, between_pods={"order": "ordinal", "settle": "20s", "gates": ["fine"]})
    assert ended(carry_out(cluster, {**given, "gates": FINE}))[0] == "restarted"
    first, *later = [at for at, _name in cluster.patches]
    assert first < 60 and len(later) == 3 and min(later) >= 200
    assert len([path for _verb, path in cluster.asked if path == JOB]) < 40


def test_a_gate_that_is_open_only_without_room_is_waited_for_without_haste():
    cluster = broken("StatefulSet", mended_at=None)
    cluster.objects[JOB] = {"status": OPEN}
    for at in range(100, 600, 20):
        cluster.executor.later(at, lambda at=at: cluster.break_one(is_ready=at % 40 == 0))
    given = plan("StatefulSet", canary={"pods": 1, "hold": "20s", "gates": ["fine"]})
    hold = {"fine": {**FINE["fine"], "for": "30s"}}
    said, message = ended(carry_out(cluster, {**given, "gates": hold}, wait_timeout="500s"))
    assert said == "unfinished" and len(cluster.stopped) == 1, message
    assert len(cluster.asked) < 1500
