# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The undo of a run on one cluster: its order, its journal and its lock, and what a later start makes of it."""

from __future__ import annotations

import json

import calling
import pytest
from simulation import Executor, FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

NAMES = ("cart", "catalog", "web")
PLAN = {
    "version": 1,
    "name": "ca",
    "defaults": {"namespace": "shop", "timeout": "30s"},
    "workloads": [{"id": "core", "name": ["cart", "catalog"]}, {"id": "web", "name": ["web"], "after": ["core"]}],
}
PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
LEASE = "/apis/coordination.k8s.io/v1/namespaces/restartx-system/leases/restartx-ca"


def restarted(*, breaks=(), plan=None):
    """A cluster on which a run of the plan was carried out."""
    cluster = FakeCluster([deployment(name) for name in NAMES], breaks=breaks)
    cluster.breaks_by = "CrashLoopBackOff"
    restart_again(cluster, plan=plan)
    cluster.patches.clear()
    return cluster


def restart_again(cluster, plan=None, **more):
    cluster.executor = None
    options = {"clusters": ["eu", "us"], **more}
    return calling.run(
        "k8s_rollout_restart", cluster, plan=plan or PLAN, run_id="r1", operator="ada", ticket="CHG1", journal=options
    )


def undo(cluster, check_mode=False, run="r1", **options):
    cluster.executor = None
    given = {"plan": "ca", "operator": "bob", **options.pop("journal", {})}
    return calling.run("k8s_rollout_undo", cluster, check_mode, run_id=run, journal=given, **options)


def held(cluster):
    return json.loads(cluster.objects[PATH]["data"][journal.KEY])


def told(cluster):
    return {name.rpartition("/")[2]: entry["outcome"] for name, entry in held(cluster)["workloads"].items()}


def outcomes(result):
    return {entry["name"]: entry["outcome"] for entry in result["results"]}


def object_of(cluster, name):
    return cluster.objects[kinds.path("Deployment", "shop", name)]


def undone_order(cluster):
    return [name for _moment, name in cluster.patches]


def test_what_was_restarted_last_is_undone_first_and_waited_for():
    cluster = restarted()
    result = undo(cluster)
    assert outcomes(result) == dict.fromkeys(("web", "catalog", "cart"), "undone")
    assert undone_order(cluster) == ["web", "catalog", "cart"]
    assert cluster.patches[1][0] >= cluster.patches[0][0] + 10
    assert not any(restart.run_of(object_of(cluster, name)) for name in NAMES)
    assert "msg" not in result


def test_the_journal_says_what_was_undone_and_by_whom():
    cluster = restarted()
    undo(cluster)
    content = held(cluster)
    assert told(cluster) == dict.fromkeys(NAMES, "undone")
    assert (content["state"], content["over"], content["total"]) == ("undone", True, 3)
    assert (content["operator"], content["undone_by"], content["ticket"]) == ("ada", "bob", "CHG1")
    assert content["clusters"] == ["eu", "us"]
    assert "plan.json" in cluster.objects[PATH]["data"]


def test_the_journal_says_that_the_undo_has_begun_before_anything_is_touched():
    cluster = restarted()
    seen = []
    cluster.before_patch = lambda one: seen.append(
        (held(cluster)["state"], cluster.objects[LEASE]["spec"]["holderIdentity"] != "")
    )
    undo(cluster)
    assert set(seen) == {("undoing", True)}
    assert cluster.objects[LEASE]["spec"]["holderIdentity"] == ""


def test_the_journal_says_so_as_soon_as_an_undo_is_under_way():
    # If the undo is killed now, the next start of the run leaves the workload alone.
    cluster = restarted()
    seen = []
    Executor(cluster).later(5, lambda: seen.append(told(cluster)))
    calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert seen == [{"web": "undone", "catalog": "restarted", "cart": "restarted"}]


def test_a_resumed_run_leaves_alone_what_was_undone_unless_it_is_asked_for():
    cluster = restarted()
    undo(cluster)
    assert outcomes(restart_again(cluster)) == dict.fromkeys(NAMES, "undone")
    again = outcomes(restart_again(cluster, retry=["undone"]))
    assert again == dict.fromkeys(NAMES, "restarted")
    assert held(cluster)["state"] == "finished"


