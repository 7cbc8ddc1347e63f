# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollout that stands still ends after its grace, whatever holds it up, and says what that is."""

from __future__ import annotations

import copy

import pytest
from simulation import FakeCluster, Run, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.client import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.pods import LOOK_AFTER
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import Mode, UndoStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import GRACE
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.history import REVISION
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

TIMEOUT = 3600.0
ENDED = {"terminated": {"reason": "Error", "exitCode": 1}}
QUOTA = 'pods "api-" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2'


class Cluster(FakeCluster):
    """One whose controllers leave the rollouts of api alone, and that has events."""

    def __init__(self, kind="Deployment", **spec):
        one = workload(kind, "api")
        one["spec"] |= spec
        super().__init__([one], breaks={"api"})
        self.kind = kind
        self.events: list[dict] = []

    def list(self, path, params=None, *, deadline=None):
        if path.endswith("/events"):
            self._ask("list", path, deadline)
            return Listing(copy.deepcopy(self.events), "1")
        return super().list(path, params, deadline=deadline)

    def text(self, path, params=None, *, deadline=None):
        self._ask("text", path, deadline)
        return "the last line"

    def pod(self, name="x", ready=False, container=None, **more):
        """A pod of the newest revision, with its container in a state; who watches pods sees it."""
        (one,) = self.objects.values()
        if self.kind == "Deployment":
            sets = self.revisions[one["metadata"]["uid"]]
            revision = max(sets, key=lambda held: int(kinds.annotations_of(held)[REVISION]))["metadata"]["name"]
            owner = {"kind": "ReplicaSet", "name": revision, "uid": revision, "controller": True}
            label = revision.rpartition("-")[2]
        else:
            owner = {"kind": self.kind, "name": "api", "uid": one["metadata"]["uid"], "controller": True}
            label = one["status"].get("updateRevision", "new")
        template = copy.deepcopy(one["spec"]["template"])
        labels = {**template["metadata"]["labels"], kinds.KINDS[self.kind].hash_label: label}
        state = {"name": "main", "ready": ready, "restartCount": 0, "state": {"running": {}}, **(container or {})}
        pod = {
            "metadata": {
                **template["metadata"],
                "name": f"api-{name}",
                "namespace": "shop",
                "uid": f"uid-{name}",
                "labels": labels,
                "ownerReferences": [owner],
                **more.pop("metadata", {}),
            },
            "spec": {**template["spec"], **more.pop("spec", {})},
            "status": {
                "phase": more.pop("phase", "Running"),
                "containerStatuses": [state],
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            },
        }
        self.pods = [other for other in self.pods if other["metadata"]["uid"] != f"uid-{name}"] + [pod]
        self.executor.see_pod(pod)

    def tell(self, reason, message, about, at="2026-11-24T22:00:30Z"):
        """Somebody tells an event."""
        self.events.append(
            {"reason": reason, "message": message, "involvedObject": {"uid": about}, "lastTimestamp": at}
        )


def run_of(cluster, **options):
    entry = Entry("0", kinds=(cluster.kind,), names=("api",), namespaces=("shop",))
    run = Run(entry, cluster=cluster, timeout=TIMEOUT, **options)
    run.cluster.run = run
    return run


def at(run, second, call, *args, **more):
    """Does something at a second of the run; what it returns is nobody's business."""
    run.executor.later(second, lambda: call(*args, **more) and None)


def change(cluster, status=None, spec=None, **metadata):
    """The workload changes, and who watches it sees that."""
    (one,) = cluster.objects.values()
    one["status"] |= status or {}
    one["spec"] |= spec or {}
    one["metadata"] |= metadata
    cluster.show(one)


def refuse(cluster):
    """A quota refuses the new pod: the condition says so, or an event."""
    if cluster.kind == "Deployment":
        told = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}
        cluster.revisions["uid-shop-api"][-1]["status"] = {"conditions": [told]}
        change(cluster, {"conditions": [told]})
    else:
        cluster.tell("FailedCreate", QUOTA, "uid-shop-api")
        change(cluster, {"replicas": 1, "currentNumberScheduled": 1})


