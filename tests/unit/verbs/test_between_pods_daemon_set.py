# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts pod by pod of DaemonSets whose controller would replace the pods: OnDelete keeps it from that until all are evicted."""

from __future__ import annotations

import copy
import datetime
import functools
import itertools
import json

import calling
import pytest
from budgets import budget
from daemons import AGENT, PATH, ROLLING, DaemonCluster, daemon_set, leftovers_of, runs, strategy_of, undo
from simulation import Executor, Noting
from starts import carry_out, kill, message, outcome, start

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine.daemon_steps import DaemonStep
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.step import PodByPod
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.verbs.test_between_pods import Gate, led_by
from tests.unit.verbs.test_snapshots import SnapshottingCluster

ZONE, AGE = {"order": "zone"}, {"order": "age"}
# The nodes are in the zones b, c, a, b, c. Within a zone the oldest pod is the first.
ORDER = ["agent-2", "agent-3", "agent-0", "agent-4", "agent-1"]
OLDEST = ["agent-4", "agent-3", "agent-2", "agent-1", "agent-0"]
HELD = "it stays held after its restart pod by pod (update strategy OnDelete); to find and give back what is left: "
QUORUM = {"quorum": {"job": "shop/quorum", "timeout": "5m"}}
SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def plan(between=None, gates=None, **defaults):
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", **defaults},
        "workloads": [{"id": "agent", "kind": "DaemonSet", "name": "agent", "between_pods": between or ZONE}],
        **({"gates": gates} if gates else {}),
    }


def deploy(one):
    one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"


def owned_by_apply(one):
    fields = {"f:spec": {"f:updateStrategy": {"f:type": {}}}}
    one["metadata"]["managedFields"] = [{"manager": "argocd", "operation": "Apply", "fieldsV1": fields}]
    return one


@pytest.mark.parametrize("between, order", [(ZONE, ORDER), (AGE, OLDEST)])
def test_all_pods_are_evicted_in_the_order_and_the_strategy_is_given_back(between, order):
    cluster = DaemonCluster(daemon_set())
    before = copy.deepcopy(cluster.objects[AGENT]["spec"]["updateStrategy"])
    result = start(cluster, plan(between))
    assert outcome(result) == "restarted", result
    assert cluster.evicted == order and not cluster.deleted and cluster.fewest["agent"] == 4
    assert cluster.strategies == [{**ROLLING, "type": "OnDelete"}, ROLLING]
    assert strategy_of(cluster) == before and set(runs(cluster).values()) == {"r1"}
    assert len(cluster.history["uid-shop-agent"]) == 2
    assert not [asked for asked in cluster.asked if asked[0] == "delete"]


def test_each_pod_must_stay_ready_for_the_settle_before_the_next_one():
    cluster = DaemonCluster(daemon_set())
    times = []
    cluster.allow = lambda pod: times.append(cluster.executor.clock.passed)
    assert outcome(start(cluster, plan({**ZONE, "settle": "60s"}))) == "restarted"
    assert all(after - before >= 60 for before, after in itertools.pairwise(times)) and len(times) == 5


def test_a_gate_is_asked_before_each_pod_and_what_is_held_goes_on_when_it_opens():
    cluster = DaemonCluster(daemon_set())
    gate = Gate(cluster)
    cluster.allow = lambda pod: gate.set(False)
    gated = plan({**ZONE, "gates": ["quorum"]}, QUORUM, on_failure="stop")
    result = start(cluster, gated)
    assert outcome(result) == "unfinished" and cluster.evicted == ORDER[:1] and not cluster.deleted
    assert message(result).startswith(
        'no further pod is evicted: the gate "quorum" (job "quorum" in'
    ) and HELD in message(result)
    assert strategy_of(cluster)["type"] == "OnDelete"
    gate.set(True)
    cluster.allow = lambda pod: None
    assert outcome(start(cluster, gated)) == "restarted"
    assert cluster.evicted == ORDER and strategy_of(cluster) == ROLLING and len(cluster.patches) == 2


