# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What many workloads cost, and two processes that do the same run at once."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from house import RUN, USER_AGENT, now, workload

SIZE = 200
MOST_REQUESTS = 210
SHARED = 50  # of them are restarted by two processes at once
SHARED_RUN = "20261124-220000-shared"


@pytest.fixture(scope="module")
def fleet(shared_namespace):
    """200 Deployments, every other one with two replicas; the first 50 carry a label more."""
    names = [f"app-{number:03}" for number in range(SIZE)]
    deployments = [
        workload("Deployment", name, 1 + number % 2, {"fleet": "yes"} | ({"shared": "yes"} if number < SHARED else {}))
        for number, name in enumerate(names)
    ]
    shared_namespace.create(*deployments, ready=False)
    shared_namespace.kubectl("wait", "deployment", "--all", "--for=condition=Available", "--timeout=180s")
    shared_namespace.kubectl("rollout", "status", "deployment", "--timeout=180s", "-l", "fleet=yes")
    return shared_namespace


def replica_sets(namespace):
    """How many ReplicaSets each Deployment has: one for each revision."""
    return Counter(item["metadata"]["ownerReferences"][0]["name"] for item in namespace.list("replicasets"))


def test_200_deployments_are_restarted_with_at_most_210_requests(fleet):
    before, began = replica_sets(fleet), now()
    result = fleet.run("restart", label_selectors=["fleet=yes"])
    assert result["summary"] == {"restarted": SIZE}
    asked = fleet.cluster.requests(USER_AGENT, began)
    verbs = Counter(event["verb"] for event in asked)
    assert len(asked) == result["api_requests"] <= MOST_REQUESTS, verbs
    assert verbs["patch"] == SIZE
    assert {event["user"]["username"] for event in asked} == {"system:serviceaccount:restartx-system:restartx"}
    assert replica_sets(fleet) == {name: count + 1 for name, count in before.items()}


def test_two_processes_with_one_run_id_restart_each_workload_once(fleet):
    before, began = replica_sets(fleet), now()
    # A few at once, so that the first start is still at work when the second one has read the workloads.
    options = {"label_selectors": ["shared=yes"], "run_id": SHARED_RUN, "max_parallel": 5}
    running = [fleet.start("restart", **options) for _twice in range(2)]
    results = [process.result() for process in running]
    assert not any(result.get("failed") for result in results), [result.get("msg") for result in results]
    for result in results:
        assert set(result["summary"]) <= {"restarted", "already_restarted"}
        assert sum(result["summary"].values()) == SHARED
    after = replica_sets(fleet)
    assert after - before == {f"app-{number:03}": 1 for number in range(SHARED)}
    changed = [{entry["name"] for entry in result["results"] if entry["changed"]} for result in results]
    assert changed[0].isdisjoint(changed[1]) and len(changed[0] | changed[1]) == SHARED
    asked = fleet.cluster.requests(USER_AGENT, began)
    patched = [event for event in asked if event["verb"] == "patch" and event["responseStatus"]["code"] == 200]
    assert len(patched) == SHARED
    # It was a race: neither began after the other was through.
    lists = [event for event in asked if event["verb"] == "list" and event["objectRef"]["resource"] == "deployments"]
    listed = [event["requestReceivedTimestamp"] for event in lists]
    assert len(listed) == 2 and max(listed) < patched[-1]["requestReceivedTimestamp"]


def test_the_same_run_again_only_waits(fleet):
    before, began = replica_sets(fleet), now()
    result = fleet.run("restart", label_selectors=["shared=yes"], run_id=SHARED_RUN)
    assert (result["changed"], result["summary"]) == (False, {"already_restarted": SHARED})
    assert replica_sets(fleet) == before
    assert "patch" not in {event["verb"] for event in fleet.cluster.requests(USER_AGENT, began)}


def test_a_result_stays_small_and_holds_no_environment(fleet):
    secret = "hunter2"
    changed = fleet.get("Deployment", "app-199")
    changed["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": secret}]
    fleet.kubectl("replace", "-f", "-", input=json.dumps(changed))
    fleet.rolled_out("deployment/app-199")
    result = fleet.run("restart", label_selectors=["app=app-199"])
    history = fleet.run("history", name="app-199")
    assert secret not in json.dumps([result, history])
    assert len(json.dumps(result["results"])) < 1000
    assert RUN in fleet.annotations("Deployment", "app-199")
