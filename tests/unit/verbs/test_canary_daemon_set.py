# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Canaries of DaemonSets: chosen pods are evicted while OnDelete keeps the others, and the strategy from before is given back."""

from __future__ import annotations

import copy
import json

import calling
import pytest
from budgets import budget
from daemons import AGENT, PATH, ROLLING, DaemonCluster, daemon_set, leftovers_of, runs, strategy_of, undo
from one_by_one import ZONE, on_delete
from simulation import Executor, Noting
from starts import carry_out, kill, message, outcome, start

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

# The nodes are in the zones b, c, a, b, c.
FIRST = ["agent-2", "agent-0", "agent-3"]
SHUT = {"shut": {"tcp": "127.0.0.1:1", "timeout": "20s"}}  # a port on which nothing listens
HELD = "it stays held after its canary (update strategy OnDelete); to find and give back what is left: "


def plan(pods=3, hold="60s", gates=(), **defaults):
    canary = {"pods": pods, "hold": hold, **({"gates": list(gates)} if gates else {})}
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", **defaults},
        "workloads": [{"id": "agent", "kind": "DaemonSet", "name": "agent", "canary": canary}],
        **({"gates": SHUT} if gates else {}),
    }


def test_chosen_pods_are_evicted_zone_by_zone_and_held_and_the_controller_replaces_the_others():
    cluster = DaemonCluster(daemon_set())
    result = start(cluster, plan())
    assert outcome(result) == "restarted", result
    assert cluster.evicted == FIRST and sorted(cluster.deleted) == ["agent-1", "agent-4"]
    assert cluster.strategies == [{**ROLLING, "type": "OnDelete"}, ROLLING]
    assert cluster.fewest["agent"] == 4 and set(runs(cluster).values()) == {"r1"}
    assert cluster.executor.clock.passed > 60
    assert len(cluster.history["uid-shop-agent"]) == 2
    assert not [asked for asked in cluster.asked if asked[0] == "delete"]


def test_the_zone_of_each_node_is_read_once_although_the_status_changes_meanwhile():
    cluster = DaemonCluster(daemon_set())
    executor, shown = Executor(cluster), []

    def show(verb, path):
        if "/nodes/" in path and not shown:
            shown.append(path)
            executor.later(0, lambda: cluster.show(cluster.objects[AGENT]))
        return

    cluster.fail, executor.late = show, 0.1
    assert outcome(carry_out(cluster, plan())) == "restarted"
    assert len(nodes_read(cluster)) == 5


class CountingNodes(Executor):
    """Knows the numbers of nodes that each call has read, if any."""

    def do(self, token, call, *args, urgent=False):
        def counted(*args):
            before = nodes_read(self.cluster)
            try:
                return call(*args)
            finally:
                self.counts = [*getattr(self, "counts", []), len(nodes_read(self.cluster)) - len(before)]

        super().do(token, counted, *args, urgent=urgent)


def nodes_read(cluster):
    return [path for _verb, path in cluster.asked if "/nodes/" in path]


def test_no_call_reads_the_zones_of_many_nodes_and_each_is_read_once_for_all_daemon_sets():
    cluster = DaemonCluster(daemon_set(pods=22), daemon_set("proxy", pods=60))
    for number in range(60):
        meta = {"name": f"node-{number}", "labels": {ZONE: "b" if number < 55 else "a"}}
        cluster.objects[f"/api/v1/nodes/node-{number}"] = {"metadata": meta}
    given, failing = plan(timeout="10m"), [Unreachable("no answer", transient=True, ambiguous=True)]
    given["workloads"].append({**given["workloads"][0], "id": "proxy", "name": "proxy", "after": ["agent"]})
    executor = CountingNodes(cluster)
    cluster.fail = lambda verb, path: failing.pop() if path.endswith("/node-40") and failing else None
    carry_out(cluster, given, wait_timeout="4m")
    assert cluster.evicted == ["agent-0", "agent-1", "agent-10", "proxy-55", "proxy-56", "proxy-57"]
    assert max(executor.counts) == 20 and len(set(nodes_read(cluster))) == 60 and not failing
    assert len(nodes_read(cluster)) <= 60 + 20  # those of the call that failed are read again


def moments():
    """The moments after each event of a start that ends well."""
    cluster = DaemonCluster(daemon_set())
    executor = Noting(cluster)
    carry_out(cluster, plan())
    return executor.moments


