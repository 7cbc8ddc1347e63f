# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an administrator does to grant what is missing: commands that can be copied. Pure."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.verbs.required import Access

JOURNALS = "restartx-system"  # the namespace in rbac/cluster.yml
SHIPPED = f"system:serviceaccount:{JOURNALS}:restartx"  # the user for whom rbac/ has bindings
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


@dataclass(frozen=True)
class Missing:
    """One thing that is missing: a sentence, and the commands that provide it."""

    what: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grants:
    """The commands for one user of one cluster. If `user` is not known (None), it is the one of rbac/."""

    context: str | None
    user: str | None

    def namespace(self, name: str) -> tuple[str, ...]:
        """The commands that create the namespace of the journals."""
        return (self._cluster_roles(),) if name == JOURNALS else (self._kubectl("create namespace", name),)

    def identity(self) -> tuple[str, ...]:
        """The commands that allow to read the identity of the cluster."""
        if self._is_shipped:
            return (self._cluster_roles(),)
        return self._cluster_roles(), self._bind("clusterrolebinding", "restartx-identity", "clusterrole")

    def workloads(self, namespace: str) -> tuple[str, ...]:
        """The commands that allow restarts in a namespace."""
        if self._is_shipped:
            return self._cluster_roles(), self._kubectl("apply --namespace", namespace, "-f rbac/namespace.yml")
        return self._cluster_roles(), self._bind("rolebinding", "restartx-restart", "clusterrole", namespace)

    def budgets(self) -> tuple[str, ...]:
        """The commands that allow to read PodDisruptionBudgets."""
        role = self._kubectl("apply -f rbac/budgets.yml")
        return (
            (role,) if self._is_shipped else (role, self._bind("clusterrolebinding", "restartx-budgets", "clusterrole"))
        )

    def role(self, file: str, name: str, namespaces: t.Iterable[str | None], bound: bool) -> tuple[str, ...]:
        """The commands that grant the ClusterRole of a file in namespaces, of which None means all. The file may have bound it to
        the shipped user."""
        commands = [self._kubectl(f"apply -f rbac/{file}.yml")]
        for namespace in () if bound and self._is_shipped else dict.fromkeys(namespaces):
            binding = "rolebinding" if namespace else "clusterrolebinding"
            commands.append(self._bind(binding, name, "clusterrole", namespace))
        return tuple(commands)

    def everywhere(self, missing: t.Iterable[Access]) -> tuple[str, ...]:
        """The commands that allow to list and watch resources in all namespaces."""
        resources = ",".join(dict.fromkeys(access.what for access in missing))
        role = self._kubectl("create clusterrole restartx-watch --verb=list,watch", f"--resource={resources}")
        return role, self._bind("clusterrolebinding", "restartx-watch", "clusterrole")

    def records(self, namespace: str, needed: t.Iterable[Access]) -> tuple[str, ...]:
        """The commands that allow journals and locks in a namespace. `needed` are all permissions for that."""
        if namespace == JOURNALS:
            bind = () if self._is_shipped else (self._bind("rolebinding", "restartx-journal", "role", namespace),)
            return self._cluster_roles(), *bind
        verbs: dict[str, list[str]] = {}
        for access in needed:
            verbs.setdefault(access.what, []).append(access.verb)
        commands = []
        for resource, allowed in verbs.items():
            name = f"restartx-{resource.partition('.')[0]}"
            rule = f"--verb={','.join(allowed)} --resource={resource}"
            commands += [
                self._kubectl("create role", name, f"--namespace {shlex.quote(namespace)}", rule),
                self._bind("rolebinding", name, "role", namespace),
            ]
        return tuple(commands)

    @property
    def _is_shipped(self) -> bool:
        return self.user in (None, SHIPPED)

    def _cluster_roles(self) -> str:
        return self._kubectl("apply -f rbac/cluster.yml")

    def _bind(self, binding: str, role: str, kind: str, namespace: str | None = None) -> str:
        """A binding of a role for this user, with a name that no other user's binding has."""
        user = self.user or SHIPPED
        name = f"{role}-{re.sub('[^a-z0-9]+', '-', user.rpartition(':')[2].lower()).strip('-') or 'user'}"
        where = [f"--namespace {shlex.quote(namespace)}"] if namespace else []
        account = _SERVICE_ACCOUNT.fullmatch(user)
        subject = f"--serviceaccount={account[1]}:{account[2]}" if account else shlex.quote(f"--user={user}")
        return self._kubectl(f"create {binding}", name, *where, f"--{kind}={role}", subject)

    def _kubectl(self, *words: str) -> str:
        context = [f"--context {shlex.quote(self.context)}"] if self.context else []
        return " ".join(["kubectl", *context, *words])