def refuse_set(cluster):
    words = f'Failed to create new replica set "api-2": {QUOTA}'
    told = {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": words}
    change(cluster, {"conditions": [told], "observedGeneration": 1})


def not_mounted(cluster):
    cluster.pod(phase="Pending", container={"state": {"waiting": {"reason": "ContainerCreating"}}})
    cluster.tell("FailedMount", 'secret "tls" not found', "uid-x")


def stays(cluster):
    going = {"deletionTimestamp": "2026-11-24T22:00:40Z", "deletionGracePeriodSeconds": 30}
    cluster.pod(ready=True, metadata=going, spec={"nodeName": "n1"})


def pause(cluster):
    change(cluster, spec={"paused": True})


def forget(cluster):
    change(cluster, {"observedGeneration": 1})


def nothing(cluster):
    cluster.pod(ready=True)


RECREATE = {"strategy": {"type": "Recreate"}}
HELD_UP = {
    "a quota": ({}, refuse, "quota", 0),
    "a quota, StatefulSet": ({"kind": "StatefulSet"}, refuse, "quota", 0),
    "a quota, DaemonSet": ({"kind": "DaemonSet"}, refuse, "quota", 0),
    "a quota of ReplicaSets": ({}, refuse_set, "quota", 0),
    "a missing Secret": ({}, not_mounted, "config_missing", 0),
    "a pod that does not terminate": (RECREATE, stays, "not_terminated", 30),
    "the same, StatefulSet": ({"kind": "StatefulSet"}, stays, "not_terminated", 30),
    "the same, DaemonSet": ({"kind": "DaemonSet"}, stays, "not_terminated", 30),
    "a pause": ({}, pause, "paused", 0),
    "a controller that is down": ({}, forget, "not_observed", 0),
    "a controller that is down, StatefulSet": ({"kind": "StatefulSet"}, forget, "not_observed", 0),
    "a controller that is down, DaemonSet": ({"kind": "DaemonSet"}, forget, "not_observed", 0),
    "a controller that went down": ({}, nothing, "no_progress", 0),
    "a controller that went down and waits for minReadySeconds": ({"minReadySeconds": 90}, nothing, "no_progress", 90),
}


@pytest.mark.parametrize("made, happens, code, more", HELD_UP.values(), ids=HELD_UP)
def test_what_holds_a_rollout_up_ends_it_after_the_grace(made, happens, code, more):
    cluster = Cluster(**made)
    run = run_of(cluster)
    at(run, 20, happens, cluster)
    run.carry_out()
    # Only the missing Secret is a matter of the containers. Everything else continues once somebody has mended it.
    assert run.outcome("api") == ("failed" if code == "config_missing" else "unfinished")
    assert 20 + more + GRACE <= run.executor.clock.passed < 20 + more + GRACE + 3
    assert run.task("api").cause.code == code
    assert run.task("api").message.startswith("gave up waiting, because this did not recover within 5m: ")
    assert run.task("api").cause.sentence in run.task("api").message


@pytest.mark.parametrize("made, happens, code, more", HELD_UP.values(), ids=HELD_UP)
def test_what_held_a_rollout_up_for_a_while_does_not_end_it(made, happens, code, more):
    cluster = Cluster(**made)
    run = run_of(cluster)
    at(run, 20, happens, cluster)
    at(run, 20 + GRACE - 10, lambda: cluster.finish(run.workload("api")))
    assert run.carry_out().outcome("api") == "restarted"


def test_a_quota_that_lets_one_pod_after_the_other_in_does_not_end_a_rollout():
    cluster = Cluster()
    run = run_of(cluster)
    at(run, 20, refuse, cluster)
    for second in range(200, 2000, 200):
        at(run, second, change, cluster, {"readyReplicas": second})
    at(run, 2000, lambda: cluster.finish(run.workload("api")))
    assert run.carry_out().outcome("api") == "restarted"


def test_pods_that_are_lacking_while_nobody_refuses_them_do_not_end_a_rollout():
    cluster = Cluster("StatefulSet")
    run = run_of(cluster)
    at(run, 20, change, cluster, {"replicas": 1})
    for second in range(100, 900, 100):  # something moves
        at(run, second, cluster.pod, container={"restartCount": 0, "lastState": {}})
    at(run, 900, lambda: cluster.finish(run.workload("api")))
    assert run.carry_out().outcome("api") == "restarted"


def test_a_cluster_that_cannot_say_for_certain_ends_nothing_and_is_asked_again():
    cluster = Cluster()
    run = run_of(cluster)
    at(run, 20, refuse, cluster)
    cluster.fail = lambda verb, path: (
        Unreachable("no route", transient=True)
        if verb == "list" and 300 < cluster.executor.clock.passed < 400
        else None
    )
    run.carry_out()
    assert run.task("api").cause.code == "quota"
    assert 20 + 2 * GRACE <= run.executor.clock.passed < 20 + 2 * GRACE + 3


def test_nothing_is_asked_for_what_stands_still_before_its_grace_is_over():
    cluster = Cluster()
    run = run_of(cluster)
    at(run, 20, refuse, cluster)
    at(run, 20 + GRACE - 1, lambda: cluster.finish(run.workload("api")))
    run.carry_out()
    assert [path for path in cluster.lists if not path.endswith("/deployments")] == []


def _again(restarts, running):
    state = {"running": {}} if running else {"waiting": {"reason": "CrashLoopBackOff"}}
    return {"restartCount": restarts, "state": state, "lastState": ENDED}


@pytest.mark.parametrize(
    "states, outcome, second",
    [
        # ended once, and runs since
        ([(20, _again(1, True))], "restarted", None),
        ([(20, {"state": ENDED}), (22, _again(1, True))], "restarted", None),
        # waited for its next start when it was seen first, and runs since
        ([(20, _again(1, False)), (30, _again(2, True))], "restarted", None),
        # ended once more while it was watched
        ([(20, _again(1, True)), (100, _again(1, False)), (110, _again(2, True))], "failed", 20 + GRACE),
        # waits for its next start: it may do so for 5 minutes
        ([(20, _again(7, False))], "failed", 20 + GRACE),
        # ran for a grace, and then began to end
        ([(20, _again(1, True)), (400, _again(1, False))], "failed", 20 + 2 * GRACE),
    ],
)
def test_a_loop_is_what_ends_again_within_the_grace(states, outcome, second):
    cluster = Cluster()
    run = run_of(cluster)
    for when, container in states:
        at(run, when, cluster.pod, container=container)
    at(run, 3000, lambda: cluster.finish(run.workload("api")))
    run.carry_out()
    assert run.outcome("api") == outcome
    if second is not None:
        assert second <= run.executor.clock.passed < second + 3


NEVER = {
    "state": {
        "waiting": {"reason": "RunContainerError", "message": 'exec: "serve": executable file not found in $PATH'}
    }
}


@pytest.mark.parametrize("first", ["the others", "the sick one"])
def test_one_of_many_pods_on_a_sick_node_does_not_end_the_rollout_at_once(first):
    cluster = Cluster()
    run = run_of(cluster)
    others, sick = (20, 21) if first == "the others" else (21, 20)
    for name in "abc":
        at(run, others - 0.5, cluster.pod, name, ready=True)
    at(run, sick, cluster.pod, container=NEVER)
    at(run, 200, cluster.pod, ready=True)
    at(run, 210, lambda: cluster.finish(run.workload("api")))
    run.carry_out()
    # Seen first and alone, it is the template that looks wrong.
    assert run.outcome("api") == ("restarted" if first == "the others" else "failed")


def test_one_of_many_pods_that_never_starts_ends_the_rollout_after_its_grace():
    cluster = Cluster()
    run = run_of(cluster)
    at(run, 19, cluster.pod, "a", ready=True)
    at(run, 20, cluster.pod, container=NEVER)
    run.carry_out()
    assert run.task("api").cause.code == "bad_command"
    assert 20 + GRACE <= run.executor.clock.passed < 20 + GRACE + 3


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_a_dead_pod_whose_successor_comes_up_does_no_harm(kind, phase):
    cluster = Cluster(kind)
    run = run_of(cluster)
    at(
        run,
        20,
        cluster.pod,
        "dead",
        phase=phase,
        container={"state": {"terminated": {"reason": "Error", "exitCode": 137}}},
    )
    at(run, 30, cluster.pod, "b", ready=True)
    at(run, GRACE, lambda: cluster.finish(run.workload("api")))
    assert run.carry_out().outcome("api") == "restarted"


def test_the_undo_of_a_failure_has_a_grace_of_its_own():
    """A StatefulSet's pods keep their names, so what was seen of an old pod must not count for its successor."""
    cluster = Cluster()
    cluster.takes = TIMEOUT
    run = run_of(cluster, options=RunOptions(undo_failed=UndoStep(Mode())))
    at(run, 20, cluster.pod, container=_again(3, False))
    undone = 20 + GRACE
    at(run, undone + 20, cluster.pod, container=_again(4, False))
    run.carry_out()
    assert undone + 20 + GRACE <= run.executor.clock.passed < undone + 20 + GRACE + 3
    assert "its undo failed: gave up waiting" in run.task("api").message


POLICIES = {
    "strips our marks": {},
    "strips one": {"kubectl.kubernetes.io/restartedAt": "2026-11-24T22:00:00Z"},
    "rewrites one": {"restartx.io/run": "rewritten"},
}


@pytest.mark.parametrize("annotations", POLICIES.values(), ids=POLICIES)
def test_pods_that_a_policy_changed_are_known_by_their_revision_which_is_asked_for_once(annotations):
    cluster = Cluster()
    run = run_of(cluster)
    metadata = {"annotations": annotations}
    for second in (20, 25, 30):
        at(run, second, cluster.pod, metadata=metadata, container={"state": {"waiting": {"reason": "ErrImagePull"}}})
    at(run, 40, cluster.pod, metadata=metadata, container={"state": {"waiting": {"reason": "InvalidImageName"}}})
    run.carry_out()
    assert run.task("api").cause.reason == "InvalidImageName"
    assert run.executor.clock.passed < 41
    before_the_end = [path for path in cluster.lists if path.endswith("/replicasets")]
    assert len(before_the_end) == 2  # once to know the pods, and once for the whole cause


def test_revisions_are_not_asked_for_where_pods_carry_the_marks_of_the_restart():
    cluster = Cluster()
    run = run_of(cluster)
    at(run, 20, cluster.pod, container={"state": {"waiting": {"reason": "ErrImagePull"}}})
    at(run, 40, lambda: cluster.finish(run.workload("api")))
    run.carry_out()
    assert not [path for path in cluster.lists if path.endswith("/replicasets")]


@pytest.mark.parametrize("logs", [True, False])
def test_without_logs_no_log_is_asked_for(logs):
    cluster = Cluster()
    run = run_of(cluster, options=RunOptions(logs=logs))
    at(run, LOOK_AFTER, cluster.pod, container=_again(3, False))
    run.carry_out()
    assert run.task("api").cause.log == (("the last line",) if logs else ())
    assert ("text" in {verb for verb, _path in cluster.asked}) is logs


def test_among_many_pods_that_change_all_the_time_the_bad_one_is_found_soon():
    cluster = Cluster("DaemonSet")
    run = run_of(cluster)
    judged = []
    pods = run.loop._lifecycle.rollouts._pods
    judge = pods._judge
    pods._judge = lambda task: judged.append(task) or judge(task)
    for number in range(300):
        at(
            run,
            20 + number / 100,
            cluster.pod,
            f"p{number}",
            container={"state": {"waiting": {"reason": "ContainerCreating"}}},
        )
    at(run, 22.5, cluster.pod, container={"state": {"waiting": {"reason": "InvalidImageName"}}})
    run.carry_out()
    assert run.task("api").cause.pod == "api-x"
    assert run.executor.clock.passed < 25
    assert len(judged) < 50
