# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pause and resume: only Deployments can be paused."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

# What kubectl says (as an error) about a Deployment that already is so.
ALREADY = {True: "is already paused", False: "is not paused"}


def patch(workload: dict, paused: bool) -> dict | None:
    """The strategic-merge patch that pauses or resumes; None when the workload is so already (see ALREADY).

    It carries no resourceVersion: it overwrites nothing but this one field, and somebody who stops a rollout is in a
    hurry. Raises RolloutError for other kinds. Rules and first words: kubectl's polymorphichelpers/objectpauser.go and
    objectresumer.go.
    """
    if not kinds.kind_of(workload).pausable:
        words = "pausing is not supported" if paused else "resuming is not supported"
        raise RolloutError(f"{words}: {kinds.label(workload)} is not a Deployment, and only Deployments can be paused")
    if bool(kinds.field(workload, "spec.paused")) == paused:
        return None
    return {"spec": {"paused": True if paused else None}}
