# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many journals of a plan are kept, and how a run is marked as over."""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

KEPT = 10  # newest runs of a plan, including the one that starts
UNFINISHED_KEPT = datetime.timedelta(days=30)  # an unfinished run is kept at least that long
TRIES = 5  # attempts to write while somebody else writes too


def prune(cluster: t.Any, namespace: str, runs: t.Sequence[dict], now: datetime.datetime) -> list[str]:
    """Deletes the journals of old runs when a new run starts. `runs` are the earlier ones, the newest first.

    Returns a warning without the permission to delete. The run continues.
    """
    for run in runs[KEPT - 1 :]:
        # A run that is finished here but not over may continue on other clusters. It still needs this journal then.
        if run["version"] == journal.FIRST_VERSION or (not run["over"] and now - _instant(run) < UNFINISHED_KEPT):
            continue
        names = [journal.name_of(run["plan"], run["run"], part) for part in range(run["parts"], -1, -1)]
        for name in names:
            try:
                cluster.delete(journal.path(namespace, name))
            except NotFound:
                continue
            except ClusterError as error:
                return [f"journals of old runs could not be deleted: {error}"]
    return []


def mark_over(cluster: t.Any, namespace: str, plan: str, run: str, clusters: t.Sequence[str]) -> bool:
    """Writes into the journal of a run that it is over on all `clusters`. Returns whether that changed the journal.

    Raises ClusterError, which is NotFound if the cluster has no journal of the run, and RolloutError if the run is not
    over: its journal names further clusters, or it is not finished on this one.
    """
    where = journal.path(namespace, journal.name_of(plan, run))
    for last in range(TRIES - 1, -1, -1):
        held = cluster.get(where)
        known = journal.decode(held, namespace)
        if known["over"] and set(clusters) <= set(known["clusters"]):
            return False
        if not known["over"]:
            _refuse_unfinished(known, clusters)
        content = json.loads(held["data"][journal.KEY])
        content.update(over=True, clusters=list(dict.fromkeys([*known["clusters"], *clusters])))
        body = {
            "metadata": {"resourceVersion": held["metadata"]["resourceVersion"]},
            "data": {journal.KEY: json.dumps(content, separators=(",", ":"))},
        }
        try:
            cluster.patch(where, body, "merge")
        except Conflict:
            if not last:
                raise
        else:
            return True
    return False


def _refuse_unfinished(known: t.Mapping[str, t.Any], clusters: t.Collection[str]) -> None:
    run = f'run "{known["run"]}" of plan "{known["plan"]}"'
    if known["state"] not in journal.ENDED:
        raise RolloutError(
            f"{run} is {known['state']} on this cluster; nothing was written: start it again, so that it finishes"
        )
    further = [name for name in known["clusters"] if name not in clusters]
    if further:
        raise RolloutError(
            f"{run} is also for {', '.join(further)}; nothing was written: once it is finished there too, name all its "
            "clusters"
        )


def _instant(run: t.Mapping[str, t.Any]) -> datetime.datetime:
    return datetime.datetime.fromisoformat(run["updated_at"])
