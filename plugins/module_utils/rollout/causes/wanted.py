# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which further objects may say more about a cause. They cost requests, and nodes are not for everybody to read."""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes, of_pod, scheduling, which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition

MOST_NODES = 3  # that are read one by one
MOST_LISTED = 100  # nodes of a cluster, of which all are read
_OLD = timedelta(seconds=30)  # a pod that has had a node for this time should have begun
_OF_NODES = ("not_terminated", "node_not_ready")


def nodes(evidence: Evidence, found: codes.Cause | None) -> tuple[list[str], bool]:
    """The names of nodes to read, and whether all nodes of the cluster are needed instead."""
    if found and found.code == "unschedulable":
        messages = [condition(pod, "PodScheduled").get("message") or "" for pod in evidence.newest_pods]
        return [], any(scheduling.tainted(text) and scheduling.nodes(text) <= MOST_LISTED for text in messages)
    if found and found.code not in _OF_NODES:
        return [], False
    if found:
        pods = [pod for pod in evidence.pods if pod["metadata"]["name"] == found.pod]
    else:
        pods = [pod for pod in evidence.newest_pods if of_pod.begins_still(pod) and _is_old(pod, evidence)]
    names = dict.fromkeys(kinds.field(pod, "spec.nodeName") for pod in pods)
    return [name for name in names if name][:MOST_NODES], False


def preemptions(found: codes.Cause | None) -> bool:
    """Whether a pod of the workload may have been preempted."""
    return found is not None and found.code == "unschedulable"


def _is_old(pod: Object, evidence: Evidence) -> bool:
    at = restart.parse_time(which_pods.created(pod))
    return at is None or evidence.now is None or evidence.now - at >= _OLD