def test_the_leader_goes_last():
    cluster = DaemonCluster(daemon_set())
    led_by(cluster, "agent-2")
    assert outcome(start(cluster, plan({**ZONE, "leader": {"label": "role=primary"}}))) == "restarted"
    assert cluster.evicted == [*ORDER[1:], "agent-2"]


class Snapshotting(DaemonCluster, SnapshottingCluster):
    """Its snapshots are ready after 20 seconds."""


def test_snapshots_are_ready_before_anything_is_touched_and_made_once_also_after_a_kill():
    with_snapshots = plan({**ZONE, "snapshot": {"class": "csi"}})
    for at in (10, 30):
        cluster = Snapshotting(daemon_set())
        kill(cluster, with_snapshots, at)
        assert len(cluster.made) == 5 and len(cluster.patches) == (0 if at == 10 else 1)
        result = start(cluster, with_snapshots)
        assert outcome(result) in ("restarted", "already_restarted"), result
        assert len(cluster.made) == 5 and cluster.evicted == ORDER and strategy_of(cluster) == ROLLING


def test_several_pods_of_a_zone_are_replaced_at_a_time():
    cluster = DaemonCluster(daemon_set())
    assert outcome(start(cluster, plan({**ZONE, "max_unavailable": 2}))) == "restarted"
    assert cluster.evicted == ORDER and cluster.fewest["agent"] == 3


def moments():
    """The moments after each event of a start that ends well."""
    cluster = DaemonCluster(daemon_set())
    executor = Noting(cluster)
    carry_out(cluster, plan())
    return executor.moments


def test_a_kill_at_any_moment_leaves_it_held_and_a_resume_goes_on_with_the_rest():
    instants = moments()
    assert len(instants) > 50
    for at in instants:
        cluster = DaemonCluster(daemon_set())
        kill(cluster, plan(), at)
        assert strategy_of(cluster)["type"] == ("OnDelete" if len(cluster.patches) == 1 else "RollingUpdate"), at
        result = start(cluster, plan())
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert strategy_of(cluster) == ROLLING and cluster.evicted == ORDER and not cluster.deleted, at
        assert cluster.fewest["agent"] == 4 and set(runs(cluster).values()) == {"r1"}, at
        assert len(cluster.patches) == 2 and len(cluster.history["uid-shop-agent"]) == 2, at
        assert "canary" in json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"]["DaemonSet/shop/agent"]


def test_a_kill_at_any_moment_may_be_followed_by_an_undo_of_the_run():
    for at in moments():
        cluster = DaemonCluster(daemon_set())
        kill(cluster, plan(), at)
        cluster.denied |= {("create", "pods"), ("get", "nodes")}  # its controller replaces the pods
        evicted, patches = [*cluster.evicted], len(cluster.patches)
        result = undo(cluster)
        assert outcome(result) == ("undone" if cluster.patches else "unchanged"), (at, result)
        assert strategy_of(cluster) == ROLLING and set(runs(cluster).values()) == {None}, at
        assert restart.run_of(cluster.objects[AGENT]) is None and cluster.fewest["agent"] >= 4, at
        assert cluster.evicted == evicted and len(cluster.patches) == (patches + 1 if patches else 0), at


def test_no_further_pod_is_replaced_while_nobody_works_on_it():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan({**ZONE, "settle": "1h"}), 30)
    cluster.go_on(executor := Executor(cluster))
    assert executor.next(600) is None
    assert runs(cluster) == {**dict.fromkeys(runs(cluster)), "agent-2": "r1"} and not cluster.deleted
    ask = {"namespace": ["shop"], "kind": ["DaemonSet"], "name": ["agent"]}
    result = calling.run("k8s_rollout_status", cluster, wait=False, **ask)
    assert outcome(result) == "in_progress" and 'is held by run "r1" (update strategy OnDelete): 1 of 5' in message(
        result
    )


