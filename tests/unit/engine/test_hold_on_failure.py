# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""on_failure: pause. What failed is held for inspection, keeps its outcome, and nothing new starts."""

from __future__ import annotations

import pytest
from simulation import RUN, FakeCluster, Lock, Mortal, Run, window, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry


def broken(*names, kind="Deployment", partition=None, **more):
    """A run over workloads that do not come up while they carry a restart, and are then held."""
    cluster = FakeCluster([workload(kind, name) for name in names], breaks=set(names))
    entries = [
        Entry(str(place), kinds=(kind,), names=(name,), namespaces=("shop",), after=(str(place - 1),) if place else ())
        for place, name in enumerate(names)
    ]
    run = Run(*entries, cluster=cluster, timeout=30.0, **more)
    for task in run.loop.tasks.values():
        task.then(steps.HoldStep(steps.Mode(), RUN, partition), after_failure=True)
    return run


def test_a_deployment_that_failed_is_paused_and_nothing_new_starts():
    run = broken("api", "web").carry_out()
    assert run.outcomes == {"api": "unfinished", "web": "not_started"}
    assert run.workload("api")["spec"]["paused"] is True
    assert restart.run_of(run.workload("api")) == RUN
    assert run.patched == ["api", "api"]
    why, _semicolon, told = run.task("api").message.partition("; ")
    assert why.startswith("not done after 30s")
    assert told == (
        "it is paused for inspection; to go on with it: kubectl rollout resume deployment/api --namespace shop"
    )


def test_its_rollout_is_not_waited_for():
    run = broken("api").carry_out()
    assert run.executor.clock.passed < 31


def test_a_stateful_set_is_held_by_its_partition():
    run = broken("db", kind="StatefulSet", partition=0)
    db = run.workload("db")

    def replaced():
        revision = db["status"]["updateRevision"]
        reference = {"kind": "StatefulSet", "name": "db", "uid": db["metadata"]["uid"], "controller": True}
        metadata = {"name": "db-1", "namespace": "shop", "labels": {"app": "db", "controller-revision-hash": revision}}
        run.cluster.pods.append({"metadata": {**metadata, "ownerReferences": [reference]}})

    run.executor.later(5, replaced)
    run.carry_out()
    assert run.outcome("db") == "unfinished"
    assert db["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 1}
    assert "it is held by its partition 1 for inspection; to go on with it: kubectl patch" in run.task("db").message


def test_of_a_daemon_set_the_message_says_that_it_cannot_be_held():
    run = broken("agent", kind="DaemonSet").carry_out()
    assert run.outcome("agent") == "unfinished"
    assert run.patched == ["agent"]
    assert "; a DaemonSet cannot be held for inspection" in run.task("agent").message


def test_what_somebody_restarted_meanwhile_is_not_held():
    run = broken("api")
    run.executor.late = 5  # the failure is being explained when somebody takes the restart back

    def take_back():
        del run.workload("api")["spec"]["template"]["metadata"]["annotations"][restart.RUN]
        run.cluster.touch(run.workload("api"))
        run.cluster.show(run.workload("api"))

    run.executor.later(36, take_back)
    run.carry_out()
    assert "paused" not in run.workload("api")["spec"]
    assert run.outcome("api") == "unfinished"
    assert "so it was not held for inspection" in run.task("api").message


def test_a_change_by_somebody_else_while_it_is_held_is_judged_anew():
    run = broken("api")
    changes = iter([True])
    run.cluster.before_patch = lambda one: (
        run.cluster.touch(one) if run.executor.clock.passed > 25 and next(changes, False) else None
    )
    run.carry_out()
    assert run.workload("api")["spec"]["paused"] is True
    assert run.task("api").conflicts == 1


def test_a_hold_that_is_refused_says_so_and_keeps_the_failure():
    run = broken("api")
    run.cluster.fail = lambda verb, path: (
        Forbidden("may not patch", status=403) if verb == "patch" and run.executor.clock.passed > 25 else None
    )
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert run.task("api").message.endswith("; it could not be held for inspection: may not patch")


def test_it_is_held_outside_the_window_too():
    run = broken("api", options=RunOptions(window=window(1)))
    run.task("api").timeout = 90.0
    run.carry_out()
    assert run.workload("api")["spec"]["paused"] is True


@pytest.mark.parametrize(
    "end", [{"controller": Mortal(29)}, {"guards": [Lock(29)]}], ids=["controller gone", "lock lost"]
)
def test_nothing_is_held_when_nothing_may_be_changed_any_more(end):
    run = broken("api", **end).carry_out()
    assert run.patched == ["api"]


def test_after_the_deadline_of_the_call_it_is_held_too():
    run = broken("api", options=RunOptions(deadline=20.0, wait_timeout=20.0)).carry_out()
    assert run.workload("api")["spec"]["paused"] is True
    assert run.outcome("api") == "unfinished"
