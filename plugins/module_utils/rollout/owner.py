# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller that owns a workload."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, controller_of


def controller(workload: Object) -> str | None:
    """The controller that owns a workload, as `Kafka "events" (kafka.strimzi.io/v1)`; None if there is none.

    Only the reference with `controller: true` counts. Other references only tie the lifetimes of two objects together.
    """
    found = reference(workload)
    return f'{found["kind"]} "{found["name"]}" ({found["apiVersion"]})' if found else None


def refusal(workload: Object, allow_owned: bool = False) -> str | None:
    """Why a workload must not be changed without its owner, as one sentence; None if it may be."""
    manager = controller(workload)
    if manager is None or allow_owned:
        return None
    return (
        f"{kinds.label(workload)} is managed by {manager}, which may revert the change; "
        f"change it through its owner, or set allow_owned: true"
    )


def reference(thing: Object) -> Object | None:
    """The owner reference of an object's controller; None when it has none."""
    return controller_of(thing)


def workload_of(pod: Object) -> tuple[str, str, str] | None:
    """Kind, namespace and name of the workload that a pod belongs to; None if its kind has no rollouts."""
    for kind in kinds.KINDS.values():
        name = kind.workload_name(pod)
        if name is not None:
            return kind.name, pod["metadata"]["namespace"], name
    return None


def controller_uid(thing: Object) -> str | None:
    """The uid of an object's controller; None when it has none."""
    return (reference(thing) or {}).get("uid")
