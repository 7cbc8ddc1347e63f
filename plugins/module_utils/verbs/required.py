# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One permission that a run needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Access:
    """One required permission. `namespace` None means all namespaces."""

    verb: str
    group: str
    resource: str
    namespace: str | None

    def __str__(self) -> str:
        return f"{self.verb} {self.what} in {self.where}"

    @property
    def what(self) -> str:
        """The resource with its group: `deployments.apps`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def where(self) -> str:
        return f"namespace {self.namespace}" if self.namespace else "all namespaces"

    @property
    def review(self) -> dict:
        """The SelfSubjectAccessReview for it."""
        resource, _slash, subresource = self.resource.partition("/")
        attributes = {"verb": self.verb, "group": self.group, "resource": resource}
        attributes |= {"subresource": subresource} if subresource else {}
        attributes |= {"namespace": self.namespace} if self.namespace else {}
        spec = {"resourceAttributes": attributes}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
