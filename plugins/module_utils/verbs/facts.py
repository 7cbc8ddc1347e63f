# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what the preflight needs to know of a cluster: one request for each kind of object and namespace."""

from __future__ import annotations

import types
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import together
from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts, Key
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import claims_of
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import ASKING, ENFORCE
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import api_path
from ansible_collections.restartx.core.plugins.module_utils.selection.uses import required_of
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.dry_run import Pods

_ROOTS = {
    "poddisruptionbudgets": "/apis/policy/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "replicasets": "/apis/apps/v1",
    "controllerrevisions": "/apis/apps/v1",
}
_RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}

NO_MODES: t.Mapping[Key, str] = types.MappingProxyType({})
NO_CANARIES: t.Mapping[Key, int | str] = types.MappingProxyType({})
NO_EVICTIONS: t.Mapping[Key, int] = types.MappingProxyType({})

Wanted = tuple[str, str]  # the plural of a resource, and a namespace, "" for all


def read(
    call: Call,
    workloads: t.Sequence[dict],
    pods: Pods,
    kubectl: str,
    modes: t.Mapping[Key, str] = NO_MODES,
    canaries: t.Mapping[Key, int | str] = NO_CANARIES,
    evicted: t.Mapping[Key, int] = NO_EVICTIONS,
) -> Facts:
    """What the rules need to know about these workloads. `modes` are the values of `budgets` for them, `canaries` the pods of those
    that have a canary, and `evicted` how many pods are evicted at a time of those whose pods are. What may not be read is in `unread`. Raises ClusterError."""
    wanted = _wanted(workloads)
    lists = dict(zip(wanted, together(lambda one: _read(call, *one), wanted)))
    if lists[("pods", "")] is None:
        own = [("pods", namespace) for namespace in _namespaces(workloads)]
        lists |= dict(zip(own, together(lambda one: _read(call, *one), own)))

    def of(*plurals: str) -> list[dict]:
        return [item for (plural, _where), items in lists.items() if plural in plurals for item in items or ()]

    names = {
        one: frozenset(items)
        for one, items in lists.items()
        if one[0] in ("configmaps", "secrets") and items is not None
    }
    return Facts(
        now=call.clock.now(),
        kubectl=kubectl,
        field_manager=call.params["field_manager"],
        nodes=of("nodes"),
        pods=of("pods"),
        quotas=of("resourcequotas"),
        budgets=of("poddisruptionbudgets"),
        autoscalers=of("horizontalpodautoscalers"),
        claims=of("persistentvolumeclaims"),
        volumes=of("persistentvolumes"),
        revisions=of("replicasets", "controllerrevisions"),
        names=names,
        made=pods.made,
        workloads=workloads,
        honoured=frozenset(key for key, mode in modes.items() if mode in ASKING),
        canaries=canaries,
        evicted=evicted,
        enforced=frozenset(key for key, mode in modes.items() if mode == ENFORCE),
        unread=frozenset(one for one, items in lists.items() if items is None),
    )


def _wanted(workloads: t.Sequence[dict]) -> list[Wanted]:
    """What to read for these workloads: nothing that none of them needs."""
    wanted: dict[Wanted, None] = {("nodes", ""): None, ("pods", ""): None}
    for workload in workloads:
        namespace = workload["metadata"]["namespace"]
        plurals = ["resourcequotas", "poddisruptionbudgets", "horizontalpodautoscalers"]
        plurals.append(kinds.kind_of(workload).history_plural)
        plurals += [{"ConfigMap": "configmaps", "Secret": "secrets"}[use.kind] for use in required_of(workload)]
        if claims_of({"spec": workload["spec"]["template"]["spec"]}) or workload["spec"].get("volumeClaimTemplates"):
            plurals.append("persistentvolumeclaims")
            wanted[("persistentvolumes", "")] = None
        wanted |= {(plural, namespace): None for plural in plurals}
    return list(wanted)


def _namespaces(workloads: t.Sequence[dict]) -> list[str]:
    return list(dict.fromkeys(workload["metadata"]["namespace"] for workload in workloads))


def _read(call: Call, plural: str, namespace: str) -> list | None:
    """The objects, or the names of ConfigMaps and Secrets; None without permission to read them."""
    path = api_path(_ROOTS.get(plural, "/api/v1"), namespace or None, plural)
    try:
        if plural in ("configmaps", "secrets"):
            return list(call.cluster.names(path, deadline=call.deadline))
        params = _RUNNING if plural == "pods" else None
        items: list = call.cluster.list(path, params, deadline=call.deadline).items
        return items
    except Forbidden:
        return None
    except NotFound:  # the cluster does not have this kind of object
        return []
