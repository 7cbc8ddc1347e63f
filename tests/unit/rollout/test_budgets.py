# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What budgets leave to rollouts: the arithmetic, against a slow reading, and on rollouts that go as far as they may."""

from __future__ import annotations

import itertools
import random

import pytest
from budgets import budget, pod
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover

CORE = {"tier": "core"}


def made(kind="Deployment", replicas=4, name="api", unavailable=None, surge=None, labels=None, **spec):
    """A workload with so many pods, which the budget of all selects."""
    one = workload(kind, name, labels={**CORE, **(labels or {})})
    rolling = {"maxUnavailable": unavailable, "maxSurge": surge, "partition": spec.pop("partition", None)}
    rolling = {name: value for name, value in rolling.items() if value is not None}
    field = "strategy" if kind == "Deployment" else "updateStrategy"
    one["spec"] |= {"replicas": replicas, field: {"type": spec.pop("type", "RollingUpdate"), "rollingUpdate": rolling}}
    one["spec"] |= spec
    if kind == "DaemonSet":
        one["status"] |= {"desiredNumberScheduled": replicas, "numberAvailable": replicas}
    return one


def pods_of(one, ready, unready=0):
    return [pod(one, number, ready=number < ready) for number in range(ready + unready)]


def stops(*args, **more):
    one = made(*args, **more)
    return kinds.kind_of(one).stops_at_once(one)


@pytest.mark.parametrize(
    "stopped, given",
    [
        (1, {"unavailable": 1}),
        (1, {"unavailable": "25%"}),
        (0, {"unavailable": "24%"}),  # rounded down, and a surge of 25%
        (1, {"unavailable": "24%", "surge": 0}),
        (0, {"unavailable": 0, "surge": 1}),
        (4, {"unavailable": "100%"}),
        (4, {"unavailable": 9}),
        (4, {"type": "Recreate"}),
        (0, {"replicas": 0, "unavailable": 1}),
        (1, {"kind": "StatefulSet"}),
        (1, {"kind": "StatefulSet", "partition": 3}),
        (0, {"kind": "StatefulSet", "partition": 4}),
        (3, {"kind": "StatefulSet", "unavailable": 3}),
        (2, {"kind": "StatefulSet", "unavailable": 3, "partition": 2}),
        (2, {"kind": "StatefulSet", "unavailable": "50%"}),
        (0, {"kind": "StatefulSet", "type": "OnDelete"}),
        (1, {"kind": "DaemonSet"}),
        (2, {"kind": "DaemonSet", "unavailable": "30%"}),  # rounded up
        (0, {"kind": "DaemonSet", "unavailable": 0, "surge": 1}),
        (0, {"kind": "DaemonSet", "type": "OnDelete"}),
    ],
    ids=str,
)
def test_how_many_pods_a_strategy_stops_at_once(stopped, given):
    assert stops(**given) == stopped


NUMBERS = [0, 1, 3, 7, "0%", "1%", "34%", "50%", "99%", "100%"]


@pytest.mark.parametrize("option", ["minAvailable", "maxUnavailable"])
@pytest.mark.parametrize("number", NUMBERS, ids=str)
@pytest.mark.parametrize("replicas", [1, 3, 7, 10])
def test_what_a_budget_wants_is_what_its_controller_makes_of_it(option, number, replicas):
    one = made(replicas=replicas)
    status = budget(expected=replicas, pods=pods_of(one, replicas), **{option: number})["status"]
    assert budgets.desired(budget(**{option: number}), replicas) == status["desiredHealthy"]


@pytest.mark.parametrize("replicas, unavailable, least", [*itertools.product(range(1, 6), range(1, 6), range(7))])
def test_a_strategy_is_refused_exactly_if_it_undercuts_the_budget_with_all_pods_healthy(replicas, unavailable, least):
    one = made(replicas=replicas, unavailable=unavailable, surge=0)
    pods = pods_of(one, replicas)
    cover = Cover(budget(pods=pods, minAvailable=least), pods, [one])
    refusal = cover.refusal(one)
    assert bool(refusal) == (replicas - min(unavailable, replicas) < least)
    assert cover.allows_nothing() == (least >= replicas)
    assert (cover.closed(one) is None) == (refusal is None)


@pytest.mark.parametrize(
    "one, given, words",
    [
        (
            made(unavailable=2),
            {"maxUnavailable": 1},
            'a restart of deployment "api" in namespace "shop" may stop 2 of 4 pods at once, but PodDisruptionBudget shop/all '
            "wants 3 healthy pods of 4; use maxUnavailable: 0 and maxSurge: 1, or let the strategy stop at most 1 at once, "
            "or set budgets: report",
        ),
        (
            made(type="Recreate"),
            {"minAvailable": "100%"},
            'a restart of deployment "api" in namespace "shop" may stop 4 of 4 pods at once, but PodDisruptionBudget shop/all '
            "wants 4 healthy pods of 4, so it never allows to stop any; use the strategy RollingUpdate with maxUnavailable: 0 "
            "and maxSurge: 1, or set budgets: report",
        ),
        (
            made("StatefulSet"),
            {"maxUnavailable": 0},
            'a restart of statefulset "api" in namespace "shop" may stop 1 of 4 pods at once, but PodDisruptionBudget shop/all '
            "wants 4 healthy pods of 4, so it never allows to stop any; let the budget allow 1, or set budgets: report",
        ),
    ],
    ids=["Deployment", "Recreate", "StatefulSet"],
)
def test_a_refusal_names_the_numbers_and_the_way_out(one, given, words):
    pods = pods_of(one, 4)
    assert Cover(budget(pods=pods, expected=4, **given), pods, [one]).refusal(one) == words


