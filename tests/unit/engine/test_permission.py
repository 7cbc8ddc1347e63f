# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a change may be sent is asked right before each sending, and what got no answer is read and told."""

from __future__ import annotations

import itertools

import pytest
from simulation import RUN, FakeCluster, Lock, Mortal, Run, Until, deployment, window, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import NotPermitted, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

OUTSIDE = "outside the window every day 21:00-22:01 UTC"
MINUTE = RunOptions(window=window(1))


def slow(run, seconds):
    """Every patch takes so long, one after the other."""

    def take_time(one):
        run.executor.clock.passed += seconds

    run.cluster.before_patch = take_time
    return run


def test_what_was_handed_out_just_before_the_window_closes_is_not_sent_after_it():
    names = tuple(f"w{number:03}" for number in range(200))
    run = slow(Run(names, options=MINUTE, holds=[Until(59.0)]), 0.05).carry_out()
    assert 1 < len(run.patched) < 30
    assert all(moment < 60.1 for moment, _name in run.cluster.patches)
    left = [task for task in run.loop.tasks.values() if task.key[2] not in run.patched]
    assert {(task.outcome, task.message.partition(";")[0], task.changed) for task in left} == {
        ("not_started", OUTSIDE, False)
    }
    assert {run.outcome(name) for name in run.patched} == {"restarted"}
    assert {task.result()["started_at"] for task in left} == {None}


# What ends the permission ten seconds after the start, what is said then of a workload, and of one that was not begun.
ENDINGS = {
    "window": ({"options": MINUTE}, 60.0, OUTSIDE),
    "lock": ({"guards": [10.0]}, 10.0, "the lock is lost"),
    "controller": ({"controller": 10.0}, 10.0, "the Ansible process that started this module is gone"),
    "deadline": (
        {"options": RunOptions(deadline=10.0, wait_timeout=10.0)},
        10.0,
        "the wait_timeout of 10s for the whole call is over",
    ),
}


def ending(name, **more):
    """A run of one workload whose permission ends, and when and with which words it does."""
    options, moment, words = ENDINGS[name]
    options = dict(options)
    if "guards" in options:
        options["guards"] = [Lock(*options["guards"])]
    if "controller" in options:
        options["controller"] = Mortal(options["controller"])
    cluster = FakeCluster([deployment("api")])
    run = Run(("api",), cluster=cluster, **{**options, **more})
    return run, moment, words


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize(
    "step",
    [None, steps.UndoStep(steps.Mode()), steps.PauseStep(steps.Mode(), paused=True)],
    ids=["restart", "undo", "pause"],
)
def test_a_change_is_asked_about_right_before_each_sending(name, step):
    run, moment, words = ending(name, step=step)
    if isinstance(step, steps.UndoStep):
        run.cluster.revisions["uid-shop-api"].insert(0, old_revision(run.cluster))
    asked = []
    patch = run.cluster.patch

    def send(path, body, content, *, permitted, **options):
        """As the cluster does: the first copy gets no answer, and it asks again before each further one."""
        for late in (-1.0, 0.5):
            run.executor.clock.passed = moment + late
            asked.append(permitted())
        return patch(path, body, content, permitted=permitted, **options)

    run.cluster.patch = send
    run.carry_out()
    assert asked[0] is None
    assert asked[1].startswith(words)
    assert (run.outcome("api"), run.patched) == ("not_started", [])
    assert run.task("api").message.startswith(words)


