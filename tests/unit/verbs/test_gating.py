# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates of a plan: their credentials, the permission that they need, and what a dry run makes of them."""

from __future__ import annotations

import calling
import pytest
from simulation import FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

SHUT = {"tcp": "127.0.0.1:1", "timeout": "20s"}  # a port on which nothing listens
HTTP = {"http": "http://127.0.0.1:1/health", "auth": "shop"}


def plan(gate, **defaults):
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", **defaults},
        "workloads": [{"id": "core", "name": "cart"}, {"id": "web", "name": "web", "gates": {"before": ["up"]}}],
        "gates": {"up": gate},
    }


def cluster_of():
    return FakeCluster([deployment("cart"), deployment("web")])


def outcomes(result):
    return {one["name"]: one["outcome"] for one in result["results"]}


def test_what_waits_for_a_gate_that_stays_closed_is_not_started_and_the_rest_is_restarted():
    cluster = cluster_of()
    result = calling.run("k8s_rollout_restart", cluster, plan=plan(SHUT))
    assert outcomes(result) == {"cart": "restarted", "web": "not_started"}
    (web,) = [one for one in result["results"] if one["name"] == "web"]
    assert web["message"].startswith('the gate "up" (port 127.0.0.1:1) is closed: it did not open within 20s: ')
    assert web["message"].endswith("accepts no connection: connection refused")
    assert "1 of 2 workloads not restarted" in result["msg"]


def test_a_gate_of_the_defaults_holds_everything():
    cluster = cluster_of()
    result = calling.run("k8s_rollout_restart", cluster, plan=plan(SHUT, gates={"before": ["up"]}))
    assert outcomes(result) == {"cart": "not_started", "web": "not_started"}
    assert not cluster.patches


def test_a_dry_run_waits_for_no_gate():
    for module in ("k8s_rollout_plan", "k8s_rollout_restart"):
        cluster = cluster_of()
        result = calling.run(module, cluster, True, plan=plan(SHUT))
        assert "msg" not in result
        assert cluster.executor.clock.passed < 20


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart"])
@pytest.mark.parametrize(
    "gate, auth, sentence",
    [
        (HTTP, None, 'restart_plan.gates.up: auth: restartx_gate_auth has no "shop"; known are none'),
        (HTTP, {"shpo": {"token": "s3cret"}}, 'has no "shop"; did you mean "shpo"'),
        (HTTP, {"shop": "s3cret"}, "gate_auth.shop: is not a mapping with any of token, username"),
        (HTTP, {"shop": {"tokn": "s3cret"}}, 'gate_auth.shop.tokn: unknown option; did you mean "token"'),
        (HTTP, {"shop": {"token": ""}}, "gate_auth.shop.token: has no value"),
        (HTTP, {"shop": {"username": "ada"}}, "restart_plan.gates.up: auth: username and password belong together"),
        ({"http": "http://shop", "that": "a ="}, None, 'restart_plan.gates.up: that: "a =" is not a JMESPath'),
        ({"job": "migrate"}, None, "restart_plan.gates.up: job: give the namespace too"),
    ],
)
def test_a_gate_that_cannot_be_made_is_refused_before_anything_is_asked(module, gate, auth, sentence):
    cluster = cluster_of()
    with pytest.raises(ScheduleError) as told:
        calling.run(module, cluster, plan=plan(gate), **({"gate_auth": auth} if auth else {}))
    assert sentence in str(told.value) and "s3cret" not in str(told.value)
    assert not cluster.asked


def test_a_gate_on_a_job_needs_a_permission_that_the_check_asks_for():
    cluster = cluster_of()
    cluster.denied = {("get", "jobs")}
    with pytest.raises(RolloutError) as told:
        calling.run("k8s_rollout_plan", cluster, plan=plan({"job": "shop/migrate"}))
    assert "to get jobs.batch in namespace shop" in str(told.value)
    assert "apply -f rbac/gates.yml" in str(told.value)
    assert "create rolebinding restartx-gates --clusterrole restartx-gates" in str(told.value)
