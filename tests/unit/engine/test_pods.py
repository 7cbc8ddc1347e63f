# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which rollouts are not waited for any longer, for what their pods tell."""

from __future__ import annotations

import copy

import pytest
from simulation import FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.pods import FEW, LOOK_AFTER, MANY
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import Mode, StatusStep, UndoStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import GRACE

TIMEOUT = 3600.0
NOT_READY = {"type": "Ready", "status": "False"}


def stuck(*names, **options):
    """A run whose rollouts never come up by themselves."""
    cluster = FakeCluster([deployment(name) for name in names], breaks=set(names))
    return Run(names, cluster=cluster, timeout=TIMEOUT, **options)


def pod_at(run, second, name, reason):
    run.executor.later(second, lambda: run.cluster.add_pod(run.workload(name), reason))


def change(run, second, **container):
    """The one pod's container is something else from then on."""

    def now():
        (pod,) = run.cluster.pods
        pod["status"]["containerStatuses"][0].update(container)
        if container.get("ready"):
            pod["status"]["conditions"] = [{**NOT_READY, "status": "True"}]
        run.executor.see_pod(pod)

    run.executor.later(second, now)


@pytest.mark.parametrize("second", [0.5, 30])
def test_what_cannot_recover_is_not_waited_for(second):
    run = stuck("api")
    pod_at(run, second, "api", "ErrImageNeverPull")
    run.carry_out()
    assert run.outcome("api") == "failed"
    assert run.executor.clock.passed < max(second, LOOK_AFTER) + 1
    assert "because this cannot recover by itself: " in run.task("api").message
    assert run.task("api").cause.reason == "ErrImageNeverPull"


def test_what_may_recover_gets_its_grace_from_when_it_was_seen():
    run = stuck("api")
    pod_at(run, 20, "api", "CrashLoopBackOff")
    run.carry_out()
    assert run.outcome("api") == "failed"
    assert 20 + GRACE <= run.executor.clock.passed < 20 + GRACE + 2
    assert "because this did not recover within 5m: " in run.task("api").message


def test_a_pod_that_recovers_within_its_grace_is_waited_for():
    run = stuck("api")
    pod_at(run, 20, "api", "CrashLoopBackOff")
    change(run, 100, ready=True, state={"running": {}})
    run.executor.later(100 + GRACE - 1, lambda: run.cluster.finish(run.workload("api")))
    run.carry_out()
    assert run.outcome("api") == "restarted"


def test_a_loop_whose_container_counts_as_ready_between_its_ends_has_not_recovered():
    run = stuck("api")
    pod_at(run, 20, "api", "CrashLoopBackOff")
    change(run, 100, ready=True, state={"running": {}})
    change(run, 110, ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}})
    run.executor.later(111, lambda: run.cluster.pods[0]["status"].pop("conditions") and None)
    change(run, 112, ready=False)
    run.carry_out()
    assert run.outcome("api") == "failed"
    assert run.executor.clock.passed < 20 + GRACE + 2


def test_another_cause_of_the_same_pod_has_a_grace_of_its_own():
    run = stuck("api")
    pod_at(run, 20, "api", "ImagePullBackOff")
    change(run, 200, state={"waiting": {"reason": "CrashLoopBackOff"}})
    run.carry_out()
    assert 200 + GRACE <= run.executor.clock.passed < 200 + GRACE + 2


def test_a_pull_that_is_told_with_and_without_its_reason_is_one_problem():
    run = stuck("api")
    pod_at(run, 20, "api", "ErrImagePull")
    for second in range(30, 20 + int(GRACE), 20):
        change(run, second, state={"waiting": {"reason": "ImagePullBackOff"}})
        change(run, second + 5, state={"waiting": {"reason": "ErrImagePull", "message": "not found"}})
    run.carry_out()
    assert run.outcome("api") == "failed"
    assert 20 + GRACE <= run.executor.clock.passed < 20 + GRACE + 2


def test_the_timeout_of_a_workload_may_come_before_its_grace_is_over():
    run = stuck("api")
    run.task("api").timeout = 60
    pod_at(run, 20, "api", "CrashLoopBackOff")
    run.carry_out()
    assert run.task("api").message.startswith("not done after 1m: ")
    assert run.executor.clock.passed < 20 + GRACE


