# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pod of an OnDelete workload is replaced next: never a second one while one of them is missing."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, marks, pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader
from ansible_collections.restartx.core.plugins.module_utils.rollout.status import DONE, FAILED, WAITING
from tests.unit.rollout.on_delete_objects import ZONES, pod, workload

STATES = ("old", "old unready", "new", "new unready", "ending", "missing", "dead")


def turn(pods, order="ordinal", revision="new", of=None, **more):
    return pod_order.turn(of or workload(wanted=len(pods)), pods, revision, order, ZONES, **{"undoes": {"old"}, **more})


def order_of(pods, order, of=None):
    """The names in the order in which the pods are replaced, each successor ready at once."""
    found = []
    while (step := turn(pods, order, of=of)).pod:
        name = step.pod["metadata"]["name"]
        found.append(name)
        pods = [pod(int(name[3:]), "new") if one["metadata"]["name"] == name else one for one in pods]
    assert not step.waits
    return found


@pytest.mark.parametrize("states", list(itertools.product(STATES, repeat=3)), ids="-".join)
def test_nothing_is_next_while_a_pod_is_on_its_way(states):
    pods = [pod(place, state) for place, state in enumerate(states) if state != "missing"]
    step = turn(pods, of=workload(wanted=3))
    on_their_way = {"new unready", "ending", "missing", "dead"} & set(states)
    old = [place for place, state in enumerate(states) if state.startswith("old")]
    unready = [place for place, state in enumerate(states) if state == "old unready"]
    assert bool(step.waits) == bool(on_their_way)
    assert len(step.ready) == states.count("new")
    if on_their_way or not old:
        assert step.pod is None
    else:
        assert step.pod["metadata"]["name"] == f"db-{max(unready or old)}"


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("states", list(itertools.product(STATES, repeat=3)), ids="-".join)
def test_no_more_pods_are_replaced_than_were_asked_for(states, most):
    pods = [pod(place, state) for place, state in enumerate(states) if state != "missing"]
    step, whole = turn(pods, of=workload(wanted=3), first=most), turn(pods, of=workload(wanted=3))
    enough, new = min(most, 3), states.count("new")
    if new >= enough:
        assert step.pod is None and not step.waits and len(step.ready) == new
    else:
        assert (step.pod, step.waits) == (whole.pod, whole.waits)
        assert step.pod is None or new + states.count("new unready") < enough
    assert step.done == f"{new + states.count('new unready')} of {enough} pods are new"


@pytest.mark.parametrize("spare", [0, 1, 2, 3])
@pytest.mark.parametrize("states", list(itertools.product(["old", "old unready"], repeat=3)), ids="-".join)
def test_as_many_pods_as_may_be_missing_need_not_be_ready(states, spare):
    pods = [pod(place, state) for place, state in enumerate(states)]
    step, unready = turn(pods, first=1, spare=spare), states.count("old unready")
    ready = [place for place, state in enumerate(states) if state == "old"]
    if unready <= spare and ready:
        assert step.pod["metadata"]["name"] == f"db-{max(ready)}"
    else:
        assert step.pod["metadata"]["name"] == f"db-{max(set(range(3)) - set(ready), default=2)}"
    new = turn([*pods[:2], pod(2, "new unready")], first=2, spare=spare)
    assert new.pod is None and new.waits == "pod db-2 is new and not ready"


def test_a_pod_that_an_earlier_attempt_of_the_run_has_broken_goes_before_those_that_are_ready():
    of = workload(wanted=4)
    of["spec"]["template"]["metadata"]["annotations"] = {marks.RUN: "r1"}
    broken = [pod(0, "old unready", run="r1"), pod(1), pod(2, "old unready"), pod(3)]
    assert turn(broken, of=of, first=1, spare=3).pod["metadata"]["name"] == "db-0"
    other = [pod(0, "old unready", run="r0"), *broken[1:]]  # such as on a node that has been down since then
    assert turn(other, of=of, first=1, spare=3).pod["metadata"]["name"] == "db-3"


def test_the_pods_of_a_canary_are_those_of_one_zone_first_and_of_the_same_nodes_again():
    pods = [pod(place, created=f"2026-11-{20 - place}T10:00:00Z") for place in (0, 1, 2, 3, 10)]
    for one in pods:
        one["metadata"]["ownerReferences"][0]["kind"] = "DaemonSet"
    names = ["db-1", "db-3", "db-0", "db-2", "db-10"]  # the zone of the last node is not known
    assert order_of(pods, "canary", workload("DaemonSet", 5)) == names
    assert order_of(pods[::-1], "canary", workload("DaemonSet", 5)) == names


def test_nothing_is_next_before_the_controller_has_seen_the_change():
    step = turn([pod(0), pod(1)], revision=None)
    assert step.pod is None and step.waits == "its controller must see the change first"