def test_check_mode_changes_nothing_takes_no_lock_and_needs_none():
    cluster = restarted()
    before = json.dumps(cluster.objects[PATH]), cluster.objects[LEASE]["metadata"]["resourceVersion"]
    cluster.objects[LEASE]["spec"]["holderIdentity"] = "somebody"
    result = undo(cluster, True)
    assert [entry["name"] for entry in result["results"]] == ["web", "catalog", "cart"]
    assert outcomes(result) == dict.fromkeys(NAMES, "undone")
    assert (json.dumps(cluster.objects[PATH]), cluster.objects[LEASE]["metadata"]["resourceVersion"]) == before
    assert cluster.patches == []


def test_what_somebody_changed_later_is_left_alone_and_keeps_its_entry():
    cluster = restarted()
    later = {"kubectl.kubernetes.io/restartedAt": "2026-11-25T08:00:00Z"}
    object_of(cluster, "catalog")["spec"]["template"]["metadata"]["annotations"].update(later)
    result = undo(cluster)
    assert outcomes(result) == {"web": "undone", "catalog": "unchanged", "cart": "undone"}
    assert told(cluster) == {"web": "undone", "catalog": "restarted", "cart": "undone"}
    assert held(cluster)["state"] == "undone"


def test_the_order_also_holds_across_what_is_left_alone():
    names = [{"id": "cart", "name": "cart"}, {"id": "catalog", "name": "catalog", "after": ["cart"]}]
    chain = {**PLAN, "workloads": [*names, {"id": "web", "name": "web", "after": ["catalog"]}]}
    cluster = restarted(plan=chain)
    later = {"kubectl.kubernetes.io/restartedAt": "2026-11-25T08:00:00Z"}
    object_of(cluster, "catalog")["spec"]["template"]["metadata"]["annotations"].update(later)
    assert outcomes(undo(cluster)) == {"web": "undone", "catalog": "unchanged", "cart": "undone"}
    assert undone_order(cluster) == ["web", "cart"]
    assert cluster.patches[1][0] >= cluster.patches[0][0] + 10


def test_a_deployment_since_then_is_refused_and_holds_back_nothing():
    cluster = restarted()
    web = object_of(cluster, "web")
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
    cluster._note_revision(web)
    result = undo(cluster)
    assert outcomes(result) == {"web": "refused", "catalog": "undone", "cart": "undone"}
    assert "somebody deployed" in result["msg"]
    assert told(cluster)["web"] == "restarted"


def test_a_run_of_which_nothing_can_be_undone_stays_what_it_was():
    cluster = restarted()
    later = {"kubectl.kubernetes.io/restartedAt": "2026-11-25T08:00:00Z"}
    for name in NAMES:
        object_of(cluster, name)["spec"]["template"]["metadata"]["annotations"].update(later)
    before = held(cluster)
    assert outcomes(undo(cluster)) == dict.fromkeys(NAMES, "unchanged")
    after = held(cluster)
    assert {name: after[name] for name in ("state", "over", "counts")} == {
        name: before[name] for name in ("state", "over", "counts")
    }
    assert after["undone_by"] is None


def test_an_undo_that_does_not_come_up_holds_back_nothing_and_counts_as_undone():
    cluster = restarted()
    cluster.takes = {"web": 1000, "catalog": 10, "cart": 10}
    result = undo(cluster)
    assert outcomes(result) == {"web": "unfinished", "catalog": "undone", "cart": "undone"}
    assert told(cluster) == dict.fromkeys(NAMES, "undone")


def test_a_part_of_a_run_is_undone_as_far_as_it_came():
    cluster = restarted(breaks={"cart"})
    assert told(cluster) == {"cart": "failed", "catalog": "restarted", "web": None}
    cluster.breaks = ()
    result = undo(cluster)
    assert outcomes(result) == {"web": "unchanged", "catalog": "undone", "cart": "undone"}
    assert held(cluster)["state"] == "undone"


