# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what is needed to choose the pod of a workload that is evicted next."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from urllib.parse import quote

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.step import PodByPod
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Asking
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, pod_batch, pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import observed
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_order import Turn

MOST_NODES = 20  # whose zones one question reads, so that it keeps no worker from other requests for long


@dataclass(frozen=True)
class Turnout:
    """The pods of a workload, the hash of its newest revision if there is one already, and the zones of their nodes. For an
    undo, also the hashes of the revisions that the newest one undoes. `unread` are nodes whose zones are still to be read; it is
    asked again then, and nothing is chosen."""

    pods: t.Sequence[dict]
    revision: str | None
    zones: t.Mapping[str, str]
    leader: Leader | None = None
    undoes: frozenset[str] = frozenset()
    unread: t.Sequence[str] | None = None

    def turn(self, workload: dict, its: PodByPod, places: t.Mapping[str, str]) -> Turn:
        """What is next for the workload. `places` are those of the pods that are replaced together."""
        batch = pod_batch.Batch(pod_batch.number(its.most, workload), places)
        asked = (self.revision, its.order, self.zones, its.run, self.leader, self.undoes)
        return pod_order.turn(workload, self.pods, *asked, batch, its.first, its.spare)


def turnout(
    asking: Asking,
    workload: dict,
    its: PodByPod,
    zones: t.Mapping[str, str],
    places: t.Mapping[str, str],
    unread: t.Sequence[str] | None = None,
) -> Turnout:
    """Reads the pods, and what is needed to choose among them. `zones` are known already, and only those of `unread` nodes are
    read, if there are some. The leader is looked for only if a pod may be evicted otherwise. Raises ClusterError."""
    cluster, deadline = t.cast(Cluster, asking.cluster), asking.deadline
    if unread:
        return _with_zones(cluster, Turnout((), None, zones), unread, deadline)
    kind, found = kinds.kind_of(workload), requests.pods(cluster, workload, deadline)
    revision, undoes = kind.newest_hash(workload), frozenset[str]()
    if observed(workload) and (revision is None or its.run is not None):
        held = requests.revisions(cluster, workload, deadline)
        newest = pod_order.newest(workload, held)
        revision = kind.hash_of(newest.object) if newest else None
        undoes = pod_order.undone_by(workload, newest, held) if newest and its.run is not None else undoes
    seen = Turnout(found, revision, zones, undoes=undoes)
    if its.order in pod_order.BY_ZONE:
        nodes = {kinds.field(pod, "spec.nodeName", "") for pod in found if kind.owns(workload, pod)}
        unknown = sorted(nodes - zones.keys() - {""})
        seen = _with_zones(cluster, seen, unknown, deadline)
        if len(unknown) > MOST_NODES:
            return seen
    seen = replace(seen, unread=None)
    if its.leader is None or seen.turn(workload, its, places).pod is None:
        return seen
    return replace(seen, leader=its.leader.find(asking, workload, found))


def _with_zones(cluster: Cluster, seen: Turnout, nodes: t.Sequence[str], deadline: float) -> Turnout:
    """The same with the zones of the first ones of these nodes. The others are still to be read."""
    unknown = [node for node in nodes if node not in seen.zones]
    read = {node: _zone(cluster, node, deadline) for node in unknown[:MOST_NODES]}
    return replace(seen, zones={**seen.zones, **read}, unread=unknown[MOST_NODES:])


def numbered(question: int, *asked: t.Any) -> tuple[int, Turnout | ClusterError]:
    """Runs in a worker: what turnout() has read, or why it could not, with the number of the question."""
    try:
        return question, turnout(*asked)
    except ClusterError as error:
        return question, error


def _zone(cluster: Cluster, node: str, deadline: float) -> str:
    try:
        labels = kinds.labels_of(cluster.get(f"/api/v1/nodes/{quote(node, safe='')}", deadline=deadline))
    except NotFound:
        return ""
    return labels.get(pod_order.ZONE_LABEL, "")