def test_pods_that_were_there_before_the_call_count_too():
    half = deployment("api")
    half["status"]["updatedReplicas"] = 1
    cluster = FakeCluster([half])
    cluster.add_pod(half, "InvalidImageName")
    run = Run(("api",), cluster=cluster, timeout=TIMEOUT, step=StatusStep()).carry_out()
    assert run.outcome("api") == "failed"
    assert run.executor.clock.passed < LOOK_AFTER + 1


def test_the_pods_of_a_namespace_are_watched_once_and_only_for_what_is_slow():
    run = Run(("api", "web", "pay"), cluster=FakeCluster(map(deployment, ("api", "web", "pay")), takes=60))
    run.carry_out()
    assert [scope.namespace for scope in run.executor.watched_pods] == ["shop"]
    quick = Run(("api",), cluster=FakeCluster([deployment("api")], takes=LOOK_AFTER - 1))
    quick.carry_out()
    assert not quick.executor.watched_pods


def test_many_at_once_may_take_longer_without_a_look_at_their_pods():
    # One after the other, the last ones late: something always moves.
    takes = {f"w{number:02}": 1 + number / 3 for number in range(10 * FEW)}
    run = Run(tuple(takes), cluster=FakeCluster(map(deployment, takes), takes=takes)).carry_out()
    assert run.executor.clock.passed > 9 * LOOK_AFTER - 1
    assert not run.executor.watched_pods


def test_the_last_one_of_many_is_looked_at_soon_after_the_others():
    names = tuple(f"w{number:02}" for number in range(10 * FEW))
    run = Run(names, cluster=FakeCluster(map(deployment, names), takes=20, breaks={"w07"}), timeout=TIMEOUT)
    pod_at(run, 1, "w07", "InvalidImageName")
    run.carry_out()
    assert run.outcome("w07") == "failed"
    assert run.executor.clock.passed < 20 + 2 * LOOK_AFTER


def test_among_very_many_a_pause_is_no_standstill():
    takes = {f"w{number:04}": 5 if number % 2 else 5 + 3 * LOOK_AFTER for number in range(4 * MANY)}
    run = Run(tuple(takes), cluster=FakeCluster(map(deployment, takes), takes=takes)).carry_out()
    assert run.executor.clock.passed > 4 * LOOK_AFTER
    assert not run.executor.watched_pods


def test_only_the_workload_of_the_pod_ends():
    run = stuck("api", "web")
    pod_at(run, 10, "api", "InvalidImageName")
    run.executor.later(60, lambda: run.cluster.finish(run.workload("web")))
    run.carry_out()
    assert run.outcomes == {"api": "failed", "web": "restarted"}


def test_a_pod_that_is_gone_tells_nothing_any_more():
    run = stuck("api")
    pod_at(run, 20, "api", "CrashLoopBackOff")

    def replace():
        gone = run.cluster.pods.pop()
        (scope,) = run.executor.watched_pods
        run.executor.see_in(scope, watch.Removed(copy.deepcopy(gone)))

    run.executor.later(100, replace)
    run.executor.later(100 + GRACE - 1, lambda: run.cluster.finish(run.workload("api")))
    run.carry_out()
    assert run.outcome("api") == "restarted"


def test_what_is_given_up_is_undone_where_that_is_wanted():
    run = stuck("api", options=RunOptions(undo_failed=UndoStep(Mode())))
    pod_at(run, 10, "api", "InvalidImageName")
    run.carry_out()
    assert run.outcome("api") == "undone"
    assert run.executor.clock.passed < 60


def test_who_may_not_watch_pods_is_told_so_once_and_waits_until_the_timeout():
    run = stuck("api", "web")
    run.task("api").timeout = run.task("web").timeout = 60

    def lose():
        (scope,) = run.executor.watched_pods
        run.executor.see_in(scope, watch.Lost(Forbidden("may not watch pods", status=403)))

    run.executor.later(LOOK_AFTER + 1, lose)
    run.carry_out()
    assert run.outcomes == {"api": "unfinished", "web": "unfinished"}
    assert len([note for note in run.loop.warnings if "cannot be watched" in note]) == 1