def test_a_kill_at_any_moment_leaves_nothing_looser_and_a_resume_evicts_only_what_is_missing():
    instants = moments()
    assert len(instants) > 40
    for at in instants:
        cluster = DaemonCluster(daemon_set())
        kill(cluster, plan(), at)
        assert strategy_of(cluster)["type"] == ("OnDelete" if len(cluster.patches) == 1 else "RollingUpdate"), at
        result = start(cluster, plan())
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert strategy_of(cluster) == ROLLING and cluster.evicted == FIRST, at
        assert cluster.fewest["agent"] == 4 and set(runs(cluster).values()) == {"r1"}, at
        assert len(cluster.patches) == 2 and len(cluster.history["uid-shop-agent"]) == 2, at
        assert "canary" in json.loads(cluster.objects[PATH]["data"][journal.KEY])["workloads"]["DaemonSet/shop/agent"]


def test_a_kill_at_any_moment_may_be_followed_by_an_undo_of_the_run():
    for at in moments():
        cluster = DaemonCluster(daemon_set())
        kill(cluster, plan(), at)
        result = undo(cluster)
        assert outcome(result) == ("undone" if cluster.patches else "unchanged"), (at, result)
        assert strategy_of(cluster) == ROLLING and set(runs(cluster).values()) == {None}, at
        assert restart.run_of(cluster.objects[AGENT]) is None and cluster.fewest["agent"] >= 4, at


def test_no_further_pod_is_replaced_while_a_canary_holds_them():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(pods=1), 30)
    cluster.go_on(executor := Executor(cluster))
    assert executor.next(600) is None
    assert runs(cluster) == {**dict.fromkeys(runs(cluster)), "agent-2": "r1"} and not cluster.deleted


def test_while_it_is_held_its_status_is_that_of_a_rollout_under_way():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(pods=1), 30)
    cluster.go_on(Executor(cluster))
    ask = {"namespace": ["shop"], "kind": ["DaemonSet"], "name": ["agent"]}
    result = calling.run("k8s_rollout_status", cluster, wait=False, **ask)
    told = 'daemon set "agent" in namespace "shop" is held by run "r1" (update strategy OnDelete): 1 of 5 pods new'
    assert (outcome(result), message(result)) == ("in_progress", told)
    own = DaemonCluster(daemon_set(strategy={"type": "OnDelete"}))
    own.go_on(Executor(own))
    assert outcome(calling.run("k8s_rollout_status", own, wait=False, **ask)) == "failed"  # as kubectl says


def test_an_undo_of_the_run_needs_no_permission_to_evict():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 30)
    cluster.denied |= {("create", "pods"), ("get", "nodes")}
    evicted = [*cluster.evicted]
    assert outcome(undo(cluster)) == "undone"
    assert strategy_of(cluster) == ROLLING and cluster.evicted == evicted and set(runs(cluster).values()) == {None}


def test_new_pods_that_are_there_anyway_belong_to_the_canary():
    cluster = DaemonCluster(daemon_set())
    executor = Executor(cluster)
    cluster.go_on(executor)
    for gone in [pod for pod in cluster.pods if pod["metadata"]["name"] in ("agent-1", "agent-4")]:
        executor.later(0.05, lambda pod=gone: cluster._gone(cluster._owner(pod), pod))
    cluster.allow = lambda pod: "not yet" if executor.clock.passed < 10 else None
    result = carry_out(cluster, plan())
    assert outcome(result) == "restarted", message(result)
    assert cluster.evicted == FIRST[:1]


@pytest.mark.parametrize("most, evicted", [(1, "agent-4"), (2, "agent-2")])
def test_a_pod_on_a_node_that_is_down_keeps_the_canary_only_as_the_strategy_says(most, evicted):
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": most}}
    cluster = DaemonCluster(daemon_set(strategy=own))
    cluster.go_on(executor := Executor(cluster))
    executor.later(0, lambda: cluster.set_ready(cluster.pods[4], "False"))
    carry_out(cluster, plan(pods=1, budgets="report"), wait_timeout="30s")
    assert cluster.evicted == [evicted]


