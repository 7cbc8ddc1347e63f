# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a restart counts as done: when all pods may serve and no old one does, by what is said of this very rollout."""

from __future__ import annotations

import dataclasses

import pytest
from simulation import RUN, FakeCluster, Run, deployment, status_of, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.task import summary
from ansible_collections.restartx.core.plugins.module_utils.rollout import marks, restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

UNDONE_BY_RUN = steps.UndoStep(Mode(), run_id=RUN)
LATE = {
    "Deployment": {"terminatingReplicas": 1},
    "StatefulSet": {"availableReplicas": 1},
    "DaemonSet": {"numberAvailable": 1},
}


class Lagging(FakeCluster):
    """What kubectl waits for is there after 10 s; the rest of the status, by name, so many seconds later."""

    def __init__(self, workloads, late, after=20.0, **more):
        super().__init__(workloads, **more)
        self.late, self.after = late, after

    def finish(self, one):
        late = self.late.get(one["metadata"]["name"])
        if late is None:
            super().finish(one)
            return
        one["status"] = status_of(one, 2) | late
        self.show(one)
        if self.after is not None:
            self.executor.later(self.after, lambda: FakeCluster.finish(self, one))


def lagging(kind, after=20.0, takes=10.0, **more):
    """A run over one workload of a kind, and a Deployment after it."""
    cluster = Lagging([workload(kind, "first"), deployment("then")], {"first": LATE[kind]}, after, takes=takes)
    entries = (
        Entry("0", kinds=(kind,), names=("first",), namespaces=("shop",)),
        Entry("1", names=("then",), namespaces=("shop",), after=("0",)),
    )
    return Run(*entries, cluster=cluster, **more)


@pytest.mark.parametrize("kind", LATE)
def test_what_comes_after_waits_until_all_pods_may_serve_and_no_old_one_does(kind):
    run = lagging(kind).carry_out()
    assert run.outcomes == {"first": "restarted", "then": "restarted"}
    assert run.task("first").ended >= 30
    assert run.task("then").started >= run.task("first").ended


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_pods_that_never_become_available_are_unfinished(kind):
    run = lagging(kind, after=None, timeout=60.0).carry_out()
    assert run.outcomes == {"first": "unfinished", "then": "not_started"}
    assert "1 of 2" in run.task("first").message


@pytest.mark.parametrize("timeout, until", [(None, 42.0), (60.0, 42.0), (30.0, 30.0)])
def test_an_old_pod_that_hangs_is_waited_for_no_longer_than_it_may_take_and_is_no_failure(timeout, until):
    run = lagging("Deployment", after=None, takes=2.0, timeout=timeout).carry_out()
    assert run.outcomes == {"first": "restarted", "then": "restarted"}
    first = run.task("first")
    assert until <= first.ended < until + 1
    assert first.message == 'deployment "first" successfully rolled out; 1 old pod is still terminating'
    assert first.result()["missing"] == "1 old pod is still terminating"
    assert run.executor.watched_pods == []


def test_a_pod_that_ends_while_a_workload_settles_does_not_begin_the_wait_anew():
    run = lagging("Deployment", settle=60.0, timeout=300.0)
    run.executor.later(60, lambda: run.cluster.show(_with(run.workload("first"), terminatingReplicas=1)))
    run.carry_out()
    assert run.outcome("first") == "restarted"
    assert 90 <= run.task("first").ended < 91


def _with(one, **status):
    one["status"] |= status
    return one


EXCEEDED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "api-1"}


class Exceeding(FakeCluster):
    """A Deployment keeps the condition of its last rollout until the next one is done, or fails itself after 20 s."""

    def _roll_out(self, one):
        before = one["status"].get("conditions", [])
        super()._roll_out(one)
        one["status"]["conditions"] = before
        if one["metadata"]["name"] in self.breaks and marks.run_of(one):
            failed = EXCEEDED | {"lastUpdateTime": "2026-11-24T22:00:20Z", "message": "api-2"}
            self.executor.later(20, lambda: self.show(_with(one, conditions=[failed])))


@pytest.mark.parametrize("earlier", [[], [EXCEEDED | {"lastUpdateTime": "2026-11-24T21:00:00Z"}]])
def test_an_undo_is_not_failed_by_the_condition_of_what_it_undoes(earlier):
    cluster = Exceeding([_with(deployment("api"), conditions=earlier)], breaks={"api"})
    run = Run(("api",), cluster=cluster, options=RunOptions(undo_failed=UNDONE_BY_RUN)).carry_out()
    assert run.outcome("api") == "undone"
    assert run.task("api").message.startswith('deployment "api" exceeded its progress deadline; undone: ')
    assert 30 <= run.task("api").ended < 31


def test_a_restart_is_not_failed_by_the_condition_of_what_was_there_before():
    cluster = Exceeding([_with(deployment("api"), conditions=[EXCEEDED])])
    run = Run(("api",), cluster=cluster).carry_out()
    assert run.outcome("api") == "restarted"


def test_status_alone_believes_what_kubectl_believes():
    cluster = Exceeding([_with(deployment("api"), conditions=[EXCEEDED])])
    step = steps.StatusStep()
    run = Run(("api",), cluster=cluster, step=step).carry_out()
    assert run.outcome("api") == "failed"


