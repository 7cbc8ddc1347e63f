# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many pods of a workload are replaced at a time, and which of them together."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, share
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as field_of


@dataclass(frozen=True)
class Batch:
    """The pods that are replaced together: `most` at a time. `places` are those of the pods that were evicted already, each
    with its zone, which is empty if it is not known or does not matter. The next batch begins when all of them are ready."""

    most: int = 1
    places: t.Mapping[str, str] = field(default_factory=dict)


ONE = Batch()


def number(given: int | str, workload: Object) -> int:
    """How many pods are replaced at a time: a number, or a percentage of the wanted pods, rounded down but at least 1."""
    return max(1, share(given, kinds.kind_of(workload).wanted(workload), up=False))


def rolling(workload: Object, most: int | str) -> Object:
    """The workload as budgets see it while its pods are evicted: as if its controller stopped so many of them at once."""
    kind = kinds.kind_of(workload)
    rest = {"maxSurge": 0} if kind.on_each_node else {"partition": 0}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": number(most, workload), **rest}}
    # With podManagementPolicy: Parallel, a controller does not wait for pods that are missing already.
    spec = {name: value for name, value in workload["spec"].items() if name != "podManagementPolicy"}
    return {**workload, "spec": {**spec, kind.strategy: strategy}}


def place(workload: Object, pod: Object) -> str:
    """What a pod and its successor have in common: the node, or else the name. Empty if it has no node yet."""
    name: str = pod["metadata"]["name"]
    found: str = field_of(pod, "spec.nodeName", "") if kinds.kind_of(workload).on_each_node else name
    return found


def joins(batch: Batch, workload: Object, mine: t.Sequence[Object], chosen: Object, zone: str | None) -> bool:
    """Whether a pod is evicted together with those of the batch, which are on their way. `mine` are all pods of the workload,
    and `zone` is that of the chosen one, or None if zones do not matter.

    Nothing else may be missing or not ready. A pod whose zone is not known is replaced alone.
    """
    own = place(workload, chosen)
    if not own or own in batch.places or not 0 < len(batch.places) < batch.most:
        return False
    if zone is not None and (not zone or set(batch.places.values()) != {zone}):
        return False
    present = [pod for pod in mine if not which_pods.terminating(pod)]
    gone = batch.places.keys() - {place(workload, pod) for pod in present}
    if kinds.kind_of(workload).wanted(workload) - len(present) > len(gone):
        return False
    down = [pod for pod in mine if which_pods.terminating(pod) or not which_pods.ready(pod)]
    return all(pod is chosen or place(workload, pod) in batch.places for pod in down)
