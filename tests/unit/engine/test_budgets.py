# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Budgets in a run: a restart begins only while there is room for what its strategy may stop."""

from __future__ import annotations

import copy
import dataclasses
import types

import pytest
from budgets import FREEING, SPARE, BudgetedCluster, asked_for, budget, freeing, pod
from simulation import RUN, FakeClock, Run, status_of, window, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import canary_steps
from ansible_collections.restartx.core.plugins.module_utils.engine.budgets import BudgetHold
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Trial
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import RestartStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.verbs import budgets as verb


def run(cluster, *entries, groups=("0", "1", "2"), **more):
    """A run in which the restarts of these groups honour budgets, and nothing was read before."""
    hold = BudgetHold([], groups, RUN, cluster, None, {}, 0.0)
    made = Run(*entries, cluster=cluster, holds=[hold], observers=[hold], **more)
    hold.tasks = list(made.loop.tasks.values())
    return made


def started(done):
    return {name: round(moment, 1) for moment, name in done.cluster.patches}


CORE = {"tier": "core"}


def test_workloads_of_one_budget_share_its_room():
    cluster = BudgetedCluster([freeing(name, **CORE) for name in ("api", "web", "pay")], [budget(maxUnavailable=1)])
    done = run(cluster, ("api", "web", "pay")).carry_out()
    assert set(done.outcomes.values()) == {"restarted"}
    first, second, third = sorted(moment for moment, _name in cluster.patches)
    assert first < 1 and 10 < second < 13 and 20 < third < 26


def test_so_many_begin_at_once_as_there_is_room_for():
    cluster = BudgetedCluster([freeing(name, **CORE) for name in ("api", "web", "pay")], [budget(maxUnavailable=2)])
    done = run(cluster, ("api", "web", "pay")).carry_out()
    _first, second, third = sorted(moment for moment, _name in cluster.patches)
    assert set(done.outcomes.values()) == {"restarted"} and second < 1 < 10 < third < 13


def test_a_budget_without_room_holds_until_it_has_some_and_says_why():
    other = pod(labels=CORE, ready=False)
    cluster = BudgetedCluster([freeing("api", **CORE)], [budget(minAvailable=2)], [other])
    one = run(cluster, ("api",))
    told = []
    one.executor.later(5, lambda: told.append(one.loop.hold(5.0)))

    def recovers():
        other["status"]["conditions"][0]["status"] = "True"

    one.executor.later(25, recovers)
    one.carry_out()
    assert one.outcomes == {"api": "restarted"}
    assert 25 <= started(one)["api"] <= 27
    (reason, until), *_rest = told
    assert until is None and reason == (
        "PodDisruptionBudget shop/all allows 0 of 1 that the restart may stop at once: 2 pods are healthy, and it wants 2"
    )
    assert asked_for(cluster, "poddisruptionbudgets") <= 28 and asked_for(cluster, "pods") <= 30


@pytest.mark.parametrize(
    "options",
    [RunOptions(wait_timeout=60.0, deadline=60.0), RunOptions(window=window(1))],
    ids=["wait_timeout", "window"],
)
def test_what_never_finds_room_is_not_started_when_the_time_of_the_call_is_over_and_says_why(options):
    cluster = BudgetedCluster([freeing("api", **CORE)], [budget(minAvailable=2)], [pod(labels=CORE, ready=False)])
    done = run(cluster, ("api",), options=options).carry_out()
    assert done.outcomes == {"api": "not_started"} and cluster.patches == []
    assert 60 <= done.executor.clock.passed <= 62
    assert "; PodDisruptionBudget shop/all allows 0 of 1 that the restart may stop at once" in done.task("api").message


def test_others_go_on_while_one_waits_for_its_budget():
    cluster = BudgetedCluster([freeing("api", **CORE), freeing("web")], [budget(minAvailable=2)])
    done = run(cluster, ("api", "web"), options=RunOptions(wait_timeout=30.0, deadline=30.0)).carry_out()
    assert done.outcomes == {"api": "not_started", "web": "restarted"}