def old_revision(cluster):
    """An earlier revision of api, to which an undo goes back."""
    (now,) = cluster.revisions["uid-shop-api"]
    now["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    meta = {**now["metadata"], "name": "api-0", "annotations": {"deployment.kubernetes.io/revision": "1"}}
    template = {**now["spec"]["template"], "spec": {"containers": [{"name": "main", "image": "shop/main:0"}]}}
    return {"kind": "ReplicaSet", "metadata": meta, "spec": {"template": template}}


@pytest.mark.parametrize("name", ENDINGS)
def test_after_a_conflict_it_is_asked_again(name):
    run, moment, words = ending(name)

    def change(one):
        run.cluster.touch(one)
        run.executor.clock.passed = moment + 0.1

    run.cluster.before_patch = change
    run.carry_out()
    assert (run.outcome("api"), run.patched) == ("not_started", [])
    assert run.task("api").message.startswith(words)


def lost(run, error, carried_out, read=None):
    """The first copy of the patch is sent and gets no answer; whether it was carried out, and what a later read tells."""
    patch, get, sent = run.cluster.patch, run.cluster.get, []

    def send(path, body, content, **options):
        if sent:
            return patch(path, body, content, **options)
        sent.append(path)
        if carried_out:
            patch(path, body, content)
        raise error

    def look(path, *args, **options):
        if read and sent:
            raise read
        return get(path, *args, **options)

    run.cluster.patch, run.cluster.get = send, look
    return run


def ambiguous(error):
    error.ambiguous = True
    return error


@pytest.mark.parametrize(
    "error", [NotPermitted("the window is closed"), Unreachable("no answer in 30s")], ids=["not repeated", "no answer"]
)
def test_what_got_no_answer_and_was_carried_out_is_followed(error):
    run = lost(Run(("api",)), ambiguous(error), carried_out=True).carry_out()
    assert (run.outcome("api"), run.task("api").changed, len(run.patched)) == ("restarted", True, 1)
    assert run.task("api").ended >= run.cluster.takes


def test_what_got_no_answer_and_was_not_carried_out_is_told_so():
    run = lost(Run(("api",)), ambiguous(Unreachable("no answer in 30s")), carried_out=False).carry_out()
    assert (run.outcome("api"), run.task("api").changed) == ("failed", False)
    assert run.task("api").message == "no answer in 30s; it was read again, and the change was not carried out"


def test_what_was_not_repeated_and_not_carried_out_was_not_started():
    run = lost(Run(("api",), options=MINUTE), ambiguous(NotPermitted(OUTSIDE)), carried_out=False)
    send = run.cluster.patch

    def send_late(*args, **options):
        run.executor.clock.passed = 61.0
        return send(*args, **options)

    run.cluster.patch = send_late
    run.carry_out()
    assert (run.outcome("api"), run.task("api").changed, run.patched) == ("not_started", False, [])
    assert run.task("api").message.startswith(OUTSIDE)


def test_what_cannot_be_read_either_is_not_known():
    error = ambiguous(NotPermitted("the window is closed"))
    run = lost(Run(("api",)), error, carried_out=False, read=Unreachable("no route")).carry_out()
    assert run.outcome("api") == "failed"
    assert "the window is closed; an earlier copy of the request was sent without an answer" in run.task("api").message


def test_an_undo_of_what_failed_is_sent_after_the_window_too():
    cluster = FakeCluster([deployment("api")], breaks={"api"})
    undo = steps.UndoStep(steps.Mode(), run_id=RUN)
    options = RunOptions(window=window(1), undo_failed=undo)
    run = Run(("api",), cluster=cluster, options=options, timeout=90.0).carry_out()
    assert run.outcome("api") == "undone"
    assert cluster.patches[1][0] > 60


def test_an_undo_of_what_failed_is_not_sent_once_the_lock_is_lost():
    cluster = FakeCluster([deployment("api")], breaks={"api"})
    options = RunOptions(undo_failed=steps.UndoStep(steps.Mode(), run_id=RUN))
    run = Run(("api",), cluster=cluster, options=options, timeout=5.0, guards=[Lock(5.015)]).carry_out()
    assert (run.outcome("api"), run.patched) == ("unfinished", ["api"])


def test_a_stuck_pod_is_not_deleted_once_the_lock_is_lost():
    cluster = FakeCluster([workload("StatefulSet", "db")], takes=60)
    cluster.pods = [{"metadata": {"name": f"db-{number}"}} for number in range(9)]
    tried = []

    class Frees(steps.RestartStep):
        def frees_stuck_pods(self, workload):
            return True

        def free_stuck_pods(self, cluster, workload, deadline):
            name = f"db-{len(tried)}"
            tried.append(name)
            cluster.executor.clock.passed += 1.5  # it takes its time to find the pod
            cluster.delete(f"/api/v1/namespaces/shop/pods/{name}")
            return [name]

    db = Entry("db", kinds=("StatefulSet",), names=("db",), namespaces=("shop",))
    run = Run(db, cluster=cluster, guards=[Lock(6.0)])
    run.task("db").step = Frees(run.step.stamp, run.step.mode, run.step.now)
    run.carry_out()
    left = [pod["metadata"]["name"] for pod in cluster.pods]
    assert tried == ["db-0", "db-1"] and left[0] == "db-1"


# -- conflicts -------------------------------------------------------------------------------------------------------


def restless(run, times, change):
    """The workload changes so often between our look and our patch."""
    left = iter(range(times))
    run.cluster.before_patch = lambda one: change(one) if next(left, None) is not None else None
    return run


def new_status(one):
    """What the controller does when a pod becomes ready."""
    one["metadata"]["resourceVersion"] = str(int(one["metadata"]["resourceVersion"]) + 1)


def test_a_status_that_changes_all_the_time_is_nobodys_conflict():
    run = restless(Run(("api",)), 30, new_status).carry_out()
    assert (run.outcome("api"), run.task("api").conflicts, run.patched) == ("restarted", 0, ["api"])


def test_the_pauses_between_the_tries_grow():
    run = Run(("api",))
    moments = []

    def change(one):
        moments.append(run.executor.clock.passed)
        new_status(one)

    restless(run, 12, change).carry_out()
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments[1:])]
    assert pauses == sorted(pauses) and pauses[0] < 0.5 and 5 <= pauses[-1] < 6