def test_a_pod_that_does_not_get_ready_is_a_failure_and_no_other_one_is_evicted():
    cluster = DaemonCluster(daemon_set())
    cluster.broken.add("agent-0")
    result = start(cluster, plan())
    assert outcome(result) == "unfinished" and cluster.evicted == FIRST[:2] and not cluster.deleted
    assert "2 of 3 pods are new; pod agent-0 is new and not ready" in message(result)
    assert HELD in message(result)


@pytest.mark.parametrize("why", ["broken", "closed"])
def test_a_canary_that_fails_is_undone_with_its_strategy_in_one_patch(why):
    cluster = DaemonCluster(daemon_set())
    before = copy.deepcopy(cluster.objects[AGENT]["spec"])
    if why == "broken":
        cluster.broken.add("agent-0")
    result = start(cluster, plan(gates=["shut"] if why == "closed" else (), on_failure="undo"))
    assert outcome(result) == "undone", result
    assert cluster.objects[AGENT]["spec"] == before and len(cluster.patches) == 2
    assert set(runs(cluster).values()) == {None} and cluster.fewest["agent"] == 4
    assert sorted(cluster.deleted) == sorted(FIRST if why == "closed" else FIRST[:2])


def test_a_canary_that_failed_is_tried_again_on_the_same_nodes():
    cluster = DaemonCluster(daemon_set())
    result = start(cluster, plan(gates=["shut"], on_failure="pause"))
    assert outcome(result) == "failed" and message(result).startswith('the canary failed: the gate "shut" (port')
    assert f"; no further pod is replaced; {HELD}" in message(result)
    assert strategy_of(cluster) == {**ROLLING, "type": "OnDelete"}
    cluster.evicted.clear()
    result = start(cluster, plan())
    assert outcome(result) == "restarted", result
    assert cluster.evicted == FIRST and strategy_of(cluster) == ROLLING
    assert restart.attempt_of(cluster.objects[AGENT], "r1") == 2


def test_a_pod_that_a_failed_canary_has_broken_is_no_node_that_is_down():
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 3}}
    cluster = DaemonCluster(daemon_set(strategy=own))
    assert outcome(start(cluster, plan(pods=1, gates=["shut"]))) == "failed" and cluster.evicted == FIRST[:1]
    cluster.evicted.clear()
    cluster.broken.add("agent-2")
    cluster.go_on(Executor(cluster))
    cluster.set_ready(next(pod for pod in cluster.pods if pod["metadata"]["name"] == "agent-2"), "False")
    result = carry_out(cluster, plan(pods=1))
    assert outcome(result) == "unfinished" and cluster.evicted == FIRST[:1] and cluster.fewest["agent"] == 4, result
    assert restart.attempt_of(cluster.objects[AGENT], "r1") == 2


def test_an_eviction_that_a_budget_does_not_allow_is_waited_for_with_its_answer():
    cluster = DaemonCluster(daemon_set())
    cluster.allow = lambda pod: "agent needs 5 healthy pods and has 5 currently"
    result = start(cluster, plan(), wait_timeout="2m")
    assert outcome(result) == "unfinished" and not cluster.evicted and not cluster.deleted
    told = "last seen: 0 of 3 pods are new; pod agent-2 may not be evicted yet: agent needs 5 healthy pods and has 5"
    assert told in message(result) and HELD in message(result)
    cluster.allow = lambda pod: None
    assert outcome(start(cluster, plan())) == "restarted"
    assert cluster.evicted == FIRST and strategy_of(cluster) == ROLLING


def budgeted(least, strategy=None):
    cluster = DaemonCluster(daemon_set(strategy=strategy))
    made = budget("agent", {"matchLabels": {"app": "agent"}}, 5, cluster.pods, minAvailable=least)
    cluster.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets/agent"] = made
    cluster.go_on(Executor(cluster))
    return cluster


def test_a_budget_is_honoured_with_the_strategy_from_before():
    cluster = budgeted(5)
    result = carry_out(cluster, plan())
    assert outcome(result) == "refused" and not cluster.patches
    assert "may stop 1 of 5 pods at once, but PodDisruptionBudget shop/agent wants 5" in message(result)
    cluster = budgeted(4)
    assert outcome(carry_out(cluster, plan())) == "restarted"
    assert cluster.evicted == FIRST and cluster.fewest["agent"] == 4


