# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts pod by pod with VolumeSnapshots: nothing of a workload is touched before all of them are ready to use."""

from __future__ import annotations

import itertools

import calling
import pytest
from canaries import pod_of
from one_by_one import EvictingCluster, on_delete
from simulation import Executor, Killed, Noting

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks, snapshots
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.verbs.test_between_pods import later, message, outcome, restart, start
from tests.unit.verbs.test_between_pods import plan as plan_of
from tests.unit.verbs.test_between_pods_partition import cluster_of
from tests.unit.verbs.test_between_pods_partition import plan as plan_of_partition
from tests.unit.verbs.test_between_pods_partition import start as start_partition

BETWEEN = {"order": "ordinal", "snapshot": {"class": "csi"}}
CLASSES = f"{snapshots.API}/volumesnapshotclasses"
CLAIMS = ["data-db-0", "data-db-1", "data-db-2"]


class SnapshottingCluster(EvictingCluster):
    """Each pod mounts a claim of its own, and the snapshots are ready `takes_snapshot` seconds after their creation."""

    def __init__(self, *workloads, takes_snapshot=20.0):
        self.takes_snapshot = takes_snapshot
        self.status = {"readyToUse": True}
        self.made: list[tuple[float, str]] = []  # when, and of which claim
        self.claims = True
        super().__init__(*workloads)
        self.namespaces.add("shop")
        self.objects[snapshots.API] = {"resources": []}
        self.objects[f"{CLASSES}/csi"] = {"metadata": {"name": "csi"}}

    def _add(self, one, name, node, ready):
        pod = super()._add(one, name, node, ready)
        if self.claims:
            volume = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}
            pod["spec"] = {**pod["spec"], "volumes": [volume, {"name": "tmp", "emptyDir": {}}]}
        return pod

    def create(self, path, body, **options):
        made = super().create(path, body, **options)
        if path.endswith("/volumesnapshots"):
            self.made.append((self.executor.clock.passed, body["spec"]["source"]["persistentVolumeClaimName"]))
            self._later(f"{path}/{body['metadata']['name']}", self.takes_snapshot)
        return made

    def go_on(self, executor):
        super().go_on(executor)
        for path in [path for path in self.objects if "/volumesnapshots/" in path]:
            self._later(path, self.takes_snapshot)

    def _later(self, path, seconds):
        self.executor.later(seconds, lambda: path in self.objects and self.objects[path].update(status=self.status))

    def snapshots(self):
        return {path: one for path, one in self.objects.items() if "/volumesnapshots/" in path}


def test_each_claim_has_a_snapshot_that_is_ready_before_anything_is_touched():
    cluster = SnapshottingCluster(on_delete())
    times = []
    cluster.allow = lambda pod: times.append(cluster.executor.clock.passed)
    result = restart(cluster, between_pods=BETWEEN)
    assert outcome(result) == "restarted", result
    assert [claim for _at, claim in cluster.made] == CLAIMS
    assert all(at < 1 for at, _claim in cluster.made)
    assert cluster.patches[0][0] >= 20 and times[0] >= 20
    for path, one in cluster.snapshots().items():
        assert one["spec"]["volumeSnapshotClassName"] == "csi"
        labels = {"restartx.io/run": "r1", "restartx.io/kind": "StatefulSet", "restartx.io/workload": "db"}
        assert one["metadata"]["labels"] == labels and path.endswith(one["metadata"]["name"])
    assert cluster.evicted == ["db-2", "db-1", "db-0"]


def test_what_is_waited_for_is_told_and_a_resume_makes_none_twice():
    cluster = SnapshottingCluster(on_delete(), takes_snapshot=300)
    result = restart(cluster, between_pods=BETWEEN, wait_timeout="1m")
    assert outcome(result) == "not_started" and not cluster.patches and not cluster.evicted
    assert f"VolumeSnapshot shop/{snapshots.name_of('r1', 'data-db-0')} is not ready to use yet" in message(result)
    later(cluster, 400)
    assert outcome(restart(cluster, between_pods=BETWEEN)) == "restarted"
    assert [claim for _at, claim in cluster.made] == CLAIMS
    later(cluster, 400)
    assert outcome(restart(cluster, between_pods=BETWEEN, run="r2")) == "restarted"
    assert [claim for _at, claim in cluster.made] == CLAIMS * 2 and len(cluster.snapshots()) == 6


