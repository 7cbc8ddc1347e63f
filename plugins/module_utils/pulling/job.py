# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Job that pulls one image on one node.

A kubelet pulls the image of a container before it starts it. So the container needs nothing that is in the image, and it
does not matter whether it can be started. A Job, and not only a pod, because Kubernetes itself deletes it some time after
its end, also if nobody is left to do that.
"""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.pulling.wanted import Pull
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, api_path

LABEL = "restartx.io/pre-pull"  # its value names the call that made a Job or a pod
CONTAINER = "pull"
KEPT = 60  # seconds after which the cluster deletes a Job that has ended
LONGER = 60  # seconds that the cluster lets a Job run after the timeout of the call
# Webhooks that add a container would let the pod wait for that one.
_NO_ISTIO = {"sidecar.istio.io/inject": "false"}
_NO_LINKERD = {"linkerd.io/inject": "disabled"}


def path(namespace: str, name: str | None = None) -> str:
    """The API path of Jobs."""
    return api_path("/apis/batch/v1", namespace, "jobs", name)


def manifest(pull: Pull, name: str, call: str, timeout: float) -> Object:
    """The Job for an image. It has the pull policy and the credentials of the workload, and nothing else of it."""
    labels = {LABEL: call}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": pull.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(timeout) + LONGER,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": {**labels, **_NO_ISTIO}, "annotations": _NO_LINKERD},
                "spec": _pod(pull),
            },
        },
    }


def _pod(pull: Pull) -> Object:
    only = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [pull.node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [only]}}
    spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": {"nodeAffinity": required},
        "tolerations": list(pull.tolerations),
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": CONTAINER,
                "image": pull.image,
                "imagePullPolicy": pull.policy,
                "command": ["true"],  # most images have it; without it the container fails after the pull
                "resources": {
                    "requests": {"cpu": "1m", "memory": "16Mi"},
                    "limits": {"cpu": "100m", "memory": "64Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
    if pull.service_account:
        spec["serviceAccountName"] = pull.service_account
    if pull.secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in pull.secrets]
    return spec
