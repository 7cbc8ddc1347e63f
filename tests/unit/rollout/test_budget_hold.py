# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a rollout under way is held for budgets, what holds it, and that what is given back is exactly what was there."""

from __future__ import annotations

import copy
import itertools

import pytest
from budgets import budget, pod
from simulation import _apply, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold, canary, enforce, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary

CORE = {"tier": "core"}
NEWEST, OLD = "api-new", "api-old"


def made(kind="Deployment", replicas=4, updated=2, **rolling):
    one = workload(kind, "api", labels=CORE)
    strategy = {"type": "RollingUpdate", **({"rollingUpdate": rolling} if rolling else {})}
    one["spec"] |= {"replicas": replicas, kinds.KINDS[kind].strategy: strategy}
    one["status"] = {
        "observedGeneration": 1,
        "replicas": replicas,
        "updatedReplicas": updated,
        "updateRevision": NEWEST,
    }
    return one


def pods_of(one, healthy, new=2, ending=()):
    """The pods of a workload. So many from the top are new, and those below `healthy` are ready."""
    replicas, found = one["spec"]["replicas"], []
    for place in range(replicas):
        meta = {"deletionTimestamp": "2026-11-24T22:00:00Z"} if place in ending else {}
        made = pod(one, place, ready=place < healthy, uid=f"uid-{place}", **meta)
        made["metadata"]["labels"]["controller-revision-hash"] = NEWEST if place >= replicas - new else OLD
        found.append(made)
    return found


def cover(one, healthy, others=0, evicted=(), new=2, **spec):
    pods = [*pods_of(one, healthy, new), *(pod(number=number, labels=CORE) for number in range(others))]
    found = budget(pods=pods, **spec)
    found["status"]["disruptedPods"] = dict.fromkeys(evicted, "2026-11-24T22:00:00Z")
    return Cover(found, pods, [one])


@pytest.mark.parametrize("unavailable, others, wants", [*itertools.product((1, 2, 3, 4), range(4), range(9))])
def test_it_is_closed_exactly_if_the_rollout_would_leave_too_few_whatever_it_has_stopped_already(
    unavailable, others, wants
):
    one = made(maxUnavailable=unavailable, maxSurge=0)
    would_leave = others + 4 - unavailable
    for healthy in range(4 - unavailable, 5):
        closed = cover(one, healthy, others, minAvailable=wants).closed_midway(one)
        assert bool(closed) == (would_leave < wants), (healthy, closed)


def test_the_reason_names_the_budget_and_its_numbers():
    one = made(maxUnavailable=1, maxSurge=0)
    assert cover(one, 3, 3, minAvailable=7).closed_midway(one) == (
        "PodDisruptionBudget shop/all wants 7 healthy pods: 6 are healthy, and this rollout would leave 6"
    )
    assert cover(one, 4, 3, minAvailable=5).closed_midway(one, 2) == (
        "PodDisruptionBudget shop/all wants 5 healthy pods: 7 are healthy, and other rollouts of the run may still stop 2, and "
        "this rollout would leave 4"
    )


def test_a_pod_that_was_evicted_and_does_not_show_it_yet_counts_as_stopped():
    one = made(maxUnavailable=1, maxSurge=0)
    assert cover(one, 4, 4, minAvailable=7).closed_midway(one) is None
    assert cover(one, 4, 4, evicted=["pod-0"], minAvailable=7).closed_midway(one)
    # A pod of the rollout itself: its controller stops no other one.
    assert cover(one, 4, 4, evicted=["api-0"], minAvailable=7).closed_midway(one) is None


def test_a_status_that_is_behind_the_pods_of_the_rollout_closes_nothing():
    one = made(maxUnavailable=1, maxSurge=0)
    its = cover(one, 4, 4, minAvailable=7)
    its.budget["status"] |= {"currentHealthy": 7, "disruptionsAllowed": 0}
    assert its.closed(one) and its.closed_midway(one) is None


@pytest.mark.parametrize(
    "one",
    [made(updated=4, maxUnavailable=1, maxSurge=0), made(maxUnavailable=0, maxSurge=1)],
    ids=["nothing is left to replace", "it stops none"],
)
def test_what_stops_no_pod_any_more_is_never_closed(one):
    assert cover(one, 2, 0, minAvailable=9).closed_midway(one) is None


def test_a_budget_about_which_nothing_is_known_is_closed():
    one = made(maxUnavailable=1, maxSurge=0)
    its = cover(one, 4, 4, minAvailable=1)
    its.budget["metadata"]["generation"] = 2
    assert "are not known yet" in its.closed_midway(one)


@pytest.mark.parametrize("healthy, closed", [(4, False), (3, False), (1, True), (0, True)])
def test_with_the_policy_parallel_old_pods_that_are_not_healthy_hold_up_no_rollout(healthy, closed):
    """Pods 2 and 3 are new. The controller waits for these, and goes on although pod 1 or 0 is not healthy."""
    one = made("StatefulSet", maxUnavailable=1)
    one["spec"]["podManagementPolicy"] = "Parallel"
    assert bool(cover(one, healthy, minAvailable=3).closed_midway(one)) == closed
    one["spec"]["podManagementPolicy"] = "OrderedReady"
    assert cover(one, healthy, minAvailable=3).closed_midway(one) is None


