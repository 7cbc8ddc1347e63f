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
    return {"workloads": WORKLOADS, "run_id": RUN, "journal": {"plan": namespace.name, "digest": "d", "job": job}}


def journal(namespace):
    """The journal, as somebody who reads the ConfigMap sees it."""
    where = ("get", "configmap", f"restartx-{namespace.name}", "--namespace", "restartx-system", "-o", "json")
    return json.loads(json.loads(namespace.cluster.kubectl(*where).stdout)["data"]["journal.json"])


def test_a_cancelled_restart_says_how_far_it_came_and_the_next_start_goes_on_from_there(shop):
    running = shop.start("restart", **options(shop))
    shop.carries(RUN, "Deployment", "core")
    running.process.send_signal(signal.SIGTERM)
    result = running.result()
    assert outcomes(result) == {"core": "unfinished", "web": "not_started"}
    assert entry_of(result, "core")["changed"]
    assert "the module was asked to stop (SIGTERM)" in result["msg"]
    assert journal(shop)["state"] == "stopped"
    assert {name[-3:]: entry["outcome"] for name, entry in journal(shop)["workloads"].items()} == {
        "ore": None,
        "web": None,
    }

    result = shop.run("restart", **options(shop))
    assert outcomes(result) == {"core": "already_restarted", "web": "restarted"}
    assert shop.revisions("Deployment", "core") == [1, 2]
    assert journal(shop)["state"] == "finished"


def test_a_start_that_meets_another_one_leaves_the_journal_to_it_and_restarts_nothing_twice(namespace):
    namespace.create(workload("Deployment", "core", delay="1s"), workload("Deployment", "web"))
    namespace.cluster.fail({"app": "core"}, "never-ready", namespace=namespace.name)
    first = namespace.start("restart", **options(namespace))
    namespace.carries(RUN, "Deployment", "core")
    second = namespace.start("restart", **options(namespace, job="2"))
    wait_until(lambda: journal(namespace)["job"] == "2", "the second start to write the journal")
    namespace.come_up("core")
    results = first.result(), second.result()
    assert [note for note in results[0]["warnings"] if "another start of the plan writes it now" in note]
    assert not [result for result in results if "msg" in result]
    assert [namespace.revisions("Deployment", name) for name in ("core", "web")] == [[1, 2]] * 2
    assert journal(namespace)["state"] == "finished"
