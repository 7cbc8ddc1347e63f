# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands in an advice, ready to be pasted."""

from __future__ import annotations

import shlex

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

_OF_SYSTEM = ("get", "pods", "--namespace", "kube-system")
# Commands that are the same for every object.
_PLAIN: dict[str, tuple[str, ...]] = {
    "controllers": (*_OF_SYSTEM, "--selector=component=kube-controller-manager"),
    "dns": (*_OF_SYSTEM, "--selector=k8s-app=kube-dns"),
    "nodes": ("get", "nodes"),
    "volumes": ("describe", "persistentvolumes"),
    "attachments": ("get", "volumeattachments"),
    "priorities": ("get", "priorityclasses"),
    "policies": ("get", "validatingadmissionpolicies,validatingadmissionpolicybindings"),
    "webhooks": ("get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "--output=yaml"),
}
# Commands about all objects of a kind in the namespace.
_IN_NAMESPACE: dict[str, tuple[str, ...]] = {
    "events": ("events", "--types=Warning"),
    "quotas": ("describe", "resourcequotas"),
    "limits": ("describe", "limitranges"),
    "claims": ("describe", "persistentvolumeclaims"),
    "network_policies": ("describe", "networkpolicies"),
}


def kubectl(context: str | None, *words: str) -> str:
    """A command to paste. It names the context if one is known."""
    return shlex.join(["kubectl", *(["--context", context] if context else []), *words])


class Commands(dict[str, str]):
    """The commands about an object, created on access."""

    def __init__(self, thing: Object, kind: str, container: str | None, context: str | None, previous: bool):
        super().__init__()
        self._thing = thing
        self._kind = kind.lower()
        self._container = container
        self._context = context
        self._previous = previous

    def __missing__(self, command: str) -> str:
        return kubectl(self._context, *(_PLAIN.get(command) or self._words(command)))

    def _words(self, command: str) -> tuple[str, ...]:
        metadata = self._thing["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "default")
        where = ("--namespace", namespace)
        if command in _IN_NAMESPACE:
            verb, *rest = _IN_NAMESPACE[command]
            return (verb, *where, *rest) if verb == "events" else (verb, *rest, *where)
        container = ("--container", self._container) if self._container else ("--all-containers",)
        node = kinds.field(self._thing, "spec.nodeName")
        of_node = ("node", node) if node else ("nodes",)
        account = kinds.field(self._thing, "spec.serviceAccountName", "default")
        known: dict[str, tuple[str, ...]] = {
            "logs": ("logs", name, *where, *container, *(("--previous",) if self._previous else ())),
            "describe": ("describe", self._kind, name, *where),
            "delete": ("delete", "pod", name, *where),
            "force_delete": ("delete", "pod", name, *where, "--grace-period=0", "--force"),
            "get_node": ("get", *of_node),
            "describe_node": ("describe", *of_node),
            "account": ("get", "serviceaccount", account, *where, "--output=yaml"),
            "namespace": ("get", "namespace", namespace, "--show-labels"),
            "resume": ("rollout", "resume", f"{self._kind}/{name}", *where),
        }
        return known[command]