def test_budgets_are_enforced_after_the_canary_and_the_strategy_is_given_back_at_the_end():
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
    cluster = budgeted(4, own)
    assert outcome(carry_out(cluster, plan(budgets="enforce"))) == "restarted"
    tight = {"maxSurge": 0, "maxUnavailable": 1}
    assert cluster.strategies == [{**own, "type": "OnDelete"}, {**own, "rollingUpdate": tight}, own]
    assert cluster.evicted == FIRST and cluster.fewest["agent"] == 4
    assert len(cluster.history["uid-shop-agent"]) == 2


def test_a_canary_whose_budgets_allow_no_pod_to_be_stopped_is_refused():
    cluster = budgeted(5)
    result = carry_out(cluster, plan(budgets="enforce"))
    assert outcome(result) == "refused" and not cluster.patches and not cluster.evicted
    told = "its PodDisruptionBudgets allow no pod to be stopped, but a pod of its canary is evicted"
    assert told in message(result)
    for module in ("k8s_rollout_plan", "k8s_rollout_preflight"):
        cluster = budgeted(5)
        result = calling.run(module, cluster, plan=plan(budgets="enforce"))
        assert outcome(result) == "refused" and told in message(result)
    assert [(one["severity"], one["code"]) for one in result["findings"]] == [("blocker", "patch_refused")]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_canary_that_a_budget_never_lets_evict_a_pod_is_refused_also_with_report(check_mode):
    cluster = budgeted(5)
    result = carry_out(cluster, plan(budgets="report"), check_mode=check_mode)
    assert outcome(result) == "refused" and not cluster.patches and not cluster.dry_runs, result
    assert message(result) == (
        'a canary of daemon set "agent" in namespace "shop" evicts pods, but PodDisruptionBudget shop/agent wants 5 healthy pods of '
        "5, so it never allows to stop any; let the budget allow 1, or leave canary out for it, in an entry of its own"
    )
    assert outcome(carry_out(budgeted(4), plan(budgets="report"))) == "restarted"


def test_what_settles_after_the_canary_is_the_whole_daemon_set():
    cluster = DaemonCluster(daemon_set())
    assert outcome(start(cluster, plan(pods=1, settle="5m"))) == "restarted"
    assert cluster.executor.clock.passed > 360


def test_nothing_is_evicted_outside_the_window_and_what_is_held_goes_on():
    cluster = DaemonCluster(daemon_set())
    cluster.allow = lambda pod: "not yet" if cluster.executor.clock.passed < 80 else None
    shut = {**plan(on_failure="undo"), "window": {"hours": "21:00-22:01", "timezone": "UTC"}}
    result = start(cluster, shut)
    assert outcome(result) == "unfinished" and not cluster.evicted
    assert message(result).startswith("0 of 3 pods are new; no further pod is evicted: ")
    cluster.allow = lambda pod: None
    result = start(cluster, shut)  # within the window, which closes before the hold is over
    assert outcome(result) == "restarted" and cluster.evicted == FIRST, result
    assert strategy_of(cluster) == ROLLING


@pytest.mark.parametrize("at", [0.02, 5, 30])
def test_a_deploy_is_neither_evicted_into_nor_held(at):
    cluster = DaemonCluster(daemon_set())

    def deploy(one):
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"

    Executor(cluster).later(at, lambda: cluster.edit(cluster.objects[AGENT], deploy, "kubectl-set"))
    result = carry_out(cluster, plan(on_failure="undo"))
    assert outcome(result) == "superseded", result
    assert message(result).endswith("; its strategy was given back") and strategy_of(cluster) == ROLLING
    assert cluster.evicted == FIRST[: len(cluster.evicted)] and "agent-1" not in cluster.evicted


def test_a_deploy_between_a_kill_and_the_next_start_is_not_evicted_into():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(pods=1), 30)
    cluster.go_on(executor := Executor(cluster))
    executor.clock.passed = 600.0

    def deploy(one):
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"

    cluster.edit(cluster.objects[AGENT], deploy, "kubectl-set")
    result = carry_out(cluster, plan(pods=1))
    assert outcome(result) == "superseded" and cluster.evicted == FIRST[:1], result
    assert strategy_of(cluster) == ROLLING