@pytest.mark.parametrize(
    "order, names",
    [
        ("ordinal", ["db-10", "db-3", "db-2", "db-1", "db-0"]),
        ("age", ["db-0", "db-1", "db-2", "db-3", "db-10"]),
        ("zone", ["db-3", "db-1", "db-2", "db-0", "db-10"]),  # the zone of its node is not known
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_the_orders(order, names, seed):
    pods = [pod(place, created=f"2026-11-{10 + place}T10:00:00Z") for place in (0, 1, 2, 3, 10)]
    assert order_of(pods[seed:] + pods[:seed], order) == names


def test_the_order_of_a_zone_is_that_of_age_in_a_daemon_set():
    pods = [pod(place, created=f"2026-11-2{5 - place}T10:00:00Z") for place in range(4)]
    for one in pods:
        one["metadata"]["ownerReferences"][0]["kind"] = "DaemonSet"
    assert turn(pods, "zone", of=workload("DaemonSet", 4)).pod["metadata"]["name"] == "db-3"
    assert order_of(pods, "zone", workload("DaemonSet", 4)) == ["db-3", "db-1", "db-2", "db-0"]


def test_pods_of_others_do_not_count():
    other = pod(2)
    other["metadata"]["ownerReferences"][0]["uid"] = "v"
    step = turn([pod(0), pod(1), other], of=workload(wanted=2))
    assert step.pod["metadata"]["name"] == "db-1"
    assert turn([pod(0), other], of=workload(wanted=2)).waits == "1 of 2 pods exist"


def test_an_undo_replaces_only_what_is_of_the_run_and_younger_than_the_template():
    of_run = {"run": "r1", "at": "2026-11-24T22:00:00Z"}
    pods = [pod(0), pod(1, **of_run), pod(2, run="r0", at="2026-11-24T23:00:00Z"), pod(3, "new")]
    assert turn(pods, run="r1").pod["metadata"]["name"] == "db-1"
    restored, later = workload(wanted=4), workload(wanted=4)
    restored["spec"]["template"]["metadata"]["annotations"] = {marks.RESTARTED_AT: "2026-11-20T22:00:00Z"}
    later["spec"]["template"]["metadata"]["annotations"] = {marks.RESTARTED_AT: "2026-11-24T22:30:00Z"}
    assert turn(pods, run="r1", of=restored).pod["metadata"]["name"] == "db-1"
    assert turn(pods, run="r1", of=later).pod is None
    same = workload(wanted=4)
    same["spec"]["template"]["metadata"]["annotations"] = {marks.RESTARTED_AT: of_run["at"]}
    assert turn(pods, run="r1", of=same).pod is None


def test_no_pod_that_is_ready_is_next_while_another_one_is_not():
    # The leader goes last, also if it is not ready.
    step = turn([pod(0, "old unready"), pod(1), pod(2, "new")], leader=Leader("db-0"))
    assert step.pod is None and step.waits == "pod db-0 is not ready"
    assert turn([pod(0, "old unready"), pod(1, "new")], leader=Leader("db-0")).pod["metadata"]["name"] == "db-0"
    # An undo leaves alone what is not of the run.
    for state, next_one in (("old unready", None), ("old", "db-1")):
        step = turn([pod(0, state), pod(1, run="r1"), pod(2, "new")], run="r1")
        assert (step.pod and step.pod["metadata"]["name"]) == next_one
    assert turn([pod(0, "old unready"), pod(1, "old unready", run="r1")], run="r1").pod["metadata"]["name"] == "db-1"


def test_an_undo_replaces_no_pod_of_a_revision_that_is_older_than_the_newest():
    pods = [pod(0, run="r1"), pod(1, run="r1"), pod(2, "new")]
    step = turn(pods, run="r1", undoes={"new"})
    assert step.pod is None and step.kept == (
        'the template of statefulset "db" in namespace "shop" was changed after run r1 had restarted it, and pods would come back '
        "with that change, so these of the run are not evicted: db-0, db-1"
    )
    pods[1]["metadata"]["labels"]["controller-revision-hash"] = "second"
    step = turn(pods, run="r1", undoes={"new", "second"})
    assert step.pod is pods[1] and not step.kept
    assert not turn(pods, undoes=()).kept


def revision(number, name, at, template=None):
    made = {"metadata": {"name": name, "labels": {"controller-revision-hash": name}}}
    more = dict.fromkeys(("change_cause", "run", "reason", "ticket", "operator", "restarted_at"))
    return history.Revision(number, name, template or {}, created_at=at, object=made, **more)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_the_newest_revision_is_the_last_one_and_undoes_those_made_since(kind):
    held = [
        revision(2, "run", "2026-11-24T10:00:01Z"),
        revision(3, "unknown", None),
        revision(4, "before", "2026-11-20T10:00:00Z"),
        revision(5, "restored", "2026-11-24T10:00:00Z"),
    ]
    of = workload(kind, **({"updateRevision": "restored"} if kind == "StatefulSet" else {}))
    assert pod_order.newest(of, held) is held[-1]
    assert pod_order.undone_by(of, held[-1], held) == {"run", "restored"}
    assert pod_order.undone_by(of, held[1], held) == frozenset()
    later = revision(6, "later", "2026-11-24T11:00:00Z", {"spec": {"containers": []}})
    assert pod_order.newest(of, [*held, later]) is None  # the workload was read before it
    assert pod_order.undone_by(of, later, [*held, later]) == {"later"}
    assert pod_order.newest(of, []) is None


@pytest.mark.parametrize(
    "state, status",
    [
        (WAITING, {"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 3}),
        (WAITING, {"updatedReplicas": 2, "availableReplicas": 3}),
        (WAITING, {"updatedReplicas": 3, "availableReplicas": 2}),
        (WAITING, {}),
        (DONE, {"updatedReplicas": 3, "availableReplicas": 3}),
        (DONE, {"updatedReplicas": 3, "readyReplicas": 3}),  # an old controller does not count what is available
    ],
)
def test_it_is_done_when_all_pods_are_new_and_available(state, status):
    assert pod_order.progress(workload(**status)).state == state
    assert pod_order.judge(workload(**status), None).state == state


def test_an_undo_need_not_replace_all_pods():
    kept = workload(updatedReplicas=1, availableReplicas=3)
    assert pod_order.progress(kept).state == WAITING
    assert pod_order.progress(kept, whole=False).state == DONE
    assert pod_order.progress(kept, generation=3, whole=False).state == WAITING


def test_other_strategies_are_judged_as_kubectl_does():
    rolling = workload(updatedReplicas=3, availableReplicas=3)
    rolling["spec"]["updateStrategy"] = {"type": "Other"}
    assert pod_order.judge(rolling, None).state == FAILED
