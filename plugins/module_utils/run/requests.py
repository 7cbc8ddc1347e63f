# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The requests that steps are made of. Each raises ClusterError; `deadline` is an instant of the cluster's clock."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, undo


@dataclass(frozen=True)
class Mode:
    """How requests that change something are sent."""

    field_manager: str = "restartx"
    dry_run: bool = False


def patch(
    cluster,
    workload: dict,
    body: t.Any,
    content: str,
    mode: Mode,
    deadline: float | None,
    done: t.Callable[[dict], bool] = lambda now: False,
) -> dict:
    """Changes a workload, and returns it as it is after that; `content` is the kind of patch: strategic, merge or json.

    `done` tells of a workload whether it is as this very patch makes it.
    """
    path = kinds.path(*kinds.key(workload))
    options = {"field_manager": mode.field_manager, "dry_run": mode.dry_run, "deadline": deadline}
    try:
        return cluster.patch(path, body, content, **options)
    except Conflict as error:
        if not error.ambiguous:
            raise
        # The answer to an earlier copy was lost, so this may be a conflict with our own change. Judged anew, a restart
        # would count as somebody else's, and an undo would be undone.
        now = cluster.get(path, deadline=deadline)
        if not done(now):
            raise
        return now


def revisions(cluster, workload: dict, deadline: float | None = None) -> list[history.Revision]:
    """The revisions that the cluster still keeps of a workload, oldest first."""
    path = kinds.history_path(workload["kind"], workload["metadata"]["namespace"])
    selector = {"labelSelector": history.selector(workload)}
    return history.revisions(workload, cluster.list(path, selector, deadline=deadline).items)


def delete_stuck_pods(cluster, statefulset: dict, deadline: float | None) -> list[str]:
    """Deletes the broken pods that keep a StatefulSet's wanted revision from coming back; their names."""
    namespace = statefulset["metadata"]["namespace"]
    selector = {"labelSelector": history.selector(statefulset)}
    pods = cluster.list(kinds.pods_path(namespace), selector, deadline=deadline).items
    deleted = []
    for pod in undo.stuck_pods(statefulset, pods):
        meta = pod["metadata"]
        body = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
        try:
            cluster.delete(kinds.pods_path(namespace, meta["name"]), body=body, deadline=deadline)
        except (Conflict, NotFound):
            continue  # it has changed since, perhaps for the better: the next look tells
        deleted.append(meta["name"])
    return deleted
