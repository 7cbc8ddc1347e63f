# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds out which pod of a workload is the leader: by a label of the pods, by an object that names it, or by what each pod
answers to a GET request, which the API server passes on."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Forbidden
from ansible_collections.restartx.core.plugins.module_utils.gates.expression import Expression
from ansible_collections.restartx.core.plugins.module_utils.gates.objects import ObjectGate, label_of
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Asking, GateError
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, pod_leader
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.commands import kubectl
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_leader import Leader, Said

SPARE = 20.0  # seconds before the deadline at which pods that are not ready are no longer asked: they need not answer


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


@dataclass(frozen=True)
class LeaderByHttp:
    """The only pod that answers with one of the statuses is the leader, or the one of whose JSON an expression is true. Bodies
    may hold secrets, and are never shown."""

    scheme: str
    port: int
    path: str
    statuses: tuple[int, ...] = (200,)
    that: Expression | None = None

    def find(self, asking: Asking, workload: dict, pods: t.Sequence[dict]) -> Leader:
        found = pod_leader.members(workload, pods)
        ready = {name for name, pod in found.items() if which_pods.ready(pod)}
        said = {name: self._ask(asking, pod, name in ready) for name, pod in found.items()}
        return pod_leader.by_answers(said, ready, f"GET {self.scheme}://POD:{self.port}{self.path}")

    def _ask(self, asking: Asking, pod: dict, is_ready: bool) -> Said:
        meta, scheme = pod["metadata"], "" if self.scheme == "http" else f"{self.scheme}:"
        path = f"{kinds.pods_path(meta['namespace'])}/{scheme}{meta['name']}:{self.port}/proxy{self.path}"
        try:
            reply = asking.cluster.reply(path, deadline=asking.deadline - (0.0 if is_ready else SPARE))
        except ClusterError as error:
            # A pod could pretend to be the API server, so of an answer only the status is shown.
            told = str(error) if error.status is None else f"the API server answers with status {error.status}"
            grant = "; rbac/leader_http.yml grants get pods/proxy" if isinstance(error, Forbidden) else ""
            command = kubectl(t.cast(Cluster, asking.cluster).context, "get", "--raw", path)
            return Said(None, f"{told}{grant}; to see it: {command}")
        if self.that is None:
            return Said(reply.status in self.statuses, f"answers with status {reply.status}")
        if reply.status not in self.statuses:
            wanted = " or ".join(map(str, self.statuses))
            return Said(None, f"it answers with status {reply.status}, not {wanted}")
        try:
            found = self.that.value(reply.json())
        except (ValueError, GateError):
            return Said(None, f'its answer is no JSON for which "{self.that.text}" could be evaluated')
        if not (found is None or isinstance(found, bool)):
            return Said(None, f'its answer gives neither true nor false for "{self.that.text}"')
        return Said(bool(found), f'gives {"true" if found else "not true"} for "{self.that.text}"')