def test_a_workload_that_is_gone_is_told_of():
    cluster = restarted()
    del cluster.objects[kinds.path("Deployment", "shop", "catalog")]
    cluster.executor = None
    verb, call = calling.prepare("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    result = calling.carry_out(verb, call)
    assert outcomes(result) == {"web": "undone", "cart": "undone"}
    assert call.warnings == ["no longer on the cluster, so there is nothing to undo: Deployment/shop/catalog"]
    assert told(cluster)["catalog"] == "restarted"


def test_an_undo_that_is_cut_short_is_taken_up_by_the_next_one():
    cluster = restarted()
    result = undo(cluster, wait_timeout="5s")
    assert outcomes(result) == {"web": "unfinished", "catalog": "not_started", "cart": "not_started"}
    assert (held(cluster)["state"], told(cluster)["web"], told(cluster)["cart"]) == ("undoing", "undone", "restarted")
    result = undo(cluster)
    assert outcomes(result) == {"web": "unchanged", "catalog": "undone", "cart": "undone"}
    assert (held(cluster)["state"], told(cluster)) == ("undone", dict.fromkeys(NAMES, "undone"))


def test_a_lock_that_somebody_else_holds_is_named_and_nothing_is_undone():
    cluster = restarted()
    lease = cluster.objects[LEASE]
    lease["spec"]["holderIdentity"] = "elsewhere-1"
    clock = Executor(cluster).clock

    def sleep(seconds):
        clock.passed += seconds
        lease["metadata"]["resourceVersion"] = str(int(lease["metadata"]["resourceVersion"]) + 1)  # it is alive

    clock.sleep = sleep
    result = calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})
    assert result["locked"] is True
    assert "elsewhere-1" in result["msg"]
    assert cluster.patches == []
    assert held(cluster)["state"] == "finished"


def test_a_mistyped_run_is_refused_with_what_may_be_meant():
    cluster = restarted()
    with pytest.raises(
        RolloutError, match='no journal of run "r2" of plan "ca" is in namespace "restartx-system"; known are r1'
    ):
        undo(cluster, run="r2")
    assert cluster.patches == []


@pytest.mark.parametrize(
    "beside",
    [{"namespace": "shop"}, {"name": "web"}, {"kind": "Deployment"}, {"label_selectors": "a=b"}, {"timeout": "1m"}],
)
def test_a_selection_beside_the_journal_is_refused(beside):
    cluster = restarted()
    asked = list(cluster.asked)
    (name,) = beside
    with pytest.raises(RolloutError, match=f"{name}: has no effect together with journal"):
        undo(cluster, **beside)
    assert cluster.asked == asked


def test_a_journal_needs_a_run():
    cluster = restarted()
    with pytest.raises(RolloutError, match="journal: needs the option run_id"):
        calling.run("k8s_rollout_undo", cluster, journal={"plan": "ca"})


def test_the_journal_of_version_0_1_0_is_undone_from_its_end():
    cluster = restarted()
    content = {**held(cluster), "version": 1}
    for name in ("counts", "operator", "parts", "over", "period", "break_circuit"):
        content.pop(name)
    maps = cluster.objects.pop(PATH)
    maps["metadata"].update(name=journal.first_name("ca"), labels=dict(journal.MANAGED))
    maps["data"] = {journal.KEY: json.dumps(content)}
    cluster.objects[journal.path("restartx-system", journal.first_name("ca"))] = maps
    undo(cluster)
    assert undone_order(cluster) == ["web", "catalog", "cart"]
    assert (held(cluster)["version"], held(cluster)["state"]) == (2, "undone")


def test_a_split_journal_stays_split(monkeypatch):
    monkeypatch.setattr(journal, "INLINE", 1)
    monkeypatch.setattr(journal, "IN_PART", 2)
    cluster = restarted()
    undo(cluster)
    known, maps = journal.read_run(cluster, "restartx-system", "ca", "r1")
    assert len(maps) == 3
    assert {entry["outcome"] for entry in known["workloads"].values()} == {"undone"}
    assert known["counts"] == {"undone": 3}
