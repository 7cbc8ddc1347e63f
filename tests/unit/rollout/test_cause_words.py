# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Messages of the API server, the scheduler and the kubelet tell causes apart."""

from __future__ import annotations

import pytest

from tests.unit.rollout.cause_objects import NOW, event, find_in, owner, pod_of, waiting
from tests.unit.rollout.objects import replica_set, template

FORBIDDEN = 'pods "api-new-x" is forbidden: '
REFUSALS = {
    "quota": (
        FORBIDDEN + "exceeded quota: tight, requested: pods=1, used: pods=4, limited: pods=4",
        "may not have more pods",
    ),
    "a quota without requests": (
        FORBIDDEN + "failed quota: tight: must specify limits.cpu for: app",
        "may not have more pods",
    ),
    "limit_range": (
        FORBIDDEN + "[maximum cpu usage per Container is 1, but limit is 2, minimum memory usage per Pod is 1Gi]",
        "gets no new pods, because a LimitRange does not allow their resources",
    ),
    "a ratio": (
        FORBIDDEN + "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
        "gets no new pods, because a LimitRange does not allow their resources",
    ),
    "pod_security": (
        FORBIDDEN + 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        "gets no new pods, because Pod Security does not allow them",
    ),
    "policy_refused": (
        FORBIDDEN + "ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied request: use a fixed tag",
        'gets no new pods, because the admission policy "no-latest" refuses them',
    ),
    "webhook_refused": (
        'admission webhook "them.example.com" denied the request: no team label',
        'gets no new pods, because the webhook "them.example.com" refuses them',
    ),
    "webhook_unreachable": (
        'Internal error occurred: failed calling webhook "check.example.com": failed to call webhook: Post '
        '"https://check.example.svc:443/pods?timeout=10s": dial tcp 10.96.7.7:443: connect: connection refused',
        'gets no new pods, because the webhook "check.example.com" cannot be reached',
    ),
    "not_created": (
        'error looking up service account shop/api: serviceaccount "api" not found',
        "gets no new pods",
    ),
}
CODES = {"a quota without requests": "quota", "a ratio": "limit_range"}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_who_refuses_new_pods_is_named(name, kind):
    message, says = REFUSALS[name]
    told = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    status = {"conditions": [told]} if kind == "Deployment" else {"replicas": 2}
    found = find_in([], owner(kind, status=status), events=[event("FailedCreate", message, "uid-api")])
    assert (found.code, found.recoverable, found.broken) == (CODES.get(name, name), True, False)
    assert f"{says} (FailedCreate): {message[:60]}" in found.sentence
    assert "kubectl" in found.advice


def test_a_replica_set_that_is_refused_is_told_in_the_singular():
    message = "ValidatingAdmissionPolicy 'them' with binding 'b' denied request: no"
    told = {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": message}
    found = find_in([], owner(status={"conditions": [told]}))
    assert 'gets no new ReplicaSet, because the admission policy "them" refuses it (' in found.sentence


PLACES = {
    "volume_not_bound": [
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: "
        "3 Preemption is not helpful for scheduling.",
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't find available persistent volumes to bind.",
        'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
    ],
    "volume_zone": [
        "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 Insufficient memory.",
        "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.",
        "0/2 nodes are available: 2 node(s) had no available volume zone.",
    ],
    "volume_attached": [
        "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
        "already in-use by another pod."
    ],
    "config_missing": ['0/1 nodes are available: persistentvolumeclaim "data" not found. not found'],
    "node_not_ready": [
        "0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) had "
        "untolerated taint {node.kubernetes.io/unreachable: }. preemption: 0/2 nodes are available: 2 Preemption is not "
        "helpful for scheduling.",
    ],
    "node_pressure": ["0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }."],
    "unschedulable": [
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
        "0/2 nodes are available: 2 node(s) had untolerated taint(s).",
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        "no nodes available to schedule pods",
    ],
}


def unplaced(message, reason="Unschedulable", name="a", **more):
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    pod = pod_of(name, conditions=[condition], **more)
    del pod["status"]["containerStatuses"]
    return pod


@pytest.mark.parametrize("code, message", [(code, message) for code, all_of in PLACES.items() for message in all_of])
def test_what_the_scheduler_says_tells_volumes_and_nodes_from_room(code, message):
    found = find_in([unplaced(message)])
    assert (found.code, found.recoverable) == (code, True)
    assert f"(Unschedulable): {message[:80]}" in found.sentence
    # A pod may lack one and then the other, which is the same problem for the grace.
    assert found.family == (
        code if code in ("volume_attached", "config_missing") or "node" in code else "unschedulable"
    )


def test_a_pod_with_a_scheduling_gate_is_told_who_holds_it():
    found = find_in([unplaced("Scheduling is blocked due to non-empty scheduling gates", "SchedulingGated")])
    assert (found.code, "scheduling gates" in found.advice) == ("unschedulable", True)


def node(name, ready="True", **pressures):
    conditions = [
        {"type": "Ready", "status": ready, "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting"}
    ]
    conditions += [{"type": kind, "status": value, "message": "disk is full"} for kind, value in pressures.items()]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    "nodes, code, words",
    [
        ([], "unschedulable", "finds no node (Unschedulable)"),
        ([node("n1"), node("n2", DiskPressure="False")], "unschedulable", "finds no node (Unschedulable)"),
        ([node("n1"), node("n2", "Unknown")], "node_not_ready", "nodes are not ready (Unschedulable, node n2)"),
        ([node("n1", DiskPressure="True"), node("n2", "False")], "node_not_ready", "(Unschedulable, node n2)"),
        (
            [node("n1", DiskPressure="True"), node("n2", MemoryPressure="True")],
            "node_pressure",
            "(Unschedulable, nodes n1, n2)",
        ),
    ],
)
def test_taints_without_names_are_explained_by_the_nodes(nodes, code, words):
    found = find_in([unplaced("0/2 nodes are available: 2 node(s) had untolerated taint(s).")], nodes=nodes)
    assert (found.code, words in found.sentence) == (code, True)


