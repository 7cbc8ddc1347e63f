# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plain API objects for the tests of this package."""

from __future__ import annotations

STRATEGY = {"Deployment": "strategy", "DaemonSet": "updateStrategy", "StatefulSet": "updateStrategy"}


def workload(
    kind="Deployment", name="api", spec=None, status=None, annotations=None, template=None, pod=None, **metadata
):
    """A workload in namespace shop, as the API server returns it; `template` holds annotations of the pod template."""
    container = {
        "name": "app",
        "image": "shop/api:1",
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    base = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}, **({"annotations": template} if template else {})},
            "spec": pod or {"containers": [container]},
        },
        STRATEGY.get(kind, "strategy"): {"type": "RollingUpdate"},
    }
    if kind != "DaemonSet":
        base["replicas"] = 3
    meta = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "generation": 2,
        **metadata,
    }
    if annotations:
        meta["annotations"] = annotations
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": meta,
        "spec": {name: value for name, value in {**base, **(spec or {})}.items() if value is not None},
        "status": {"observedGeneration": 2} if status is None else status,
    }


def owned_by(thing, kind=None):
    """The owner reference that a controller's children carry."""
    meta = thing["metadata"]
    kind = kind or thing["kind"]
    return [{"apiVersion": "apps/v1", "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}]


def template(annotations=None, image="shop/api:1", labels=None, **container):
    """A pod template with one container named app."""
    metadata = {"labels": labels or {"app": "api"}, **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": image, **container}]}}


def replica_set(owner, number, pods, annotations=None, created="2026-11-24T06:00:00Z", **metadata):
    """A ReplicaSet as the Deployment controller makes it from a template; `number` None leaves it unnumbered."""
    name = f"{owner['metadata']['name']}-{number}"
    revision = {} if number is None else {"deployment.kubernetes.io/revision": str(number)}
    labels = {**pods["metadata"]["labels"], "pod-template-hash": f"hash{number}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": created,
            "labels": labels,
            "annotations": {**revision, "deployment.kubernetes.io/desired-replicas": "3", **(annotations or {})},
            "ownerReferences": owned_by(owner),
            **metadata,
        },
        "spec": {"replicas": 0, "template": {**pods, "metadata": {**pods["metadata"], "labels": labels}}},
    }


def controller_revision(owner, number, pods, annotations=None, created="2026-11-24T06:00:00Z", **metadata):
    """A ControllerRevision as the controllers of DaemonSets and StatefulSets make it from a template."""
    name = f"{owner['metadata']['name']}-{number}"
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": created,
            "labels": {**pods["metadata"]["labels"], "controller-revision-hash": name},
            "annotations": annotations or {},
            "ownerReferences": owned_by(owner),
            **metadata,
        },
        "revision": number,
        "data": {"spec": {"template": {**pods, "$patch": "replace"}}},
    }


def history_of(owner, *templates):
    """What the controller of `owner` remembers of these templates, numbered from 1."""
    make = replica_set if owner["kind"] == "Deployment" else controller_revision
    return [make(owner, number, pods) for number, pods in enumerate(templates, start=1)]


def rolled_out(kind="Deployment", pods=3, name="api", **status):
    """A workload whose pods are all of the newest revision and available; `status` completes its status."""
    if kind == "DaemonSet":
        scheduled = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled")
        counts = dict.fromkeys((*scheduled, "numberReady", "numberAvailable"), pods)
    else:
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), pods)
    spec = None if kind == "DaemonSet" else {"replicas": pods}
    return workload(kind, name, spec=spec, status={"observedGeneration": 2, **counts, **status})


def pod_of(owner, revision, ordinal=0, ready=True, **metadata):
    """A pod of a workload, as its controllers make it from the revision with this hash."""
    name, kind = owner["metadata"]["name"], owner["kind"]
    deployed = kind == "Deployment"
    made_by = {"kind": "ReplicaSet", "metadata": {"name": f"{name}-{revision}", "uid": f"uid-{name}-{revision}"}}
    hash_label = "pod-template-hash" if deployed else "controller-revision-hash"
    return {
        "metadata": {
            "name": f"{name}-{revision}-{ordinal}" if deployed else f"{name}-{ordinal}",
            "namespace": "shop",
            "labels": {"app": name, hash_label: revision},
            "ownerReferences": owned_by(made_by if deployed else owner),
            **metadata,
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }
