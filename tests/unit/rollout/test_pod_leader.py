# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pod leads: exactly one, or it is not known and why."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader, by_label, named
from tests.unit.rollout.on_delete_objects import ZONES, pod, workload


def labelled(*roles):
    made = []
    for place, role in enumerate(roles):
        one = pod(place, role if role == "ending" else "old")
        one["metadata"]["labels"]["role"] = "primary" if role == "ending" else role
        made.append(one)
    return made


@pytest.mark.parametrize(
    "roles, leader",
    [
        (("replica", "primary", "replica"), Leader("db-1")),
        (("replica", "primary", "ending"), Leader("db-1")),
        (("replica", "replica"), Leader(None, "none of its pods has the label role=primary")),
        (("replica", "ending"), Leader(None, "none of its pods has the label role=primary")),
        ((), Leader(None, "none of its pods has the label role=primary")),
        (("primary", "x", "primary"), Leader(None, "several of its pods have the label role=primary: db-0, db-2")),
    ],
)
def test_the_leader_is_the_only_pod_with_a_label(roles, leader):
    assert by_label(workload(), labelled(*roles), "role", "primary") == leader


def test_a_pod_of_another_workload_does_not_lead():
    other = labelled("primary")
    other[0]["metadata"]["ownerReferences"][0]["uid"] = "v"
    assert by_label(workload(), other, "role", "primary").name is None
    assert named(workload(), other, "db-0", "x").name is None


@pytest.mark.parametrize(
    "found, leader",
    [
        ("db-1", Leader("db-1")),
        ("db-1_0b5a-4711", Leader("db-1")),
        ("db-10", Leader(None, "x names db-10, and its pods are db-0, db-1")),
        ("db", Leader(None, "x names db, and its pods are db-0, db-1")),
        ("", Leader(None, 'x gives "", and not the name of a pod')),
        (None, Leader(None, "x gives null, and not the name of a pod")),
        (["db-1"], Leader(None, 'x gives ["db-1"], and not the name of a pod')),
        ("x" * 500, Leader(None, f"x names {'x' * 100}, and its pods are db-0, db-1")),
    ],
)
def test_the_leader_is_the_pod_that_a_value_names(found, leader):
    assert named(workload(), labelled("a", "b"), found, "x") == leader


@pytest.mark.parametrize("order", pod_order.ORDERS)
@pytest.mark.parametrize("leading", range(4))
@pytest.mark.parametrize("states", [*itertools.product(("old", "old unready", "new"), repeat=4)], ids="-".join)
def test_the_leader_goes_last_in_any_order(order, leading, states):
    pods = [pod(place, state) for place, state in enumerate(states)]

    def turn(leader, **more):
        return pod_order.turn(workload(wanted=4), pods, "new", order, ZONES, leader=leader, **more)

    old = [place for place, state in enumerate(states) if state != "new"]
    step, unknown = turn(Leader(f"db-{leading}")), turn(Leader(None, "nobody leads"))
    down = [place for place, state in enumerate(states) if state == "old unready"]
    waits = down == [leading] and old != [leading]  # it goes last, and no other one while it is not ready
    assert step.waits == (f"pod db-{leading} is not ready" if waits else "")
    assert (step.pod is None) == (not old or waits)
    if old != [leading] and step.pod:
        assert step.pod["metadata"]["name"] != f"db-{leading}"
    assert unknown.pod is None and unknown.unknown == ("its leader is not known: nobody leads" if old else "")


def test_an_undo_goes_on_without_a_leader():
    pods = [pod(0), pod(1, run="r1")]
    leader = Leader(None, "nobody leads")
    assert pod_order.turn(workload(wanted=2), pods, "new", "age", ZONES, "r1", leader, {"old"}).pod is pods[1]


def test_what_is_waited_for_comes_before_the_leader():
    step = pod_order.turn(workload(wanted=2), [pod(0)], "new", "age", ZONES, leader=Leader(None, "nobody leads"))
    assert step.waits == "1 of 2 pods exist" and not step.unknown
