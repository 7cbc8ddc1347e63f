# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a restart could not start, because the controller waits for a pod that cannot become ready.

A StatefulSet with the OrderedReady policy replaces no pod before all pods are ready (kubernetes#67250). A restart would
only add a revision that waits for the pod.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    condition,
    field,
    parse_time,
)

LONG = timedelta(minutes=5)  # a pod that was not ready for this time no longer counts as starting
_FORGOTTEN = timedelta(
    minutes=10
)  # after this time the kubelet no longer counts earlier crashes of a running container
_STARTING = (None, "ContainerCreating", "PodInitializing")

_REPAIR = (
    "repair what keeps it from becoming ready, or go back to a revision that works with k8s_rollout_undo and "
    "delete_stuck_pods: true"
)


def refusal(workload: Object, pods: t.Sequence[Object], now: datetime, tried: bool = False) -> str | None:
    """Why a restart of the workload could not start, as one sentence with what to do; None if it could.

    `pods` may be all pods that the selector of the workload finds; `now` has a time zone. A pod that is only starting
    is not a reason, unless the run has `tried` before: then its earlier restart starts as soon as the pod is ready.
    """
    kind = kinds.kind_of(workload)
    stuck = kind.stuck_pods(workload, pods)
    for pod in kind.blocking_pods(workload, pods):
        name = pod["metadata"]["name"]
        why = _why_not_ready(pod, now)
        if pod in stuck:
            advice = (
                "delete it, and the controller creates it again from the newest revision: "
                f"kubectl delete pod {name} --namespace {pod['metadata']['namespace']}"
            )
        elif why:
            advice = _REPAIR
        elif tried:
            advice = f"wait until it is ready and start again, or {_REPAIR}"
        else:
            continue
        return (
            f'{kind.label(workload)} waits for its pod "{name}", which is not ready'
            f"{f' ({why})' if why else ''}, so a restart could not start; {advice}"
        )
    return None


def _why_not_ready(pod: Object, now: datetime) -> str | None:
    """The reason, in Kubernetes' terms, why a pod cannot become ready; None if it may just be starting."""
    seen = pod.get("status") or {}
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return scheduled.get("reason") or "not scheduled"
    for container in [*seen.get("initContainerStatuses", []), *seen.get("containerStatuses", [])]:
        waiting = field(container, "state.waiting.reason")
        if waiting not in _STARTING:
            return str(waiting)
        ended = field(container, "state.terminated") or field(container, "lastState.terminated", {})
        runs_since = parse_time(field(container, "state.running.startedAt"))
        if runs_since and now - runs_since >= _FORGOTTEN:
            continue
        if not container.get("ready") and ended.get("exitCode") and container.get("restartCount", 0) > 1:
            return f"{ended.get('reason') or 'Error'}, {container['restartCount']} restarts"
    since = parse_time(condition(pod, "Ready").get("lastTransitionTime"))
    if since and now - since > LONG:
        return f"since {condition(pod, 'Ready')['lastTransitionTime']}"
    return None