@pytest.mark.parametrize("strategy", [SPARE, {"type": "RollingUpdate"}], ids=["surge", "default of two pods"])
def test_a_strategy_that_stops_no_pod_first_waits_for_nothing_and_reads_nothing(strategy):
    one = freeing("api", **CORE)
    one["spec"]["strategy"] = strategy
    cluster = BudgetedCluster([one], [budget(maxUnavailable=0)])
    assert run(cluster, ("api",)).carry_out().outcomes == {"api": "restarted"}
    assert asked_for(cluster, "poddisruptionbudgets") == 0


def test_without_a_budget_the_namespace_is_read_once_and_no_pods_are():
    cluster = BudgetedCluster([freeing(name) for name in "abcdef"], [budget(maxUnavailable=1)])
    done = run(cluster, tuple("abcdef"), max_parallel=2).carry_out()
    assert set(done.outcomes.values()) == {"restarted"}
    assert (asked_for(cluster, "poddisruptionbudgets"), asked_for(cluster, "pods")) == (1, 0)


def test_a_budget_that_is_made_during_the_run_counts_within_a_minute():
    cluster = BudgetedCluster([freeing(name, **CORE) for name in ("api", "web")])
    one = run(cluster, ("api",), ("web",), stagger=100.0, options=RunOptions(wait_timeout=130.0, deadline=130.0))
    one.executor.later(20, lambda: cluster.budgets.append(budget(maxUnavailable=0)))
    assert one.carry_out().outcomes == {"api": "restarted", "web": "not_started"}


@pytest.mark.parametrize(
    "status",
    [{}, {"observedGeneration": 0}, {"observedGeneration": 1, "conditions": []}],
    ids=["no status", "not seen yet", "of an earlier spec"],
)
def test_a_budget_whose_status_is_behind_is_closed(status):
    one = budget(maxUnavailable=1)
    one["metadata"]["generation"], one["status"] = (
        2,
        {**status, "observedGeneration": status.get("observedGeneration", 0)},
    )
    cluster = BudgetedCluster([freeing("api", **CORE)])
    cluster.budgets = [one]
    cluster.list = without_fresh_status(cluster)
    done = run(cluster, ("api",), options=RunOptions(wait_timeout=30.0, deadline=30.0)).carry_out()
    assert done.outcomes == {"api": "not_started"}


def without_fresh_status(cluster):
    """The budgets stay as they are."""

    def listed(path, params=None, *, deadline=None):
        if path.endswith("/poddisruptionbudgets"):
            cluster._ask("list", path, deadline)
            return type("Found", (), {"items": cluster.budgets})()
        return BudgetedCluster.list(cluster, path, params, deadline=deadline)

    return listed


def test_budgets_that_may_not_be_read_hold_what_stops_pods():
    cluster = BudgetedCluster([freeing("api"), freeing("web")])
    cluster.objects[kinds.path("Deployment", "shop", "web")]["spec"]["strategy"] = SPARE
    cluster.fail = lambda verb, path: (
        Forbidden("may not list them", status=403) if path.endswith("/poddisruptionbudgets") else None
    )
    one = run(cluster, ("api", "web"), options=RunOptions(wait_timeout=30.0, deadline=30.0))
    told = []
    one.executor.later(20, lambda: told.append(one.loop.hold(20.0)))
    assert one.carry_out().outcomes == {"api": "not_started", "web": "restarted"}
    assert told[0][0] == "the budgets of namespace shop could not be read: may not list them"
    assert asked_for(cluster, "poddisruptionbudgets") <= 8


def test_groups_that_only_report_do_not_wait_but_count():
    cluster = BudgetedCluster([freeing(name, **CORE) for name in ("api", "web")], [budget(maxUnavailable=1)])
    entries = [Entry(name, names=(name,), namespaces=("shop",)) for name in ("api", "web")]
    done = run(cluster, *entries, groups={"web"}).carry_out()
    assert started(done)["api"] < 1 and 10 < started(done)["web"] < 13


def test_what_carries_the_run_already_is_followed_and_counts():
    first = run(BudgetedCluster([freeing("api", **CORE), freeing("web", **CORE)], []), ("api",)).carry_out()
    cluster = first.cluster
    held = cluster.objects[kinds.path("Deployment", "shop", "api")]
    held["status"] = status_of(held, 1)  # it is not done
    cluster.budgets = [budget(maxUnavailable=1)]
    cluster.patches.clear()
    done = run(cluster, ("api", "web"))
    done.executor.later(10, lambda: cluster.finish(held))
    done.carry_out()
    assert done.outcomes == {"api": "already_restarted", "web": "restarted"}
    assert started(done)["web"] > 10