def test_a_pod_that_does_not_get_ready_is_undone_with_the_strategy_in_one_patch():
    cluster = DaemonCluster(daemon_set())
    before = copy.deepcopy(cluster.objects[AGENT]["spec"])
    cluster.broken.add("agent-0")
    result = start(cluster, plan(on_failure="undo"))
    assert outcome(result) == "undone", result
    assert cluster.objects[AGENT]["spec"] == before and len(cluster.patches) == 2
    assert set(runs(cluster).values()) == {None} and cluster.fewest["agent"] == 4
    assert cluster.evicted == ORDER[:3] and sorted(cluster.deleted) == sorted(ORDER[:3])


@pytest.mark.parametrize("on_failure", ["stop", "pause"])
def test_after_a_failure_it_stays_held_and_the_next_start_goes_on(on_failure):
    cluster = DaemonCluster(daemon_set())
    cluster.broken.add("agent-0")
    result = start(cluster, plan(on_failure=on_failure))
    assert outcome(result) == "unfinished" and cluster.evicted == ORDER[:3] and not cluster.deleted
    assert "3 of 5 pods are new; pod agent-0 is new and not ready" in message(result) and HELD in message(result)
    cluster.broken.clear()
    result = start(cluster, plan())
    assert outcome(result) in ("restarted", "already_restarted"), result
    assert strategy_of(cluster) == ROLLING and set(runs(cluster).values()) == {"r1"}
    assert cluster.evicted == ORDER and len(cluster.history["uid-shop-agent"]) == 2


def budgeted(least, most=1):
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": most}}
    cluster = DaemonCluster(daemon_set(strategy=own))
    made = budget("agent", {"matchLabels": {"app": "agent"}}, 5, cluster.pods, minAvailable=least)
    cluster.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets/agent"] = made
    cluster.go_on(Executor(cluster))
    return cluster


@pytest.mark.parametrize("budgets", ["honour", "report"])
def test_a_budget_is_asked_by_each_eviction_whatever_the_strategy_of_the_controller_takes(budgets):
    cluster = budgeted(4, most=3)
    given = {"plan": plan(budgets=budgets), "run_id": "r1", "journal": {"clusters": ["eu"]}}
    verb, call = calling.prepare("k8s_rollout_restart", cluster, **given)
    result = calling.carry_out(verb, call)
    assert outcome(result) == "restarted" and cluster.fewest["agent"] == 4 and not call.warnings, result
    assert cluster.evicted == ORDER and cluster.strategies[-1]["rollingUpdate"]["maxUnavailable"] == 3
    cluster = budgeted(4, most=3)
    checked = calling.run("k8s_rollout_plan", cluster, plan=plan(budgets=budgets))
    assert outcome(checked) == "planned"
    assert not [one for one in checked["findings"] if "budget" in one["code"] or one["code"] == "all_pods_at_once"]


def test_budgets_see_how_many_pods_are_evicted_at_a_time():
    cluster = DaemonCluster(daemon_set())
    before = copy.deepcopy(cluster.objects[AGENT])
    stamp = restart.Stamp(run="r1", at=datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC))
    its, how = canary.of(before, canary.Each(2)), PodByPod("zone", most=2)
    step = DaemonStep(stamp, Mode(), lambda: stamp.at, its=its, how=how)
    kill(cluster, plan({**ZONE, "max_unavailable": 2}), 2)
    stops = kinds.kind_of(before).stops_at_once
    agent = cluster.objects[AGENT]
    assert agent["spec"]["updateStrategy"]["type"] == "OnDelete"
    for one in (before, agent):
        assert stops(step.released(one)) == 0 and stops(step.evicting(one)) == 2
    cluster.edit(agent, lambda one: one["spec"].update(updateStrategy=copy.deepcopy(ROLLING)))
    assert stops(step.released(agent)) == 1 and step.evicting(agent) is None  # its controller does the rest