def test_pods_of_nobody_count_too():
    one = made(unavailable=1, surge=0, replicas=1)
    pods = [*pods_of(one, 1), pod(labels=CORE, number=8)]
    cover = Cover(budget(pods=pods, minAvailable=1), pods, [one])
    assert cover.refusal(one) is None and cover.closed(one) is None
    pods = [*pods_of(one, 1), pod(labels=CORE, number=8, ready=False)]
    cover = Cover(budget(pods=pods, minAvailable=1), pods, [one])
    assert cover.refusal(one) is None  # it may become ready
    assert "allows 0 of 1" in cover.closed(one)


def test_a_pod_that_is_being_deleted_is_not_healthy():
    one = made(unavailable=1, surge=0, replicas=2)
    pods = [*pods_of(one, 1), pod(one, 1, deletionTimestamp="2026-11-24T22:00:00Z"), pod(one, 2)]
    status = budget(pods=pods_of(one, 3), minAvailable=2)  # its controller has not noticed yet
    assert "2 pods are healthy, and it wants 2" in Cover(status, pods, [one]).closed(one)


def test_an_eviction_that_the_pods_do_not_show_yet_counts():
    one = made(unavailable=1, surge=0)
    given = budget(pods=pods_of(one, 4), minAvailable=3)
    given["status"]["disruptionsAllowed"] = 0
    assert "allows 0 of 1" in Cover(given, pods_of(one, 4), [one]).closed(one)


def test_a_broken_workload_may_be_restarted_if_its_strategy_keeps_the_budget():
    one = made(unavailable=1, surge=0)
    pods = pods_of(one, 0, 4)
    assert Cover(budget(pods=pods, minAvailable=3), pods, [one]).closed(one) is None
    wide = made(unavailable=2, surge=0)
    assert Cover(budget(pods=pods, minAvailable=3), pods, [wide]).closed(wide)


def test_daemons_that_are_ready_but_not_for_long_enough_are_replaced_all_at_once():
    one = made("DaemonSet", minReadySeconds=60)
    one["status"]["numberAvailable"] = 1
    pods = pods_of(one, 4)
    assert "allows 1 of 3" in Cover(budget(pods=pods, minAvailable=3), pods, [one]).closed(one)


