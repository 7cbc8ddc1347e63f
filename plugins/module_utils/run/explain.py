# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a workload did not come up: asked for only where one failed."""

from __future__ import annotations

import dataclasses
import datetime

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Forbidden
from ansible_collections.restartx.core.plugins.module_utils.rollout import cause, history, kinds, log


@dataclasses.dataclass(frozen=True)
class Finding:
    """The cause, if there is one, with the last lines of its container's log; `deaf` says why those may not be read."""

    cause: cause.Cause | None = None
    deaf: str | None = None


def find_cause(cluster, workload: dict, now: datetime.datetime, deadline: float | None = None) -> Finding:
    """Reads a workload's pods and the events around them, and names the worst that they tell.

    `deadline` is an instant of the cluster's clock. Raises ClusterError, but not for a log.
    """
    namespace = workload["metadata"]["namespace"]
    selector = {"labelSelector": history.selector(workload)}
    pods = cluster.list(kinds.pods_path(namespace), selector, deadline=deadline).items
    # Not only the workload's own: what keeps a pod from starting (a volume, a probe) is told of the pod.
    warnings = {"fieldSelector": "type=Warning"}
    events = cluster.list(f"/api/v1/namespaces/{namespace}/events", warnings, deadline=deadline).items
    found = cause.find(workload, pods, events, now)
    if found is None or found.speaks is None:
        return Finding(found)
    query = log.query(found.container, previous=found.speaks == cause.PREVIOUS)
    try:
        text = cluster.text(log.path(namespace, found.pod), query, deadline=deadline)
    except Forbidden as error:
        return Finding(found, str(error))
    except ClusterError:
        return Finding(found)  # its node does not answer, or the container is gone: the cause is known all the same
    return Finding(dataclasses.replace(found, log=log.last_lines(text.splitlines())))
