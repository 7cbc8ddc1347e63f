# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who else manages a workload."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds


def controller(workload: dict) -> str | None:
    """The controller that owns the workload, as `Kafka "events" (kafka.strimzi.io/v1)`; None when nobody does.

    Only the reference marked `controller` counts: the others merely tie the lifetimes of two objects together.
    """
    for reference in kinds.field(workload, "metadata.ownerReferences", []):
        if reference.get("controller"):
            return f'{reference["kind"]} "{reference["name"]}" ({reference["apiVersion"]})'
    return None
