# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run means the same workloads in each of its starts, whatever its entries would select by then."""

from __future__ import annotations

import copy
import datetime
import json

import calling
import pytest
from simulation import START, FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

NAMES = ("cart", "catalog", "web")
CORE = {"id": "core", "label_selectors": ["tier=core"]}
OLD = {"id": "core", "only": {"started_before": "30d"}}
USES = {"id": "core", "uses": ["secret/ca"]}


def deployment(name, **labels):
    one = workload("Deployment", name, labels={"tier": "core", **labels})
    one["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": "ca"}]
    return one


def cluster_of(*names, breaks=()):
    cluster = FakeCluster([deployment(name) for name in names or NAMES], breaks=set(breaks))
    cluster.breaks_by = "CrashLoopBackOff"
    cluster.pods = [pod(name, 40) for name in names or NAMES]
    return cluster


def pod(name, age):
    started = (START - datetime.timedelta(days=age)).isoformat()
    owner = {"kind": "ReplicaSet", "name": f"{name}-abc", "uid": "x", "controller": True}
    meta = {"name": f"{name}-{age}", "namespace": "shop", "ownerReferences": [owner], "creationTimestamp": started}
    labels = {"pod-template-hash": "abc", "app": name}
    return {"metadata": {**meta, "labels": labels}, "spec": {"containers": []}, "status": {"phase": "Running"}}


def add(cluster, one):
    cluster.objects[kinds.path(*kinds.key(one))] = one
    cluster._note_revision(one)


def held(cluster, name):
    return cluster.objects[kinds.path("Deployment", "shop", name)]


def relabel(cluster, name, tier):
    held(cluster, name)["metadata"]["labels"]["tier"] = tier


def plan_of(*entries):
    return {"version": 1, "name": "ca", "defaults": {"namespace": "shop", "timeout": "30s"}, "workloads": list(entries)}


def call(cluster, *entries, run="r1", check_mode=False, clusters=("eu", "us"), **options):
    """One start: its result and its warnings."""
    options |= {"plan": plan_of(*entries), "run_id": run, "journal": {"clusters": list(clusters)}}
    verb, prepared = calling.prepare("k8s_rollout_restart", cluster, check_mode, **options)
    return calling.carry_out(verb, prepared), prepared.warnings


def start(cluster, *entries, **options):
    """What came of each workload in one start."""
    result, warnings = call(cluster, *entries, **options)
    assert warnings == []
    return outcomes(result)


def outcomes(result):
    return {entry["name"]: entry["outcome"] for entry in result["results"]}


def entries_in_journal(cluster, run="r1"):
    where = journal.path("restartx-system", journal.name_of("ca", run))
    workloads = json.loads(cluster.objects[where]["data"][journal.KEY])["workloads"]
    return {name.rpartition("/")[2]: entry["entry"] for name, entry in workloads.items()}


def attempts(cluster):
    return {name: restart.attempt_of(held(cluster, name), "r1") for name in NAMES}


def no_longer_old(cluster):
    cluster.pods = [pod(name, 0) for name in NAMES]


def no_longer_core(cluster):
    for name in NAMES:
        relabel(cluster, name, "other")


def no_longer_using(cluster):
    for name in NAMES:
        held(cluster, name)["spec"]["template"]["spec"]["imagePullSecrets"] = []


@pytest.mark.parametrize(
    "entry, changed",
    [
        (OLD, no_longer_old),
        (CORE, no_longer_core),
        (USES, no_longer_using),
        ({"id": "core", "select": "metadata.labels.tier == 'core'"}, no_longer_core),
        ({"id": "core", "exclude": {"label_selectors": "tier=other"}}, no_longer_core),
        ({**CORE, **USES, **OLD}, lambda cluster: (no_longer_old(cluster), no_longer_core(cluster))),
    ],
)
def test_a_resumed_run_goes_on_with_what_it_selected(entry, changed):
    cluster = cluster_of(breaks={"cart"})
    assert start(cluster, entry) == {"cart": "failed", "catalog": "restarted", "web": "restarted"}
    cluster.breaks = set()
    changed(cluster)
    before = copy.deepcopy(cluster.objects)
    again = {"cart": "restarted", "catalog": "already_restarted", "web": "already_restarted"}
    assert start(cluster, entry, check_mode=True) == again
    assert cluster.objects == before
    assert start(cluster, entry) == again
    assert attempts(cluster) == {"cart": 2, "catalog": 1, "web": 1}
    assert set(start(cluster, entry).values()) == {"already_restarted"}
    assert entries_in_journal(cluster) == dict.fromkeys(NAMES, "core")
    # Another run selects anew.
    with pytest.raises(RolloutError, match="nothing"):
        start(cluster, entry, run="r2")


