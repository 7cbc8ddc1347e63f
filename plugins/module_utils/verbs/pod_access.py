# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The permissions that restarts pod by pod need, and the commands that grant them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, pod_batch, pod_order, snapshots
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import BetweenPods
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs.required import Access

EVICTIONS, PROXY, NODES = "pods/eviction", "pods/proxy", "nodes"
RESOURCES = frozenset({EVICTIONS, PROXY, NODES, snapshots.PLURAL})  # that only they need


@dataclass(frozen=True)
class Role:
    """A file in rbac/ with a ClusterRole for some resources. If it is `bound`, the file has the binding too."""

    file: str
    name: str
    resources: frozenset[str]
    bound: bool = False


ROLES = (
    Role("between_pods", "restartx-between-pods", frozenset({EVICTIONS})),
    Role("leader_http", "restartx-leader-http", frozenset({PROXY})),
    Role("zones", "restartx-zones", frozenset({NODES}), bound=True),
    Role("snapshots", "restartx-snapshots", frozenset({snapshots.PLURAL})),
)


def needed(asked: t.Iterable[tuple[str | None, BetweenPods, bool]]) -> list[Access]:
    """What is needed for workloads: for each its namespace (None: any), how its pods are replaced, and whether they are evicted
    for that."""
    wanted: dict[Access, None] = {}
    for namespace, its, evicts in asked:
        if its.snapshot:
            wanted |= {Access(verb, snapshots.GROUP, snapshots.PLURAL, namespace): None for verb in ("get", "create")}
        if not evicts:
            continue
        wanted[Access("create", "", EVICTIONS, namespace)] = None
        if its.order in pod_order.BY_ZONE:
            wanted[Access("get", "", NODES, None)] = None
        if its.leader and its.leader.http:
            wanted[Access("get", "", PROXY, namespace)] = None
    return list(wanted)


def of_workloads(
    entries: t.Iterable[Entry], workloads: t.Iterable[tuple[str, dict]]
) -> t.Iterator[tuple[str | None, BetweenPods, bool]]:
    """The same for those of the workloads whose pods are replaced one by one. They come with the ids of their entries."""
    known = {entry.id: entry for entry in entries}
    for group, workload in workloads:
        entry, namespace = known.get(group), workload["metadata"]["namespace"]
        if entry and entry.between_pods:
            yield namespace, entry.between_pods, _evicted(workload)
        elif entry and entry.canary and kinds.kind_of(workload).on_each_node:
            yield namespace, BetweenPods(pod_order.CANARY), True


def _evicted(workload: dict) -> bool:
    """Whether the pods of a workload are evicted if they are replaced one by one. Otherwise its partition goes down."""
    return pod_order.by_pods(workload) or kinds.kind_of(workload).on_each_node


def at_a_time(entries: t.Iterable[Entry], found: Found) -> dict[Key, int]:
    """How many pods are evicted at a time of each workload whose pods are evicted one by one."""
    known = {entry.id: entry.between_pods for entry in entries if entry.between_pods}
    chosen = [(key, known.get(found.entry_of[key]), one) for key, one in found.objects.items()]
    return {key: pod_batch.number(its.max_unavailable, one) for key, its, one in chosen if its and _evicted(one)}


def commands(context: str | None, lacking: t.Sequence[Access]) -> list[str]:
    """The commands that grant what is lacking."""
    kubectl = f"kubectl --context {context}" if context else "kubectl"
    found = []
    for role, missing in granted_by(lacking):
        found.append(f"{kubectl} apply -f rbac/{role.file}.yml")
        found += [
            f"{kubectl} create rolebinding {role.name} --clusterrole {role.name} "
            f"--serviceaccount restartx-system:restartx --namespace {where}"
            for where in list(dict.fromkeys(one.namespace for one in missing if one.namespace))[:3]
        ]
    return found


def granted_by(lacking: t.Sequence[Access]) -> list[tuple[Role, list[Access]]]:
    """What each role would grant of what is lacking."""
    found = [(role, [one for one in lacking if one.resource in role.resources]) for role in ROLES]
    return [(role, missing) for role, missing in found if missing]