def test_a_status_that_never_rests_ends_the_tries_with_its_own_words():
    run = restless(Run(("api",), timeout=None), 10_000, new_status).carry_out()
    assert run.outcome("api") == "failed"
    assert "because its status changes all the time" in run.task("api").message
    assert "somebody" not in run.task("api").message


def test_changes_of_the_specification_are_a_conflict_with_somebody():
    cluster = FakeCluster([deployment("api")])
    run = restless(Run(("api",), cluster=cluster), 10_000, cluster.touch).carry_out()
    assert run.outcome("api") == "failed"
    assert "10 times in a row: somebody else keeps changing it" in run.task("api").message


@pytest.mark.parametrize("name", ["lock", "controller", "deadline"])
def test_a_pause_between_two_tries_ends_with_the_call(name):
    run, moment, words = ending(name)
    restless(run, 10_000, new_status).carry_out()
    assert (run.outcome("api"), run.patched) == ("not_started", [])
    assert run.task("api").message.startswith(words)
    assert run.executor.clock.passed < moment + 1.5


# -- what is only followed -------------------------------------------------------------------------------------------


def resumed(done, to_do, **limits):
    names = [f"d{number}" for number in range(done)] + [f"t{number}" for number in range(to_do)]
    workloads = [deployment(name, **({restart.RUN: RUN} if name.startswith("d") else {})) for name in names]
    return Run(tuple(names), cluster=FakeCluster(workloads), **limits)


@pytest.mark.parametrize("limits", [{"stagger": 300.0}, {"max_parallel": 1}, {"stagger": 300.0, "max_parallel": 1}])
def test_what_is_only_followed_is_not_paced(limits):
    run = resumed(10, 1, **limits).carry_out()
    assert run.executor.clock.passed < 2 * run.cluster.takes
    assert run.patched == ["t0"]
    assert {run.outcome(f"d{number}") for number in range(10)} == {"already_restarted"}


def test_what_is_still_rolling_out_takes_a_place_of_max_parallel():
    run = resumed(1, 1, max_parallel=1)
    run.workload("d0")["status"]["updatedReplicas"] = 1
    run.task("d0").object["status"]["updatedReplicas"] = 1
    run.executor.later(30.0, lambda: run.cluster.finish(run.workload("d0")))
    run.carry_out()
    assert run.cluster.patches[0][0] >= 30


def test_what_is_only_followed_is_told_though_what_it_needs_fails():
    cluster = FakeCluster([deployment("a"), deployment("b", **{restart.RUN: RUN})], breaks={"a"})
    run = Run(("a",), ("b",), cluster=cluster, timeout=20.0).carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "already_restarted"}


def test_outside_the_window_what_is_done_is_told_and_nothing_begins():
    run = resumed(1, 1, options=RunOptions(window=window(1)))
    run.executor.clock.passed = 120.0
    run.carry_out()
    assert run.outcomes == {"d0": "already_restarted", "t0": "not_started"}
    assert run.executor.clock.passed < 130
    assert kinds.path(*run.task("t0").key) not in [path for verb, path in run.cluster.asked if verb == "patch"]
