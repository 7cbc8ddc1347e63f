# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts pod by pod on a real control plane: the order and the evictions are those that the API server has seen."""

from __future__ import annotations

import json

import pytest
from house import RUN, USER_AGENT, entry_of, now, outcomes, permit_evictions, workload
from test_budgets import Watch, budget

from lab.failures import LABEL
from lab.poll import wait_until

ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}
ORDINAL = {"order": "ordinal"}
DB = ["db-0", "db-1", "db-2"]
LONG = 180  # seconds


@pytest.fixture
def permitted(namespace):
    """The namespace, with what evictions need, as the files say."""
    permit_evictions(namespace)
    return namespace


def create(namespace, kind="StatefulSet", number=3, **spec):
    """A workload that no controller restarts, with all its pods ready."""
    replicas = {} if kind == "DaemonSet" else {"replicas": number, "podManagementPolicy": "Parallel"}
    namespace.create(workload(kind, "db", **replicas, **ON_DELETE, **spec), ready=False)
    wait_until(lambda: healthy_pods(namespace) and all_ready(namespace), "the pods to be ready", timeout=LONG)


def all_ready(namespace):
    (found,) = [one for kind in ("StatefulSet", "DaemonSet") for one in namespace.list(f"{kind.lower()}s")]
    status = found["status"]
    wanted = found["spec"].get("replicas", status.get("desiredNumberScheduled", 0))
    return wanted > 1 and status.get("availableReplicas", status.get("numberAvailable")) == wanted


def healthy_pods(namespace):
    return [pod for pod in namespace.list("pods") if "deletionTimestamp" not in pod["metadata"]]


def evictions(namespace, since, code=201):
    """The names of the pods that were evicted since then, in order."""
    return [
        event["objectRef"]["name"]
        for event in namespace.cluster.requests(USER_AGENT, since)
        if event["objectRef"].get("subresource") == "eviction"
        and event["objectRef"]["namespace"] == namespace.name
        and event["responseStatus"]["code"] == code
    ]


def carrying(namespace, run):
    """The names of the pods that carry a run."""
    pods = healthy_pods(namespace)
    return sorted(pod["metadata"]["name"] for pod in pods if pod["metadata"].get("annotations", {}).get(RUN) == run)


def test_pods_are_evicted_one_at_a_time_and_a_budget_is_waited_for(permitted):
    create(permitted, labels={"tier": "core"})
    # The budget also selects a pod that is not ready yet, so it allows no eviction now.
    permitted.create(workload("Deployment", "web", labels={"tier": "core", LABEL: "never-ready"}), ready=False)
    permitted.create(budget("core", {"tier": "core"}, minAvailable=3), ready=False)
    watch, began = Watch(permitted, "app=db"), now()
    options = {"kind": ["StatefulSet"], "run_id": "r1", "between_pods": ORDINAL}
    running = permitted.start("restart", **options)
    wait_until(lambda: evictions(permitted, began, 429), "an eviction to be refused", timeout=LONG)
    assert not evictions(permitted, began) and carrying(permitted, "r1") == []
    permitted.come_up("web")
    result = running.result(longest=300)
    assert outcomes(result) == {"db": "restarted"}, result
    assert evictions(permitted, began) == DB[::-1] and carrying(permitted, "r1") == DB
    assert watch.fewest() == 2
    deleted = [one for one in permitted.cluster.requests(USER_AGENT, began) if one["verb"] == "delete"]
    assert not [one for one in deleted if one["objectRef"]["resource"] == "pods"]


def test_a_module_that_is_killed_goes_on_with_the_rest(permitted):
    create(permitted)
    watch, began = Watch(permitted), now()
    options = {"kind": ["StatefulSet"], "run_id": "r1"}
    first = permitted.start("restart", between_pods={**ORDINAL, "settle": "1h"}, **options)
    wait_until(lambda: carrying(permitted, "r1") == ["db-2"], "the first pod to be replaced", timeout=LONG)
    first.process.kill()
    first.process.communicate()
    result = permitted.run("restart", between_pods=ORDINAL, **options)
    assert outcomes(result) == {"db": "already_restarted"}, result
    assert evictions(permitted, began) == DB[::-1] and carrying(permitted, "r1") == DB
    assert watch.fewest() == 2
    assert permitted.revisions("StatefulSet", "db") == [1, 2]


