# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The requests that steps are made of. Each raises ClusterError; `deadline` is an instant of the cluster's clock."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Conflict,
    NotFound,
    NotPermitted,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    history,
    kinds,
    owner,
    settled,
    undo,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods

MAX_CONFLICTS = 10  # if a workload changes this often between read and patch, another controller keeps changing it
MAX_TRIES = 60  # the limit if only the status changes, faster than a patch can be sent: about five minutes
READ_SECONDS = 10.0  # seconds after the deadline of a change for a read that shows whether it was carried out


@dataclass(frozen=True)
class Mode:
    """How requests that change something are sent."""

    field_manager: str = "restartx"
    dry_run: bool = False

    @property
    def note(self) -> str:
        """What kubectl appends to its messages."""
        return " (server dry run)" if self.dry_run else ""


def patch(
    cluster: Cluster,
    workload: dict,
    body: t.Any,
    content: str,
    mode: Mode,
    deadline: float | None,
    done: t.Callable[[dict], bool] = lambda now: False,
) -> dict:
    """Changes a workload, and returns the changed workload. `content` is the kind of patch: strategic, merge or json.

    `done` tells whether this patch made the workload what it is. If no answer came, the workload is read and passed to
    `done`, and the error says whether the change was carried out.
    """
    path = kinds.path(*kinds.key(workload))
    try:
        return cluster.patch(
            path, body, content, field_manager=mode.field_manager, dry_run=mode.dry_run, deadline=deadline
        )
    except ClusterError as error:
        if not error.ambiguous or mode.dry_run:
            raise
        # The answer to an earlier copy was lost, so a conflict may be with our own change. If it were judged again, our
        # restart would count as somebody else's, and an undo would be undone. After other errors, users want to know
        # whether the change was carried out.
        now = _read_again(cluster, path, error, deadline)
        if done(now):
            return now
        if isinstance(error, Conflict):
            raise
        raise _not_carried_out(error) from error


def _read_again(cluster: Cluster, path: str, error: ClusterError, deadline: float | None) -> dict:
    try:
        return cluster.get(path, deadline=None if deadline is None else deadline + READ_SECONDS)
    except ClusterError:
        raise error from None  # it is still unknown, and the error says so


def _not_carried_out(error: ClusterError) -> ClusterError:
    """The error after the object was read and does not have the change."""
    if isinstance(error, NotPermitted):
        return NotPermitted(error.why, path=error.path)
    return ClusterError(f"{error}; it was read again, and the change was not carried out", path=error.path)


def revisions(cluster: Cluster, workload: dict, deadline: float | None = None) -> list[history.Revision]:
    """The revisions that the cluster still keeps of a workload, oldest first."""
    path = kinds.history_path(workload["kind"], workload["metadata"]["namespace"])
    selector = {"labelSelector": history.selector(workload)}
    return history.revisions(workload, cluster.list(path, selector, deadline=deadline).items)


def pods(cluster: Cluster, workload: dict, deadline: float | None = None) -> list[dict]:
    """All pods that a workload's selector finds; some may be of other workloads."""
    selector = {"labelSelector": history.selector(workload)}
    return cluster.list(kinds.pods_path(workload["metadata"]["namespace"]), selector, deadline=deadline).items


def pods_and_newest(cluster: Cluster, workload: dict, deadline: float | None = None) -> tuple[list[dict], str | None]:
    """All pods that a workload's selector finds, and the hash of its newest revision if only the revisions show which of
    the pods are of it."""
    found = pods(cluster, workload, deadline)
    if not which_pods.undecided(workload, found):
        return found, None
    kind = kinds.kind_of(workload)
    path = kinds.history_path(workload["kind"], workload["metadata"]["namespace"])
    owned = cluster.list(path, {"labelSelector": history.selector(workload)}, deadline=deadline).items
    newest = which_pods.newest_revision(workload, owned)
    return found, kind.hash_of(newest) if newest else None


def ready_since(cluster: Cluster, workload: dict, deadline: float | None = None) -> datetime.datetime | None:
    """Since when all pods that the controller counts have been ready; None if one is not, or if there are none."""
    key = kinds.key(workload)
    counted = [pod for pod in pods(cluster, workload, deadline) if which_pods.active(pod)]
    return settled.since_pods([pod for pod in counted if owner.workload_of(pod) == key])


def delete_stuck_pods(cluster: Cluster, statefulset: dict, deadline: float | None) -> list[str]:
    """Deletes the broken pods that block the return of a StatefulSet to a revision. Returns their names."""
    namespace = statefulset["metadata"]["namespace"]
    deleted = []
    for pod in undo.stuck_pods(statefulset, pods(cluster, statefulset, deadline)):
        meta = pod["metadata"]
        body = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
        try:
            cluster.delete(kinds.pods_path(namespace, meta["name"]), body=body, deadline=deadline)
        except (Conflict, NotFound):
            continue  # it has changed since, and may have recovered; the next check will show
        except NotPermitted:
            break
        deleted.append(meta["name"])
    return deleted


def evict(cluster: Cluster, pod: dict, deadline: float | None) -> None:
    """Evicts exactly this pod, as far as the PodDisruptionBudgets allow. Raises OverBudget, and NotFound or Conflict if it is
    gone already."""
    meta = pod["metadata"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "deleteOptions": {"preconditions": {"uid": meta["uid"]}},
    }
    cluster.create(f"{kinds.pods_path(meta['namespace'], meta['name'])}/eviction", body, deadline=deadline)


def may_try_again(conflicts: int, tries: int) -> bool:
    """Whether a change that failed with a conflict is tried again."""
    return conflicts < MAX_CONFLICTS and tries < MAX_TRIES


def sentence(error: BaseException, conflicts: int, tries: int) -> str:
    """The message for a change that failed: after how many conflicts with other writers, and after how many tries."""
    if isinstance(error, Conflict) and conflicts >= MAX_CONFLICTS:
        return (
            f"{error}; that happened {MAX_CONFLICTS} times in a row: somebody else keeps changing it, stop that first"
        )
    if isinstance(error, Conflict):
        return (
            f"{error}; that happened {tries} times in a row, because its status changes all the time: try again later"
        )
    if getattr(error, "ambiguous", False):
        return f"{error}; it is not known whether the change was carried out"
    return str(error)
