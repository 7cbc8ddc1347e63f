# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Evictions and rolling updates of one run under the same budget: Kubernetes, which each eviction asks, does not know which pods
a controller is about to stop. Whatever comes first, and whenever the run is killed, they leave room for each other."""

from __future__ import annotations

import random
import typing as t

import calling
import pytest
from budgets import asked_for, budget
from daemons import DaemonCluster, daemon_set
from one_by_one import on_delete
from simulation import Executor, Killed, Noting
from starts import carry_out, end, start

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

CORE = {"tier": "core"}
ROLLING_SET = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
AGE = {"between_pods": {"order": "age"}}
GOOD = {"restarted", "already_restarted"}
# Workloads whose pods are evicted: by their kind, and whether their controller would replace the pods otherwise.
EVICTED = [("StatefulSet", False), ("DaemonSet", False), ("DaemonSet", True)]


class SharedCluster(DaemonCluster):
    """Budgets that want `least` healthy pods select the pods of all workloads. A controller thinks for a while before it replaces
    a pod. `lowest` is how few pods were healthy at once."""

    labels = CORE  # that the budgets select
    policy: t.ClassVar = {}  # more of their spec

    def __init__(self, *workloads, least, thinks=1.5, budgets=("all",), **times):
        for one in workloads:
            one["spec"]["template"]["metadata"]["labels"] |= CORE
        self.most = self.lowest = sum(one["spec"]["replicas"] for one in workloads)
        self.least, self.thinks, self.budgets = least, thinks, budgets
        super().__init__(*workloads, **times)
        self.whole = True
        self.allow = lambda pod: None if self.healthy > least or not which_pods.ready(pod) else "it wants more"

    @property
    def healthy(self):
        return sum(which_pods.ready(pod) and which_pods.active(pod) for pod in self.pods)

    def count(self, one):
        super().count(one)
        if getattr(self, "whole", False):  # all pods have been created
            self.lowest = min(self.lowest, self.healthy)

    def _replace_next(self, one):
        self.executor.later(self.thinks, lambda: super(SharedCluster, self)._replace_next(one))

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/poddisruptionbudgets"):
            self._ask("list", path, deadline)
            given = ({"matchLabels": self.labels}, self.most, self.pods)
            made = [budget(name, *given, minAvailable=self.least, **self.policy) for name in self.budgets]
            return Listing(made, "1")
        return super().list(path, params, deadline=deadline)


def entry(name, kind="DaemonSet", **more):
    return {"id": name, "kind": kind, "name": name, **more}


def plan(*entries, **defaults):
    return {"version": 1, "name": "ca", "defaults": {"namespace": "shop", **defaults}, "workloads": list(entries)}


def outcomes(result):
    return {one["name"]: one["outcome"] for one in result["results"]}


def told(result, name):
    return next(one["message"] for one in result["results"] if one["name"] == name)


def database(kind, rolling=False, pods=3):
    """The workload `db`, whose pods are evicted."""
    return daemon_set("db", pods) if rolling else on_delete(kind, "db", pods)


@pytest.mark.parametrize("mesh_first", [True, False])
@pytest.mark.parametrize("kind, rolling", EVICTED)
def test_evictions_and_a_rolling_update_leave_room_for_each_other_also_after_a_kill(kind, rolling, mesh_first):
    def cluster():
        return SharedCluster(database(kind, rolling), daemon_set("mesh", 3), least=5)

    evicted = entry("db", kind, **AGE)
    both = plan(*([entry("mesh"), evicted] if mesh_first else [evicted, entry("mesh")]))
    shop = cluster()
    executor = Noting(shop)
    found = outcomes(carry_out(shop, both))
    assert set(found.values()) == {"restarted"} and shop.lowest == 5, found
    assert len(shop.evicted) == len(shop.deleted) == 3
    for at in executor.moments[::5]:
        shop = cluster()
        Executor(shop).later(at, end)
        with pytest.raises(Killed):
            carry_out(shop, both)
        found = outcomes(start(shop, both))
        assert set(found.values()) <= GOOD and shop.lowest == 5, (at, found)
        assert len(shop.evicted) == len(shop.deleted) == 3, at


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_restarted_together_undercuts_no_budget_and_comes_to_its_end(seed):
    choose = random.Random(seed)
    makes = {
        "db": lambda name, pods: on_delete("StatefulSet", name, pods),
        "log": lambda name, pods: on_delete("DaemonSet", name, pods),
        "agent": daemon_set,
        "mesh": daemon_set,
        "net": daemon_set,
        "sea": daemon_set,
    }
    names = choose.sample(sorted(makes), choose.randint(2, 5))
    workloads = [makes[name](name, choose.randint(1, 4)) for name in names]
    between = {name: {"order": "age", "max_unavailable": choose.choice([1, 1, 2])} for name in ("db", "log", "agent")}
    canary = {"net": {"pods": 1, "hold": "3s"}}
    entries = [
        entry(
            one["metadata"]["name"],
            one["kind"],
            **({"between_pods": between[name]} if (name := one["metadata"]["name"]) in between else {}),
            **({"canary": canary[name]} if name in canary else {}),
        )
        for one in workloads
    ]
    choose.shuffle(entries)
    least = sum(one["spec"]["replicas"] for one in workloads) - choose.randint(1, 3)
    times = {"thinks": choose.choice([0.0, 0.5, 1.5, 5.0]), "ends": choose.choice([0.5, 2.0])}
    shop = SharedCluster(*workloads, least=max(least, 0), **times)
    for _kill in range(choose.randint(0, 3)):
        shop.go_on(Executor(shop))
        shop.executor.later(choose.choice([choose.uniform(0, 5), choose.uniform(0, 60)]), end)
        try:
            carry_out(shop, plan(*entries), wait_timeout="30m")
        except Killed:
            continue
    found = outcomes(start(shop, plan(*entries), wait_timeout="30m"))
    assert set(found.values()) <= GOOD, (entries, found)
    assert shop.lowest >= shop.least, (entries, shop.lowest)


def test_it_says_which_budget_it_waits_for():
    shop = SharedCluster(on_delete(), daemon_set("mesh", 3), least=5, thinks=50.0)
    result = carry_out(shop, plan(entry("mesh"), entry("db", "StatefulSet", **AGE)), wait_timeout="30s")
    assert outcomes(result) == {"mesh": "unfinished", "db": "not_started"} and not shop.evicted
    assert (
        "PodDisruptionBudget shop/all allows 0 of 1 that the restart may stop at once: 6 pods are healthy, and it wants 5, and "
        "other rollouts of the run may still stop 1"
    ) in told(result, "db")


@pytest.mark.parametrize("budgets, waits", [("honour", True), ("report", False)])
def test_with_report_nothing_waits(budgets, waits):
    shop = SharedCluster(on_delete(), daemon_set("mesh", 3), least=5, thinks=50.0)
    both = plan(entry("mesh"), entry("db", "StatefulSet", **AGE), budgets=budgets)
    carry_out(shop, both, wait_timeout="30s")
    assert bool(shop.evicted) != waits


def test_where_there_is_room_for_both_or_no_rolling_update_nothing_waits():
    alone = [entry("db", "StatefulSet", **AGE), entry("log", **AGE)]
    shop = SharedCluster(on_delete(), on_delete("DaemonSet", "log"), least=5)
    assert set(outcomes(carry_out(shop, plan(*alone))).values()) == {"restarted"}
    once = asked_for(shop, "poddisruptionbudgets")
    shop = SharedCluster(on_delete(), daemon_set("mesh", 3), least=4, thinks=50.0)
    carry_out(shop, plan(entry("mesh"), alone[0]), wait_timeout="30s")
    assert shop.evicted and once == 1  # they are read before anything is touched


@pytest.mark.parametrize("second", [entry("mesh"), entry("db", "StatefulSet", **AGE)], ids=["rolling", "evicted"])
def test_what_is_held_after_its_failure_ends_what_waits_for_its_room(second):
    shop = SharedCluster(on_delete(), daemon_set("mesh", 3), daemon_set("net", 3), least=8)
    executor = Executor(shop)
    executor.later(10, lambda: shop.set_ready(new_pod(shop, "net"), "False"))
    executor.later(20, lambda: shop.set_ready(new_pod(shop, "net"), "True"))
    several = {**plan(entry("net", canary={"pods": 1, "hold": "60s"}), second), "failure_budget": 9}
    result = carry_out(shop, several, wait_timeout="2h")
    assert outcomes(result) == {"net": "failed", second["id"]: "not_started"} and executor.clock.passed < 60
    assert "other rollouts of the run may still stop 1" in told(result, second["id"])


def test_a_pod_that_is_not_ready_for_a_while_ends_nothing():
    shop = SharedCluster(daemon_set("mesh", 3), daemon_set("net", 3), on_delete("StatefulSet", "other", 1), least=5)
    executor = Executor(shop)
    shop.set_ready(new_pod(shop, "other"), "False")
    executor.later(10, lambda: shop.set_ready(new_pod(shop, "net"), "False"))
    executor.later(20, lambda: shop.set_ready(new_pod(shop, "net"), "True"))
    executor.later(60, lambda: shop.set_ready(new_pod(shop, "other"), "True"))
    both = {**plan(entry("net", canary={"pods": 1, "hold": "60s"}), entry("mesh")), "failure_budget": 9}
    result = carry_out(shop, both, wait_timeout="2h")
    assert outcomes(result) == {"net": "failed", "mesh": "restarted"} and 60 < executor.clock.passed < 120


@pytest.mark.parametrize("mode", ["honour", "report"])
def test_what_waits_for_no_budget_is_restarted_before_the_call_ends(mode):
    shop = SharedCluster(on_delete(), daemon_set("mesh", 3), daemon_set("net", 3), least=8)
    executor = Executor(shop)
    executor.later(10, lambda: shop.set_ready(new_pod(shop, "net"), "False"))
    executor.later(20, lambda: shop.set_ready(new_pod(shop, "net"), "True"))
    entries = (
        entry("net", canary={"pods": 1, "hold": "60s"}),
        entry("mesh"),
        entry("db", "StatefulSet", **AGE, budgets=mode),
    )
    result = carry_out(shop, {**plan(*entries), "failure_budget": 9}, wait_timeout="2h")
    db = "restarted" if mode == "report" else "not_started"
    assert outcomes(result) == {"net": "failed", "mesh": "not_started", "db": db} and executor.clock.passed < 90


def new_pod(shop, name):
    """The first pod of a workload that is of the newest revision."""
    newest = shop.history[f"uid-shop-{name}"][-1]["metadata"]["name"]
    return next(pod for pod in shop.pods if pod["metadata"]["labels"]["controller-revision-hash"] == newest)


@pytest.mark.parametrize("budgets", ["honour", "report"])
@pytest.mark.parametrize("kind, rolling", EVICTED)
def test_what_kubernetes_never_evicts_is_refused_before_anything_is_touched(kind, rolling, budgets):
    both = plan(entry("db", kind, **AGE), budgets=budgets)
    leave = ", or leave between_pods out for it, in an entry of its own" if rolling else ""
    for names, least, sentence, advice in (
        (
            ["all"],
            3,
            "evicts pods, but PodDisruptionBudget shop/all wants 3 healthy pods of 3",
            "the budget allow 1" + leave,
        ),
        (["all", "more"], 2, "PodDisruptionBudget shop/all and PodDisruptionBudget shop/more select the pods of", ""),
    ):
        shop = SharedCluster(database(kind, rolling), least=least, budgets=names)
        shop.go_on(Executor(shop))
        for checks in (True, False):
            result = carry_out(shop, both, check_mode=checks)
            assert outcomes(result) == {"db": "refused"} and not shop.patches and not shop.evicted
            assert sentence in told(result, "db") and told(result, "db").endswith(
                advice or "leave one budget that selects them"
            )


@pytest.mark.parametrize("kind, rolling", EVICTED)
def test_budgets_that_may_not_be_read_are_told_before_anything_is_touched(kind, rolling):
    shop = SharedCluster(database(kind, rolling), least=2)
    shop.fail = lambda verb, path: Forbidden("no budgets", status=403) if "poddisruptionbudgets" in path else None
    with pytest.raises(
        RolloutError, match=r"no budgets; nothing was touched: .*rbac/budgets.yml, or set budgets: report"
    ):
        carry_out(shop, plan(entry("db", kind, **AGE)))
    assert not shop.patches and not shop.evicted
    given = {"plan": plan(entry("db", kind, **AGE), budgets="report"), "run_id": "r1", "journal": {"clusters": ["eu"]}}
    verb, call = calling.prepare("k8s_rollout_restart", shop, **given)
    assert outcomes(calling.carry_out(verb, call)) == {"db": "restarted"}
    assert any("is not known in namespace shop" in warning for warning in call.warnings)


@pytest.mark.parametrize("mode", ["honour", "report"])
@pytest.mark.parametrize("queue", [{"between_pods": {"order": "ordinal"}}, {"canary": {"pods": 1, "hold": "1s"}}])
def test_what_is_never_evicted_is_refused_also_beside_what_is_held_between_its_pods(queue, mode):
    shop = SharedCluster(on_delete(), on_delete("StatefulSet", "queue", updateStrategy=ROLLING_SET), least=3)
    shop.labels = {"app": "db"}
    both = plan(entry("db", "StatefulSet", **AGE), entry("queue", "StatefulSet", **queue), budgets=mode)
    result = start(shop, both, check_mode=True)
    assert outcomes(result)["db"] == "refused" and "wants 3 healthy pods of 3" in told(result, "db")


@pytest.mark.parametrize("mode", ["honour", "report"])
@pytest.mark.parametrize(
    "policy, phase, refused", [("AlwaysAllow", "Running", False), (None, "Running", True), (None, "Pending", False)]
)
def test_pods_that_kubernetes_evicts_under_any_budget_are_not_refused(policy, phase, refused, mode):
    shop = SharedCluster(on_delete(), least=3)
    shop.policy = {"unhealthyPodEvictionPolicy": policy} if policy else {}
    shop.go_on(Executor(shop))
    for pod in shop.pods:
        pod["status"]["phase"] = phase
        shop.set_ready(pod, "False")
    result = carry_out(shop, plan(entry("db", "StatefulSet", **AGE), budgets=mode))
    assert outcomes(result) == {"db": "refused" if refused else "restarted"} and bool(shop.evicted) != refused


def test_one_healthy_pod_is_never_evicted_whatever_the_policy_is():
    shop = SharedCluster(on_delete(), least=3)
    shop.policy = {"unhealthyPodEvictionPolicy": "AlwaysAllow"}
    shop.go_on(Executor(shop))
    shop.set_ready(shop.pods[0], "False")
    assert outcomes(carry_out(shop, plan(entry("db", "StatefulSet", **AGE)))) == {"db": "refused"}


def break_one(shop, name):
    """An old pod of a workload is no longer ready."""
    newest = shop.history[f"uid-shop-{name}"][-1]["metadata"]["name"]
    mine = [pod for pod in shop.pods if pod["metadata"]["name"].startswith(f"{name}-")]
    old = [pod for pod in mine if pod["metadata"]["labels"]["controller-revision-hash"] != newest or name == "other"]
    shop.set_ready(old[-1], "False")


@pytest.mark.parametrize("thinks", [0.5, 1.5, 4.0])
def test_what_pods_that_break_keep_from_going_on_is_done_by_the_next_start(thinks):
    shop = SharedCluster(
        on_delete(), daemon_set("net", 3), on_delete("StatefulSet", "other", 1), least=5, thinks=thinks
    )
    executor = Executor(shop)
    executor.later(6.0, lambda: break_one(shop, "other"))  # for good
    executor.later(6.6, lambda: break_one(shop, "net"))  # until its controller goes on
    both = plan(entry("net", canary={"pods": 1, "hold": "30s"}), entry("db", "StatefulSet", **AGE))
    result = carry_out(shop, both, wait_timeout="5m")
    assert "unfinished" in outcomes(result).values() and shop.lowest == 4
    assert set(outcomes(start(shop, both, wait_timeout="5m")).values()) <= GOOD
    assert shop.lowest == 4  # two were broken, and nothing was stopped besides


def test_what_is_done_is_not_read_again_while_another_one_waits():
    names = [f"db{number}" for number in range(6)]
    workloads = [*(on_delete("StatefulSet", name, 1) for name in [*names, "last"]), daemon_set("mesh", 3)]
    shop = SharedCluster(*workloads, least=9, thinks=15.0)
    first = [entry(name, "StatefulSet", **AGE) for name in names]
    later = [entry("mesh", after=names), entry("last", "StatefulSet", after=names, **AGE)]
    assert set(outcomes(carry_out(shop, plan(*first, *later))).values()) == {"restarted"}
    assert asked_for(shop, "poddisruptionbudgets") > 3
    assert not [path for verb, path in shop.asked if verb == "get" and path.endswith("/db0")]
