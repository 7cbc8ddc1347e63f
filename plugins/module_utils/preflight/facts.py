# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the preflight has read of a cluster. The rules compute from this alone."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import is_dead

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True)
class Facts:
    """Objects of the cluster, as the API returns them.

    `unread` holds what could not be read, as (plural, namespace), with "" for the whole cluster. Of what is in it, a
    rule knows nothing, and reports nothing. `pods` are those of all namespaces, unless that is in `unread`; then only
    those of the namespaces of the workloads. `made` holds the pods that a dry run made from templates, by workload:
    admission may have changed them. `names` holds the names of ConfigMaps and Secrets, by (plural, namespace). `workloads`
    are those of the run; the restarts of the `honoured` ones honour budgets, and those of the `enforced` ones set a
    strategy for that. `canaries` are the pods of those that have a canary, and `evicted` says how many pods are evicted at a time
    of those whose pods are.
    """

    now: datetime
    kubectl: str = "kubectl"
    field_manager: str = "restartx"
    nodes: t.Sequence[Object] = ()
    pods: t.Sequence[Object] = ()
    quotas: t.Sequence[Object] = ()
    budgets: t.Sequence[Object] = ()
    autoscalers: t.Sequence[Object] = ()
    claims: t.Sequence[Object] = ()
    volumes: t.Sequence[Object] = ()
    revisions: t.Sequence[Object] = ()
    names: t.Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    made: t.Mapping[Key, Object] = field(default_factory=dict)
    unread: frozenset[tuple[str, str]] = frozenset()
    workloads: t.Sequence[Object] = ()
    honoured: frozenset[Key] = frozenset()
    enforced: frozenset[Key] = frozenset()
    canaries: t.Mapping[Key, int | str] = field(default_factory=dict)
    evicted: t.Mapping[Key, int] = field(default_factory=dict)

    def knows(self, plural: str, namespace: str = "") -> bool:
        """Whether these objects could be read."""
        return (plural, namespace) not in self.unread

    def pods_of(self, workload: Object) -> list[Object]:
        """The pods of a workload that have not ended."""
        key = kinds.key(workload)
        if key not in self._of_workload:
            kind = kinds.kind_of(workload)
            here = self._by_namespace.get(workload["metadata"].get("namespace"), ())
            self._of_workload[key] = [pod for pod in here if kind.owns(workload, pod) and not is_dead(pod)]
        return self._of_workload[key]

    def pods_in(self, namespace: str) -> t.Sequence[Object]:
        """The pods of a namespace that have not ended."""
        return self._by_namespace.get(namespace, ())

    def workloads_in(self, namespace: str) -> list[Object]:
        """The workloads of the run in a namespace."""
        return [one for one in self.workloads if one["metadata"].get("namespace") == namespace]

    @cached_property
    def _of_workload(self) -> dict[Key, list[Object]]:
        return {}

    @cached_property
    def _by_namespace(self) -> dict[str | None, list[Object]]:
        found: dict[str | None, list[Object]] = {}
        for pod in self.pods:
            found.setdefault(pod["metadata"].get("namespace"), []).append(pod)
        return found

    def pod_for(self, workload: Object) -> Object:
        """A new pod of a workload: what the dry run made, or else what the template says."""
        made = self.made.get(kinds.key(workload))
        if made:
            return made
        template = workload["spec"]["template"]
        metadata = {**(template.get("metadata") or {}), "namespace": workload["metadata"].get("namespace")}
        return {"kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}
