# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The failures of the table that are a kubelet's doing, on a real node: its own words and states.

All are restarted by one call, and by a second one with a short grace.
"""

from __future__ import annotations

import json
import re

import pytest
from failure_table import TABLE
from house import RBAC, Namespace, entry_of, outcomes
from shop import workload

from lab.poll import wait_until

ROWS = {row.id: row for row in TABLE if row.node}
CODES = {name: row.code for name, row in ROWS.items()}
KINDS = ["Deployment", "DaemonSet"]  # of a StatefulSet, a pod that is broken already is never replaced
DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny-all"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}


@pytest.fixture(scope="module")
def everything(cluster, operator, make_namespace):
    """A namespace in which everything is broken, and what a restart of it returned."""
    own = Namespace(cluster, operator, make_namespace("broken"))
    own.create(*map(made, ROWS.values()), ready=False)
    # A restart of what the kubelet has not begun to start yet would say only that.
    wait_until(
        lambda: _codes(own.run("status", kind=KINDS)) == CODES, "everything to be broken", timeout=300, interval=2
    )
    yield own, own.run("restart", kind=KINDS, timeout="60s", on_failure="continue")
    cluster.kubectl("delete", "namespace", own.name, "--timeout=300s")  # the node's next tests begin without its pods


def made(row):
    """The workload of a row; its volumes are mounted."""
    volumes = [{"name": one["name"], "mountPath": f"/{one['name']}"} for one in row.pod.get("volumes", [])]
    found = workload(row.kind, row.id, **row.main, **({"volumeMounts": volumes} if volumes else {}))
    found["spec"]["template"]["spec"] |= row.pod
    return found


def _codes(result):
    return {entry["name"]: (entry["cause"] or {}).get("code") for entry in result["results"]}


@pytest.mark.parametrize("name", ROWS)
def test_the_cause_is_named(everything, name):
    _namespace, result = everything
    row, entry = ROWS[name], entry_of(result, name)
    cause, told = entry["cause"], json.dumps(entry)
    assert (entry["outcome"], cause["code"]) == (row.outcome, row.code), told
    assert cause["reason"] in row.reasons, told
    assert cause["object"].startswith(f'pod "{name}-') and cause["pod"].startswith(f"{name}-"), told
    assert (cause["container"], cause["exit_code"]) == (row.container, row.exit_code), told
    assert row.words in cause["sentence"], told
    assert row.log is None or cause["log"][-len(row.log) :] == list(row.log), told
    assert len(cause["log"]) <= 20
    assert re.fullmatch(row.pods, cause["pods"]), told


def test_a_log_that_complains_of_names_points_at_the_dns_and_at_network_policies(everything, cluster):
    namespace, _result = everything
    cause = _cause_now(namespace, "real-names")  # of one workload alone, the whole log is read
    assert [one["code"] for one in cause["also"]] == list(ROWS["real-names"].also) == ["dns"]
    assert "no such host" in cause["also"][0]["sentence"] and "k8s-app=kube-dns" in cause["advice"]
    namespace.kubectl("create", "-f", "-", input=json.dumps(DENY))
    assert [one["code"] for one in _cause_now(namespace, "real-names")["also"]] == ["dns"]  # they may not be read
    cluster.apply((RBAC / "causes.yml").read_text())
    seen = _cause_now(namespace, "real-names")
    assert [one["code"] for one in seen["also"]] == ["network_policy", "dns"]
    assert 'is selected by the NetworkPolicy "deny-all", and has no egress to the DNS' in seen["also"][0]["sentence"]
    assert f"describe networkpolicies --namespace {namespace.name}" in seen["advice"]


def _cause_now(namespace, name):
    (entry,) = namespace.run("status", name=[name])["results"]
    return entry["cause"]


def test_status_names_the_same(everything):
    namespace, _result = everything
    seen = namespace.run("status", kind=KINDS)
    assert set(outcomes(seen).values()) == {"in_progress"}
    assert _codes(seen) == CODES
    assert entry_of(seen, "real-crash")["cause"]["log"][-1] == "giving up"


def test_what_may_recover_is_given_up_after_its_grace_and_a_slow_start_only_at_its_timeout(everything):
    namespace, _result = everything
    result = namespace.run("restart", kind=KINDS, grace="4s", timeout="60s", on_failure="continue")
    # A node may be added, and then the rollout continues.
    assert outcomes(result) == {name: row.outcome for name, row in ROWS.items()}, result
    for name, row in ROWS.items():
        entry = entry_of(result, name)
        assert (entry["cause"]["code"], row.ends in entry["message"]) == (row.code, True), json.dumps(entry)