@pytest.mark.parametrize(
    "selector, selects",
    [
        ({}, True),
        ({"matchLabels": CORE}, True),
        ({"matchLabels": {"tier": "web"}}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web", "core"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["core"]}]}, False),
        ({"matchExpressions": [{"key": "job", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {**CORE, "statefulset.kubernetes.io/pod-name": "api-0"}}, True),
        (None, False),
    ],
    ids=str,
)
def test_which_workloads_a_budget_is_about(selector, selects):
    one = budget(selector={}, minAvailable=1)
    one["spec"]["selector"] = selector
    assert budgets.may_select(one, made()) == selects
    one["metadata"]["namespace"] = "another"
    assert not budgets.may_select(one, made())


def test_a_budget_of_one_pod_of_a_workload_keeps_it_from_being_stopped():
    one = made("StatefulSet", replicas=3)
    name = {"statefulset.kubernetes.io/pod-name": "api-0"}
    first = pod(one, 0)
    first["metadata"]["labels"] |= name
    cover = Cover(budget(selector={"matchLabels": name}, pods=[first], minAvailable=1), [first], [one])
    assert "may stop 1 of 3 pods at once" in cover.refusal(one)


def test_a_budget_that_its_controller_cannot_compute_refuses():
    one = made("DaemonSet")
    pods = pods_of(one, 4)
    given = budget(pods=pods, maxUnavailable=1)
    message = "daemonsets.apps does not implement the scale subresource"
    given["status"]["conditions"] = [
        {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": message}
    ]
    cover = Cover(given, pods, [one])
    refusal = cover.refusal(one)
    assert message in refusal and refusal.endswith("; correct the budget, or set budgets: report")
    assert cover.room() == 0
    refusal = cover.refusal_of_eviction(one, "canary", "canary")
    assert message in refusal and "no pod could be evicted for a canary; correct the budget, or leave canary" in refusal
    refusal = cover.refusal(one, "set budgets: enforce")
    assert refusal.endswith("; correct the budget, or set budgets: enforce, or set budgets: report")
    spare = made("DaemonSet", unavailable=0, surge=1)
    assert Cover(given, pods, [spare]).refusal(spare) is None


class Rollout:
    """A workload whose controller goes as far as its strategy lets it, one change at a time. Pods are [is new, is healthy]."""

    def __init__(self, name, rng):
        self.kind = rng.choice(["Deployment", "StatefulSet", "StatefulSet", "DaemonSet"])
        self.replicas = rng.randint(1, 5)
        self.unavailable = rng.randint(0, 3) if self.kind != "StatefulSet" else 1
        self.surge = (
            0 if self.unavailable and self.kind != "Deployment" else rng.randint(0 if self.unavailable else 1, 2)
        )
        self.parallel = rng.random() < 0.5
        surge = None if self.kind == "StatefulSet" else self.surge
        policy = {"podManagementPolicy": "Parallel"} if self.parallel and self.kind == "StatefulSet" else {}
        self.object = made(self.kind, self.replicas, name, self.unavailable, surge, **policy)
        self.pods = [[False, rng.random() < 0.8] for _pod in range(self.replicas)]
        self.begun = False

    @property
    def healthy(self):
        return sum(healthy for _new, healthy in self.pods)

    @property
    def done(self):
        return self.begun and all(new and healthy for new, healthy in self.pods) and len(self.pods) == self.replicas

    def objects(self):
        return [pod(self.object, number, ready=healthy) for number, (_new, healthy) in enumerate(self.pods)]

    def change(self):
        {"Deployment": self._deployment, "StatefulSet": self._stateful, "DaemonSet": self._daemons}[self.kind]()

    def _deployment(self):
        least = self.replicas - self.unavailable
        old_broken = next((one for one in self.pods if one == [False, False]), None)
        new_broken = self.pods.count([True, False])
        if old_broken and len(self.pods) - least - new_broken > 0:
            self.pods.remove(old_broken)
        elif [False, True] in self.pods and self.healthy > least:
            self.pods.remove([False, True])
        elif len(self.pods) < self.replicas + self.surge and sum(new for new, _h in self.pods) < self.replicas:
            self.pods.append([True, False])

    def _stateful(self):
        if not self.parallel and self.healthy < self.replicas:
            return
        for place in reversed(range(self.replicas)):
            if not self.pods[place][0]:
                self.pods[place] = [True, False]
                return
            if not self.pods[place][1]:
                return

    def _daemons(self):
        if self.surge:
            old = next((place for place, one in enumerate(self.pods) if not one[0]), None)
            if old is not None:
                self.pods[old] = [True, True]
            return
        for place, (new, healthy) in enumerate(self.pods):
            if not new and not healthy:
                self.pods[place] = [True, False]
                return
        if self.replicas - self.healthy < self.unavailable and [False, True] in self.pods:
            self.pods[self.pods.index([False, True])] = [True, False]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_no_rollout_that_begins_with_room_leaves_fewer_healthy_pods_than_the_budget_wants(seed):
    rng = random.Random(seed)
    rollouts = [Rollout(f"app-{number}", rng) for number in range(rng.randint(1, 4))]
    expected = sum(one.replicas for one in rollouts)
    given = {
        rng.choice(["minAvailable", "maxUnavailable"]): rng.choice([0, 1, 2, 3, expected // 2, "20%", "50%", "80%"])
    }

    def cover():
        pods = [found for one in rollouts for found in one.objects()]
        return Cover(budget(pods=pods, expected=expected, **given), pods, [one.object for one in rollouts])

    wants = budget(expected=expected, **given)["status"]["desiredHealthy"]
    refused = [one for one in rollouts if cover().refusal(one.object)]
    for one in rollouts:
        undercuts = expected - kinds.kind_of(one.object).stops_at_once(one.object) < wants
        assert (one in refused) == (undercuts and kinds.kind_of(one.object).stops_at_once(one.object) > 0)
    for turn in range(250):
        before = sum(one.healthy for one in rollouts)
        one = rng.choice(rollouts)
        what = rng.random()
        if what < 0.3 or turn > 220:
            broken = [found for each in rollouts for found in each.pods if not found[1]]
            if broken:
                rng.choice(broken)[1] = True
        if what < 0.6 and one.begun:
            one.change()
        elif not one.begun and one not in refused:
            now = cover()
            pending = sum(max(0, now.may_stop(each.object)) for each in rollouts if each.begun and not each.done)
            one.begun = now.closed(one.object, pending) is None
        after = sum(one.healthy for one in rollouts)
        # What a surge had beyond the pods of the workloads goes again, also if a budget wants more than there are.
        assert after >= before or after >= min(wants, expected), (given, [vars(one) for one in rollouts])
    for _turn in range(100):  # and when pods come up, nothing waits for ever
        for each in rollouts:
            for found in each.pods:
                found[1] = True
            if each.begun:
                each.change()
            elif each not in refused:
                now = cover()
                pending = sum(
                    max(0, now.may_stop(other.object)) for other in rollouts if other.begun and not other.done
                )
                each.begun = now.closed(each.object, pending) is None
    assert all(each.begun for each in rollouts if each not in refused)