def test_what_is_no_longer_listed_costs_one_list_and_is_followed_by_it():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    cluster.breaks = set()
    relabel(cluster, "cart", "other")
    cluster.params.clear()
    scopes, follow = [], cluster.executor.follow
    cluster.executor.follow = lambda scope, version: scopes.append(scope) or follow(scope, version)
    assert start(cluster, CORE)["cart"] == "restarted"
    of_workloads = [params for params in cluster.params if "restartx.io" not in str(params)]
    assert {"labelSelector": "tier=core"} in of_workloads and {"fieldSelector": "metadata.name=cart"} in of_workloads
    followed = {(scope.label_selector, scope.field_selector) for scope in scopes if hasattr(scope, "kind")}
    assert followed == {("tier=core", ""), ("", "metadata.name=cart")}


def test_what_matches_only_since_the_run_began_is_left_out_and_named():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    for name in ("later", "latest"):
        add(cluster, deployment(name))
    result, warnings = call(cluster, CORE)
    assert set(outcomes(result)) == set(NAMES)
    assert warnings == [
        "run r1 leaves out what the plan selects only since the run began: Deployment shop/later, Deployment "
        "shop/latest; to restart it too, add its name to the plan, or start a new run"
    ]
    assert set(start(cluster, CORE, run="r2")) == {*NAMES, "later", "latest"}


def test_a_pod_that_has_grown_old_since_adds_nothing():
    cluster = cluster_of()
    cluster.pods = [pod("cart", 40), pod("web", 29)]
    assert start(cluster, OLD) == {"cart": "restarted"}
    cluster.pods = [pod("cart", 0), pod("web", 31)]
    result, warnings = call(cluster, OLD)
    assert outcomes(result) == {"cart": "already_restarted"}
    assert "Deployment shop/web" in warnings[0]


def test_what_the_plan_names_belongs_to_the_run_whenever_it_appears():
    cluster = cluster_of()
    entry = {"id": "core", "name": [*NAMES, "later"], "optional": True}
    assert set(start(cluster, entry)) == set(NAMES)
    add(cluster, deployment("later"))
    assert start(cluster, entry)["later"] == "restarted"


def test_an_entry_that_was_changed_selects_anew_and_leaves_the_rest_alone_for_good():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    cluster.breaks = set()
    without = {**CORE, "exclude": {"name": "cart"}}
    add(cluster, deployment("later"))
    for _time in range(2):
        found = start(cluster, without)
        assert set(found) == {"catalog", "web", "later"} and "restarted" not in (found["catalog"], found["web"])
        assert entries_in_journal(cluster) == {"cart": None, "catalog": "core", "web": "core", "later": "core"}
    # When it is selected again, the run knows it still.
    assert start(cluster, CORE)["cart"] == "restarted"
    assert attempts(cluster)["cart"] == 2
    assert entries_in_journal(cluster)["cart"] == "core"


def test_a_changed_entry_does_not_take_for_new_what_the_run_itself_replaced():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, OLD)
    cluster.breaks = set()
    no_longer_old(cluster)
    found = start(cluster, {**OLD, "exclude": {"name": "web"}})
    assert found == {"cart": "restarted", "catalog": "already_restarted"}


def test_other_changes_of_an_entry_change_no_selection():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    cluster.breaks = set()
    no_longer_core(cluster)
    found = start(cluster, {**CORE, "timeout": "40s", "max_parallel": 1, "optional": True, "settle": "1s"})
    assert found["cart"] == "restarted"


def test_a_workload_that_moves_to_another_entry_is_selected_once():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    cluster.breaks = set()
    relabel(cluster, "cart", "other")
    assert start(cluster, CORE, {"id": "more", "name": "cart"})["cart"] == "restarted"
    assert entries_in_journal(cluster) == {"cart": "more", "catalog": "core", "web": "core"}


