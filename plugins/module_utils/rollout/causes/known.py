# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All codes of causes from worst to mildest, with their words, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """The sentence of a cause after its subject, and what to do.

    `advice` contains commands, such as {logs} and {describe}, which commands.py fills in. A `recoverable` cause may
    recover within the grace, for example when a registry answers or a node is added. `broken` means that something is
    wrong with the containers themselves. Other workloads may only be slow, or wait for resources or permission.

    Codes of the same `family` are one problem for the grace, because a pod may show now one and now the other.
    """

    says: str
    advice: str
    recoverable: bool = False
    broken: bool = False
    family: str | None = None


def _image(says: str, advice: str) -> Code:
    return Code(says, advice, recoverable=True, broken=True, family="image_pull")


def _waits(says: str, advice: str, family: str | None = None) -> Code:
    """A cause that is not in the containers, and may recover."""
    return Code(says, advice, recoverable=True, family=family)


_PODS: dict[str, Code] = {
    "stuck_pod": _waits(
        "is of an older revision and never becomes ready, so its successor is not created",
        "delete it: {delete}; or let k8s_rollout_undo do it: to_revision with the revision that is wanted now, and "
        "delete_stuck_pods: true",
    ),
    "not_terminated": _waits(
        "does not terminate, and holds up the rollout", "check its finalizers and its node: {describe}"
    ),
    "config_missing": Code(
        "lacks its configuration",
        "create what is missing, or correct its name in the pod template; details: {describe}",
        recoverable=True,
        broken=True,
    ),
    "bad_command": Code(
        "cannot run its command",
        "correct the command in the pod template, or the image; details: {describe}",
        recoverable=True,
        broken=True,
    ),
    "start_failed": _waits(
        "cannot be started by its node",
        "check the node, its container runtime and its network plugin: {describe}",
    ),
    "image_not_found": _image(
        "cannot get its image, which the registry does not have",
        "correct the name or the tag of the image in the pod template, or push the image; details: {describe}",
    ),
    "image_denied": _image(
        "may not get its image from the registry",
        "check the pull secret that the pod template or its service account names: {account}",
    ),
    "image_rate_limit": _image(
        "cannot get its image, because the registry limits how often images are pulled",
        "wait until the limit is over, or pull through a mirror or with an account that may pull more; details: "
        "{describe}",
    ),
    "image_unreachable": _image(
        "cannot get its image, because its node cannot reach the registry",
        "check the address of the registry, and the name resolution, routes, proxy and certificates of the node; "
        "details: {describe}",
    ),
    "image_pull": _image(
        "cannot get its image",
        "check the name and the tag of the image, and the pull secret; details: {describe}",
    ),
    "oom": Code(
        "runs out of memory",
        "raise its memory limit, or find out what uses the memory: {logs}",
        recoverable=True,
        broken=True,
    ),
    "liveness_probe": Code(
        "is killed again and again, because its liveness probe fails",
        "try by hand what the probe does, or give it more time (initialDelaySeconds, a startupProbe); its log: {logs}",
        recoverable=True,
        broken=True,
        family="crash_loop",
    ),
    "crash_loop": Code("keeps ending", "read the log of the container: {logs}", recoverable=True, broken=True),
}
_CREATION: dict[str, Code] = {
    "quota": _waits(
        "may not have more pods",
        "raise the quota, or request less; a rolling update may need room for more pods. Details: {quotas}",
    ),
    "limit_range": _waits(
        "gets no new pods, because a LimitRange does not allow their resources",
        "correct the resources in the pod template, or the LimitRange: {limits}",
    ),
    "pod_security": _waits(
        "gets no new pods, because Pod Security does not allow them",
        "correct the security context in the pod template, or the level of the namespace: {namespace}",
    ),
    "policy_refused": _waits(
        "gets no new pods, because an admission policy refuses them",
        "change what the policy objects to, or ask the owner of the policy: {policies}",
    ),
    "webhook_refused": _waits(
        "gets no new pods, because an admission webhook refuses them",
        "change what the webhook objects to, or ask its owner: {webhooks}",
    ),
    "webhook_unreachable": _waits(
        "gets no new pods, because an admission webhook cannot be reached",
        "see which Service the webhook uses, and whether its pods run: {webhooks}",
    ),
    "not_created": _waits(
        "gets no new pods",
        "see what refuses them, such as a missing service account: {events}",
    ),
}
_PLACES: dict[str, Code] = {
    "volume_not_bound": _waits(
        "waits for a volume that is not bound",
        "see which PersistentVolumeClaim is pending, and its StorageClass: {claims}",
        "unschedulable",
    ),
    "volume_zone": _waits(
        "finds no node that may use its volume, which belongs to another zone or node",
        "add a node where the volume is, or move the data; see spec.nodeAffinity of the volume: {volumes}",
        "unschedulable",
    ),
    "volume_attached": _waits(
        "waits for a volume that is attached to another node",
        "wait until the pod that uses it has ended, and see where it is attached: {attachments}",
    ),
    "volume_mount": _waits("cannot mount a volume", "check the volume and its driver: {describe}"),
    "preempted": _waits(
        "finds no node, after a pod with a higher priority took the place of one of its workload's pods",
        "make room on the nodes, or give the workload a higher priority: {priorities}",
        "unschedulable",
    ),
    "node_not_ready": _waits("has a node that is not ready", "check its node: {get_node}"),
    "node_pressure": _waits("has a node without free memory, disk or process ids", "free them: {describe_node}"),
    "unschedulable": _waits(
        "finds no node", "make room on the nodes, or relax what the pod requests; details: {describe}"
    ),
}
_REST: dict[str, Code] = {
    "not_observed": _waits(
        "was changed, but its controller has not acted on the change",
        "check that kube-controller-manager runs: {controllers}",
    ),
    "paused": _waits(
        "is paused half-way through its rollout",
        "resume it: {resume}; or use k8s_rollout_pause with state: resumed",
    ),
    "dns": Code(
        "cannot resolve names, according to its log",
        "check the name that it asks for, and that the DNS of the cluster runs: {dns}",
    ),
    "network_policy": Code(
        "is selected by a NetworkPolicy that does not allow what it needs",
        "allow it in spec.egress of the policy: {network_policies}",
    ),
    "init_waits": Code("has not ended", "read its log, it may wait for something that is not there: {logs}"),
    "startup_probe": Code(
        "runs, but its startup probe has not passed", "read its log, and try by hand what its probe does: {logs}"
    ),
    "readiness_probe": Code(
        "runs but is not ready", "read its log, and try by hand what its readiness probe does: {logs}"
    ),
    "never_ready": Code("runs but is not ready", "see what it waits for: {describe}"),
    "terminates": Code(
        "still uses its termination grace period, and the rollout waits for it",
        "see what it does until it ends: {logs}",
    ),
    "no_progress": _waits(
        "makes no progress, although nothing is wrong with its pods",
        "check that kube-controller-manager runs: {controllers}",
    ),
    "progress_deadline": Code(
        "exceeded its progress deadline",
        "look at its pods, or raise spec.progressDeadlineSeconds: {describe}",
    ),
}
# From worst to mildest.
CODES: dict[str, Code] = {**_PODS, **_CREATION, **_PLACES, **_REST}