def test_a_restart_that_is_tried_again_waits_for_snapshots_of_its_own():
    cluster = SnapshottingCluster(on_delete())
    cluster.fail = lambda verb, path: Forbidden("no", status=403) if verb == "evict" else None
    assert outcome(start(cluster, plan_of(BETWEEN))) == "failed" and len(cluster.made) == 3
    cluster.fail = lambda verb, path: None
    later(cluster)
    assert outcome(start(cluster, plan_of(BETWEEN), wait_timeout="10s")) == "not_started" and len(cluster.patches) == 1
    later(cluster)
    assert outcome(start(cluster, plan_of(BETWEEN))) == "restarted"
    assert [claim for _at, claim in cluster.made] == CLAIMS * 2 and len(cluster.snapshots()) == 6
    ready = [path for path, one in cluster.snapshots().items() if one.get("status")]
    assert len(ready) == 6 and len(cluster.patches) == 2
    assert cluster.patches[1][0] >= 20 and cluster.evicted == ["db-2", "db-1", "db-0"]


def _end():
    raise Killed


def test_a_kill_at_any_moment_leaves_no_restart_without_its_snapshots():
    options = {"kind": ["StatefulSet"], "namespace": "shop", "run_id": "r1", "between_pods": BETWEEN}
    cluster = SnapshottingCluster(on_delete())
    executor = Noting(cluster)
    calling.run("k8s_rollout_restart", cluster, **options)
    for at in executor.moments:
        cluster = SnapshottingCluster(on_delete())
        Executor(cluster).later(at, _end)
        with pytest.raises(Killed):
            calling.run("k8s_rollout_restart", cluster, **options)
        ready = [one for one in cluster.snapshots().values() if one.get("status")]
        assert len(ready) == 3 or not cluster.patches, at
        result = restart(cluster, between_pods=BETWEEN)
        assert outcome(result) in ("restarted", "already_restarted"), (at, result)
        assert [claim for _at, claim in cluster.made] == CLAIMS, at
        assert cluster.evicted == ["db-2", "db-1", "db-0"] and len(cluster.patches) == 1, at


def test_a_snapshot_that_fails_keeps_the_workload_from_starting_and_others_go_on():
    cluster = SnapshottingCluster(on_delete(), on_delete(name="web"))
    first = f"{snapshots.path('shop')}/{snapshots.name_of('r1', 'data-db-0')}"

    def fail(verb, path):
        if path == first and path in cluster.objects:
            cluster.objects[path]["status"] = {"readyToUse": False, "error": {"message": "no space\nleft"}}

    cluster.fail = fail
    result = restart(cluster, between_pods=BETWEEN, name=["db", "web"])
    found = {one["name"]: one for one in result["results"]}
    assert found["db"]["outcome"] == "not_started" and found["web"]["outcome"] == "restarted"
    name = snapshots.name_of("r1", "data-db-0")
    assert found["db"]["message"] == (
        f"VolumeSnapshot shop/{name} has failed: no space left; to have it made again, delete it and start again: "
        f"kubectl --context simulated delete volumesnapshot --namespace shop {name}"
    )
    assert {name for _at, name in cluster.patches} == {"web"}
    cluster.fail = lambda verb, path: None
    del cluster.objects[first]
    later(cluster)
    assert outcome(restart(cluster, between_pods=BETWEEN)) == "restarted"


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda cluster: setattr(cluster, "takes_snapshot", 1e6), "not ready after 2m: VolumeSnapshot shop/data-db-0-"),
        (
            lambda cluster: cluster.pods.pop(),
            "not ready after 2m: 2 of 3 pods exist, so it is not known of which claims",
        ),
        (
            lambda cluster: [pod["spec"].pop("volumes") for pod in cluster.pods],
            "its pods mount no PersistentVolumeClaim, so there is nothing to make a snapshot of; leave snapshot out for it",
        ),
    ],
    ids=["never ready", "a pod is missing", "no claims"],
)
def test_nothing_is_touched_without_snapshots(change, told):
    cluster = SnapshottingCluster(on_delete())
    change(cluster)
    result = restart(cluster, between_pods={**BETWEEN, "snapshot": {"class": "csi", "timeout": "2m"}})
    assert outcome(result) == "not_started" and told in message(result), result
    assert not cluster.patches and not cluster.evicted and cluster.executor.clock.passed < 200


