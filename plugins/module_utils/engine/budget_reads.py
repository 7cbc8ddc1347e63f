# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the PodDisruptionBudgets of a namespace that are about restarts, with their pods."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.rollout import budgets, history, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches

FRESH = 1.0  # seconds for which the pods of a budget count as known
RARELY = 60.0  # seconds after which a namespace is read again in which no budget is about the restarts
SHARE = 4  # what takes long to read is read less often: so many times as long lie between two reads


@dataclass(frozen=True)
class Look:
    """The budgets of a namespace that are about the restarts, with their pods. It counts until an instant."""

    covers: tuple[Cover, ...] = ()
    until: float = float("-inf")
    error: str | None = None


NOTHING = Look()


def look(cluster: Cluster, namespace: str, workloads: t.Sequence[dict], deadline: float | None = None) -> list[Cover]:
    """The budgets of a namespace that may select pods which a restart of these workloads stops. Pods are only read if
    there are such budgets. Raises ClusterError."""
    here = [one for one in workloads if one["metadata"]["namespace"] == namespace]
    stopping = [one for one in here if kinds.kind_of(one).stops_at_once(one)]
    found = cluster.list(budgets.path(namespace), deadline=deadline).items
    found = [budget for budget in found if any(budgets.may_select(budget, one) for one in stopping)]
    if not found:
        return []
    params = {"labelSelector": history.selector(found[0])} if len(found) == 1 else {}
    pods = cluster.list(kinds.pods_path(namespace), params, deadline=deadline).items
    return [
        Cover(budget, [pod for pod in pods if matches(budget["spec"]["selector"], kinds.labels_of(pod))], here)
        for budget in found
    ]


def looked(covers: t.Sequence[Cover], at: float, took: float) -> Look:
    """What was read at an instant, and took so many seconds."""
    return Look(tuple(covers), at + max(FRESH if covers else RARELY, SHARE * took))