@pytest.mark.parametrize("at", [1.5, 30])
def test_a_strategy_that_a_colleague_sets_meanwhile_is_kept(at):
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}
    cluster = DaemonCluster(daemon_set())

    def change(one):
        one["spec"]["updateStrategy"] = copy.deepcopy(own)

    Executor(cluster).later(at, lambda: cluster.edit(cluster.objects[AGENT], change))
    assert outcome(carry_out(cluster, plan(pods=1))) == "restarted"
    assert strategy_of(cluster) == own and cluster.evicted == FIRST[:1]
    assert set(runs(cluster).values()) == {"r1"}


def test_what_a_colleague_changes_beside_the_type_is_kept_when_that_is_given_back():
    cluster = DaemonCluster(daemon_set())

    def change(one):
        one["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = 2

    Executor(cluster).later(30, lambda: cluster.edit(cluster.objects[AGENT], change))
    assert outcome(carry_out(cluster, plan(pods=1))) == "restarted"
    assert strategy_of(cluster) == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}


def test_what_a_colleague_changes_beside_the_type_is_kept_when_budgets_are_enforced_too():
    cluster = budgeted(3, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 3}})

    def change(one):
        one["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = 1

    cluster.executor.later(30, lambda: cluster.edit(cluster.objects[AGENT], change))
    assert outcome(carry_out(cluster, plan(pods=1, budgets="enforce"))) == "restarted"
    assert strategy_of(cluster) == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def owned_by_apply(one):
    fields = {"f:spec": {"f:updateStrategy": {"f:type": {}}}}
    one["metadata"]["managedFields"] = [{"manager": "argocd", "operation": "Apply", "fieldsV1": fields}]
    return one


SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart"])
@pytest.mark.parametrize(
    "one, told",
    [
        (daemon_set(strategy={"type": "OnDelete"}), "give it between_pods instead of canary, in an entry of its own"),
        (daemon_set(strategy=SURGE), "has maxUnavailable: 0, but a pod of its canary is evicted before"),
        (owned_by_apply(daemon_set()), "take spec.updateStrategy.type out of what it applies, or leave canary out"),
    ],
    ids=["OnDelete", "surge", "applied"],
)
def test_a_daemon_set_that_cannot_have_a_canary_is_refused(module, one, told):
    cluster = DaemonCluster(copy.deepcopy(one))
    cluster.go_on(Executor(cluster))
    options = {"journal": {"clusters": ["eu"]}} if module == "k8s_rollout_restart" else {}
    result = calling.run(module, cluster, plan=plan(), **options)
    assert outcome(result) == "refused" and told in message(result)
    assert not cluster.patches and not cluster.evicted


@pytest.mark.parametrize("module", ["k8s_rollout_plan", "k8s_rollout_restart", "k8s_rollout_access"])
@pytest.mark.parametrize(
    "denied, words, command",
    [
        (("create", "pods"), "create pods/eviction in namespace shop", "apply -f rbac/between_pods.yml"),
        (("get", "nodes"), "get nodes in all namespaces", "apply -f rbac/zones.yml"),
    ],
)
def test_a_missing_permission_is_told_before_anything_is_touched(module, denied, words, command):
    cluster = DaemonCluster(daemon_set())
    cluster.denied.add(denied)
    cluster.go_on(Executor(cluster))
    options = {"journal": {"clusters": ["eu"]}} if module == "k8s_rollout_restart" else {}
    if module == "k8s_rollout_access":
        what, where = words.split(" in ")
        result = calling.run(module, cluster, plan=plan())
        (one,) = result["missing"]
        needing = "which between_pods or a canary of the plan needs"
        assert (
            one["what"] == f"permission is missing in {where}: to {what}, {needing}" and command in one["commands"][0]
        )
    else:
        with pytest.raises(RolloutError) as told:
            calling.run(module, cluster, plan=plan(), **options)
        assert words in str(told.value) and command in str(told.value)
        if module == "k8s_rollout_restart":
            assert "which the canary of a DaemonSet needs; nothing was touched" in str(told.value)
    assert not cluster.patches and not cluster.evicted and PATH not in cluster.objects


@pytest.mark.parametrize(
    "denied, needs",
    [
        (["ops"], "the canary of a DaemonSet needs"),
        (["shop"], "between_pods needs"),
        (["ops", "shop"], "between_pods or a canary needs"),
    ],
)
def test_a_missing_permission_names_what_needs_it(denied, needs):
    class Denying(DaemonCluster):
        def create(self, path, body, **options):
            made = super().create(path, body, **options)
            asked = body["spec"]["resourceAttributes"] if "/selfsubjectaccessreviews" in path else {}
            return {"status": {"allowed": False}} if asked.get("namespace") in denied else made

    cluster, other = Denying(daemon_set(), on_delete(name="db")), daemon_set()
    other["metadata"] |= {"namespace": "ops", "uid": "uid-ops-agent"}
    cluster.objects[kinds.path("DaemonSet", "ops", "agent")] = other
    given = plan()
    given["workloads"][0]["namespace"] = "ops"
    given["workloads"].append({"id": "db", "kind": "StatefulSet", "name": "db", "between_pods": {"order": "ordinal"}})
    with pytest.raises(RolloutError) as told:
        start(cluster, given)
    assert f", which {needs}; nothing was touched" in str(told.value), told.value


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
    kill(cluster, plan(), 30)
    result = start(cluster, plan(), run="r2")
    assert outcome(result) == "refused"
    assert 'is held by the canary of run "r1" (update strategy OnDelete); continue that run' in message(result)
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 30)
    cluster.go_on(Executor(cluster))
    assert outcome(calling.run("k8s_rollout_plan", cluster, plan=plan())) == "planned"
    found, result = leftovers_of(cluster)
    assert found == [("unfinished", False)]
    told = 'pods of daemon set "agent" are replaced; its canary holds it: update strategy OnDelete'
    assert [one["sentence"] for one in result["leftovers"] if told in one["sentence"]]
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("unfinished", True)], result
    assert strategy_of(cluster) == ROLLING and cluster.evicted == FIRST


