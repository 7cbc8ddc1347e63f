# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of a plan's run on one cluster: a ConfigMap that outlives every controller.

What was restarted is written on the workloads themselves; the journal adds what they cannot tell: which run was meant
to cover which workloads and clusters, what failed and how often it was tried, and whether the run came to its end.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

VERSION = 1
KEY = "journal.json"  # within the ConfigMap's data
DONE = frozenset({"restarted", "already_restarted"})


def path(namespace: str, plan: str | None = None) -> str:
    """The API path of a plan's journal, or of the namespace's ConfigMaps."""
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    return f"{base}/{_name(plan)}" if plan else base


def config_map(namespace: str, plan: str, text: str) -> dict:
    """The ConfigMap that holds a journal."""
    labels = {"app.kubernetes.io/managed-by": "restartx"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _name(plan), "namespace": namespace, "labels": labels},
        "data": {KEY: text},
    }


def no_namespace(namespace: str) -> str:
    """What to do where the namespace of journals and locks is missing."""
    return (
        f'the namespace "{namespace}", which holds the journals and locks, does not exist; an administrator makes it '
        "once, with the permissions that go with it: kubectl apply -f rbac/cluster.yml"
    )


def read(cluster, namespace: str, plan: str) -> dict | None:
    """The journal that a cluster holds of a plan, None when there is none; raises ClusterError or RolloutError."""
    held = fetch(cluster, namespace, plan)
    return decode(held, namespace, plan) if held else None


def fetch(cluster, namespace: str, plan: str) -> dict | None:
    """The ConfigMap of a plan's journal, None when there is none; raises ClusterError."""
    try:
        return cluster.get(path(namespace, plan))
    except NotFound:
        return None


def decode(held: dict, namespace: str, plan: str) -> dict:
    """The journal in a ConfigMap; raises RolloutError when there is none in it that this version reads."""
    try:
        journal = json.loads(held["data"][KEY])
        version = journal["version"]
    except (KeyError, TypeError, ValueError):
        version = None
    if version != VERSION:
        raise RolloutError(
            f'the ConfigMap "{_name(plan)}" in namespace "{namespace}" is no journal that this version reads '
            f"(version {version}); look at it, and delete it if nothing in it is needed"
        )
    return journal


def _name(plan: str) -> str:
    return f"restartx-{plan}"


def choose_run(
    journals: t.Mapping[str, dict | None], digest: str, ticket: str | None, requested: str | None, new_run: str
) -> dict:
    """Which run a start of the playbook is: the unfinished one of the same plan and ticket, or a new one.

    `journals` holds each cluster's journal of the plan by inventory host; `requested` is restartx_run: None, `new`, or
    a run id. Without a ticket the unfinished run of any ticket is meant. Returns {run_id, resuming, started_at, ticket,
    done, total, warning, others}; `others` are the clusters that another run has finished under the same ticket, with
    that run. Raises RolloutError when the ticket's run is finished.
    """
    known = {host: journal for host, journal in journals.items() if journal}
    if requested not in (None, "", "new"):
        return _run(requested, known, {})
    finished = {} if requested == "new" else _finished_under(ticket, digest, known)
    open_runs = [journal for journal in known.values() if not _finished(journal, journals)]
    # Another ticket is another reason: what the old run has restarted already, this one has still to restart.
    same = [journal for journal in open_runs if journal["digest"] == digest and ticket in (None, journal["ticket"])]
    if same and requested != "new":
        return _run(max(same, key=lambda journal: journal["started_at"])["run"], known, finished)
    if ticket and requested != "new":
        everywhere = all(host in finished for host in journals)
        for journal in known.values():
            elsewhere = journal["digest"] == digest and not everywhere  # some clusters are still to be restarted
            if journal["ticket"] == ticket and journal not in open_runs and not elsewhere:
                raise RolloutError(
                    f"ticket {ticket} was carried out already, by run {journal['run']}, finished {journal['updated_at']}; "
                    "to restart everything again say -e restartx_run=new"
                )
    left = {f"{journal['run']} ({journal['ticket'] or 'no ticket'})" for journal in open_runs}
    chosen = _run(new_run, known, finished)
    if left:
        chosen["warning"] = f"unfinished and now left behind: run {', '.join(sorted(left))}"
    return chosen


def _finished(journal: dict, journals: t.Mapping[str, dict | None]) -> bool:
    """A run is finished when it is so on every cluster that it was meant for and that is asked now."""
    asked = [journals[host] for host in journal["clusters"] if host in journals] or [journal]
    return all(other and other["run"] == journal["run"] and other["state"] == "finished" for other in asked)


def _finished_under(ticket: str | None, digest: str, known: t.Mapping[str, dict]) -> dict[str, str]:
    """The clusters on which a run of this ticket is finished, with the run: starts that each had a part of the clusters,
    such as the slices of a job, have a run each."""
    asked = {"ticket": ticket, "digest": digest, "state": "finished"}
    return {
        host: journal["run"]
        for host, journal in known.items()
        if ticket and asked == {name: journal[name] for name in asked}
    }


def _run(run: str, known: t.Mapping[str, dict], finished: t.Mapping[str, str]) -> dict:
    others = {host: other for host, other in finished.items() if other != run}
    of_run = [journal for host, journal in known.items() if journal["run"] in (run, others.get(host))]
    outcomes = [entry["outcome"] for journal in of_run for entry in journal["workloads"].values()]
    return {
        "run_id": run,
        "resuming": bool(of_run),
        "started_at": min((journal["started_at"] for journal in of_run), default=None),
        "ticket": next((journal["ticket"] for journal in of_run if journal["ticket"]), None),
        "done": sum(outcome in DONE for outcome in outcomes),
        "total": len(outcomes),
        "warning": None,
        "others": others,
    }
