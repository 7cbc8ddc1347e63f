# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Canaries of DaemonSets on a real control plane: evicted in one zone first, held, killed, resumed and undone."""

from __future__ import annotations

import json

import pytest
from house import RUN, USER_AGENT, entry_of, now, outcomes, permit_evictions, workload
from test_between_pods import carrying, evictions
from test_budgets import Watch
from test_canary import is_ready, new_pods, spec

from lab.poll import wait_until

LONG = 180  # seconds
SHUT = {"shut": {"tcp": "127.0.0.1:1", "timeout": "5s"}}  # a port on which nothing listens


def plan_of(namespace, hold, gates=(), **defaults):
    canary = {"pods": 2, "hold": hold, **({"gates": list(gates)} if gates else {})}
    return {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "grace": "2s", **defaults},
        "workloads": [{"id": "db", "kind": "DaemonSet", "name": "db", "canary": canary}],
        **({"gates": SHUT} if gates else {}),
    }


@pytest.fixture
def prepared(namespace):
    """A DaemonSet, the permission to evict its pods, and what was there before: its spec, and the zone of each pod."""
    permit_evictions(namespace)
    namespace.create(workload("DaemonSet", "db"))
    nodes = json.loads(namespace.cluster.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    label = "topology.kubernetes.io/zone"
    zones = {one["metadata"]["name"]: one["metadata"]["labels"].get(label, "~") for one in nodes}
    pods = namespace.list("pods")
    assert len(pods) > 2
    return spec(namespace, "DaemonSet", "db"), {
        pod["metadata"]["name"]: (zones[pod["spec"]["nodeName"]], pod["spec"]["nodeName"]) for pod in pods
    }


def restart(namespace, plan, **journal):
    options = {"plan": plan, "run_id": "r1", "journal": {"clusters": ["eu-west"], **journal}}
    return namespace.operator.run("k8s_rollout_restart", **options)


def chosen(namespace, places, began):
    """The zones and nodes of the pods that were evicted since then, in order."""
    return [places[name] for name in evictions(namespace, began)]


def test_pods_of_one_zone_are_evicted_first_and_the_controller_replaces_the_others(namespace, prepared):
    before, places = prepared
    watch, began = Watch(namespace), now()
    result = restart(namespace, plan_of(namespace, "2s"))
    assert outcomes(result) == {"db": "restarted"}, result
    namespace.at_rest("DaemonSet/db")
    assert chosen(namespace, places, began) == sorted(places.values())[:2]
    assert json.dumps(spec(namespace, "DaemonSet", "db")) == json.dumps(before)
    assert len(carrying(namespace, "r1")) == len(places) and watch.fewest() == len(places) - 1
    assert namespace.revisions("DaemonSet", "db") == [1, 2]
    asked = namespace.cluster.requests(USER_AGENT, began)
    assert not [one for one in asked if one["verb"] == "delete" and one["objectRef"]["resource"] == "pods"]


def test_a_run_that_was_killed_while_it_held_its_canary_goes_on_with_the_same_pods(namespace, prepared):
    before, places = prepared
    began = now()
    run = {"run_id": "r1", "journal": {"clusters": ["eu-west"]}}
    first = namespace.operator.start("k8s_rollout_restart", plan=plan_of(namespace, "1h"), **run)
    wait_until(lambda: len([*filter(is_ready, new_pods(namespace, "db"))]) == 2, "the canary to be ready", timeout=LONG)
    first.process.kill()
    first.process.communicate()
    held = namespace.get("DaemonSet", "db")["spec"]["updateStrategy"]
    assert held == {**before["updateStrategy"], "type": "OnDelete"}
    result = restart(namespace, plan_of(namespace, "2s"), break_lock="the first start was killed")
    assert outcomes(result)["db"] in ("restarted", "already_restarted"), result
    namespace.at_rest("DaemonSet/db")
    assert chosen(namespace, places, began) == sorted(places.values())[:2]
    assert json.dumps(spec(namespace, "DaemonSet", "db")) == json.dumps(before)
    assert len(carrying(namespace, "r1")) == len(places) and namespace.revisions("DaemonSet", "db") == [1, 2]


def test_a_canary_whose_gate_stays_closed_is_undone_and_the_other_pods_stay(namespace, prepared):
    before, places = prepared
    pods = {pod["metadata"]["uid"] for pod in namespace.list("pods")}
    result = restart(namespace, plan_of(namespace, "1s", ["shut"], on_failure="undo"))
    assert outcomes(result) == {"db": "undone"}, result
    assert 'the canary failed: the gate "shut"' in entry_of(result, "db")["message"]
    namespace.at_rest("DaemonSet/db")
    assert json.dumps(spec(namespace, "DaemonSet", "db")) == json.dumps(before)
    assert RUN not in namespace.annotations("DaemonSet", "db") and not new_pods(namespace, "db")
    kept = [pod for pod in namespace.list("pods") if pod["metadata"]["uid"] in pods]
    assert len(kept) == len(places) - 2
