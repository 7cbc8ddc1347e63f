# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""on_failure: undo. What failed is brought back, and keeps its failure where that does not succeed."""

from __future__ import annotations

import pytest
from simulation import RUN, FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import CLEANUP_SECONDS, RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart

OPTIONS = RunOptions(undo_failed=steps.UndoStep(steps.Mode(), run_id=RUN))


def broken(*names, options=OPTIONS, timeout=30.0, **more):
    """A run over Deployments that do not come up while they carry a restart."""
    cluster = FakeCluster([deployment(name) for name in names], breaks=set(names))
    return Run(*[(name,) for name in names], cluster=cluster, options=options, timeout=timeout, **more)


def test_what_failed_is_undone_and_its_undo_waited_for():
    run = broken("api", "web").carry_out()
    assert run.outcomes == {"api": "undone", "web": "not_started"}
    assert not run.task("api").good
    assert restart.run_of(run.workload("api")) is None
    assert run.task("api").ended >= 30 + run.cluster.takes
    first, _semicolon, second = run.task("api").message.partition("; undone: ")
    assert first.startswith("not done after 30s: Waiting for deployment")
    assert second == 'deployment "api" successfully rolled out'


def test_the_difference_shown_is_that_of_restart_and_undo_together():
    run = broken("api").carry_out()
    before, after = run.task("api").diff
    assert "spec" not in before and "spec" not in after
    assert run.task("api").changed


def test_an_undo_leaves_the_annotations_of_the_workload_itself_alone():
    run = broken("api")
    run.workload("api")["metadata"]["annotations"]["team"] = "checkout"
    run.task("api").object["metadata"]["annotations"]["team"] = "checkout"
    run.carry_out()
    assert run.outcome("api") == "undone"
    assert run.workload("api")["metadata"]["annotations"]["team"] == "checkout"
    assert run.loop.warnings == []


def test_an_undo_that_is_refused_keeps_the_failure():
    run = broken("api")
    run.executor.later(20, lambda: run.cluster.revisions["uid-shop-api"].__delitem__(0))  # the old one is cleaned up
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert "; its undo refused: no rollout history found" in run.task("api").message


def test_a_workload_that_somebody_deployed_meanwhile_is_not_undone():
    run = broken("api")

    def deploy():
        run.workload("api")["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
        run.cluster.touch(run.workload("api"))
        run.cluster._note_revision(run.workload("api"))
        run.cluster.show(run.workload("api"))

    run.executor.later(20, deploy)
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert "somebody deployed" in run.task("api").message
    assert run.patched == ["api"]


def test_a_workload_that_no_longer_carries_the_run_when_its_undo_begins_has_failed_all_the_same():
    run = broken("api")
    run.executor.late = 5  # the failure is being explained when somebody takes the restart back

    def take_back():
        del run.workload("api")["spec"]["template"]["metadata"]["annotations"][restart.RUN]
        run.cluster.touch(run.workload("api"))
        run.cluster.show(run.workload("api"))

    run.executor.later(36, take_back)
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert not run.task("api").good
    assert "; its undo unchanged: " in run.task("api").message


def test_an_undo_that_may_not_be_sent_keeps_the_failure():
    run = broken("api")
    forbidden = Forbidden("may not list replicasets", status=403)
    run.cluster.fail = lambda verb, path: forbidden if path.endswith("replicasets") else None
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert run.task("api").message.endswith("; its undo failed: may not list replicasets")


def test_an_undo_that_does_not_come_up_keeps_the_failure():
    run = broken("api")
    run.cluster.takes = 1000
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert "; its undo unfinished: not done after 30s" in run.task("api").message
    assert run.patched == ["api", "api"]


def test_a_change_while_the_undo_is_sent_is_judged_anew():
    run = broken("api")
    changes = iter([True])
    run.cluster.before_patch = lambda one: (
        run.cluster.touch(one) if run.executor.clock.passed > 25 and next(changes, False) else None
    )
    run.carry_out()
    assert run.outcome("api") == "undone"
    assert run.task("api").conflicts == 1


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_at_the_deadline_of_the_call_the_undo_is_sent_and_not_waited_for(timeout):
    run = broken(
        "api", timeout=timeout, options=RunOptions(deadline=20.0, wait_timeout=20.0, undo_failed=OPTIONS.undo_failed)
    )
    run.carry_out()
    assert run.outcome("api") == "undone"
    assert run.task("api").message.endswith("; undone: sent, but not waited for")
    assert run.patched == ["api", "api"]
    assert 20 <= run.executor.clock.passed < 21


def test_an_undo_under_way_at_the_deadline_of_the_call_keeps_the_failure():
    options = RunOptions(deadline=35.0, wait_timeout=35.0, undo_failed=OPTIONS.undo_failed)
    run = broken("api", options=options).carry_out()
    assert run.outcome("api") == "unfinished"
    assert "not done after 30s" in run.task("api").message
    assert "; its undo unfinished: the wait_timeout of 35s for the whole call is over" in run.task("api").message


def test_an_undo_that_cannot_be_sent_in_the_time_for_last_words_is_not_sent():
    options = RunOptions(deadline=20.0, wait_timeout=20.0, undo_failed=OPTIONS.undo_failed)
    run = broken("api", options=options)
    run.cluster.hangs = {"pods"}
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert run.patched == ["api"]
    assert run.executor.clock.passed <= 20 + CLEANUP_SECONDS + 0.1


def test_another_that_failed_is_undone_though_the_call_fails_fast():
    cluster = FakeCluster([deployment("a"), deployment("b")], breaks={"a", "b"})
    options = RunOptions(fail_fast=True, undo_failed=OPTIONS.undo_failed)
    run = Run(("a", "b"), cluster=cluster, options=options, timeout=None)
    run.task("a").timeout, run.task("b").timeout = 10.0, 20.1
    run.carry_out()
    assert run.outcomes == {"a": "undone", "b": "in_progress"}


def test_what_an_earlier_start_of_the_run_restarted_is_undone_too():
    api = deployment("api", **{restart.RUN: RUN})
    cluster = FakeCluster([api], breaks={"api"})
    cluster.revisions["uid-shop-api"].insert(0, _revision(cluster, "api"))
    api["status"]["updatedReplicas"] = 1
    run = Run(("api",), cluster=cluster, options=OPTIONS, timeout=30.0).carry_out()
    assert run.outcome("api") == "undone"
    assert run.patched == ["api"]


def _revision(cluster, name):
    """The revision before the restart that a workload carries already; that one becomes number 2."""
    now = cluster.revisions[f"uid-shop-{name}"][0]
    template = {**now["spec"]["template"], "metadata": {"labels": {"app": name}, "annotations": {}}}
    now["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    meta = {**now["metadata"], "name": f"{name}-old", "annotations": {"deployment.kubernetes.io/revision": "1"}}
    return {"kind": "ReplicaSet", "metadata": meta, "spec": {"template": template}}
