# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lists of a search: what is asked for, and each answer once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds


class Listing(t.Protocol):
    """The answer to a list."""

    @property
    def items(self) -> list[dict]: ...

    @property
    def resource_version(self) -> str: ...


class Cluster(t.Protocol):
    """The part of a cluster that this file uses."""

    @property
    def host(self) -> str: ...

    @property
    def context(self) -> str | None: ...

    def list(
        self, path: str, params: t.Mapping[str, str] | None = None, *, deadline: float | None = None
    ) -> Listing: ...


@dataclass(frozen=True)
class Scope:
    """The collection of one list, and of the watch after it."""

    kind: str
    namespace: str | None
    label_selector: str = ""
    field_selector: str = ""

    @property
    def path(self) -> str:
        return kinds.path(self.kind, self.namespace)

    @property
    def params(self) -> dict[str, str]:
        chosen = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in chosen.items() if value}

    def __str__(self) -> str:
        where = f'namespace "{self.namespace}"' if self.namespace else "all namespaces"
        by = [f"labels {self.label_selector}"] if self.label_selector else []
        by += [f"fields {self.field_selector}"] if self.field_selector else []
        return " with ".join([f"{kinds.KINDS[self.kind].name} in {where}", *by])


Match = tuple[Scope, dict]  # a workload, and the list that it is from
Together = t.Callable[[t.Callable[[Scope], Listing], list[Scope]], t.Iterable[Listing]]


class Lists:
    """The lists of one search, each asked for once."""

    def __init__(self, cluster: Cluster, deadline: float | None):
        self._cluster = cluster
        self._deadline = deadline
        self.listings: dict[Scope, Listing] = {}
        self._pods: dict[str | None, list[dict]] = {}

    def ask(self, scopes: t.Iterable[Scope], together: Together) -> None:
        """Asks for several lists of workloads."""
        missing = [scope for scope in scopes if scope not in self.listings]
        self.listings |= zip(missing, together(self._list, missing))

    def workloads(self, scope: Scope) -> Listing:
        if scope not in self.listings:
            self.listings[scope] = self._list(scope)
        return self.listings[scope]

    def _list(self, scope: Scope) -> Listing:
        return self._cluster.list(scope.path, scope.params, deadline=self._deadline)

    def pods(self, namespace: str | None) -> list[dict]:
        if namespace not in self._pods:
            self._pods[namespace] = self._cluster.list(kinds.pods_path(namespace), deadline=self._deadline).items
        return self._pods[namespace]


def narrowed(scope: Scope, name: str) -> Scope:
    """The scope narrowed to one workload."""
    escaped = name.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
    return replace(scope, field_selector=",".join(filter(None, [scope.field_selector, f"metadata.name={escaped}"])))
