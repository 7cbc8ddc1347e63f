# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who else manages a workload."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds


def controller(workload: dict) -> str | None:
    """The controller that owns a workload, as `Kafka "events" (kafka.strimzi.io/v1)`; None when nobody does.

    Only the reference marked `controller` counts: the others merely tie the lifetimes of two objects together.
    """
    found = reference(workload)
    return f'{found["kind"]} "{found["name"]}" ({found["apiVersion"]})' if found else None


def refusal(workload: dict, allow_owned: bool = False) -> str | None:
    """Why a workload must not be changed behind its owner's back, as one sentence; None when it may be."""
    manager = controller(workload)
    if manager is None or allow_owned:
        return None
    return (
        f"{kinds.label(workload)} is managed by {manager}, which may undo a change made behind its back; "
        f"change it through its owner, or set allow_owned: true"
    )


def reference(thing: dict) -> dict | None:
    """The owner reference of an object's controller; None when it has none."""
    references = kinds.field(thing, "metadata.ownerReferences", [])
    return next((candidate for candidate in references if candidate.get("controller")), None)


def workload_of(pod: dict) -> tuple[str, str, str] | None:
    """Kind, namespace and name of the workload that a pod belongs to, None where that is of no kind that rolls out.

    A Deployment names its ReplicaSets after itself and the hash that their pods carry.
    """
    found = reference(pod) or {}
    kind, name = found.get("kind"), found.get("name", "")
    if kind == "ReplicaSet":
        revision = kinds.field(pod, "metadata.labels", {}).get(kinds.KINDS["Deployment"].hash_label, "")
        kind, name = "Deployment", name.removesuffix(f"-{revision}")
    return (kind, pod["metadata"]["namespace"], name) if kind in kinds.KINDS else None


def controller_uid(thing: dict) -> str | None:
    """The uid of an object's controller; None when it has none."""
    return (reference(thing) or {}).get("uid")
