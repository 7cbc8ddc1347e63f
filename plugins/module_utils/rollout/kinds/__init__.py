# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of workloads that have rollouts: one object for each, and how to find the kind of an API object.

All differences between kinds are in their files. No other code depends on the kind of a workload.
"""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.daemon_set import DaemonSet
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.deployment import Deployment
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    annotations_of,
    api_path,
    field,
    group_of,
    labels_of,
    object_label,
    template_annotations,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Kind
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.stateful_set import StatefulSet

# Names that callers import from here although they are defined elsewhere.
__all__ = ["Object", "annotations_of", "field", "group_of", "labels_of", "Kind", "template_annotations"]

_ALL: tuple[Kind, ...] = (Deployment(), DaemonSet(), StatefulSet())
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}

_SPELLINGS = {spelling: kind for kind in _ALL for word in kind.spellings for spelling in (word, f"{word}.apps")}


def kind_named(text: object) -> Kind:
    """The kind that `text` names in any spelling of kubectl. Raises RolloutError for other words."""
    kind = _SPELLINGS.get(str(text).strip().lower())
    if kind is None:
        raise RolloutError(f'kind "{text}" has no rollout; the kinds that have one are {", ".join(KINDS)}')
    return kind


def known(workload: Object) -> Kind | None:
    """The kind of an object; None for other kinds and API groups."""
    kind = KINDS.get(workload.get("kind", ""))
    return kind if group_of(workload) == "apps" else None


def kind_of(workload: Object) -> Kind:
    """The kind of an object. Raises RolloutError for other kinds and API groups."""
    kind = known(workload)
    if kind is None:
        raise RolloutError(f"{label(workload)} has no rollout; the kinds that have one are {', '.join(KINDS)}")
    return kind


def path(kind: Kind | str, namespace: str | None = None, name: str | None = None) -> str:
    """The API path of one workload, of a namespace's workloads, or (without namespace) of all in the cluster."""
    return _kind(kind).path(namespace, name)


def history_path(kind: Kind | str, namespace: str | None = None) -> str:
    """The API path under which the old revisions of workloads of this kind are listed."""
    return _kind(kind).history_path(namespace)


def pods_path(namespace: str | None = None, name: str | None = None) -> str:
    """The API path of pods."""
    return api_path("/api/v1", namespace, "pods", name)


def label(thing: Object) -> str:
    """The name of an object for messages: `deployment "api" in namespace "shop"`."""
    kind = KINDS.get(thing.get("kind", ""))
    return object_label(kind.words if kind else thing.get("kind") or "object", thing)


def key(workload: Object) -> tuple[str, str, str]:
    """What identifies a workload within a cluster: (kind, namespace, name)."""
    metadata = workload["metadata"]
    return workload["kind"], metadata.get("namespace", ""), metadata["name"]


def _kind(kind: Kind | str) -> Kind:
    return kind if isinstance(kind, Kind) else kind_named(kind)