MOUNTS = {
    "config_missing": [
        'MountVolume.SetUp failed for volume "tls" : secret "tls" not found',
        'MountVolume.SetUp failed for volume "config" : configmap "settings" not found',
        'MountVolume.SetUp failed for volume "tls" : references non-existent secret key: tls.crt',
        'MountVolume.SetUp failed for volume "tls" : object "shop"/"tls" not registered',
    ],
    "volume_attached": [
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to '
        "another",
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) api-old-b',
    ],
    "volume_mount": [
        'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = disk is gone',
        'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32',
        "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition",
    ],
}
CREATING = {"container": waiting("ContainerCreating"), "spec": {"nodeName": "n1", "containers": [{"name": "app"}]}}


@pytest.mark.parametrize("code, message", [(code, message) for code, all_of in MOUNTS.items() for message in all_of])
def test_what_the_kubelet_says_of_a_volume_tells_what_is_wrong_with_it(code, message):
    reason = "FailedAttachVolume" if "ttach" in message[:12] else "FailedMount"
    found = find_in([pod_of(**CREATING)], events=[event(reason, message, "uid-new-a")])
    assert (found.code, found.recoverable, found.reason) == (code, True, reason)
    assert found.sentence.endswith(message)


def test_that_the_kubelet_has_waited_in_vain_does_not_hide_what_for():
    why, vain = MOUNTS["config_missing"][0], MOUNTS["volume_mount"][-1]
    events = [event("FailedMount", why, "uid-new-a"), event("FailedMount", vain, "uid-new-a", "2026-11-24T22:19:30Z")]
    assert find_in([pod_of(**CREATING)], events=events).sentence.endswith(why)


@pytest.mark.parametrize("at, counts", [("2026-11-24T22:09:59Z", False), ("2026-11-24T22:10:00Z", True)])
@pytest.mark.parametrize("reason", ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"])
def test_what_a_node_has_not_said_again_for_long_is_over(reason, at, counts):
    events = [event(reason, "cannot", "uid-new-a", at)]
    assert (find_in([pod_of(**CREATING)], events=events, now=NOW) is not None) is counts


def test_of_an_older_reason_the_kubelet_does_not_wait_in_vain():
    why, vain = MOUNTS["volume_attached"][0], MOUNTS["volume_mount"][-1]
    events = [event("FailedAttachVolume", why, "uid-new-a", "2026-11-24T22:05:00Z")]
    events.append(event("FailedMount", vain, "uid-new-a", "2026-11-24T22:19:00Z"))
    assert find_in([pod_of(**CREATING)], events=events, now=NOW).code == "volume_mount"


NO_ROOM = "0/2 nodes are available: 2 Insufficient cpu."


def preemption(name, at="2026-11-24T22:19:00Z", namespace="shop"):
    made = event("Preempted", "Preempted by pod uid-x on node n1", "uid-gone", at)
    made["involvedObject"] |= {"kind": "Pod", "name": name, "namespace": namespace}
    return made


@pytest.mark.parametrize(
    "told, code",
    [
        (preemption("api-2-ab1cd"), "preempted"),
        (preemption("api-2-ab1cd", "2026-11-24T22:15:00Z"), "unschedulable"),  # before the template was changed
        (preemption("api-1-ab1cd"), "unschedulable"),  # of an older revision
        (preemption("api-2-x-ab1cd"), "unschedulable"),  # of another workload
        (preemption("api-2-x1y2z-ab1cd"), "unschedulable"),
        (preemption("api-2-ab1cd", namespace="other"), "unschedulable"),
    ],
)
def test_a_pod_that_finds_no_node_after_one_of_its_revision_was_preempted(told, code):
    api = owner(changed="2026-11-24T22:15:30Z")
    sets = [replica_set(api, 1, template()), replica_set(api, 2, api["spec"]["template"])]
    pod = unplaced(NO_ROOM, revision="hash2")
    found = find_in([pod], api, owned=sets, events=[told])
    assert (found.code, found.pod) == (code, pod["metadata"]["name"])


def test_a_node_that_does_not_answer_explains_a_pod_that_does_not_begin():
    pod = pod_of(**CREATING)
    found = find_in([pod], nodes=[node("n1", "Unknown"), node("n2", "Unknown")])
    assert (found.code, found.recoverable) == ("node_not_ready", True)
    assert "has a node that is not ready (node n1, NodeStatusUnknown): Kubelet stopped posting" in found.sentence
    assert "kubectl get node n1" in found.advice
    assert find_in([pod], nodes=[node("n1")]) is None
    full = find_in([pod], nodes=[node("n1", DiskPressure="True")])
    assert (full.code, full.reason, "kubectl describe node n1" in full.advice) == (
        "node_pressure",
        "DiskPressure",
        True,
    )