def test_an_error_that_may_go_away_is_no_failure_but_a_refusal_is_one():
    cluster = SnapshottingCluster(on_delete())
    left = [Unreachable("no answer", transient=True, ambiguous=True)] * 3
    cluster.fail = lambda verb, path: left.pop() if "volumesnapshots" in path and left else None
    assert outcome(restart(cluster, between_pods=BETWEEN)) == "restarted" and not left

    cluster = SnapshottingCluster(on_delete())
    denied = Forbidden("you may not", status=403)
    cluster.fail = lambda verb, path: denied if verb == "create" and "volumesnapshots" in path else None
    result = restart(cluster, between_pods=BETWEEN)
    assert outcome(result) == "not_started" and not cluster.patches
    assert message(result) == (
        "the VolumeSnapshots of its claims could not be made: you may not; rbac/snapshots.yml grants it"
    )


def test_with_a_limit_the_snapshots_of_the_next_workload_are_made_when_its_turn_comes():
    names = ("db", "web", "zoo")
    cluster = SnapshottingCluster(*(on_delete(name=name) for name in names))
    result = restart(cluster, between_pods=BETWEEN, name=list(names), max_parallel=1)
    assert {one["outcome"] for one in result["results"]} == {"restarted"}, result
    started = {name: at for at, name in cluster.patches}
    order = sorted(started, key=started.get)
    for before, after in itertools.pairwise(order):
        first = min(at for at, claim in cluster.made if claim.startswith(f"data-{after}-"))
        assert first > started[before] + 10  # only when the one before is done

    cluster = SnapshottingCluster(*(on_delete(name=name) for name in names))
    restart(cluster, between_pods=BETWEEN, name=list(names))
    assert all(at < 1 for at, _claim in cluster.made) and len(cluster.made) == 9


def test_one_that_cannot_start_although_its_snapshots_are_ready_does_not_keep_others_back_for_long():
    cluster = SnapshottingCluster(on_delete(), on_delete(name="web"))
    given = plan_of(BETWEEN, {"shut": {"job": "shop/shut", "timeout": "5m", "interval": "1s"}}, max_parallel=1)
    entry = given["workloads"][0]
    given["workloads"] = [{**entry, "gates": {"before": ["shut"]}}, {**entry, "id": "web", "name": "web"}]
    job = "/apis/batch/v1/namespaces/shop/jobs/shut"
    cluster.objects[job] = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    cluster.fail = lambda verb, path: cluster.objects.pop(job, None) and None if cluster.made else None
    result = start(cluster, given)
    found = {one["name"]: one["outcome"] for one in result["results"]}
    assert found == {"db": "not_started", "web": "restarted"}, result


def test_a_workload_without_pods_needs_none():
    cluster = SnapshottingCluster(on_delete(replicas=0))
    assert outcome(restart(cluster, between_pods=BETWEEN)) == "restarted" and not cluster.made


