# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart sets so that it undercuts no budget: for every strategy and budget of a few pods."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from budgets import budget, pod
from simulation import _apply, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, enforce, exact_patch, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary

CORE = {"tier": "core"}
STAMP = restart.Stamp(run="r1", at=datetime(2026, 11, 24, 22, 0, tzinfo=UTC))
AMOUNTS = [0, 1, 2, 4, 9, "0%", "25%", "34%", "50%", "100%"]


def made(kind="Deployment", replicas=4, of_type="RollingUpdate", pods=None, **rolling):
    one = workload(kind, "api", labels=CORE)
    strategy = {"type": of_type, **({"rollingUpdate": rolling} if rolling else {})}
    one["spec"] |= {"replicas": replicas, kinds.KINDS[kind].strategy: strategy}
    one["spec"]["template"]["spec"] = {"containers": [{"name": "main", "image": "a"}], **(pods or {})}
    if kind == "DaemonSet":
        one["status"] |= {"desiredNumberScheduled": replicas, "numberAvailable": replicas}
    return one


def cover(one, ready=None, **spec):
    wanted = kinds.kind_of(one).wanted(one)
    pods = [pod(one, number, ready=number < (wanted if ready is None else ready)) for number in range(wanted)]
    return Cover(budget(pods=pods, expected=wanted, **spec), pods, [one])


def applied(one, its):
    after, patch = copy.deepcopy(one), canary.with_canary(restart.request(one, STAMP), one, its)
    _apply(after, copy.deepcopy(patch.body), patch.content)
    return after


def strategies():
    """Every strategy that the API server accepts, of these amounts."""
    for unavailable, surge in itertools.product(AMOUNTS, AMOUNTS):
        if unavailable not in (0, "0%") or surge not in (0, "0%"):
            yield "Deployment", {"maxUnavailable": unavailable, "maxSurge": surge}
        if (unavailable in (0, "0%")) != (surge in (0, "0%")):
            yield "DaemonSet", {"maxUnavailable": unavailable, "maxSurge": surge}
    for unavailable, partition in itertools.product(AMOUNTS, (0, 1, 3, 4)):
        if unavailable not in (0, "0%"):
            yield "StatefulSet", {"maxUnavailable": unavailable, "partition": partition}
    yield from [("Deployment", {}), ("StatefulSet", {}), ("DaemonSet", {})]


BUDGETS = [
    {name: amount} for name, amount in itertools.product(("minAvailable", "maxUnavailable"), [*range(6), "40%", "60%"])
]


@pytest.mark.parametrize("spec", BUDGETS, ids=str)
@pytest.mark.parametrize("replicas", [1, 2, 4, 7])
def test_what_is_set_undercuts_no_budget_and_is_never_looser_than_before(replicas, spec):
    for kind, rolling in strategies():
        one = made(kind, replicas, **rolling)
        its = enforce.of(one, [cover(one, **spec)])
        tight = enforce.tightened(one, its) if its else one
        stops, before = kinds.kind_of(one).stops_at_once(tight), kinds.kind_of(one).stops_at_once(one)
        room = cover(one, **spec).room()
        assert stops <= before, (kind, rolling)
        if kind == "StatefulSet" and room == 0 and before:
            assert stops == 1 and cover(tight, **spec).refusal(tight), (kind, rolling)
            continue
        assert stops <= room and not cover(tight, **spec).refusal(tight), (kind, rolling)
        if before <= room and not kinds.kind_of(one).surge_at_once(one):
            assert its is None, (kind, rolling)
        if its:
            assert not looser_when_scaled(one, tight), (kind, rolling)


def looser_when_scaled(one, tight):
    """At which sizes the tight strategy would stop more pods than the one from before."""
    kind = kinds.kind_of(one)

    def stops(workload, size):
        scaled = {**workload, "spec": {**workload["spec"], "replicas": size}}
        if kind.on_each_node:
            scaled["status"] = {**workload["status"], "desiredNumberScheduled": size}
        return kind.stops_at_once(scaled)

    return [size for size in range(1, 21) if stops(tight, size) > stops(one, size)]


@pytest.mark.parametrize("spec", BUDGETS, ids=str)
def test_what_is_set_in_the_restart_is_given_back_as_it_was(spec):
    for kind, rolling in strategies():
        one = made(kind, 4, **rolling)
        its = enforce.of(one, [cover(one, **spec)])
        if its is None:
            continue
        its = Canary.of_record(its.record)
        after = applied(one, its)
        name = kinds.kind_of(one).strategy
        assert after["spec"][name] == enforce.tightened(one, its)["spec"][name], (kind, rolling)
        assert canary.tightened(after, its, "r1") and canary.present(after, its, "r1")
        back = canary.release(after, its, "r1")
        assert all(change["path"].startswith((f"/spec/{name}", "/metadata/resourceVersion")) for change in back.body)
        template = copy.deepcopy(after["spec"]["template"])
        _apply(after, copy.deepcopy(back.body), back.content)
        assert after["spec"][name] == one["spec"][name] and after["spec"]["template"] == template
        assert canary.release(after, its, "r1") is None


