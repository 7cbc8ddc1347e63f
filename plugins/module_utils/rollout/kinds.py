# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of workloads that have rollouts, and everything in which they differ, in one table."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from urllib.parse import quote

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError


@dataclass(frozen=True)
class Kind:
    """One kind of workload.

    The second half names fields of the API: `wanted` is a dotted path, the other counts are fields of `status`.
    """

    name: str
    plural: str
    words: str  # as kubectl writes it in messages
    short: str
    pausable: bool
    history: str  # the kind of the objects that hold old revisions
    history_plural: str
    hash_label: str  # the label that ties a pod to its revision

    strategy: str  # the field of spec that says how pods are replaced
    surge: int | str  # the API's defaults for it
    unavailable: int | str
    rounds_up: bool  # a percentage of pods that may be unavailable
    wanted: str
    updated: str
    ready: str
    available: str
    present: str


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="Deployment",
            plural="deployments",
            words="deployment",
            short="deploy",
            pausable=True,
            history="ReplicaSet",
            history_plural="replicasets",
            hash_label="pod-template-hash",
            strategy="strategy",
            surge="25%",
            unavailable="25%",
            rounds_up=False,
            wanted="spec.replicas",
            updated="updatedReplicas",
            ready="readyReplicas",
            available="availableReplicas",
            present="replicas",
        ),
        Kind(
            name="DaemonSet",
            plural="daemonsets",
            words="daemon set",
            short="ds",
            pausable=False,
            history="ControllerRevision",
            history_plural="controllerrevisions",
            hash_label="controller-revision-hash",
            strategy="updateStrategy",
            surge=0,
            unavailable=1,
            rounds_up=True,
            wanted="status.desiredNumberScheduled",
            updated="updatedNumberScheduled",
            ready="numberReady",
            available="numberAvailable",
            present="currentNumberScheduled",
        ),
        Kind(
            name="StatefulSet",
            plural="statefulsets",
            words="statefulset",
            short="sts",
            pausable=False,
            history="ControllerRevision",
            history_plural="controllerrevisions",
            hash_label="controller-revision-hash",
            strategy="updateStrategy",
            surge=0,
            unavailable=1,
            rounds_up=False,
            wanted="spec.replicas",
            updated="updatedReplicas",
            ready="readyReplicas",
            available="availableReplicas",
            present="replicas",
        ),
    )
}

_SPELLINGS = {
    spelling: kind
    for kind in KINDS.values()
    for word in (kind.name.lower(), kind.plural, kind.short)
    for spelling in (word, f"{word}.apps")
}


def kind_named(text: str) -> Kind:
    """The kind that a user means by `text`, in any of kubectl's spellings; RolloutError for every other word."""
    kind = _SPELLINGS.get(str(text).strip().lower())
    if kind is None:
        raise RolloutError(f'kind "{text}" has no rollout; the kinds that have one are {", ".join(KINDS)}')
    return kind


def kind_of(workload: dict) -> Kind:
    """The kind of an object; RolloutError when it is none of the three, or of another API group."""
    kind = KINDS.get(workload.get("kind", ""))
    if kind is None or group_of(workload) != "apps":
        raise RolloutError(f"{label(workload)} has no rollout; the kinds that have one are {', '.join(KINDS)}")
    return kind


def group_of(thing: dict) -> str:
    """The API group of an object, empty for the core group; what does not say is taken for a workload."""
    return thing.get("apiVersion", "apps/v1").rpartition("/")[0]


def path(kind: Kind | str, namespace: str | None = None, name: str | None = None) -> str:
    """The API path of one workload, of a namespace's workloads, or (without namespace) of all in the cluster."""
    kind = kind if isinstance(kind, Kind) else kind_named(kind)
    return _path("/apis/apps/v1", namespace, kind.plural, name)


def history_path(kind: Kind | str, namespace: str | None = None) -> str:
    """The API path under which the old revisions of workloads of this kind are listed."""
    kind = kind if isinstance(kind, Kind) else kind_named(kind)
    return _path("/apis/apps/v1", namespace, kind.history_plural)


def pods_path(namespace: str | None = None, name: str | None = None) -> str:
    """The API path of pods."""
    return _path("/api/v1", namespace, "pods", name)


def _path(root: str, namespace: str | None, plural: str, name: str | None = None) -> str:
    # Names come from users: whatever they hold stays one segment of the path.
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{root}{scope}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def label(workload: dict) -> str:
    """How messages call an object: `deployment "api" in namespace "shop"`."""
    known = KINDS.get(workload.get("kind", ""))
    words = known.words if known else workload.get("kind") or "object"
    metadata = workload.get("metadata", {})
    where = f' in namespace "{metadata["namespace"]}"' if metadata.get("namespace") else ""
    return f'{words} "{metadata.get("name", "")}"{where}'


def key(workload: dict) -> tuple[str, str, str]:
    """What identifies a workload within a cluster: (kind, namespace, name)."""
    metadata = workload["metadata"]
    return workload["kind"], metadata.get("namespace", ""), metadata["name"]


def field(thing: dict | None, dotted: str, default=None):
    """The value at a dotted path of nested dicts; `default` where the path ends early or holds null."""
    for part in _parts(dotted):
        if not isinstance(thing, dict):
            return default
        thing = thing.get(part)
    return default if thing is None else thing


@functools.lru_cache(maxsize=None)  # of the few paths that are written in the code; asked for at every event
def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.split("."))


def annotations(workload: dict) -> dict:
    """The annotations on the workload itself."""
    return field(workload, "metadata.annotations", {})


def template_annotations(workload: dict) -> dict:
    """The annotations on the workload's pod template."""
    return field(workload, "spec.template.metadata.annotations", {})
