# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a workload did not come up: asked for only where one failed."""

from __future__ import annotations

import datetime

from ansible_collections.restartx.core.plugins.module_utils.rollout import cause, history, kinds


def find_cause(cluster, workload: dict, now: datetime.datetime, deadline: float | None = None) -> cause.Cause | None:
    """Reads a workload's pods and the events around them, and names the worst that they tell.

    `deadline` is an instant of the cluster's clock. Raises ClusterError.
    """
    namespace = workload["metadata"]["namespace"]
    selector = {"labelSelector": history.selector(workload)}
    pods = cluster.list(kinds.pods_path(namespace), selector, deadline=deadline).items
    # Not only the workload's own: what keeps a pod from starting (a volume, a probe) is told of the pod.
    warnings = {"fieldSelector": "type=Warning"}
    events = cluster.list(f"/api/v1/namespaces/{namespace}/events", warnings, deadline=deadline).items
    return cause.find(workload, pods, events, now)