def test_an_eviction_that_a_budget_does_not_allow_is_waited_for_with_its_answer():
    cluster = budgeted(4)
    cluster.allow = lambda pod: "agent needs 4 healthy pods and has 4 currently"
    result = carry_out(cluster, plan(), wait_timeout="2m")
    assert outcome(result) == "unfinished" and not cluster.evicted and not cluster.deleted
    told = "last seen: 0 of 5 pods are new; pod agent-2 may not be evicted yet: agent needs 4 healthy pods and has 4"
    assert told in message(result) and HELD in message(result)
    cluster.allow = lambda pod: None
    assert outcome(start(cluster, plan())) == "restarted"
    assert cluster.evicted == ORDER and strategy_of(cluster) == ROLLING


def test_nothing_is_evicted_outside_the_window_and_the_next_start_goes_on():
    cluster = DaemonCluster(daemon_set())
    cluster.allow = lambda pod: "not yet" if len(cluster.evicted) == 2 and cluster.executor.clock.passed < 80 else None
    shut = {**plan(on_failure="undo"), "window": {"hours": "21:00-22:01", "timezone": "UTC"}}
    result = start(cluster, shut)
    assert outcome(result) == "unfinished" and cluster.evicted == ORDER[:2] and not cluster.deleted
    assert message(result).startswith("2 of 5 pods are new; no further pod is evicted: ")
    assert strategy_of(cluster)["type"] == "OnDelete"
    cluster.allow = lambda pod: None
    assert outcome(start(cluster, shut)) == "restarted"
    assert cluster.evicted == ORDER and strategy_of(cluster) == ROLLING


def test_a_deploy_at_any_moment_is_neither_evicted_into_nor_held():
    outcomes = []
    for at in moments():
        cluster = DaemonCluster(daemon_set())
        before = []

        def change(cluster, before):
            before.extend(cluster.evicted)
            cluster.edit(cluster.objects[AGENT], deploy, "kubectl-set")

        Executor(cluster).later(at, functools.partial(change, cluster, before))
        result = carry_out(cluster, plan(on_failure="undo"))
        outcomes.append(outcome(result))
        assert strategy_of(cluster) == ROLLING and len(cluster.evicted) - len(before) <= 1, (at, result)
        if outcomes[-1] == "superseded" and len(cluster.patches) > 1:
            assert message(result).endswith("; its strategy was given back"), at
    assert set(outcomes) == {"superseded", "restarted"}
    assert outcomes.index("restarted") == outcomes.count("superseded")  # only after everything was rolled out


def test_a_deploy_between_a_kill_at_any_moment_and_the_next_start_is_not_evicted_into():
    for at in moments():
        cluster = DaemonCluster(daemon_set())
        kill(cluster, plan(), at)
        cluster.go_on(executor := Executor(cluster))
        executor.clock.passed, evicted = 600.0, [*cluster.evicted]
        cluster.edit(cluster.objects[AGENT], deploy, "kubectl-set")
        result = carry_out(cluster, plan())
        assert outcome(result) in ("superseded", "already_restarted"), (at, result)
        assert cluster.evicted == evicted and strategy_of(cluster) == ROLLING, (at, result)


@pytest.mark.parametrize("at", [2, 9])
def test_a_strategy_that_a_colleague_sets_meanwhile_is_kept_and_its_controller_does_the_rest(at):
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
    cluster = DaemonCluster(daemon_set())

    def change(one):
        one["spec"]["updateStrategy"] = copy.deepcopy(own)

    Executor(cluster).later(at, lambda: cluster.edit(cluster.objects[AGENT], change))
    result = carry_out(cluster, plan())
    assert outcome(result) == "restarted", result
    assert strategy_of(cluster) == own and cluster.deleted and set(runs(cluster).values()) == {"r1"}
    assert sorted([*cluster.evicted, *cluster.deleted]) == sorted(ORDER)


