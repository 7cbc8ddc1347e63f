# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules that are asked to stop in the middle, as AWX does when a job is cancelled, and what their journal then tells."""

from __future__ import annotations

import json
import signal

import pytest
from house import entry_of, outcomes, workload

from lab.poll import wait_until

RUN = "r1"
WORKLOADS = [{"id": "core", "name": "core"}, {"id": "web", "name": "web", "after": ["core"]}]


@pytest.fixture
def shop(namespace):
    """Two Deployments in an order; new pods of the first one need a while to come up."""
    namespace.create(workload("Deployment", "core", delay="12s"), workload("Deployment", "web"))
    namespace.cluster.fail({"app": "core"}, "slow-start", namespace=namespace.name)
    return namespace


def options(namespace, job="1"):
    defaults = {"namespace": namespace.name}
    plan = {"version": 1, "name": namespace.name, "defaults": defaults, "workloads": WORKLOADS}
    return {"plan": plan, "run_id": RUN, "journal": {"job": job}}


def journal(namespace):
    """The journal, as somebody who reads the ConfigMap sees it."""
    where = ("get", "configmap", f"restartx.{namespace.name}.{RUN}", "--namespace", "restartx-system", "-o", "json")
    return json.loads(json.loads(namespace.cluster.kubectl(*where).stdout)["data"]["journal.json"])


def test_a_cancelled_restart_says_how_far_it_came_and_the_next_start_goes_on_from_there(shop):
    running = shop.operator.start("k8s_rollout_restart", **options(shop))
    shop.carries(RUN, "Deployment", "core")
    running.process.send_signal(signal.SIGTERM)
    result = running.result()
    assert outcomes(result) == {"core": "unfinished", "web": "not_started"}
    assert entry_of(result, "core")["changed"]
    assert "the module was asked to stop (SIGTERM)" in result["msg"]
    assert journal(shop)["state"] == "stopped"
    assert {name[-3:]: entry["outcome"] for name, entry in journal(shop)["workloads"].items()} == {
        "ore": "in_progress",
        "web": None,
    }

    result = shop.operator.run("k8s_rollout_restart", **options(shop))
    assert outcomes(result) == {"core": "already_restarted", "web": "restarted"}
    assert shop.revisions("Deployment", "core") == [1, 2]
    assert journal(shop)["state"] == "finished"


def test_a_start_that_meets_another_one_is_told_so_and_touches_nothing(shop):
    shop.cluster.fail({"app": "core"}, "never-ready", namespace=shop.name)
    first = shop.operator.start("k8s_rollout_restart", **options(shop))
    shop.carries(RUN, "Deployment", "core")
    second = shop.operator.run("k8s_rollout_restart", **options(shop, job="2"))
    shop.come_up("core")
    assert f'"{shop.name}" is being restarted by run {RUN}' in second["msg"]
    assert (second["locked"], second["results"], second["changed"]) == (True, [], False)
    assert journal(shop)["job"] == "1"
    result = first.result()
    assert outcomes(result) == {"core": "restarted", "web": "restarted"}
    assert [shop.revisions("Deployment", name) for name in ("core", "web")] == [[1, 2]] * 2
    assert journal(shop)["state"] == "finished"


def test_a_lock_that_was_broken_leaves_journal_and_workloads_to_the_other_start(namespace):
    namespace.create(workload("Deployment", "core", delay="1s"), workload("Deployment", "web"))
    namespace.cluster.fail({"app": "core"}, "never-ready", namespace=namespace.name)
    first = namespace.operator.start("k8s_rollout_restart", **options(namespace))
    namespace.carries(RUN, "Deployment", "core")
    taking = options(namespace, job="2")
    second = namespace.operator.start(
        "k8s_rollout_restart", **{**taking, "journal": {**taking["journal"], "break_lock": "its terminal is gone"}}
    )
    wait_until(lambda: journal(namespace)["job"] == "2", "the second start to write the journal")
    assert "the lock was lost" in first.result()["msg"]
    namespace.come_up("core")
    assert outcomes(second.result()) == {"core": "already_restarted", "web": "restarted"}
    assert [namespace.revisions("Deployment", name) for name in ("core", "web")] == [[1, 2]] * 2
    assert journal(namespace)["state"] == "finished"