@pytest.mark.parametrize("kind", LATE)
def test_status_alone_waits_no_longer_than_kubectl(kind):
    one = workload(kind, "api")
    one["status"] |= LATE[kind] if kind != "DaemonSet" else {}
    entry = Entry("0", kinds=(kind,), names=("api",), namespaces=("shop",))
    run = Run(entry, cluster=FakeCluster([one]), step=steps.StatusStep()).carry_out()
    assert run.outcome("api") == "rolled_out"
    assert bool(run.task("api").result()["missing"]) is (kind != "DaemonSet")


@pytest.mark.parametrize("dry_run, note", [(False, ""), (True, " (server dry run)")])
@pytest.mark.parametrize(
    "make, words",
    [
        (lambda mode, run: run.step, "restarted"),
        (lambda mode, run: steps.UndoStep(mode), "rolled back"),
        (lambda mode, run: steps.PauseStep(mode, True), "paused"),
    ],
    ids=["restart", "undo", "pause"],
)
def test_what_is_not_waited_for_is_told_in_kubectls_words(make, words, dry_run, note):
    cluster = FakeCluster([deployment("api")])
    first = Run(("api",), cluster=cluster).carry_out()  # so that there is something to undo
    mode = Mode(dry_run=dry_run)
    step = make(mode, first)
    if isinstance(step, steps.RestartStep):
        stamp = restart.Stamp(run="another", at=step.stamp.at)
        step = steps.RestartStep(stamp, mode, step.now)
    run = Run(("api",), cluster=cluster, step=step, options=RunOptions(wait=False)).carry_out()
    assert run.task("api").message == f"{words}{note}"


def _stuck(reason="ImagePullBackOff"):
    """A StatefulSet whose newest pod does not come up, so that its status is not done."""
    one = _with(workload("StatefulSet", "db"), updatedReplicas=1, readyReplicas=1, availableReplicas=1)
    pod = {
        "metadata": {
            "name": "db-1",
            "namespace": "shop",
            "labels": {"app": "db", "controller-revision-hash": one["status"]["updateRevision"]},
            "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "uid-shop-db", "controller": True}],
        },
        "spec": {"containers": []},
        "status": {"containerStatuses": [{"name": "main", "ready": False, "state": {"waiting": {"reason": reason}}}]},
    }
    return one, pod


def _stateful_run(one, pod):
    cluster = FakeCluster([one])
    cluster.pods = [pod]
    return Run(Entry("0", kinds=("StatefulSet",), names=("db",), namespaces=("shop",)), cluster=cluster)


def test_no_revision_is_added_behind_a_pod_that_keeps_it_from_beginning():
    run = _stateful_run(*_stuck()).carry_out()
    assert run.outcome("db") == "refused"
    assert 'waits for its pod "db-1", which is not ready (ImagePullBackOff)' in run.task("db").message
    assert run.patched == []


def test_a_pod_that_is_just_starting_stops_no_restart():
    run = _stateful_run(*_stuck("ContainerCreating")).carry_out()
    assert run.outcome("db") == "restarted"


def test_a_second_attempt_of_the_run_is_not_written_behind_a_pod_that_is_not_ready():
    one, pod = _stuck("ContainerCreating")
    one["spec"]["template"]["metadata"]["annotations"] = {marks.RUN: RUN}
    run = _stateful_run(one, pod)
    step = run.task("db").step
    run.task("db").step = dataclasses.replace(step, stamp=dataclasses.replace(step.stamp, attempt=2))
    run.carry_out()
    assert (run.outcome("db"), run.patched) == ("refused", [])
    assert "wait until it is ready and start again" in run.task("db").message


def test_pods_are_asked_for_only_where_the_workload_is_not_rolled_out():
    _one, pod = _stuck()
    run = _stateful_run(workload("StatefulSet", "db"), pod).carry_out()
    assert run.outcome("db") == "restarted"
    assert not [path for path in run.cluster.lists if path.endswith("/pods")]


def test_who_may_not_look_at_pods_restarts_as_kubectl_does():
    run = _stateful_run(*_stuck())
    run.cluster.fail = lambda verb, path: (
        Forbidden("may not list pods", status=403) if verb == "list" and path.endswith("/pods") else None
    )
    assert run.carry_out().patched == ["db"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_what_has_no_pods_is_counted_apart(kind):
    empty = workload(kind, "empty")
    empty["spec"]["replicas"] = 0
    cluster = FakeCluster([empty, workload(kind, "full")])
    run = Run(Entry("0", kinds=(kind,), names=("empty", "full"), namespaces=("shop",)), cluster=cluster).carry_out()
    results = [task.result() for task in run.loop.tasks.values()]
    assert [entry["outcome"] for entry in results] == ["restarted", "restarted"]
    assert [entry["nothing_to_replace"] for entry in results] == [True, False]
    assert results[1]["pods"] == {"new": 2, "available": 2, "total": 2}
    assert results[0]["missing"] == "there are no pods to replace: spec.replicas is 0"
    assert summary(results) == {"nothing_to_replace": 1, "restarted": 1}