def test_what_a_colleague_changes_beside_the_type_is_kept_when_that_is_given_back():
    cluster = DaemonCluster(daemon_set())

    def change(one):
        one["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = 2

    Executor(cluster).later(9, lambda: cluster.edit(cluster.objects[AGENT], change))
    assert outcome(carry_out(cluster, plan())) == "restarted" and cluster.evicted == ORDER
    assert strategy_of(cluster) == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart"])
@pytest.mark.parametrize(
    "one, told",
    [
        (daemon_set(strategy=SURGE), "has maxUnavailable: 0, but each pod is evicted before its successor is ready"),
        (
            owned_by_apply(daemon_set()),
            "take spec.updateStrategy.type out of what it applies, or leave between_pods out",
        ),
    ],
    ids=["surge", "applied"],
)
def test_a_daemon_set_that_cannot_be_held_is_refused(module, one, told):
    cluster = DaemonCluster(copy.deepcopy(one))
    cluster.go_on(Executor(cluster))
    options = {"journal": {"clusters": ["eu"]}} if module == "k8s_rollout_restart" else {}
    result = calling.run(module, cluster, plan=plan(), **options)
    assert outcome(result) == "refused" and told in message(result)
    assert not cluster.patches and not cluster.evicted


def test_without_a_journal_it_is_refused_with_what_to_do():
    cluster = DaemonCluster(daemon_set())
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_restart", cluster, plan=plan())
    assert outcome(result) == "refused" and not cluster.patches
    assert "only a journal knows its strategy after a kill; give plan and journal, or" in message(result)


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart", "k8s_rollout_access"])
@pytest.mark.parametrize(
    "denied, words, command",
    [
        (("create", "pods"), "create pods/eviction in namespace shop", "apply -f rbac/between_pods.yml"),
        (("get", "nodes"), "get nodes in all namespaces", "apply -f rbac/zones.yml"),
        (("get", "pods"), "get pods/proxy in namespace shop", "apply -f rbac/leader_http.yml"),
    ],
)
def test_a_missing_permission_is_told_before_anything_is_touched(module, denied, words, command):
    cluster = DaemonCluster(daemon_set())
    cluster.denied.add(denied)
    cluster.go_on(Executor(cluster))
    asked = plan({**ZONE, "leader": {"http": {"port": 8008}}})
    options = {"journal": {"clusters": ["eu"]}} if module == "k8s_rollout_restart" else {}
    if module == "k8s_rollout_access":
        result = calling.run(module, cluster, plan=asked)
        what, where = words.split(" in ")
        told = f"permission is missing in {where}: to {what}, which between_pods or a canary of the plan needs"
        assert [one for one in result["missing"] if one["what"] == told and command in one["commands"][0]], result
    else:
        with pytest.raises(RolloutError) as told:
            calling.run(module, cluster, plan=asked, **options)
        assert words in str(told.value) and command in str(told.value)
        if module == "k8s_rollout_restart":
            assert "which between_pods needs; nothing was touched" in str(told.value)
    assert not cluster.patches and not cluster.evicted and PATH not in cluster.objects


def test_an_eviction_that_is_denied_after_all_is_a_failure_and_undone():
    cluster = DaemonCluster(daemon_set())
    cluster.fail = lambda verb, path: Forbidden("may not evict", status=403) if verb == "evict" else None
    result = start(cluster, plan(on_failure="undo"))
    assert outcome(result) == "undone" and "may not evict; rbac/between_pods.yml grants it" in message(result)
    assert strategy_of(cluster) == ROLLING and not cluster.deleted


def test_a_dry_run_evicts_nothing_and_the_check_of_a_plan_too():
    cluster = DaemonCluster(daemon_set())
    result = start(cluster, plan(), check_mode=True)
    assert (outcome(result), message(result)) == ("restarted", "restarted (server dry run)")
    assert outcome(calling.run("k8s_rollout_plan", cluster, plan=plan())) == "planned"
    assert not cluster.evicted and not cluster.patches and cluster.dry_runs == 2


def test_a_killed_run_is_shown_and_continued_and_another_run_is_refused():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 9)
    evicted = [*cluster.evicted]
    result = start(cluster, plan(), run="r2")
    assert outcome(result) == "refused" and cluster.evicted == evicted
    assert 'is held by the restart pod by pod of run "r1" (update strategy OnDelete); continue that run' in message(
        result
    )
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 9)
    cluster.go_on(Executor(cluster))
    assert outcome(calling.run("k8s_rollout_plan", cluster, plan=plan())) == "planned"
    found, result = leftovers_of(cluster)
    assert found == [("unfinished", False)]
    told = 'pods of daemon set "agent" are replaced; its restart pod by pod holds it: update strategy OnDelete'
    assert [one["sentence"] for one in result["leftovers"] if told in one["sentence"]], result
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("unfinished", True)], result
    assert strategy_of(cluster) == ROLLING and cluster.evicted == ORDER


