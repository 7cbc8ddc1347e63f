# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option `budgets` of a restart and of a plan: what is refused beforehand, and what waits or is only reported."""

from __future__ import annotations

import calling
import pytest
from budgets import SPARE, BudgetedCluster, asked_for, budget, freeing, pod
from simulation import workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError

CORE = {"tier": "core"}
REFUSED = (
    'a restart of deployment "api" in namespace "shop" may stop 1 of 2 pods at once, but PodDisruptionBudget shop/all wants '
    "2 healthy pods of 2, so it never allows to stop any"
)


def restart(cluster, check_mode=False, **options):
    return calling.run("k8s_rollout_restart", cluster, check_mode, **{"namespace": ["shop"], **options})


def plan(*entries, **defaults):
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", **defaults},
        "workloads": [{"id": one, "name": one} if isinstance(one, str) else one for one in entries],
    }


def outcomes(result):
    return {one["name"]: one["outcome"] for one in result["results"]}


def message(result, name):
    return next(one["message"] for one in result["results"] if one["name"] == name)


def denied(verb, path):
    return Forbidden("may not list budgets", status=403) if path.endswith("/poddisruptionbudgets") else None


def cluster_of(*names, **spec):
    return BudgetedCluster(
        [freeing(name, **CORE) for name in names or ("api",)], [budget(**(spec or {"minAvailable": 2}))]
    )


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_undercuts_a_budget_in_any_case_is_refused_before_anything_is_touched(check_mode):
    cluster = BudgetedCluster([freeing("api", **CORE), freeing("web")], [budget(minAvailable=2)])
    result = restart(cluster, check_mode)
    assert outcomes(result) == {"api": "refused", "web": "not_started"} and not cluster.patches
    assert (
        message(result, "api")
        == f"{REFUSED}; use maxUnavailable: 0 and maxSurge: 1, or set budgets: enforce, or set budgets: report"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"budgets": "report"},
        {"workloads": [{"id": "a", "name": "api", "budgets": "report"}]},
        {"plan": plan("api", budgets="report")},
    ],
    ids=["option", "entry of workloads", "plan"],
)
def test_with_report_it_is_restarted_with_a_warning(options):
    cluster = cluster_of()
    verb, call = calling.prepare(
        "k8s_rollout_restart", cluster, **({"namespace": ["shop"]} if "plan" not in options else {}), **options
    )
    assert outcomes(calling.carry_out(verb, call)) == {"api": "restarted"}
    assert call.warnings == [f"restarted although budgets leave no room: Deployment shop/api: {REFUSED}"]


def test_an_entry_of_a_plan_may_differ_from_the_defaults():
    cluster = cluster_of("api", "web", minAvailable=4)
    both = plan({"id": "api", "name": "api", "budgets": "honour"}, "web", budgets="report")
    result = calling.run("k8s_rollout_restart", cluster, plan={**both, "failure_budget": 1})
    assert outcomes(result) == {"api": "refused", "web": "restarted"}


def test_a_restart_waits_for_the_room_that_the_others_take():
    cluster = cluster_of("api", "web", minAvailable=3)
    assert outcomes(restart(cluster)) == {"api": "restarted", "web": "restarted"}
    first, second = sorted(moment for moment, _name in cluster.patches)
    assert second - first > 10


@pytest.mark.parametrize("check_mode", [False, True])
def test_without_permission_nothing_is_touched_and_the_way_out_is_named(check_mode):
    cluster = cluster_of()
    cluster.fail = denied
    with pytest.raises(RolloutError) as failure:
        restart(cluster, check_mode)
    assert str(failure.value) == (
        "may not list budgets; nothing was touched: an administrator can grant it with kubectl --context simulated apply "
        "-f rbac/budgets.yml, or set budgets: report"
    )
    assert not {verb for verb, _path in cluster.asked} & {"patch", "create", "replace"}


def test_with_report_nobody_needs_the_permission_and_a_warning_says_what_is_unknown():
    cluster = cluster_of()
    cluster.fail = denied
    verb, call = calling.prepare("k8s_rollout_restart", cluster, namespace=["shop"], budgets="report")
    assert outcomes(calling.carry_out(verb, call)) == {"api": "restarted"}
    (warning,) = call.warnings
    assert warning.startswith("whether PodDisruptionBudgets allow the restarts is not known in namespace shop")


