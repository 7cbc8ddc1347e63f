# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pods of an OnDelete workload are replaced together: never more at a time than asked for, and never of two zones."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import pod_batch, pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_batch import Batch
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader
from tests.unit.rollout.on_delete_objects import ZONES, pod, workload

STATES = ("old", "old unready", "new", "new unready", "ending", "missing")


def turn(pods, batch, wanted, order="ordinal", **more):
    return pod_order.turn(workload(wanted=wanted), pods, "new", order, ZONES, batch=batch, **more)


def name_of(step):
    return step.pod and step.pod["metadata"]["name"]


@pytest.mark.parametrize(
    "given, wanted, number",
    [(1, 5, 1), (2, 5, 2), (9, 5, 9), ("40%", 5, 2), ("50%", 5, 2), ("10%", 5, 1), ("100%", 5, 5), ("50%", 0, 1)],
)
def test_a_percentage_is_rounded_down_but_is_at_least_one(given, wanted, number):
    assert pod_batch.number(given, workload(wanted=wanted)) == number


def test_so_many_at_most_are_missing_or_not_ready_after_an_eviction():
    batches = ((), ("db-3",), ("db-3", "db-2"), ("db-3", "db-2", "db-1"))
    chosen = 0
    for states, most, places in itertools.product(itertools.product(STATES, repeat=4), (1, 2, 3), batches):
        pods = [pod(place, state) for place, state in enumerate(states) if state != "missing"]
        named = {f"db-{place}": state for place, state in enumerate(states)}
        on_their_way = {name for name, state in named.items() if state in ("new unready", "ending", "missing")}
        down = on_their_way | {name for name, state in named.items() if "unready" in state}
        step = turn(pods, Batch(most, dict.fromkeys(places, "")), 4)
        if step.pod is None:
            continue
        chosen += 1
        case = (states, most, places, name_of(step))
        assert on_their_way <= set(places), case
        assert bool(step.joins) == bool(on_their_way), case
        if on_their_way or named[name_of(step)] == "old":
            assert len(down | {name_of(step)}) <= most, case
    assert chosen > 1000


def test_the_next_one_joins_those_that_are_on_their_way_until_there_are_so_many():
    pods = [pod(0), pod(1), pod(2), pod(3, "ending"), pod(4, "new unready")]
    assert name_of(turn(pods, Batch(3, {"db-4": "", "db-3": ""}), 5)) == "db-2"
    full = turn(pods, Batch(2, {"db-4": "", "db-3": ""}), 5)
    assert full.pod is None and full.waits == "pod db-3 is ending"
    unknown = turn(pods, Batch(3, {"db-4": ""}), 5)  # somebody else has deleted db-3
    assert unknown.pod is None and unknown.waits == "pod db-3 is ending"
    gone = turn([pod(0), pod(1), pod(2)], Batch(3, {"db-4": "", "db-3": ""}), 5)
    assert name_of(gone) == "db-2" and gone.joins == "3 of 5 pods exist"
    more = turn([pod(0), pod(1)], Batch(3, {"db-4": "", "db-3": ""}), 5)
    assert more.pod is None and more.waits == "2 of 5 pods exist"


def test_pods_of_two_zones_are_never_on_their_way_at_once():
    pods = [pod(0), pod(1), pod(2), pod(3, "ending")]
    batch = Batch(3, {"db-3": "a"})
    assert name_of(turn(pods, batch, 4, "zone")) == "db-1"
    pods[1] = pod(1, "new")
    step = turn(pods, batch, 4, "zone")
    assert step.pod is None and step.waits == "pod db-3 is ending"
    assert name_of(turn(pods, Batch(3, {"db-3": ""}), 4)) == "db-2"  # zones do not matter in another order


def test_a_pod_whose_zone_is_not_known_is_replaced_alone():
    pods = [pod(place, node="nowhere") for place in range(3)] + [pod(3, "ending", node="nowhere")]
    assert turn(pods, Batch(3, {"db-3": ""}), 4, "zone").pod is None


def test_the_leader_is_replaced_alone():
    pods = [pod(0), pod(1, "new"), pod(2, "ending")]
    batch = Batch(3, {"db-2": ""})
    assert turn(pods, batch, 3, leader=Leader("db-0")).waits == "pod db-2 is ending"
    assert name_of(turn(pods, batch, 3, leader=Leader("db-1"))) == "db-0"
    nobody = turn(pods, batch, 3, leader=Leader(None, "nobody leads"))
    assert nobody.pod is None and nobody.waits and not nobody.unknown
    of_run = [pod(0, run="r1"), pod(1, run="r1"), pod(2, "ending")]
    step = turn(of_run, batch, 3, leader=Leader(None, "nobody leads"), run="r1", undoes={"old"})
    assert step.pod is None and step.waits


def test_a_daemon_set_is_counted_by_nodes():
    pods = [pod(0), pod(1), pod(2, "new unready")]
    for one in pods:
        one["metadata"]["ownerReferences"][0]["kind"] = "DaemonSet"
    asked = (workload("DaemonSet", 3), pods, "new", "age", ZONES)
    assert name_of(pod_order.turn(*asked, batch=Batch(2, {"node-2": ""}))) == "db-0"
    pods[2]["spec"] = {}  # its node is not known yet
    assert pod_order.turn(*asked, batch=Batch(2, {"node-2": ""})).waits == "pod db-2 is new and not ready"