def test_two_at_a_time_and_never_more_also_after_a_kill(permitted):
    create(permitted, number=5, delay="1s")
    permitted.create(budget("db", {"app": "db"}, minAvailable=2), ready=False)
    watch, began = Watch(permitted), now()
    between = {**ORDINAL, "max_unavailable": "40%"}
    options = {"kind": ["StatefulSet"], "run_id": "r1", "between_pods": between}
    first = permitted.start("restart", **options)
    wait_until(lambda: len(evictions(permitted, began)) >= 3, "the second two pods to be evicted", timeout=LONG)
    first.process.kill()
    first.process.communicate()
    result = permitted.start("restart", **options).result(longest=300)
    assert outcomes(result)["db"] in ("restarted", "already_restarted"), result
    assert evictions(permitted, began) == [f"db-{place}" for place in (4, 3, 2, 1, 0)]
    assert watch.fewest() == 3 and len(carrying(permitted, "r1")) == 5


def test_a_daemon_set_is_restarted_zone_by_zone(permitted):
    nodes = permitted.cluster.kubectl("get", "nodes", "-o", "json").stdout
    zones = {
        one["metadata"]["name"]: one["metadata"]["labels"].get("topology.kubernetes.io/zone", "~")
        for one in json.loads(nodes)["items"]
    }
    create(permitted, "DaemonSet")
    for run, between in (("r1", {"order": "zone"}), ("r2", {"order": "zone", "max_unavailable": 2})):
        node_of = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in healthy_pods(permitted)}
        began = now()
        result = permitted.start("restart", kind=["DaemonSet"], run_id=run, between_pods=between).result(longest=300)
        assert outcomes(result) == {"db": "restarted"}, result
        evicted = [zones[node_of[name]] for name in evictions(permitted, began)]
        assert evicted == sorted(evicted) and len(evicted) == len(node_of)


def test_a_pod_that_does_not_come_back_is_a_failure_with_its_cause_and_no_other_one_is_evicted(permitted):
    breaks = {"breaks": "crash-loop"}
    create(permitted, labels=breaks)
    permitted.cluster.fail(breaks, "crash-loop", permitted.name)
    began = now()
    options = {"kind": ["StatefulSet"], "run_id": "r1", "between_pods": ORDINAL, "grace": "2s"}
    result = permitted.run("restart", **options)
    assert outcomes(result) == {"db": "failed"}, result
    assert entry_of(result, "db")["cause"]["code"] == "crash_loop"
    assert evictions(permitted, began) == ["db-2"]


def test_nothing_is_evicted_before_a_leader_is_known_and_it_goes_last(permitted):
    create(permitted)
    began = now()
    between = {**ORDINAL, "leader": {"label": "role=primary"}}
    running = permitted.start("restart", kind=["StatefulSet"], run_id="r1", between_pods=between)
    permitted.carries("r1", "StatefulSet", "db")
    assert not evictions(permitted, began)
    permitted.kubectl("label", "pod", "db-2", "role=primary")
    result = running.result(longest=300)
    assert outcomes(result) == {"db": "restarted"}, result
    assert evictions(permitted, began) == ["db-1", "db-0", "db-2"]


def test_without_the_permission_nothing_is_touched(namespace):
    create(namespace)
    result = namespace.start("restart", kind=["StatefulSet"], between_pods=ORDINAL).result()
    assert result["msg"].startswith("permission is missing on ")
    assert f"to create pods/eviction in namespace {namespace.name}, which between_pods needs" in result["msg"]
    assert RUN not in namespace.annotations("StatefulSet", "db")


def plan_of(namespace, settle):
    return {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "grace": "2s"},
        "workloads": [
            {"id": "db", "kind": "StatefulSet", "name": "db", "between_pods": {**ORDINAL, "settle": settle}},
        ],
    }


def test_a_partition_goes_down_pod_by_pod_and_is_given_back_also_after_a_kill(namespace):
    namespace.create(workload("StatefulSet", "db", replicas=3, podManagementPolicy="Parallel"))
    before = namespace.get("StatefulSet", "db")["spec"]["updateStrategy"]
    watch = Watch(namespace)
    run = {"run_id": "r1", "journal": {"clusters": ["eu-west"]}}
    first = namespace.operator.start("k8s_rollout_restart", plan=plan_of(namespace, "1h"), **run)
    wait_until(lambda: carrying(namespace, "r1") == ["db-2"], "the first pod to be replaced", timeout=LONG)
    first.process.kill()
    first.process.communicate()
    held = namespace.get("StatefulSet", "db")["spec"]["updateStrategy"]
    assert held["rollingUpdate"]["partition"] == 2
    run["journal"]["break_lock"] = "the first start was killed"
    result = namespace.operator.run("k8s_rollout_restart", plan=plan_of(namespace, "1s"), **run)
    assert outcomes(result)["db"] in ("restarted", "already_restarted"), result
    namespace.at_rest("StatefulSet/db")
    assert namespace.get("StatefulSet", "db")["spec"]["updateStrategy"] == before
    assert carrying(namespace, "r1") == DB and watch.fewest() == 2
    assert namespace.revisions("StatefulSet", "db") == [1, 2]
