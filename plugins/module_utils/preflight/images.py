# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images on nodes: what a node says that it has, and which images new pods of a workload pull.

A kubelet reports only its largest images, 50 by default. So an image that a node does not list may be there all the same,
unless its list is shorter than that.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import NOTE, Finding
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import kept_away, not_selected
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

ALWAYS, IF_NOT_PRESENT, NEVER = "Always", "IfNotPresent", "Never"  # imagePullPolicy
LATEST = "latest"
SHOWN = 2  # images in one sentence
LISTED = 50  # images that a kubelet reports at most (nodeStatusMaxImages)
_REGISTRY, _FOLDER = "docker.io", "library"
# The DaemonSet controller adds it to each pod, so its pods also run on cordoned nodes.
_ON_CORDONED = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Image:
    """An image of a pod template, and when the kubelet pulls it."""

    name: str
    policy: str

    @property
    def fixed(self) -> bool:
        """Whether its name says which bytes it has."""
        return "@" in self.name

    @property
    def latest(self) -> bool:
        """Whether its tag is `latest`, also by default."""
        return not self.fixed and full_name(self.name).endswith(f":{LATEST}")


class Listed:
    """The images that a node reports."""

    def __init__(self, node: Object) -> None:
        found: list[Object] = field(node, "status.images", [])
        self._names = frozenset(name for one in found for name in one.get("names") or ())
        self._all = 0 < len(found) < LISTED

    def has(self, image: str) -> bool | None:
        """Whether the node has the image; None if its list does not show it."""
        if full_name(image) in self._names:
            return True
        return False if self._all else None


def full_name(image: str) -> str:
    """The name under which a node lists an image: with its registry, and with a tag or a digest, but not with both."""
    name, _at, digest = image.partition("@")
    path, _slash, last = name.rpartition("/")
    last, _colon, tag = last.partition(":")
    registry = path.partition("/")[0]
    if not path:
        path = f"{_REGISTRY}/{_FOLDER}"
    elif registry != "localhost" and not set(".:") & set(registry):
        path = f"{_REGISTRY}/{path}"
    return f"{path}/{last}@{digest}" if digest else f"{path}/{last}:{tag or LATEST}"


def of_pod(pod: Object) -> list[Image]:
    """The images of the containers and init containers of a pod, each once."""
    containers = [*field(pod, "spec.containers", []), *field(pod, "spec.initContainers", [])]
    found = [Image(one.get("image") or "", _policy(one)) for one in containers]
    return [one for one in dict.fromkeys(found) if one.name]


def _policy(container: Object) -> str:
    """The pull policy; the API server sets it, so a template always has one."""
    return str(container.get("imagePullPolicy") or IF_NOT_PRESENT)


def tolerations_of(pod: Object, on_each_node: bool) -> list[Object]:
    """The tolerations that a pod has, or will have as one of a DaemonSet."""
    return [*field(pod, "spec.tolerations", []), *([_ON_CORDONED] if on_each_node else [])]


def nodes_for(pod: Object, nodes: t.Sequence[Object], on_each_node: bool) -> list[Object]:
    """The nodes that a pod may be scheduled to. With `on_each_node`, it is one of a DaemonSet."""
    pod = {**pod, "spec": {**pod["spec"], "tolerations": tolerations_of(pod, on_each_node)}}
    return [node for node in nodes if not kept_away(node, pod) and not not_selected(node, pod)]


def images(workloads: t.Sequence[Object], facts: Facts) -> list[Finding]:
    """Images that new pods pull, so that they depend on a registry, and pull policies that do not fit the image."""
    nodes = _Nodes(facts.nodes)
    return [
        finding
        for workload in workloads
        if kinds.kind_of(workload).wanted(workload)
        for finding in _of_workload(workload, facts.pod_for(workload), nodes)
    ]


class _Nodes:
    """The nodes with their images. Each question is answered once, because many workloads ask the same."""

    def __init__(self, nodes: t.Sequence[Object]) -> None:
        self._nodes = nodes
        self._listed = {node["metadata"]["name"]: Listed(node) for node in nodes}
        self._usable: dict[str, list[Listed]] = {}

    def usable(self, pod: Object, on_each_node: bool) -> list[Listed]:
        """What the nodes list that a pod may be scheduled to."""
        rules = [field(pod, f"spec.{name}") for name in ("nodeSelector", "affinity.nodeAffinity", "tolerations")]
        key = repr((rules, on_each_node))
        if key not in self._usable:
            usable = nodes_for(pod, self._nodes, on_each_node)
            self._usable[key] = [self._listed[node["metadata"]["name"]] for node in usable]
        return self._usable[key]


def _of_workload(workload: Object, pod: Object, nodes: _Nodes) -> list[Finding]:
    wanted, label = of_pod(pod), kinds.label(workload)
    always = [one for one in wanted if one.policy == ALWAYS]
    usable = nodes.usable(pod, kinds.kind_of(workload).on_each_node)
    found = [_asked(label, always)] if always else _missing(label, wanted, usable)
    moving = sorted({one.name for one in wanted if one.latest and one.policy == IF_NOT_PRESENT})
    if moving:
        sentence = (
            f"nodes may have different versions of {some(moving, SHOWN)} of {label}: its tag is {LATEST}, and a node that "
            f"has an image of this name does not pull it again, because the pull policy is {IF_NOT_PRESENT}"
        )
        found.append(Finding("latest_tag", NOTE, label, sentence, "name a version or a digest"))
    return found


def _asked(label: str, always: t.Sequence[Image]) -> Finding:
    """The finding on images that are pulled for each pod."""
    names = some(sorted({one.name for one in always}), SHOWN)
    sentence = f"each new pod of {label} asks the registry for {names}, because its pull policy is {ALWAYS}"
    advice = "make sure that the registry can be reached"
    if all(one.fixed for one in always):
        advice += f", or set imagePullPolicy: {IF_NOT_PRESENT}: its digest says which image it is"
    return Finding("image_pull", NOTE, label, sentence, advice)


def _missing(label: str, wanted: t.Sequence[Image], usable: t.Sequence[Listed]) -> list[Finding]:
    """The finding on nodes without an image. Nothing is said of nodes that report only some of their images."""
    names = sorted({one.name for one in wanted if one.policy != NEVER})
    lacking = [[name for name in names if listed.has(name) is False] for listed in usable]
    absent = sorted({name for missing in lacking for name in missing})
    if not absent:
        return []
    number, total = sum(map(bool, lacking)), len(usable)
    which = f"all {total} nodes" if number == total else f"{number} of the {total} nodes"
    which, lack = "the only node" if total == 1 else which, "lacks" if number == 1 else "lack"
    those = some(absent, SHOWN) if len(absent) == 1 else f"one or more of {some(absent, SHOWN)}"
    sentence = f"{which} that pods of {label} may use {lack} {those}, so new pods there pull it"
    advice = "make sure that the registry can be reached, or pull it before the restart: restartx.core.pre_pull"
    return [Finding("image_pull", NOTE, label, sentence, advice)]