PARTITIONS = [
    (0, 2, (), 2),
    (0, 0, (), 4),
    (0, 0, (3,), 3),  # it is stopped already, and comes back as a new one
    (0, 2, (1,), 1),
    (0, 2, (0,), 2),
    (2, 2, (), None),
    (1, 2, (), 2),
    (3, 0, (), 4),
]


@pytest.mark.parametrize("floor, new, ending, partition", PARTITIONS)
def test_the_partition_keeps_all_pods_that_are_neither_new_nor_stopped(floor, new, ending, partition):
    one = made("StatefulSet", updated=new, partition=floor)
    body = budget_hold.patch(one, pods_of(one, 4, new, ending))
    assert (body and body["spec"]["updateStrategy"]["rollingUpdate"]) == (partition and {"partition": partition})


def test_ordinals_may_start_elsewhere():
    one = made("StatefulSet", updated=2, partition=0)
    one["spec"]["ordinals"] = {"start": 10}
    pods = pods_of(one, 4)
    for place, each in enumerate(pods):
        each["metadata"]["name"] = f"api-{10 + place}"
    assert budget_hold.patch(one, pods)["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 2}


def test_nothing_holds_what_is_rolled_out_or_paused_already():
    paused = made()
    paused["spec"]["paused"] = True
    assert budget_hold.patch(paused, []) is None
    assert budget_hold.patch(made(updated=4), []) is None
    assert budget_hold.patch(made("StatefulSet", updated=4), pods_of(made("StatefulSet"), 4, 4)) is None


STRATEGIES = [
    ("Deployment", {"maxUnavailable": 1, "maxSurge": 0}),
    ("StatefulSet", {}),
    ("StatefulSet", {"maxUnavailable": 1}),
    ("StatefulSet", {"maxUnavailable": 3, "partition": 0}),
    ("StatefulSet", {"maxUnavailable": 3, "partition": 1}),
]


def held_by(one, manager):
    """The workload after a hold that this field manager has sent."""
    after = copy.deepcopy(one)
    _apply(after, copy.deepcopy(budget_hold.patch(one, pods_of(one, 4))), "strategic")
    fields = {"f:spec": {"f:updateStrategy": {"f:rollingUpdate": {"f:partition": {}}}}}
    fields = {"f:spec": {"f:paused": {}}} if one["kind"] == "Deployment" else fields
    after["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "fieldsV1": fields}]
    if one["kind"] == "StatefulSet":
        after["spec"]["updateStrategy"]["rollingUpdate"].setdefault("maxUnavailable", 1)
    return after


@pytest.mark.parametrize("kind, rolling", STRATEGIES, ids=str)
@pytest.mark.parametrize("room", [1, 2])
def test_what_is_held_is_given_back_as_it_was_also_with_what_budgets_ask_for(kind, rolling, room):
    one = made(kind, **rolling)
    its = enforce.planned(one, [cover(one, 4, minAvailable=4 - room)])
    its = Canary.of_record(its.record)
    tight = enforce.tightened(one, its) if its.enforced else one
    after = held_by(tight, budget_hold.manager_of("restartx"))
    assert budget_hold.is_held(after, its) and canary.present(after, its, "r1") and canary.how_held(after, its, "r1")
    assert budget_hold.freed(after, its)["spec"] == tight["spec"]
    goes_on = copy.deepcopy(after)
    _apply(goes_on, copy.deepcopy(canary.goes_on(after, its).body), "json")
    assert goes_on["spec"] == tight["spec"] and canary.goes_on(goes_on, its) is None


@pytest.mark.parametrize("manager", ["kubectl-edit", "restartx", "other-budgets"])
@pytest.mark.parametrize("kind, rolling", STRATEGIES, ids=str)
def test_what_somebody_else_or_the_run_after_a_failure_holds_is_not_ours(kind, rolling, manager):
    one = made(kind, **rolling)
    its = Canary(0, one["spec"].get(kinds.KINDS[kind].strategy), enforced={})
    after = held_by(one, manager)
    assert not budget_hold.is_held(after, its) and budget_hold.freed(after, its) is after
    assert not canary.present(after, its, "r1") and canary.release(after, its, "r1") is None


def test_only_what_budgets_may_ask_for_is_held():
    assert not budget_hold.is_held(held_by(made(), budget_hold.manager_of("restartx")), None)
    assert not budget_hold.is_held(held_by(made(), budget_hold.manager_of("restartx")), Canary(1, {}))
    daemons = workload("DaemonSet", "api")
    on_delete = made("StatefulSet")
    on_delete["spec"]["updateStrategy"] = {"type": "OnDelete"}
    recreate = made()
    recreate["spec"]["strategy"] = {"type": "Recreate"}
    assert not any(map(budget_hold.can_hold, (daemons, on_delete, recreate, made(maxUnavailable=0, maxSurge=1))))
    assert budget_hold.can_hold(made(maxUnavailable=1, maxSurge=0)) and budget_hold.can_hold(made("StatefulSet"))


def test_the_name_of_the_field_manager_is_never_too_long():
    assert budget_hold.manager_of("restartx") == "restartx-budgets"
    assert len(budget_hold.manager_of("x" * 128)) == 128