def test_nothing_is_read_for_strategies_that_stop_no_pod_first():
    one = freeing("api", **CORE)
    one["spec"]["strategy"] = SPARE
    cluster = BudgetedCluster([one], [budget(maxUnavailable=0)])
    assert outcomes(restart(cluster)) == {"api": "restarted"}
    assert asked_for(cluster, "poddisruptionbudgets") == asked_for(cluster, "pods") == 0


def test_what_is_restarted_already_is_not_refused():
    cluster = cluster_of()
    restart(cluster, budgets="report", run_id="r1")
    cluster.asked.clear()
    assert outcomes(restart(cluster, run_id="r1")) == {"api": "already_restarted"}
    assert asked_for(cluster, "poddisruptionbudgets") == 0


def test_a_dry_run_waits_for_nothing():
    cluster = BudgetedCluster([freeing("api", **CORE)], [budget(minAvailable=2)], [pod(labels=CORE, ready=False)])
    assert outcomes(restart(cluster, True)) == {"api": "restarted"}
    assert cluster.executor.clock.passed < 1


def test_an_undo_after_a_failure_is_not_held():
    cluster = cluster_of(minAvailable=1)
    cluster.breaks = {"api"}
    result = restart(cluster, on_failure="undo", timeout="20s")
    assert outcomes(result) == {"api": "undone"}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_are_refused_as_well(kind):
    cluster = BudgetedCluster([workload(kind, "db", labels=CORE)], [budget(minAvailable=2)])
    assert outcomes(restart(cluster, kind=[kind])) == {"db": "refused"}


@pytest.mark.parametrize("value", ["force", "", "honor", None, []], ids=repr)
def test_another_word_is_refused_in_a_plan(value):
    with pytest.raises(PlanError, match=r"restart_plan\.defaults\.budgets: "):
        calling.run("k8s_rollout_restart", cluster_of(), plan=plan("api", budgets=value))


def test_beside_a_plan_the_option_is_refused():
    with pytest.raises(RolloutError, match="budgets: has no effect together with plan; set it in the plan"):
        calling.run("k8s_rollout_restart", cluster_of(), plan=plan("api"), budgets="report")


def test_the_check_of_a_plan_says_what_would_be_refused():
    result = calling.run("k8s_rollout_plan", cluster_of(), plan=plan("api"))
    (found,) = [one for one in result["findings"] if "budget" in one["code"]]
    assert (found["code"], found["severity"], found["sentence"]) == ("budget_undercut", "blocker", REFUSED)
    result = calling.run("k8s_rollout_plan", cluster_of(), plan=plan("api", budgets="report"))
    (found,) = [one for one in result["findings"] if "budget" in one["code"]]
    assert (found["code"], found["severity"]) == ("below_budget", "risk")


@pytest.mark.parametrize("budgets, wanted", [("honour", True), ("report", False)])
def test_the_check_of_a_plan_asks_for_the_permission_only_if_it_is_needed(budgets, wanted):
    cluster = cluster_of(minAvailable=1)
    cluster.denied = {("list", "poddisruptionbudgets")}
    if not wanted:
        assert "msg" not in calling.run("k8s_rollout_plan", cluster, plan=plan("api", budgets=budgets))
        return
    with pytest.raises(RolloutError) as failure:
        calling.run("k8s_rollout_plan", cluster, plan=plan("api", budgets=budgets))
    assert str(failure.value) == (
        "permission is missing on simulated: to list poddisruptionbudgets.policy in namespace shop; an administrator can "
        "grant it with: kubectl --context simulated apply -f rbac/budgets.yml (or set budgets: report)"
    )


def test_the_preflight_of_a_selection_takes_the_option():
    for budgets, code in (("honour", "budget_undercut"), ("report", "below_budget")):
        result = calling.run("k8s_rollout_preflight", cluster_of(), namespace=["shop"], budgets=budgets)
        assert [one["code"] for one in result["findings"] if "budget" in one["code"]] == [code]


def test_the_check_of_access_names_the_file():
    cluster = cluster_of()
    cluster.denied = {("list", "poddisruptionbudgets")}
    (missing,) = calling.run("k8s_rollout_access", cluster, namespace=["shop", "data"])["missing"]
    assert missing == {
        "what": "permission is missing in namespaces shop and data: to list poddisruptionbudgets.policy, which restarts need "
        "unless budgets is report",
        "commands": ["kubectl --context simulated apply -f rbac/budgets.yml"],
    }
    assert not calling.run("k8s_rollout_access", cluster, plan=plan("api", budgets="report"))["missing"]