@pytest.mark.parametrize("wait", [True, False])
def test_a_rollout_that_the_call_no_longer_follows_counts_until_it_is_done(wait):
    cluster = BudgetedCluster([freeing(name, **CORE) for name in ("api", "web")], [budget(maxUnavailable=1)], takes=50)
    options = RunOptions(wait=wait, wait_timeout=200.0, deadline=200.0)
    done = run(cluster, ("api", "web"), timeout=20.0, options=options, stop_on_failure=False).carry_out()
    first, second = sorted(moment for moment, _name in cluster.patches)
    assert first < 1 and 50 < second < 55
    assert list(done.outcomes.values()).count("unfinished") == (2 if wait else 0)


def test_after_a_change_by_somebody_else_the_budget_is_looked_at_again():
    cluster = BudgetedCluster([freeing("api", **CORE)], [budget(minAvailable=1)])

    def changes(held):
        cluster.before_patch = lambda one: None
        held["spec"]["strategy"] = {"type": "Recreate"}
        cluster.touch(held)

    cluster.before_patch = changes
    done = run(cluster, ("api",), options=RunOptions(wait_timeout=30.0, deadline=30.0)).carry_out()
    assert done.outcomes == {"api": "not_started"} and cluster.patches == []


def test_the_room_of_each_kind_is_looked_at():
    stateful = workload("StatefulSet", "db", labels=CORE)
    daemons = workload("DaemonSet", "agent", labels=CORE)
    cluster = BudgetedCluster([stateful, daemons], [budget(minAvailable=3)])
    entry = Entry("0", kinds=("StatefulSet", "DaemonSet"), names=("db", "agent"), namespaces=("shop",), optional=True)
    done = run(cluster, entry).carry_out()
    assert set(done.outcomes.values()) == {"restarted"}
    first, second = sorted(moment for moment, _name in cluster.patches)
    assert first < 1 and 10 < second < 13


def test_hundreds_in_one_budget_are_looked_at_without_reading_each():
    names = [f"app-{number}" for number in range(120)]
    cluster = BudgetedCluster([freeing(name, **CORE) for name in names], [budget(maxUnavailable="10%")])
    done = run(cluster, tuple(names)).carry_out()
    assert set(done.outcomes.values()) == {"restarted"}
    assert asked_for(cluster, "pods") <= 140


class Canaried:
    """A workload `api` that a canary of the run holds, a workload `web` that waits, and their budget, which lets `free`
    pods be stopped."""

    def __init__(self, kind, free=1):
        self.clock = FakeClock()
        stamp = restart.Stamp(run=RUN, at=self.clock.now())
        strategies = {
            "Deployment": FREEING,
            "StatefulSet": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        }
        api, web = workload(kind, "api", labels=CORE), freeing("web", **CORE)
        api["spec"][kinds.kind_of(api).strategy] = copy.deepcopy(strategies[kind])
        self.its = canary.of(api, 1)
        api["spec"][kinds.kind_of(api).strategy] = {"type": "RollingUpdate", "rollingUpdate": self.its.tight}
        api["spec"] |= {"paused": True} if kind == "Deployment" else {}
        api["spec"]["template"]["metadata"]["annotations"] = {restart.RUN: RUN}
        api["status"] = {**status_of(api, 1), "replicas": 2, "readyReplicas": 2, "availableReplicas": 2}
        self.first = canary_steps.CanaryStep(stamp, Mode(), self.clock.now, its=self.its)
        self.api = Task(kinds.key(api), "0", api, canary_steps.of(self.first, Trial(1, 60.0))[0])
        self.web = Task(kinds.key(web), "1", web, RestartStep(stamp, Mode(), self.clock.now))
        pods = [pod(one, number) for one in (api, web) for number in range(2)]
        cover = Cover(budget(maxUnavailable=free, pods=pods, expected=4), pods, [self.api.step.released(api), web])
        known = {"shop": [cover]}
        self.hold = BudgetHold([self.api, self.web], {"0", "1"}, RUN, None, self.clock, known, self.clock.monotonic())

    def reason(self, task):
        return self.hold.reason(task, self.clock.monotonic()) or ""


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_what_a_canary_holds_counts_as_what_its_rollout_will_stop(kind):
    one = Canaried(kind)
    one.api.state = State.SETTLING
    assert "other rollouts of the run may still stop 1" in one.reason(one.web)
    assert not one.hold.lasting  # its release, or its undo, may free the room
    one.api.state = State.ENDED
    one.api.object = rolled = canary.released(one.api.object, one.its, RUN)
    rolled["status"] = status_of(rolled, 2)
    assert one.hold.work([]) is None
    assert one.reason(one.web) == ""


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_canary_that_failed_and_stays_held_ends_what_waits_for_its_room(kind):
    one = Canaried(kind)
    one.api.state = State.ENDED
    assert "other rollouts of the run may still stop 1" in one.reason(one.web)
    assert one.hold.lasting
    # What waits for no budget says nothing of what does. It may be held by something else.
    other = Task(("Deployment", "shop", "other"), "2", freeing("other"), one.web.step)
    assert one.reason(other) == "" and one.reason(None) == "" and one.hold.lasting


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_second_attempt_of_a_canary_asks_for_what_its_strategy_stops(kind):
    one = Canaried(kind, free=0)
    one.api.step = dataclasses.replace(one.first, stamp=dataclasses.replace(one.first.stamp, attempt=2))
    assert "allows 0 of 1 that the restart may stop at once" in one.reason(one.api)


