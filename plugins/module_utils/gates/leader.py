# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds out which pod of a workload is the leader: by a label of the pods, or by an object that names it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.gates.objects import ObjectGate, label_of
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Asking, GateError
from ansible_collections.restartx.core.plugins.module_utils.rollout import pod_leader
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader


class LeaderRule(t.Protocol):
    """One way to find the leader among the pods of a workload. What cannot be found out is no leader, with the reason."""

    def find(self, asking: Asking, workload: dict, pods: t.Sequence[dict]) -> Leader:
        """The leader now."""


@dataclass(frozen=True)
class LeaderByLabel:
    """The only pod with a label is the leader."""

    label: str
    value: str

    def find(self, asking: Asking, workload: dict, pods: t.Sequence[dict]) -> Leader:
        return pod_leader.by_label(workload, pods, self.label, self.value)


@dataclass(frozen=True)
class LeaderByObject:
    """An expression on an object, such as a Lease, gives the name of the leader."""

    of: ObjectGate

    def find(self, asking: Asking, workload: dict, pods: t.Sequence[dict]) -> Leader:
        where = label_of(self.of.kind, self.of.name, self.of.namespace)
        try:
            found = self.of.that.value(self.of.read(asking))
        except (GateError, ClusterError) as error:
            return Leader(None, f"{where} could not be asked: {error}")
        return pod_leader.named(workload, pods, found, f'"{self.of.that.text}" of {where}')
