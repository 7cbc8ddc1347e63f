# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods, containers and events of the workload api, for the tests of causes."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import find
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence
from tests.unit.rollout.objects import workload

RUN = {"restartx.io/run": "r1", "kubectl.kubernetes.io/restartedAt": "2026-11-24T22:15:30Z"}
CHANGED = "2026-11-24T22:15:30Z"  # when the template was changed
NOW = datetime(2026, 11, 24, 22, 20, 0, tzinfo=UTC)
ADDRESS = 'pod "api-new-a" in namespace "shop"'
BACK_OFF = "back-off 5m0s restarting failed container=app"
LOOPS = ("CrashLoopBackOff", BACK_OFF)
UNREADY = {"type": "Ready", "status": "False", "message": "containers with unready status: [app]"}
READY = {"type": "Ready", "status": "True"}
QUOTA = 'pods "api-new-" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4'
DENIED = 'pods "api-new-" is forbidden: violates PodSecurity "restricted:latest"'


def owner(kind="Deployment", changed=None, **more):
    """The workload, restarted; `changed` is when its template was, as the API server has noted it."""
    status = {"observedGeneration": 2, **(more.pop("status", None) or {})}
    if changed:
        fields = {"f:spec": {"f:template": {"f:metadata": {}}}}
        written = {"manager": "restartx", "operation": "Update", "time": changed, "fieldsV1": fields}
        later = {"manager": "kube-controller-manager", "subresource": "status", "time": "2026-11-24T23:00:00Z"}
        more["managedFields"] = [written, {**later, "fieldsV1": {"f:status": {}}}]
    return workload(kind, template=RUN, status=status, **more)


def pod_of(
    name="a",
    revision="new",
    container=None,
    kind="Deployment",
    conditions=(),
    phase="Pending",
    annotations=None,
    image="shop/api:1",
    created="2026-11-24T22:15:31Z",
    init=(),
    spec=None,
    status=None,
    **metadata,
):
    """A pod of the workload api, with one container in the given state."""
    direct = {"kind": kind, "name": "api", "uid": "uid-api", "controller": True, "apiVersion": "apps/v1"}
    through = {**direct, "kind": "ReplicaSet", "name": f"api-{revision}", "uid": f"uid-api-{revision}"}
    return {
        "metadata": {
            "name": f"api-{revision}-{name}",
            "namespace": "shop",
            "uid": f"uid-{revision}-{name}",
            "labels": {"app": "api", kinds.KINDS[kind].hash_label: revision},
            "annotations": RUN if annotations is None else annotations,
            "creationTimestamp": created,
            "ownerReferences": [through if kind == "Deployment" else direct],
            **metadata,
        },
        "spec": {"containers": [{"name": "app", "image": image}], **(spec or {})},
        "status": {
            "phase": phase,
            "startTime": "2026-11-24T22:18:30Z",
            "conditions": list(conditions),
            "containerStatuses": [container or running(ready=True)],
            **({"initContainerStatuses": list(init)} if init else {}),
            **(status or {}),
        },
    }


def a_container(state, ready=False, restarts=0, last=None, name="app", **more):
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, "lastState": last or {}, **more}


def running(ready=False, since="2026-11-24T22:18:31Z", **more):
    return a_container({"running": {"startedAt": since}}, ready=ready, **more)


def waiting(reason, message=None, **more):
    return a_container({"waiting": {"reason": reason, **({"message": message} if message else {})}}, **more)


def ended(reason, exit_code, message=None):
    return {"terminated": {"reason": reason, "exitCode": exit_code, **({"message": message} if message else {})}}


def event(reason, message, about, at="2026-11-24T22:19:00Z", container=None, init=False):
    path = {"fieldPath": f"spec.{'initContainers' if init else 'containers'}{{{container}}}"} if container else {}
    return {"reason": reason, "message": message, "involvedObject": {"uid": about, **path}, "lastTimestamp": at}


def find_in(pods, api=None, **more):
    """The cause that find() names."""
    return find.find(Evidence(api or owner(), pods, **more))


def of_pods(pods, api=None, **more):
    """The causes that the pods tell whoever watches them, by the pods' uids."""
    return dict(find.of_pods(Evidence(api or owner(), pods, **more)))