def test_what_may_be_tried_again_is_read_before_the_run():
    api = freeing("api", **CORE)
    api["spec"]["template"]["metadata"]["annotations"] = {restart.RUN: RUN}
    api["status"] = {**api["status"], "updatedReplicas": 1}
    cluster = BudgetedCluster([api], [budget(maxUnavailable=1)])
    clock = FakeClock()
    call = types.SimpleNamespace(cluster=cluster, clock=clock, deadline=None)
    step = RestartStep(restart.Stamp(run=RUN, at=clock.now()), Mode(), clock.now)
    known = verb.read(call, [Entry("0")], [Task(kinds.key(api), "0", api, step)])
    assert [len(covers) for covers in known.covers.values()] == [1]


def under_way(name, clock):
    """A task of a run whose rollout has replaced one of two pods."""
    one = freeing(name, **CORE)
    one["spec"]["template"]["metadata"]["annotations"] = {
        restart.RUN: RUN,
        restart.RESTARTED_AT: "2026-11-24T22:00:00Z",
    }
    one["status"] |= {"replicas": 2, "updatedReplicas": 1}
    step = RestartStep(restart.Stamp(run=RUN, at=clock.now()), Mode(), clock.now)
    task = Task(key=kinds.key(one), group="0", object=one, step=step)
    task.to(State.WATCHING, clock)
    return task


@pytest.mark.parametrize(
    "least, held, room", [(3, "", False), (3, "no room", True), (2, "", True), (4, "no room", False)]
)
def test_the_rest_of_a_rollout_has_room_if_what_others_stop_leaves_some_and_what_is_held_stops_none(least, held, room):
    clock = FakeClock()
    tasks = [under_way(name, clock) for name in ("api", "web")]
    pods = [pod(task.object, number) for task in tasks for number in range(2)]
    cover = Cover(budget(pods=pods, minAvailable=least), pods, [task.object for task in tasks])
    hold = BudgetHold(tasks, ("0",), RUN, None, clock, {"shop": [cover]}, 0.0)
    tasks[1].held = held
    found = hold.room(tasks[0])
    assert found.known and bool(found.reason) != room, found
    # What is held still takes its room from restarts that are yet to begin.
    assert hold._pending_of(cover) == (2, True)


def test_the_rest_of_a_rollout_waits_for_budgets_that_are_still_read():
    clock = FakeClock()
    task = under_way("api", clock)
    hold = BudgetHold([task], ("0",), RUN, None, clock, {}, 0.0)
    assert not hold.room(task).known and hold.next == clock.monotonic()
    task.object["status"]["replicas"] = 1  # nothing is left to replace
    assert hold.room(task).known and not hold.room(task).reason
