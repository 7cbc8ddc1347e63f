# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The object of a request, read from its path, so that errors can always name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>.+))?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Target:
    """Resource (`deployments.apps`, or `deployments.apps/scale`), namespace and name, as RBAC sees them."""

    resource: str
    namespace: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        name = f' "{self.name}"' if self.name else ""
        return f"{self.resource}{name}{self.scope}"

    @property
    def scope(self) -> str:
        """` in namespace "shop"`, or nothing."""
        return f' in namespace "{self.namespace}"' if self.namespace else ""


def target_of(path: str) -> Target:
    """The target of an API path. A path that is not of a resource (`/version`) is its own name."""
    match = _PATH.fullmatch(path)
    if not match:
        return Target(path)
    resource = ".".join(part for part in (match["plural"], match["group"]) if part)
    if match["subresource"]:
        resource += f"/{match['subresource']}"
    return Target(resource, match["namespace"], match["name"])


def verb_of(method: str, target: Target, params: Mapping[str, object] | None = None) -> str:
    """The RBAC verb of a request (https://kubernetes.io/docs/reference/access-authn-authz/authorization/)."""
    if method in _VERBS:
        return _VERBS[method]
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if params and params.get("watch"):
        return "watch"
    return "get" if target.name or target.resource.startswith("/") else "list"
