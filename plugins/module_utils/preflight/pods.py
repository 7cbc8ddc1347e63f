# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one pod needs of one node."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from ansible_collections.restartx.core.plugins.module_utils.preflight import quantity
from ansible_collections.restartx.core.plugins.module_utils.preflight.quantity import Amounts
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, labels_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as read
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import meets

_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_KEEPS_AWAY = ("NoSchedule", "NoExecute")


def needs(pod: Object) -> Amounts:
    """What the scheduler reserves for a pod: the sum of its containers and sidecars, or its largest init container."""
    spec = pod.get("spec") or {}
    running = quantity.total(_requests(one) for one in spec.get("containers") or [])
    sidecars: Amounts = {}
    starting: list[Amounts] = []
    for one in spec.get("initContainers") or []:
        if one.get("restartPolicy") == "Always":
            sidecars = quantity.total([sidecars, _requests(one)])
            starting.append(sidecars)
        else:
            starting.append(quantity.total([sidecars, _requests(one)]))
    own = quantity.largest([quantity.total([running, sidecars]), *starting])
    whole = quantity.amounts(read(spec, "resources.requests", {}))
    return quantity.total([{**own, **whole}, quantity.amounts(spec.get("overhead")), {"pods": Decimal(1)}])


def _requests(container: Object) -> Amounts:
    """Requests of a container; a limit without a request is the request, too."""
    resources = container.get("resources") or {}
    return {**quantity.amounts(resources.get("limits")), **quantity.amounts(resources.get("requests"))}


def claims_of(pod: Object) -> list[str]:
    """The names of the volume claims that a pod uses."""
    found = [read(volume, "persistentVolumeClaim.claimName") for volume in read(pod, "spec.volumes", [])]
    return [name for name in found if name]


def kept_away(node: Object, pod: Object) -> str | None:
    """The taint that keeps a pod away from a node; None if there is none."""
    taints = list(read(node, "spec.taints", []))
    if read(node, "spec.unschedulable", False) and not any(one.get("key") == _CORDONED["key"] for one in taints):
        taints.append(_CORDONED)
    for taint in taints:
        if taint.get("effect") in _KEEPS_AWAY and not any(
            _tolerates(one, taint) for one in read(pod, "spec.tolerations", [])
        ):
            if taint["key"] == _CORDONED["key"]:
                return "the node is cordoned"
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"the taint {taint['key']}{value}, which the pod does not tolerate"
    return None


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("operator") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint.get("key")
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


def not_selected(node: Object, pod: Object) -> str | None:
    """Which rule of the pod leaves out a node; None if none does."""
    labels = labels_of(node)
    for name, value in read(pod, "spec.nodeSelector", {}).items():
        if labels.get(name) != value:
            return "the node selector of the pod"
    required = read(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")
    if required and not meets_terms(node, required.get("nodeSelectorTerms") or []):
        return "the required node affinity of the pod"
    return None


def meets_terms(node: Object, terms: t.Iterable[Object]) -> bool:
    """Terms are alternatives, and an empty one matches nothing."""
    own = {"metadata.name": node["metadata"]["name"]}
    return any(
        (term.get("matchExpressions") or term.get("matchFields"))
        and all(meets(labels_of(node), one) for one in term.get("matchExpressions") or [])
        and all(meets(own, one) for one in term.get("matchFields") or [])
        for term in terms
    )


def _ports_of(pod: Object) -> set[tuple[str, str, int]]:
    """Protocol, address and port of each host port. Those of init containers do not count, except of sidecars."""
    spec = pod.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    containers = [*(spec.get("containers") or []), *sidecars]
    return {
        (port.get("protocol", "TCP"), port.get("hostIP") or "0.0.0.0", port["hostPort"])
        for container in containers
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


def ports_taken(here: t.Iterable[Object], pod: Object) -> str | None:
    """The host port of a pod that a pod on its node uses already; None if there is none."""
    wanted = _ports_of(pod)
    if not wanted:
        return None
    for protocol, address, port in set().union(*map(_ports_of, here)):
        for other_protocol, other_address, other_port in wanted:
            same = address == other_address or "0.0.0.0" in (address, other_address)
            if (protocol, port) == (other_protocol, other_port) and same:
                return f"the host port {port} is in use"
    return None
