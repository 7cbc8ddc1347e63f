# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds out why a workload did not come up. Used only if it failed, or made no progress for long."""

from __future__ import annotations

import dataclasses
import datetime

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Forbidden
from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, log
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import codes, find, of_log, wanted
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import PREEMPTED, Evidence


@dataclasses.dataclass(frozen=True)
class Finding:
    """The cause, if there is one, with the last lines of its container's log. `log_denied` says why the log may not be
    read."""

    cause: codes.Cause | None = None
    log_denied: str | None = None


def find_cause(
    cluster: Cluster, workload: dict, now: datetime.datetime, deadline: float | None = None, lines: int = log.LINES
) -> Finding:
    """Reads a workload's pods, revisions and events, and returns the worst cause that they show.

    `deadline` is an instant of the cluster's clock. `lines` is how much of a log is read; with 0 no log is. Raises
    ClusterError, but not if only a log, the revisions, or what not everybody may read cannot be read.
    """
    namespace = workload["metadata"]["namespace"]
    selector = {"labelSelector": history.selector(workload)}
    pods = cluster.list(kinds.pods_path(namespace), selector, deadline=deadline).items
    # Not only those of the workload: what keeps a pod from starting (a volume, a probe) is an event of the pod.
    events = cluster.list(_events(namespace), {"fieldSelector": "type=Warning"}, deadline=deadline).items
    owned = list_revisions(cluster, workload, deadline)
    evidence = Evidence(workload, pods, events, owned, now, cluster.context)
    found = find.find(evidence)
    more = _with_more(cluster, evidence, found, deadline)
    if more is not evidence:
        found = find.find(more)
    if found is None or not (found.log_source and found.pod and found.container and lines):
        return Finding(found)
    try:
        found = dataclasses.replace(found, log=_log_of(cluster, namespace, found, lines, deadline))
    except Forbidden as error:
        return Finding(found, str(error))
    except ClusterError:
        return Finding(found)  # its node does not answer, or the container is gone; the cause is known without a log
    pod = of_log.pod_of(found, pods)
    if pod is None or not of_log.complains(found.log):
        return Finding(found)
    policies = _optional(cluster, of_log.policies_path(namespace), None, deadline)
    return Finding(of_log.explained(found, pod, policies, cluster.context))


def list_revisions(cluster: Cluster, workload: dict, deadline: float | None = None) -> list[dict] | None:
    """The ReplicaSets or ControllerRevisions that a workload's selector finds. None if they may not be listed or are
    not needed: the status of a StatefulSet shows its newest revision."""
    if kinds.kind_of(workload).newest_hash(workload):
        return None
    path = kinds.history_path(workload["kind"], workload["metadata"]["namespace"])
    try:
        return cluster.list(path, {"labelSelector": history.selector(workload)}, deadline=deadline).items
    except Forbidden:
        return None


def _with_more(cluster: Cluster, evidence: Evidence, found: codes.Cause | None, deadline: float | None) -> Evidence:
    """The evidence with nodes and further events, if they may say more about the cause."""
    names, all_nodes = wanted.nodes(evidence, found)
    nodes = [node for name in names for node in _node(cluster, name, deadline)]
    if all_nodes:
        nodes = _optional(cluster, "/api/v1/nodes", None, deadline)
    events: list[dict] = []
    if wanted.preemptions(found):
        path = _events(evidence.workload["metadata"]["namespace"])
        events = _optional(cluster, path, {"fieldSelector": f"reason={PREEMPTED}"}, deadline)
    if not nodes and not events:
        return evidence
    return dataclasses.replace(evidence, nodes=nodes, events=[*evidence.events, *events])


def _log_of(
    cluster: Cluster, namespace: str, found: codes.Cause, lines: int, deadline: float | None
) -> tuple[str, ...]:
    path, previous, container = (
        log.path(namespace, found.pod or ""),
        found.log_source == codes.PREVIOUS,
        found.container,
    )
    text = cluster.text(path, log.query(container or "", previous, lines), deadline=deadline)
    if not (text.strip() or previous or found.running):
        # It had ended, and was started again before its log was read.
        text = cluster.text(path, log.query(container or "", True, lines), deadline=deadline)
    return log.last_lines(text.splitlines(), lines)


def _events(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"


def _node(cluster: Cluster, name: str, deadline: float | None) -> list[dict]:
    try:
        return [cluster.get(f"/api/v1/nodes/{name}", deadline=deadline)]
    except ClusterError:
        return []


def _optional(cluster: Cluster, path: str, params: dict | None, deadline: float | None) -> list[dict]:
    """The objects of a list that adds to a cause, and that not everybody may read."""
    try:
        return cluster.list(path, params, deadline=deadline).items
    except ClusterError:
        return []
