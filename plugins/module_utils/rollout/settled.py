# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Since when a rollout has been done, according to the cluster."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds

# Reason of the condition Progressing of a Deployment whose rollout is complete; its lastUpdateTime is when it became so
# (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment).
COMPLETE = "NewReplicaSetAvailable"


def since(workload: dict) -> datetime.datetime | None:
    """Since when a Deployment whose rollout is done has been complete and available; None if it does not show it.

    The objects of other kinds do not show it, but their pods do: see since_pods().
    """
    conditions = {one.get("type"): one for one in kinds.field(workload, "status.conditions", [])}
    progressing, available = conditions.get("Progressing", {}), conditions.get("Available", {})
    if workload.get("kind") != "Deployment" or progressing.get("reason") != COMPLETE:
        return None
    if available.get("status") != "True":
        return None
    instants = [_instant(progressing.get("lastUpdateTime")), _instant(available.get("lastTransitionTime"))]
    return _latest(instants)


def since_pods(pods: t.Sequence[dict]) -> datetime.datetime | None:
    """Since when all of these pods have been ready; None if one is not, or if there are none."""
    instants = []
    for pod in pods:
        conditions = {one.get("type"): one for one in kinds.field(pod, "status.conditions", [])}
        ready = conditions.get("Ready", {})
        instants.append(_instant(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None)
    return _latest(instants)


def _latest(instants: t.Sequence[datetime.datetime | None]) -> datetime.datetime | None:
    known = [instant for instant in instants if instant is not None]
    return max(known) if known and len(known) == len(instants) else None


def _instant(text: object) -> datetime.datetime | None:
    """A time of the API, which is RFC 3339 in UTC."""
    try:
        instant = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else None
