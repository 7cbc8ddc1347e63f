# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a workload did not come up: asked for only where one failed."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import cause, history, kinds


def find_cause(cluster, workload: dict) -> cause.Cause | None:
    """Reads a workload's pods and its own events, and names the worst that they tell. Raises ClusterError."""
    meta = workload["metadata"]
    pods = cluster.list(kinds.pods_path(meta["namespace"]), {"labelSelector": history.selector(workload)}).items
    events = cluster.list(
        f"/api/v1/namespaces/{meta['namespace']}/events", {"fieldSelector": f"involvedObject.uid={meta['uid']}"}
    ).items
    return cause.find(workload, pods, events)
