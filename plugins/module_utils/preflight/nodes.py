# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which nodes can run a pod, by the rules of the scheduler that never give way.

Preferences of the scheduler (preferredDuringScheduling, ScheduleAnyway) do not count. Rules: kube-scheduler's plugins
NodeUnschedulable, TaintToleration, NodeAffinity, NodePorts, NodeResourcesFit, VolumeBinding, VolumeRestrictions,
VolumeZone, InterPodAffinity and PodTopologySpread, in the release 1.37.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from ansible_collections.restartx.core.plugins.module_utils.preflight import quantity
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import (
    claims_of,
    kept_away,
    meets_terms,
    needs,
    not_selected,
    ports_taken,
)
from ansible_collections.restartx.core.plugins.module_utils.preflight.quantity import Amounts
from ansible_collections.restartx.core.plugins.module_utils.preflight.spread import Spread, terms_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, labels_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as read
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import is_dead

_TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
# Sources of volumes that several nodes can mount at once, whatever their access mode says.
_NEVER_ATTACHED = {"nfs", "hostPath", "local", "cephfs", "glusterfs"}


@dataclass
class Cluster:
    """The nodes, with the pods on each and what is free. `place` adds a pod, so that the next one finds less room."""

    nodes: t.Sequence[Object]
    claims: t.Mapping[tuple[str, str], Object] = field(default_factory=dict)  # by namespace and name
    volumes: t.Mapping[str, Object] = field(default_factory=dict)  # by name
    on: dict[str, list[Object]] = field(default_factory=dict)  # node name to its pods
    used: dict[str, Amounts] = field(default_factory=dict)
    guarded: list[tuple[str, Object]] = field(default_factory=list)  # pods with anti-affinity, and their nodes

    @classmethod
    def of(
        cls,
        nodes: t.Sequence[Object],
        pods: t.Iterable[Object],
        claims: t.Iterable[Object] = (),
        volumes: t.Iterable[Object] = (),
    ) -> Cluster:
        """The nodes and the pods that have been assigned to them and have not ended."""
        cluster = cls(
            nodes,
            {(one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in claims},
            {one["metadata"]["name"]: one for one in volumes},
        )
        for pod in pods:
            name = read(pod, "spec.nodeName")
            if name and not is_dead(pod):
                cluster.place(pod, name)
        return cluster

    def place(self, pod: Object, node: str) -> None:
        """A pod runs on the node from now on."""
        self.on.setdefault(node, []).append(pod)
        self.used[node] = quantity.total([self.used.get(node, {}), needs(pod)])
        if terms_of(pod, "podAntiAffinity"):
            self.guarded.append((node, pod))

    def without(self, pod: Object) -> Cluster:
        """The same cluster after a pod has ended."""
        name = read(pod, "spec.nodeName")
        rest, used = dict(self.on), dict(self.used)
        if name in rest:
            rest[name] = [one for one in rest[name] if one is not pod]
            used[name] = quantity.total(map(needs, rest[name]))
        guarded = [(node, one) for node, one in self.guarded if one is not pod]
        fewer = Cluster(self.nodes, self.claims, self.volumes, rest, used, guarded)
        fewer.allocatable = self.allocatable
        return fewer

    def copy(self) -> Cluster:
        """A cluster in which pods can be placed while this one stays as it is."""
        on = {node: list(pods) for node, pods in self.on.items()}
        other = Cluster(self.nodes, self.claims, self.volumes, on, dict(self.used), list(self.guarded))
        other.allocatable = self.allocatable
        return other

    @cached_property
    def allocatable(self) -> dict[str, Amounts]:
        """What pods may use of each node."""
        return {node["metadata"]["name"]: quantity.amounts(read(node, "status.allocatable", {})) for node in self.nodes}

    def room_for(self, pod: Object, any_node: bool = False) -> tuple[str | None, Counter[str]]:
        """A node that can run the pod, and without one, why not, with counts of nodes.

        The node is that with the most free cpu, unless `any_node` will do, which is found sooner on a large cluster.
        """
        reasons: Counter[str] = Counter()
        spread, wanted = Spread(self.nodes, self.on, self.guarded, pod), needs(pod)
        best: tuple[Decimal, str] | None = None
        for node in self.nodes:
            name = node["metadata"]["name"]
            why = self._why_not(node, pod, wanted) or spread.why_not(node)
            if why:
                reasons[why] += 1
                continue
            if any_node:
                return name, Counter()
            free = self._free(name, "cpu")
            if best is None or free > best[0]:
                best = free, name
        return (best[1] if best else None), (Counter() if best else reasons)

    def _free(self, name: str, resource: str) -> Decimal:
        used = self.used.get(name, {}).get(resource, Decimal(0))
        return self.allocatable[name].get(resource, Decimal(0)) - used

    def _why_not(self, node: Object, pod: Object, wanted: Amounts) -> str | None:
        name = node["metadata"]["name"]
        here = self.on.get(name, [])
        return (
            kept_away(node, pod)
            or not_selected(node, pod)
            or ports_taken(here, pod)
            or self.too_small(node, wanted)
            or self._volume_elsewhere(node, pod)
        )

    def too_small(self, node: Object, wanted: Amounts) -> str | None:
        """Which resources a node has too little of; None if what is wanted fits."""
        where = node["metadata"]["name"]
        short = [name for name, amount in wanted.items() if amount > 0 and amount > self._free(where, name)]
        return f"too little free {', '.join(sorted(short))}" if short else None

    def _volume_elsewhere(self, node: Object, pod: Object) -> str | None:
        for name in claims_of(pod):
            claim = self.claims.get((pod["metadata"].get("namespace", ""), name))
            if claim is None:
                continue
            volume = self.volumes.get(read(claim, "spec.volumeName", ""))
            terms = read(volume, "spec.nodeAffinity.required.nodeSelectorTerms") if volume else None
            if (terms is not None and not meets_terms(node, terms)) or (volume and _in_another_zone(node, volume)):
                return f"the volume of claim {name} is not available there"
            why = self._attached_elsewhere(node, pod, claim, name)
            if why:
                return why
        return None

    def _attached_elsewhere(self, node: Object, pod: Object, claim: Object, name: str) -> str | None:
        modes = set(read(claim, "spec.accessModes", []))
        if modes & {"ReadWriteMany", "ReadOnlyMany"} or not modes:
            return None
        users: list[str] = [
            where
            for where, pods in self.on.items()
            for one in pods
            if one["metadata"].get("namespace") == pod["metadata"].get("namespace") and name in claims_of(one)
        ]
        if "ReadWriteOncePod" in modes:
            return f"another pod uses the ReadWriteOncePod claim {name}" if users else None
        volume = self.volumes.get(read(claim, "spec.volumeName", "")) or {}
        attached = not _NEVER_ATTACHED & set(volume.get("spec") or {})
        if users and attached and node["metadata"]["name"] not in users:
            return f"the ReadWriteOnce claim {name} is in use on another node"
        return None


def _in_another_zone(node: Object, volume: Object) -> bool:
    """Whether a volume with labels of a zone is out of reach of a node; several zones are joined by two underscores."""
    labels = labels_of(volume)
    return any(key in labels and labels_of(node).get(key) not in labels[key].split("__") for key in _TOPOLOGY)
