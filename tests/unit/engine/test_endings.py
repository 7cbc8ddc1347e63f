# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a call ends before its work is done: out of time, failing fast, abandoned, or with a server that does not answer."""

from __future__ import annotations

import pytest
from simulation import RUN, FakeCluster, Mortal, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import CLEANUP_SECONDS, RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.task import verdict

UNDO = steps.UndoStep(steps.Mode(), run_id=RUN)


def cluster_with(*names, **options):
    return FakeCluster([deployment(name) for name in names], **options)


def within(seconds, **more):
    return RunOptions(deadline=seconds, wait_timeout=seconds, **more)


# -- the deadline of the call ----------------------------------------------------------------------------------------


def test_at_the_deadline_causes_are_still_asked_for():
    run = Run(("cache",), cluster=cluster_with("cache", breaks={"cache"}), timeout=None, options=within(30.0))
    run.executor.later(5, lambda: run.cluster.add_pod(run.workload("cache"), "ImagePullBackOff"))
    run.carry_out()
    assert run.outcome("cache") == "failed"  # no time would have helped
    assert run.task("cache").cause.code == "image_pull"
    assert run.task("cache").message.startswith(
        "the wait_timeout of 30s for the whole call is over; last seen: Waiting"
    )
    assert 30 <= run.executor.clock.passed < 31


def test_causes_that_do_not_come_are_not_waited_for_long():
    cluster = cluster_with("cache", breaks={"cache"})
    cluster.hangs = {"pods"}
    run = Run(("cache",), cluster=cluster, timeout=None, options=within(30.0)).carry_out()
    assert run.outcome("cache") == "unfinished"
    assert run.task("cache").message.startswith("the wait_timeout of 30s")
    assert run.executor.clock.passed <= 30 + CLEANUP_SECONDS + 0.1


def test_a_failure_that_was_being_explained_at_the_deadline_stays_a_failure():
    cluster = cluster_with("cache", breaks={"cache"})
    cluster.hangs = {"pods"}
    run = Run(("cache",), cluster=cluster, timeout=29.0, options=within(30.0)).carry_out()
    assert run.outcome("cache") == "unfinished"
    assert run.task("cache").message.startswith("not done after 29s")


def test_what_settles_at_the_deadline_is_unfinished_though_nothing_is_wrong_with_it():
    run = Run(("cache",), settle=60.0, options=within(30.0, undo_failed=UNDO)).carry_out()
    assert run.outcome("cache") == "unfinished"
    assert run.patched == ["cache"]  # and not undone
    assert 'last seen: deployment "cache" successfully rolled out' in run.task("cache").message


def test_a_timed_out_call_is_no_success_with_fail_fast_either():
    cluster = cluster_with("a", "b", breaks={"a", "b"})
    run = Run(("a", "b"), cluster=cluster, timeout=None, options=within(30.0, fail_fast=True)).carry_out()
    assert run.outcomes["a"] == "unfinished"
    assert verdict(list(run.loop.tasks.values()), "restarted") is not None


def test_a_server_that_does_not_answer_a_patch_cannot_hold_the_call_much_beyond_its_deadline():
    cluster = cluster_with("cache")
    cluster.hangs = {"cache"}
    run = Run(("cache",), cluster=cluster, options=within(30.0)).carry_out()
    assert run.outcome("cache") == "failed"
    assert run.task("cache").message == "no answer in time; it is not known whether the change was carried out"
    assert run.executor.clock.passed <= 30 + CLEANUP_SECONDS + 0.1


def test_no_request_of_a_call_with_a_deadline_may_take_much_longer():
    cluster = cluster_with("a", "b", breaks={"a"})
    run = Run(("a", "b"), cluster=cluster, timeout=20.0, options=within(25.0, undo_failed=UNDO))
    run.cluster.touch(run.workload("b"))  # so that it is read once more
    before = len(cluster.deadlines)
    run.carry_out()
    assert run.outcomes["b"] == "restarted"
    requests = cluster.deadlines[before:]
    # Patches and the undo, the look at what had changed, pods, events and revisions.
    assert {verb for verb, _deadline in requests} == {"patch", "get", "list"}
    assert all(deadline is not None and deadline <= 25 + CLEANUP_SECONDS for _verb, deadline in requests)


def test_what_is_sent_at_the_deadline_is_waited_for_but_its_rollout_is_not():
    cluster = cluster_with("cache")
    run = Run(("cache",), cluster=cluster, options=within(2.0))
    run.executor.late = 20
    run.carry_out()
    assert (run.outcome("cache"), run.task("cache").changed) == ("unfinished", True)
    assert run.task("cache").message.startswith("the wait_timeout of 2s for the whole call is over")


def test_a_workload_that_changed_just_before_the_deadline_is_not_patched_after_it():
    run = Run(("cache",), options=within(8.0))
    run.executor.late = 5
    run.cluster.touch(run.workload("cache"))
    run.carry_out()
    assert (run.outcome("cache"), run.patched) == ("not_started", [])
    assert "wait_timeout" in run.task("cache").message


# -- failing fast ----------------------------------------------------------------------------------------------------


def test_failing_fast_leaves_what_is_on_its_way_and_says_how_far_it_was():
    cluster = cluster_with("a", "b", "c", breaks={"a"}, takes=100)
    run = Run(("a", "b"), ("c",), cluster=cluster, timeout=None, options=RunOptions(fail_fast=True))
    run.task("a").timeout = 5.0
    run.carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "in_progress", "c": "not_started"}
    assert run.task("b").message.startswith("fail_fast: Deployment shop/a unfinished; last seen: Waiting")
    assert run.executor.clock.passed < 6