def test_what_was_deleted_is_left_out_and_comes_back_with_itself():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    cluster.breaks = set()
    where = kinds.path("Deployment", "shop", "cart")
    gone = cluster.objects.pop(where)
    assert set(start(cluster, CORE)) == {"catalog", "web"}
    assert entries_in_journal(cluster)["cart"] == "core"
    another = deployment("cart")
    another["metadata"].update(uid="uid-of-another", labels={})
    add(cluster, another)
    assert set(start(cluster, CORE)) == {"catalog", "web"}  # another one, which no longer matches
    another["metadata"]["labels"] = {"tier": "core"}
    assert start(cluster, CORE)["cart"] == "restarted"  # another one, which matches
    cluster.objects[where] = gone
    assert set(start(cluster, CORE)) == set(NAMES)


@pytest.mark.parametrize("text", [None, "no json", "null", '{"version": 9}'])
def test_without_the_plan_of_the_last_start_each_entry_selects_anew(text):
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    cluster.breaks = set()
    relabel(cluster, "cart", "other")
    data = cluster.objects[journal.path("restartx-system", journal.name_of("ca", "r1"))]["data"]
    data.pop(journal.PLAN_KEY)
    if text:
        data[journal.PLAN_KEY] = text
    assert set(start(cluster, CORE)) == {"catalog", "web"}


def test_a_journal_in_parts_keeps_the_selection_too():
    names = [f"w{number:04}" for number in range(journal.INLINE + 1)]
    cluster = cluster_of(*names, breaks={"w0007"})
    start(cluster, CORE)
    cluster.breaks = set()
    relabel(cluster, "w0007", "other")
    assert set(outcomes(check(cluster, CORE))) == set(names)
    assert start(cluster, CORE)["w0007"] == "restarted"


def test_without_a_journal_the_workloads_tell_what_the_run_has_restarted():
    cluster = cluster_of()
    options = {"namespace": "shop", "run_id": "r1", "only": {"started_before": "30d"}}
    assert set(outcomes(calling.run("k8s_rollout_restart", cluster, **options)).values()) == {"restarted"}
    no_longer_old(cluster)
    assert set(outcomes(calling.run("k8s_rollout_restart", cluster, **options)).values()) == {"already_restarted"}
    with pytest.raises(RolloutError, match="only.started_before: 30d leaves out all 3 workloads"):
        calling.run("k8s_rollout_restart", cluster, **{**options, "run_id": "r2"})


# -- the check before a start ----------------------------------------------------------------------------------------


def check(cluster, *entries, **options):
    return calling.run("k8s_rollout_plan", cluster, plan=plan_of(*entries), **options)


@pytest.mark.parametrize("ticket", [None, "CHG1"])
@pytest.mark.parametrize("entry, changed", [(OLD, no_longer_old), (CORE, no_longer_core), (USES, no_longer_using)])
def test_the_check_selects_what_a_start_that_resumes_the_run_does(entry, changed, ticket):
    cluster = cluster_of(breaks={"cart"})
    marks = {"ticket": ticket} if ticket else {}
    start(cluster, entry, **marks)
    cluster.breaks = set()
    changed(cluster)
    assert outcomes(check(cluster, entry, **marks)) == dict.fromkeys(NAMES, "planned")
    with pytest.raises(RolloutError, match="nothing"):
        check(cluster, entry, ticket="CHG2")


def test_the_check_also_selects_what_a_new_run_would():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, CORE)
    add(cluster, deployment("later"))
    assert set(outcomes(check(cluster, CORE))) == {*NAMES, "later"}


@pytest.mark.parametrize("clusters", [("eu",), ("eu", "us")])
def test_a_run_that_is_done_leaves_nothing_to_do_and_that_is_no_mistake(clusters):
    cluster = cluster_of()
    start(cluster, OLD, clusters=clusters)
    no_longer_old(cluster)
    result = check(cluster, OLD)
    over = len(clusters) == 1
    assert outcomes(result) == ({} if over else dict.fromkeys(NAMES, "planned"))
    assert result["plan"]["workloads"]["core"] == ([] if over else [f"Deployment shop/{name}" for name in NAMES])


def test_the_first_check_with_nothing_that_is_old_is_a_mistake():
    cluster = cluster_of()
    no_longer_old(cluster)
    with pytest.raises(RolloutError, match="core: nothing to select .*; to go on without it, set optional: true"):
        check(cluster, OLD)
    assert outcomes(check(cluster, {**OLD, "optional": True})) == {}
