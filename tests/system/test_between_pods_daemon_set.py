# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""DaemonSets with RollingUpdate pod by pod on a real control plane: evicted zone by zone, killed, resumed and undone."""

from __future__ import annotations

import json

from house import RUN, USER_AGENT, now, outcomes
from test_between_pods import carrying, evictions
from test_budgets import Watch, budget
from test_canary import spec
from test_canary_daemon_set import LONG, prepared, restart

from lab.poll import wait_until

__all__ = ["prepared"]


def plan_of(namespace, settle="0", **defaults):
    return {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "grace": "2s", **defaults},
        "workloads": [
            {"id": "db", "kind": "DaemonSet", "name": "db", "between_pods": {"order": "zone", "settle": settle}}
        ],
    }


def killed_after_the_first_pod(namespace):
    """A start that was killed after it had evicted one pod."""
    run = {"run_id": "r1", "journal": {"clusters": ["eu-west"]}}
    first = namespace.operator.start("k8s_rollout_restart", plan=plan_of(namespace, "1h"), **run)
    wait_until(lambda: len(carrying(namespace, "r1")) == 1, "the first pod to be replaced", timeout=LONG)
    first.process.kill()
    first.process.communicate()


def test_a_run_that_was_killed_between_two_pods_goes_on_zone_by_zone(namespace, prepared):
    before, places = prepared
    namespace.create(budget("db", {"app": "db"}, minAvailable=len(places) - 1), ready=False)
    watch, began = Watch(namespace), now()
    killed_after_the_first_pod(namespace)
    held = namespace.get("DaemonSet", "db")["spec"]["updateStrategy"]
    assert held == {**before["updateStrategy"], "type": "OnDelete"}
    result = restart(namespace, plan_of(namespace), break_lock="the first start was killed")
    assert outcomes(result)["db"] in ("restarted", "already_restarted"), result
    namespace.at_rest("DaemonSet/db")
    evicted = evictions(namespace, began)
    zones = [places[name][0] for name in evicted]
    assert sorted(evicted) == sorted(places) and zones == sorted(zones)
    assert json.dumps(spec(namespace, "DaemonSet", "db")) == json.dumps(before)
    assert len(carrying(namespace, "r1")) == len(places) and watch.fewest() == len(places) - 1
    assert namespace.revisions("DaemonSet", "db") == [1, 2]
    asked = namespace.cluster.requests(USER_AGENT, began)
    assert not [one for one in asked if one["verb"] == "delete" and one["objectRef"]["resource"] == "pods"]


def test_the_undo_of_a_run_that_was_killed_is_rolled_out_by_the_controller(namespace, prepared):
    before, places = prepared
    pods, began = {pod["metadata"]["uid"] for pod in namespace.list("pods")}, now()
    killed_after_the_first_pod(namespace)
    options = {"plan": namespace.name, "break_lock": "the start was killed"}
    result = namespace.operator.run("k8s_rollout_undo", run_id="r1", journal=options)
    assert outcomes(result) == {"db": "undone"}, result
    namespace.at_rest("DaemonSet/db")
    assert json.dumps(spec(namespace, "DaemonSet", "db")) == json.dumps(before)
    assert RUN not in namespace.annotations("DaemonSet", "db") and not carrying(namespace, "r1")
    assert len(evictions(namespace, began)) == 1
    kept = [pod for pod in namespace.list("pods") if pod["metadata"]["uid"] in pods]
    assert len(kept) == len(places) - 1
