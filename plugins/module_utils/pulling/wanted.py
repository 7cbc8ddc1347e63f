# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which images are pulled on which nodes, so that new pods of workloads find them there."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.preflight import images
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as read
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

SHOWN = 5  # nodes in one sentence


@dataclass(frozen=True)
class Pull:
    """An image that a node gets, in the way in which a pod of a workload there would get it.

    Pods of another namespace, service account or list of pull secrets may have other credentials for the registry.
    """

    node: str
    image: str
    policy: str
    namespace: str
    service_account: str | None
    secrets: tuple[str, ...]
    tolerations: t.Sequence[Object] = field(default=(), compare=False)


@dataclass(frozen=True)
class Wanted:
    """What to pull, what the nodes have already, and sentences on nodes and workloads that are left out."""

    pulls: t.Sequence[Pull]
    present: t.Sequence[Pull]
    notes: t.Sequence[str]


def wanted(workloads: t.Iterable[Object], nodes: t.Sequence[Object]) -> Wanted:
    """The images of these workloads on the nodes that their pods may be scheduled to.

    An image that is asked for with each pod (imagePullPolicy: Always) is always pulled, because its tag may have moved. One
    that is never pulled is left out, and so is a workload without pods.
    """
    ready = [node for node in nodes if condition(node, "Ready").get("status") == "True"]
    away = [node["metadata"]["name"] for node in nodes if node not in ready]
    notes = [f"nothing is pulled on nodes that are not ready: {some(away, SHOWN)}"] if away else []
    listed = {node["metadata"]["name"]: images.Listed(node) for node in ready}
    found: dict[Pull, None] = {}
    for workload in workloads:
        kind, pod = kinds.kind_of(workload), {"spec": workload["spec"]["template"]["spec"]}
        if not kind.wanted(workload):
            notes.append(f"{kinds.label(workload)} wants no pods, so nothing is pulled for it")
            continue
        usable = images.nodes_for(pod, ready, kind.on_each_node)
        if not usable:
            notes.append(f"no node that is ready may run pods of {kinds.label(workload)}, so nothing is pulled for it")
        found |= dict.fromkeys(pull for node in usable for pull in _of(workload, pod, node["metadata"]["name"]))
    # Those that are always pulled come first: what they pulled need not be pulled again.
    pulls = sorted(found, key=lambda one: one.policy != images.ALWAYS)
    present = [one for one in pulls if one.policy != images.ALWAYS and listed[one.node].has(one.image)]
    skipped = set(present)
    return Wanted([one for one in pulls if one not in skipped], present, notes)


def _of(workload: Object, pod: Object, node: str) -> t.Iterator[Pull]:
    secrets = tuple(one["name"] for one in read(pod, "spec.imagePullSecrets", []) if one.get("name"))
    account = read(pod, "spec.serviceAccountName")
    tolerations = images.tolerations_of(pod, kinds.kind_of(workload).on_each_node)
    for image in images.of_pod(pod):
        if image.policy != images.NEVER:
            namespace = workload["metadata"].get("namespace", "")
            yield Pull(node, image.name, image.policy, namespace, account, secrets, tolerations)