def test_a_dry_run_makes_none_and_what_is_missing_is_told_before_anything_is_touched():
    cluster = SnapshottingCluster(on_delete())
    assert outcome(restart(cluster, check_mode=True, between_pods=BETWEEN)) == "restarted" and not cluster.made

    def calls(cluster):
        yield lambda: restart(cluster, between_pods=BETWEEN)
        yield lambda: restart(cluster, check_mode=True, between_pods=BETWEEN)
        yield lambda: start(cluster, plan_of(BETWEEN))
        yield lambda: calling.run("k8s_rollout_plan", cluster, plan=plan_of(BETWEEN))

    for spoil, words in (
        (
            lambda cluster: cluster.objects.pop(snapshots.API),
            "the cluster simulated has no API snapshot.storage.k8s.io/v1, which snapshot of between_pods needs; install ",
        ),
        (
            lambda cluster: cluster.objects.pop(f"{CLASSES}/csi"),
            'the VolumeSnapshotClass "csi" does not exist on the cluster simulated; give one of these as class of snapshot: '
            "kubectl --context simulated get volumesnapshotclass",
        ),
        (lambda cluster: cluster.denied.add(("create", "volumesnapshots")), "rbac/snapshots.yml"),
    ):
        cluster = SnapshottingCluster(on_delete())
        cluster.go_on(Executor(cluster))
        spoil(cluster)
        for call in calls(cluster):
            with pytest.raises(RolloutError) as told:
                call()
            assert words in str(told.value)
        assert not cluster.patches and not cluster.made and not cluster.evicted
        if "rbac" not in words:
            result = calling.run("k8s_rollout_preflight", cluster, plan=plan_of(BETWEEN), stop_on="never")
            assert [one["severity"] for one in result["findings"] if one["code"] == "no_snapshots"] == ["blocker"]


def test_a_class_that_may_not_be_read_is_not_checked():
    cluster = SnapshottingCluster(on_delete())
    cluster.fail = lambda verb, path: Forbidden("no", status=403) if path.startswith(CLASSES) else None
    assert outcome(restart(cluster, between_pods=BETWEEN)) == "restarted"


def test_an_undo_needs_no_snapshots_and_they_stay():
    cluster = SnapshottingCluster(on_delete())
    start(cluster, plan_of(BETWEEN))
    later(cluster)
    assert outcome(calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})) == "undone"
    assert len(cluster.snapshots()) == len(cluster.made) == 3


def test_names_and_labels_are_valid_and_the_same_for_the_same_run_and_claim():
    long = "a" * 253
    names = {snapshots.name_of(run, claim) for run in ("r1", "r2") for claim in ("data-db-0", "data-db-1", long)}
    names |= {snapshots.name_of("r1", "data-db-0", attempt) for attempt in (1, 2, 3)}
    assert len(names) == 8 and all(len(name) <= 253 for name in names)
    labels = snapshots.labels_of(on_delete(name="x" * 100), "a run / of somebody")
    assert all(len(value) <= 63 and " " not in value for value in labels.values())
    assert labels[marks.RUN] != "a run / of somebody"


def test_claims_that_are_made_for_a_pod_count_too():
    pod = {"metadata": {"name": "db-0"}, "spec": {"volumes": [{"name": "scratch", "ephemeral": {}}, {"name": "tmp"}]}}
    pod["spec"]["volumes"][0]["ephemeral"] = {"volumeClaimTemplate": {}}
    assert snapshots.claims([pod]) == ["db-0-scratch"]


def test_a_partition_that_goes_down_pod_by_pod_waits_for_the_snapshots_too():
    cluster = cluster_of(replicas=3)
    one = cluster.objects[kinds.path("StatefulSet", "shop", "db")]
    for number in range(3):
        pod = pod_of(one, "old", number)
        pod["spec"] = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-db-{number}"}}]}
        cluster.pods.append(pod)
    cluster.namespaces.add("shop")
    cluster.objects |= {snapshots.API: {}, f"{CLASSES}/csi": {}}
    paths = [snapshots.path("shop", snapshots.name_of("r1", claim)) for claim in CLAIMS]
    result = start_partition(cluster, plan_of_partition({**BETWEEN, "settle": "10s"}), wait_timeout="1m")
    assert outcome(result) == "not_started" and not cluster.patches and all(path in cluster.objects for path in paths)
    for path in paths:
        cluster.objects[path]["status"] = {"readyToUse": True}
    assert outcome(start_partition(cluster, plan_of_partition({**BETWEEN, "settle": "10s"}))) == "restarted"
    assert [number for _name, number in cluster.replaced] == [1, 2, 3]
