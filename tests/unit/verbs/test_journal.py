# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What k8s_rollout_journal returns about the runs and locks of one plan and of all plans."""

from __future__ import annotations

import json

import calling
from simulation import FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Lease

NAMESPACE = "restartx-system"


def cluster_of(*plans):
    """A cluster on which a run of each plan was carried out, one after the other."""
    cluster = FakeCluster([deployment("web")])
    for number, plan in enumerate(plans):
        cluster.executor = None
        cluster.takes = 10 * (number + 1)
        workloads = [{"id": "web", "name": "web"}]
        plan = {"version": 1, "name": plan, "defaults": {"namespace": "shop"}, "workloads": workloads}
        calling.run(
            "k8s_rollout_restart", cluster, plan=plan, run_id=f"r{number}", operator="ada", journal={"clusters": ["eu"]}
        )
    return cluster


def read(cluster, **options):
    verb, call = calling.prepare("k8s_rollout_journal", cluster, **options)
    return calling.carry_out(verb, call), call


def test_without_a_plan_the_runs_of_all_plans_are_told():
    cluster = cluster_of("ca", "db")
    result, _call = read(cluster)
    assert {(run["plan"], run["run"]) for run in result["runs"]} == {("ca", "r0"), ("db", "r1")}
    assert [(run["operator"], run["counts"]) for run in result["runs"]] == [("ada", {"restarted": 1})] * 2
    assert result["locks"] == []
    assert [run["run"] for run in read(cluster, plan="db")[0]["runs"]] == ["r1"]


def test_what_is_no_journal_is_told_of_and_hides_no_other():
    cluster = cluster_of("ca")
    where = journal.path(NAMESPACE, "restartx.ca.note")
    cluster.objects[where] = journal.config_map(NAMESPACE, "restartx.ca.note", {}, {journal.KEY: "remember the milk"})
    result, call = read(cluster)
    assert [run["run"] for run in result["runs"]] == ["r0"]
    assert 'the ConfigMap "restartx.ca.note"' in call.warnings[0]


def test_a_run_that_both_versions_wrote_is_told_once():
    cluster = cluster_of("ca")
    content = json.loads(cluster.objects[journal.path(NAMESPACE, journal.name_of("ca", "r0"))]["data"][journal.KEY])
    name = journal.first_name("ca")
    body = journal.config_map(
        NAMESPACE, name, {}, {journal.KEY: json.dumps({**content, "version": 1, "state": "stopped"})}
    )
    cluster.objects[journal.path(NAMESPACE, name)] = body
    result, _call = read(cluster)
    assert [(run["run"], run["state"]) for run in result["runs"]] == [("r0", "finished")]


def test_who_holds_a_lock_is_told():
    cluster = cluster_of("ca", "db")
    _verb, call = calling.prepare("k8s_rollout_journal", cluster)
    Lease(cluster, call.clock, NAMESPACE, "db", "bastion-1", run="r1", operator="ada").acquire()
    result, _call = read(cluster)
    (lock,) = result["locks"]
    assert lock | {"since": None, "renewed_at": None} == {
        "plan": "db",
        "holder": "bastion-1",
        "run": "r1",
        "operator": "ada",
        "since": None,
        "renewed_at": None,
    }
    assert lock["since"].startswith("2026-11-24T22:00:")
    assert read(cluster, plan="ca")[0]["locks"] == []