def test_a_kill_at_any_moment_may_be_followed_by_the_repair():
    for at in moments():
        cluster = DaemonCluster(daemon_set())
        kill(cluster, plan(), at)
        _found, result = leftovers_of(cluster, repair=True)
        assert "msg" not in result and strategy_of(cluster) == ROLLING, (at, result)
        assert cluster.evicted == (ORDER if cluster.patches else []), (at, result)


def test_a_start_whose_plan_no_longer_says_how_goes_on_with_the_oldest_pods():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 9)
    evicted, changed = [*cluster.evicted], plan()
    del changed["workloads"][0]["between_pods"]
    assert evicted == ORDER[: len(evicted)] and len(evicted) < 4
    assert outcome(start(cluster, changed)) in ("restarted", "already_restarted")
    rest = [name for name in OLDEST if name not in evicted]
    assert cluster.evicted == [*evicted, *rest] and strategy_of(cluster) == ROLLING and not cluster.deleted


def test_leftovers_give_back_the_strategy_of_what_somebody_else_has_restarted():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 9)
    again = {restart.RESTARTED_AT: "2026-11-25T08:00:00Z"}
    cluster.edit(cluster.objects[AGENT], lambda one: one["spec"]["template"]["metadata"]["annotations"].update(again))
    found, _result = leftovers_of(cluster)
    assert found == [("tightened", False)]
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("tightened", True)], result
    assert strategy_of(cluster) == ROLLING


def test_pods_of_new_nodes_are_of_the_new_revision_and_stay():
    cluster = DaemonCluster(daemon_set())
    cluster.go_on(executor := Executor(cluster))
    one = cluster.objects[AGENT]

    def join():
        one["spec"]["replicas"] += 1
        cluster.missing.append((one, "agent-5", "node-5"))
        cluster._create(one, "agent-5", "node-5")

    executor.later(9, join)
    assert outcome(carry_out(cluster, plan())) == "restarted"
    assert cluster.evicted == ORDER and runs(cluster)["agent-5"] == "r1" and strategy_of(cluster) == ROLLING


def test_without_nodes_nothing_is_held():
    cluster = DaemonCluster(daemon_set(pods=0))
    assert outcome(start(cluster, plan())) == "restarted"
    assert not cluster.evicted and cluster.strategies == [ROLLING]


def test_one_that_is_on_delete_itself_stays_so():
    cluster = DaemonCluster(daemon_set(strategy={"type": "OnDelete"}))
    assert outcome(start(cluster, plan())) == "restarted"
    assert cluster.evicted == ORDER and cluster.strategies == [{"type": "OnDelete"}]
    entry = json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"]["DaemonSet/shop/agent"]
    assert "canary" not in entry and kinds.field(cluster.objects[AGENT], "spec.updateStrategy") == {"type": "OnDelete"}