TIGHT = {
    "no room, no surge": (
        made(maxUnavailable=2, maxSurge=0),
        {"minAvailable": 4},
        {"maxSurge": 1, "maxUnavailable": 0},
    ),
    "room for some, no surge": (made(maxUnavailable=3, maxSurge=0), {"minAvailable": 2}, {"maxUnavailable": 2}),
    "a percentage": (
        made(replicas=10, maxUnavailable="50%", maxSurge=0),
        {"minAvailable": 6},
        {"maxUnavailable": "40%"},
    ),
    "no room, and a volume of its own": (
        made(maxUnavailable=2, maxSurge=0, pods={"volumes": [{"persistentVolumeClaim": {"claimName": "a"}}]}),
        {"minAvailable": 4},
        {"maxUnavailable": 1},
    ),
    "room for all that it stops": (made(maxUnavailable=2, maxSurge=0), {"minAvailable": 2}, {}),
    "a surge": (made(maxUnavailable=2, maxSurge="1%"), {"minAvailable": 2}, {"maxUnavailable": 0}),
    "the default": (made(), {"minAvailable": 3}, {"maxUnavailable": 0}),
    "it stops none": (made(maxUnavailable=0, maxSurge=1), {"minAvailable": 4}, {}),
    "Recreate": (made(of_type="Recreate"), {"minAvailable": 4}, {}),
    "OnDelete": (made("DaemonSet", of_type="OnDelete"), {"minAvailable": 4}, {}),
    "no pods": (made(replicas=0), {"minAvailable": 4}, {}),
    "a StatefulSet": (made("StatefulSet", maxUnavailable=3), {"minAvailable": 3}, {"maxUnavailable": 1}),
    "a StatefulSet without room": (made("StatefulSet", maxUnavailable=3), {"minAvailable": 4}, {"maxUnavailable": 1}),
    "a StatefulSet without the field": (made("StatefulSet"), {"minAvailable": 4}, {}),
    "a DaemonSet": (made("DaemonSet", maxUnavailable=3), {"minAvailable": 2}, {"maxUnavailable": 2}),
    "a DaemonSet without room": (made("DaemonSet"), {"minAvailable": 4}, {"maxSurge": 1, "maxUnavailable": 0}),
    "a DaemonSet on host ports": (
        made("DaemonSet", pods={"containers": [{"ports": [{"hostPort": 53}]}]}),
        {"minAvailable": 4},
        {},
    ),
    "a DaemonSet in the network of the host": (made("DaemonSet", pods={"hostNetwork": True}), {"minAvailable": 4}, {}),
}


@pytest.mark.parametrize("case", TIGHT)
def test_what_is_set(case):
    one, spec, tight = TIGHT[case]
    assert enforce.tight(one, [cover(one, **spec)]) == tight


def test_the_strictest_of_several_budgets_counts():
    one = made(maxUnavailable=4, maxSurge=0)
    covers = [cover(one, minAvailable=1), cover(one, minAvailable=3), cover(one, minAvailable=2)]
    assert enforce.tight(one, covers) == {"maxUnavailable": 1}


def test_pods_that_are_not_healthy_now_change_nothing():
    one = made(maxUnavailable=3, maxSurge=0)
    assert enforce.tight(one, [cover(one, ready=1, minAvailable=2)]) == {"maxUnavailable": 2}


def test_without_a_budget_of_its_pods_or_while_nothing_is_known_of_one_it_keeps_what_it_has():
    one = made(maxUnavailable=3, maxSurge=0)
    assert enforce.tight(one, []) == {}
    unseen = cover(one, minAvailable="50%")
    unseen.budget["status"]["observedGeneration"] = 0
    unseen._own = None
    assert unseen.room() is None and enforce.tight(one, [unseen]) == {}


OWNED = [
    {"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:spec": {"f:strategy": {"f:rollingUpdate": {}}}}},
]


def test_what_another_manager_applies_is_only_set_if_it_would_be_refused_otherwise():
    one = made(maxUnavailable=2, maxSurge=1)
    one["metadata"]["managedFields"] = OWNED
    assert enforce.of(one, [cover(one, minAvailable=2)]) is None
    its = enforce.of(one, [cover(one, minAvailable=3)])
    assert its and enforce.refusal(one, its, "r1", "restartx").startswith(
        '"argocd" owns the strategy of deployment "api"'
    )
    assert enforce.refusal(one, its, "r1", "argocd") is None
    assert enforce.advice(one, [cover(one, minAvailable=3)]) == ""


def test_a_strategy_that_was_changed_before_its_turn_is_refused():
    one = made(maxUnavailable=2, maxSurge=0)
    its = enforce.of(one, [cover(one, minAvailable=4)])
    assert enforce.refusal(one, its, "r1", "restartx") is None
    one["spec"]["strategy"]["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 0}
    assert enforce.refusal(one, its, "r1", "restartx") == (
        'the strategy of deployment "api" in namespace "shop" was changed since the run began; start again'
    )


@pytest.mark.parametrize("spec", BUDGETS, ids=str)
def test_after_a_canary_comes_what_budgets_ask_for_and_then_what_was_there(spec):
    for kind, rolling in strategies():
        one = made(kind, 4, **rolling)
        asked = enforce.planned(one, [cover(one, **spec)])
        if kind == "DaemonSet" or asked is None:
            continue
        its = Canary.of_record(replace(canary.of(one, 1), afterwards=asked.enforced).record)
        name = kinds.kind_of(one).strategy
        held = applied(one, its)
        if kind == "Deployment":
            held["spec"]["paused"] = True
        rest = copy.deepcopy(held)
        patch = exact_patch.exactly(held, enforce.after_canary(held, its, "r1"))
        assert patch or canary.whole(one, its), (kind, rolling)
        if patch:
            _apply(rest, copy.deepcopy(patch.body), "json")
        assert rest["spec"][name] == enforce.tightened(one, asked)["spec"][name], (kind, rolling)
        assert "paused" not in rest["spec"] and rest["spec"]["template"] == held["spec"]["template"]
        stops = kinds.kind_of(one).stops_at_once
        assert stops(held) <= max(stops(rest), 1) and stops(rest) <= stops(one), (kind, rolling)
        back = canary.release(rest, its, "r1")
        if back:
            _apply(rest, copy.deepcopy(back.body), back.content)
        assert rest["spec"][name] == one["spec"][name], (kind, rolling)
        assert canary.release(rest, its, "r1") is None