def test_two_that_fail_at_once_both_failed():
    cluster = cluster_with("a", "b", breaks={"a", "b"})
    run = Run(("a", "b"), cluster=cluster, timeout=5.0, options=RunOptions(fail_fast=True)).carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "unfinished"}


def test_a_refused_workload_fails_the_call_fast_before_anything_is_touched():
    cluster = cluster_with("a", "b")
    cluster.objects["/apis/apps/v1/namespaces/shop/deployments/b"]["spec"]["paused"] = True
    run = Run(("a", "b"), cluster=cluster, options=RunOptions(fail_fast=True)).carry_out()
    assert run.outcomes == {"a": "not_started", "b": "refused"}
    assert run.cluster.patches == []


def test_a_restart_that_waits_for_a_hand_when_another_failed_is_not_sent():
    cluster = cluster_with("a", "b")
    cluster.fail = lambda verb, path: Forbidden("may not patch", status=403) if path.endswith("/a") else None
    run = Run(("a", "b"), cluster=cluster, options=RunOptions(fail_fast=True))
    # b's patch is in the queue behind a's.
    do = run.executor.do
    run.executor.do = lambda token, call, *args: (
        run.executor.later(1, lambda: do(token, call, *args)) if token[1][2] == "b" else do(token, call, *args)
    )
    run.carry_out()
    assert run.outcomes == {"a": "failed", "b": "not_started"}
    assert run.task("b").message == "stopped: Deployment shop/a failed, and failure_budget is 0"


def test_the_first_failure_stays_the_reason_when_others_follow():
    cluster = cluster_with("a", "b", "c")
    cluster.fail = lambda verb, path: Forbidden("may not patch", status=403) if path.endswith("/a") else None
    cluster.hangs = {"b"}  # its patch is given up after 600 seconds
    run = Run(("b", "a", "c"), cluster=cluster, options=RunOptions(fail_fast=True))
    do = run.executor.do
    run.executor.do = lambda token, call, *args: (
        run.executor.later(700, lambda: do(token, call, *args)) if token[1][2] == "c" else do(token, call, *args)
    )
    run.carry_out()
    assert run.outcomes == {"a": "failed", "b": "failed", "c": "not_started"}
    assert run.task("c").message == "stopped: Deployment shop/a failed, and failure_budget is 0"


# -- nobody waits any more -------------------------------------------------------------------------------------------


def test_an_abandoned_call_waits_for_what_is_sent_and_begins_nothing():
    run = Run(("a",), ("b",), controller=Mortal(3))
    run.executor.late = 5
    run.carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "not_started"}
    assert run.task("a").changed
    assert 5 <= run.executor.clock.passed < 6


def test_an_abandoned_call_asks_for_no_causes_and_undoes_nothing():
    cluster = cluster_with("a", "b", breaks={"a"})
    options = RunOptions(undo_failed=UNDO)
    run = Run(("a", "b"), cluster=cluster, options=options, controller=Mortal(3), stagger=2)
    # The patch of b is under way when the controller dies, and is waited for.
    run.executor.later(1, lambda: setattr(run.executor, "late", 5))
    run.carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "unfinished"}
    assert run.executor.clock.passed > 7
    assert "pods" not in "".join(path for _verb, path in cluster.asked)
    assert run.patched == ["a", "b"]


def test_a_call_abandoned_while_a_cause_is_asked_for_waits_for_none_and_undoes_nothing():
    cluster = cluster_with("a", breaks={"a"})
    cluster.hangs = {"pods"}
    run = Run(
        ("a",), cluster=cluster, timeout=2.0, options=RunOptions(undo_failed=UNDO), controller=Mortal(5)
    ).carry_out()
    assert run.outcome("a") == "unfinished"
    assert run.task("a").message.startswith("not done after 2s")
    assert run.patched == ["a"]
    assert run.executor.clock.passed < 6.5


def test_a_patch_that_waits_for_a_hand_when_the_controller_dies_is_not_sent():
    run = Run(("a",), controller=Mortal(0.005)).carry_out()
    assert (run.outcome("a"), run.patched) == ("not_started", [])


# -- requests that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, outcome, message",
    [
        (Forbidden("may not patch", status=403), "failed", "may not patch"),
        (Unreachable("connection refused", transient=True), "failed", "connection refused"),
        (
            Unreachable("it broke", transient=True, ambiguous=True),
            "failed",
            "it broke; it was read again, and the change was not carried out",
        ),
    ],
)
def test_a_patch_that_fails_fails_the_workload_with_its_words(error, outcome, message):
    cluster = cluster_with("a", "b")
    cluster.fail = lambda verb, path: error if verb == "patch" and path.endswith("/a") else None
    run = Run(("a",), ("b",), cluster=cluster).carry_out()
    assert (run.outcome("a"), run.task("a").message, run.task("a").changed) == (outcome, message, False)
    assert run.outcome("b") == "not_started"


def test_a_bug_is_not_taken_for_a_state_of_the_cluster():
    cluster = cluster_with("a")
    cluster.fail = lambda verb, path: ZeroDivisionError("a bug") if verb == "patch" else None
    run = Run(("a",), cluster=cluster)
    with pytest.raises(ZeroDivisionError):
        run.carry_out()
    assert run.executor.closed


def test_a_cause_that_may_not_be_asked_for_is_a_warning():
    cluster = cluster_with("a", breaks={"a"})
    cluster.fail = lambda verb, path: Forbidden("may not list pods", status=403) if "pods" in path else None
    run = Run(("a",), cluster=cluster, timeout=5.0).carry_out()
    assert run.outcome("a") == "unfinished"
    assert run.loop.warnings == ["no cause for Deployment shop/a: may not list pods"]
