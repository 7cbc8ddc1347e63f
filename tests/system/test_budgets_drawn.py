# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drawn strategies and budgets of all kinds, with kills and with evictions by somebody else: a sample of what
tests/soak/test_strategies.py does with a hundred of them. proof.py says what is proved."""

from __future__ import annotations

import random

import pytest
from drawn import NEVER, Case, Drawn, cases, fewest, strategies, together, wants
from house import permit_evictions
from proof import Count, Proof

SAMPLE = 6  # workloads, each with `honour` and with `enforce`
TOGETHER = 2  # cases in which pods are evicted beside rolling updates


@pytest.mark.parametrize("seed, kills, evictions", [(1, 1, 0), (2, 2, 10)])
def test_no_budget_is_undercut_by_any_strategy_and_nothing_is_refused_that_can_be_done(
    namespace, operator, seed, kills, evictions
):
    nodes = len(namespace.cluster.node_names())
    # One that Kubernetes cannot compute is drawn too rarely for a sample.
    unknown = Case("unknown", (Drawn("DaemonSet", SAMPLE + 1, nodes),), ({"maxUnavailable": 1},))
    choose = random.Random(seed)
    permit_evictions(namespace)
    proof = Proof(
        namespace,
        operator,
        [*cases(choose, SAMPLE, nodes), unknown, *together(choose, TOGETHER, nodes, SAMPLE + 2)],
        seed,
    )
    proof.create()
    print(proof.carry_out(kills, evictions))


# -- the rule itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pods, unavailable, surge, replaced, least",
    [(4, 2, 0, 4, 2), (4, 0, 1, 4, 4), (4, 1, 2, 4, 3), (4, 4, 0, 1, 3), (3, 3, 0, 3, 0), (1, 1, 0, 1, 0)],
)
def test_the_rule_finds_how_few_pods_may_be_healthy(pods, unavailable, surge, replaced, least):
    assert fewest(pods, unavailable, surge, replaced) == least


def test_the_rule_notices_a_strategy_that_never_ends():
    with pytest.raises(AssertionError, match="never be rolled out"):
        fewest(2, 0, 0, 2)


def test_the_rule_knows_what_budgets_want_and_which_strategies_there_are():
    assert [wants({"minAvailable": value}, 3, False) for value in (2, "50%", "100%")] == [2, 2, 3]
    assert [wants({"maxUnavailable": value}, 3, False) for value in (1, "10%", "0%")] == [2, 2, 3]
    assert [wants({name: "50%"}, 3, True) for name in ("minAvailable", "maxUnavailable")] == [NEVER, NEVER]
    assert strategies(Drawn("StatefulSet", 0, 3, 2)) == [(1, 0), (2, 0)]
    assert sorted(strategies(Drawn("DaemonSet", 0, 3, 2))) == [(0, 1), (1, 0), (2, 0)]
    assert strategies(Drawn("DaemonSet", 0, 3, 1, port=True)) == [(1, 0)]
    small = Drawn("Deployment", 0, 2, "10%", 0)
    assert small.at_once == (1, 0)
    case = Case("case0", (small,), ({"minAvailable": 2},))
    assert not case.possible(small, "honour") and case.possible(small, "enforce")


# -- what counts as ours -----------------------------------------------------------------------------------------------


def pod(uid, ready, leaving=False, evicted=False, app="api"):
    conditions = [{"type": "Ready", "status": str(ready)}]
    conditions += [{"type": "DisruptionTarget", "reason": "EvictionByEvictionAPI"}] if evicted else []
    metadata = {"uid": uid, "name": uid, "labels": {"app": app}, **({"deletionTimestamp": "now"} if leaving else {})}
    return {"metadata": metadata, "status": {"conditions": conditions}}


def counted(granted, *events, least=2, looked="5"):
    count = Count(least, {"api": looked}, granted)
    for uid in ("a", "b", "c"):
        count.see("ADDED", pod(uid, True))
    for event in events:
        count.see("MODIFIED", event)
    return count.undercut


def test_a_pod_that_a_rollout_stops_without_room_is_found():
    stopped = [pod("a", True, leaving=True), pod("b", True, leaving=True)]
    assert counted({}, *stopped[:1]) == []
    assert counted({}, *stopped) == ["b was stopped, which left 1 of 2 healthy pods"]


@pytest.mark.parametrize("at, found", [("4", True), ("6", False)])
def test_an_eviction_excuses_only_what_began_before_it(at, found):
    evicted = pod("a", True, leaving=True, evicted=True)
    assert bool(counted({"a": at}, evicted, pod("b", True, leaving=True))) == found


def test_an_eviction_excuses_nothing_once_the_successor_of_its_pod_is_healthy():
    gone = [pod("a", True, leaving=True, evicted=True), pod("d", False), pod("b", True, leaving=True)]
    assert counted({"a": "6"}, *gone) == []
    assert counted({"a": "6"}, *gone[:2], pod("d", True), gone[2]) == []
    assert counted({"a": "6"}, *gone[:2], pod("d", True), gone[2], pod("c", True, leaving=True)) != []


def test_a_pod_that_was_stopped_before_it_was_evicted_was_stopped_by_the_rollout():
    assert counted({"a": "4", "b": "4"}, pod("a", True, leaving=True), pod("b", True, leaving=True)) != []