@pytest.mark.parametrize("between", [None, {"order": "age"}])
def test_a_restart_that_knows_nothing_of_the_canary_is_refused_and_names_the_run(between):
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 30)
    evicted = [*cluster.evicted]
    cluster.go_on(Executor(cluster))
    ask = {"namespace": ["shop"], "kind": ["DaemonSet"], "name": ["agent"], "run_id": "other"}
    result = calling.run("k8s_rollout_restart", cluster, **ask, **({"between_pods": between} if between else {}))
    assert outcome(result) == "refused" and cluster.evicted == evicted and len(cluster.patches) == 1
    assert 'is held by run "r1" (update strategy OnDelete); continue that run' in message(result)


@pytest.mark.parametrize("ask", [{}, {"run_id": "r1"}], ids=["previous", "run"])
def test_an_undo_without_the_journal_is_refused_while_a_canary_holds_it(ask):
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 30)
    cluster.go_on(Executor(cluster))
    which = {"namespace": ["shop"], "kind": ["DaemonSet"], "name": ["agent"]}
    result = calling.run("k8s_rollout_undo", cluster, **which, **ask)
    assert outcome(result) == "refused" and len(cluster.patches) == 1, result
    assert 'run "r1" (update strategy OnDelete); continue that run, undo it, or' in message(result)
    assert message(result).endswith("; an undo gives it back only with the journal of that run")
    assert outcome(undo(cluster)) == "undone" and strategy_of(cluster) == ROLLING


def test_leftovers_give_back_the_strategy_of_what_somebody_else_has_restarted():
    cluster = DaemonCluster(daemon_set())
    kill(cluster, plan(), 30)
    again = {restart.RESTARTED_AT: "2026-11-25T08:00:00Z"}
    cluster.edit(cluster.objects[AGENT], lambda one: one["spec"]["template"]["metadata"]["annotations"].update(again))
    found, _result = leftovers_of(cluster)
    assert found == [("tightened", False)]
    found, result = leftovers_of(cluster, repair=True)
    assert found == [("tightened", True)], result
    assert strategy_of(cluster) == ROLLING


def test_the_only_pod_is_the_whole_canary_and_without_nodes_there_is_none():
    cluster = DaemonCluster(daemon_set(pods=1))
    assert outcome(start(cluster, plan())) == "restarted"
    assert cluster.evicted == ["agent-0"] and cluster.executor.clock.passed > 60 and strategy_of(cluster) == ROLLING
    cluster = DaemonCluster(daemon_set(pods=0))
    assert outcome(start(cluster, plan())) == "restarted"
    assert cluster.executor.clock.passed < 30 and cluster.strategies == [ROLLING]
