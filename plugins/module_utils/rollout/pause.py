# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pause and resume: only Deployments can be paused."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

# The error message of kubectl for a Deployment that is already in that state.
ALREADY = {True: "is already paused", False: "is not paused"}


def patch(workload: dict, paused: bool) -> dict | None:
    """The strategic-merge patch that pauses or resumes; None if the workload is already in that state (see ALREADY).

    It has no resourceVersion: it changes only this field, and stopping a rollout is urgent. Raises RolloutError for
    other kinds. Rules and the start of messages: kubectl's polymorphichelpers/objectpauser.go and objectresumer.go.
    """
    if not kinds.kind_of(workload).pausable:
        words = "pausing is not supported" if paused else "resuming is not supported"
        raise RolloutError(f"{words}: {kinds.label(workload)} is not a Deployment, and only Deployments can be paused")
    if bool(kinds.field(workload, "spec.paused")) == paused:
        return None
    return {"spec": {"paused": True if paused else None}}
