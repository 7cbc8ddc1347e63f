# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The VolumeSnapshots of a workload before its restart: of which claims, their names, and whether they are ready."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, api_path
from ansible_collections.restartx.core.plugins.module_utils.rollout.marks import RUN

GROUP = "snapshot.storage.k8s.io"
API = f"/apis/{GROUP}/v1"
PLURAL, CLASSES = "volumesnapshots", "volumesnapshotclasses"
KIND_LABEL, NAME_LABEL = "restartx.io/kind", "restartx.io/workload"
LONGEST_NAME = 240  # characters of the name of a claim in that of its snapshot
LABEL_VALUE = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LONGEST_ERROR = 300


def path(namespace: str, name: str | None = None) -> str:
    """The API path of the snapshots of a namespace, or of one of them."""
    return api_path(API, namespace, PLURAL, name) if name else api_path(API, namespace, PLURAL)


def running(workload: Object, pods: t.Iterable[Object]) -> list[Object]:
    """The pods of a workload that count."""
    kind = kinds.kind_of(workload)
    return [pod for pod in pods if kind.owns(workload, pod) and which_pods.active(pod)]


def claims(pods: t.Iterable[Object]) -> list[str]:
    """The names of the PersistentVolumeClaims that these pods mount, also of those that are made for a pod."""
    found = set[str]()
    for pod in pods:
        for volume in kinds.field(pod, "spec.volumes", []):
            if volume.get("persistentVolumeClaim"):
                found.add(volume["persistentVolumeClaim"]["claimName"])
            elif volume.get("ephemeral"):
                found.add(f"{pod['metadata']['name']}-{volume['name']}")
    return sorted(found)


def name_of(run: str, claim: str, attempt: int = 1) -> str:
    """The name of the snapshot of a claim for a run: the same in each start that goes on with this attempt."""
    parts = [run, claim, *([str(attempt)] if attempt > 1 else [])]
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()[:10]
    return f"{claim[:LONGEST_NAME].rstrip('-.')}-{digest}"


def labels_of(workload: Object, run: str) -> dict[str, str]:
    """The labels by which the snapshots of a run, and of a workload, are found."""
    kind, _namespace, name = kinds.key(workload)
    return {RUN: _label(run), KIND_LABEL: kind, NAME_LABEL: _label(name)}


def snapshot(workload: Object, run: str, claim: str, of_class: str, name: str) -> Object:
    """The VolumeSnapshot of a claim with this name."""
    namespace = workload["metadata"]["namespace"]
    metadata = {"name": name, "namespace": namespace, "labels": labels_of(workload, run)}
    spec = {"volumeSnapshotClassName": of_class, "source": {"persistentVolumeClaimName": claim}}
    return {"apiVersion": f"{GROUP}/v1", "kind": "VolumeSnapshot", "metadata": metadata, "spec": spec}


def ready(found: Object) -> bool:
    """Whether a snapshot can be used."""
    return kinds.field(found, "status.readyToUse") is True and not kinds.field(found, "metadata.deletionTimestamp")


def wrong(found: Object, workload: Object, run: str) -> str:
    """Why a snapshot will not become ready, as a clause; empty if it may."""
    if kinds.labels_of(found).get(RUN) != labels_of(workload, run)[RUN]:
        return "it is not of this run"
    if ready(found) or not kinds.field(found, "status.error"):
        return ""
    told = " ".join(str(kinds.field(found, "status.error.message", "") or "it does not say why").split())
    return told if len(told) <= LONGEST_ERROR else f"{told[: LONGEST_ERROR - 3]}..."


def label(namespace: str, name: str) -> str:
    """A snapshot in messages."""
    return f"VolumeSnapshot {namespace}/{name}"


def _label(value: str) -> str:
    """A value that a label may have."""
    fits = re.fullmatch(LABEL_VALUE, value)
    return value if fits else hashlib.sha256(value.encode()).hexdigest()[:16]
