# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of a plan's run on one cluster: a ConfigMap that outlives every controller.

What was restarted is written on the workloads themselves; the journal adds what they cannot tell: which run was meant
to cover which workloads and clusters, what failed and how often it was tried, and whether the run came to its end.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task

VERSION = 1
KEY = "journal.json"  # within the ConfigMap's data
WRITE_EVERY = 1.0  # seconds; what happens in between is written together
RETRIED = frozenset({"failed", "unfinished"})  # outcomes after which a resumed run tries again
DONE = frozenset({"restarted", "already_restarted"})


def path(namespace: str, plan: str | None = None) -> str:
    """The API path of a plan's journal, or of the namespace's ConfigMaps."""
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    return f"{base}/restartx-{plan}" if plan else base


def read(cluster, namespace: str, plan: str) -> dict | None:
    """The journal that a cluster holds of a plan, None when there is none; raises ClusterError or RolloutError."""
    try:
        config_map = cluster.get(path(namespace, plan))
    except NotFound:
        return None
    return _decode(config_map, namespace, plan)


def _decode(config_map: dict, namespace: str, plan: str) -> dict:
    try:
        journal = json.loads(config_map["data"][KEY])
        version = journal["version"]
    except (KeyError, TypeError, ValueError):
        version = None
    if version != VERSION:
        raise RolloutError(
            f'the ConfigMap "restartx-{plan}" in namespace "{namespace}" is no journal that this version reads '
            f"(version {version}); look at it, and delete it if nothing in it is needed"
        )
    return journal


@dataclass
class Journal:
    """What is known of the run, and what of it was last written."""

    namespace: str
    head: dict  # everything but the workloads
    attempts: dict[str, int]
    outcomes: dict[str, str | None]
    written: str = ""
    written_at: float = field(default=float("-inf"))

    @classmethod
    def begin(cls, call, run: str, tasks: t.Sequence[Task]) -> Journal:
        """Reads the plan's journal, settles what each task's attempt is, and writes the run's beginning.

        Nothing may be restarted before this has returned. Raises ClusterError when it cannot be written.
        """
        options = call.params["journal"]
        namespace, plan = options["namespace"], options["plan"]
        old, version = _current(call.cluster, namespace, plan)
        resumed = bool(old) and old["run"] == run
        known = old["workloads"] if resumed else {}
        journal = cls(
            namespace=namespace,
            head={
                "version": VERSION,
                "plan": plan,
                "digest": options["digest"],
                "run": run,
                "ticket": call.params["ticket"],
                "clusters": options["clusters"],
                "job": options["job"],
                "started_at": old["started_at"] if resumed else _text(call.clock.now()),
            },
            attempts={_name(task): _attempt(known.get(_name(task))) for task in tasks},
            outcomes={name: entry["outcome"] for name, entry in known.items()},
        )
        body = journal.body(tasks, call.clock.now())
        if version:
            body["metadata"]["resourceVersion"] = version
            call.cluster.replace(path(namespace, plan), body)
        else:
            call.cluster.create(path(namespace), body)
        return journal

    def attempt(self, task: Task) -> int:
        """Which attempt of this run a restart of the task now is: 1, or more after it failed before."""
        return self.attempts.get(_name(task), 1)

    def final(self, task: Task) -> bool:
        """Whether the task was undone in this run, and so is not restarted by it again."""
        return self.outcomes.get(_name(task)) == "undone"

    def due(self, tasks: t.Iterable[Task], now: datetime.datetime, instant: float) -> dict | None:
        """The ConfigMap to write now, None when nothing changed or the last one was written just before."""
        if instant - self.written_at < WRITE_EVERY:
            return None
        text = json.dumps(self._workloads(tasks))
        if text == self.written:
            return None
        self.written, self.written_at = text, instant
        return self.body(tasks, now)

    def body(self, tasks: t.Iterable[Task], now: datetime.datetime, state: str = "running") -> dict:
        """The ConfigMap that says how the run stands."""
        content = {**self.head, "state": state, "updated_at": _text(now), "workloads": self._workloads(tasks)}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"restartx-{self.head['plan']}",
                "namespace": self.namespace,
                "labels": {"app.kubernetes.io/managed-by": "restartx"},
            },
            "data": {KEY: json.dumps(content, separators=(",", ":"))},
        }

    def write(self, cluster, body: dict) -> None:
        """Puts what `body` says in place of what stands there; raises ClusterError."""
        cluster.patch(path(self.namespace, self.head["plan"]), {"data": body["data"]}, "merge")

    def close(self, cluster, tasks: t.Sequence[Task], now: datetime.datetime) -> None:
        """The last entry: finished when all went well, else stopped; raises ClusterError."""
        state = "finished" if all(task.good for task in tasks) else "stopped"
        self.write(cluster, self.body(tasks, now, state))

    def _workloads(self, tasks: t.Iterable[Task]) -> dict[str, dict]:
        return {
            _name(task): {
                "uid": task.object["metadata"].get("uid"),
                "entry": task.group,
                "attempt": self.attempt(task),
                "outcome": task.outcome if task.state == "ended" else None,
            }
            for task in tasks
        }


def _current(cluster, namespace: str, plan: str) -> tuple[dict | None, str | None]:
    try:
        config_map = cluster.get(path(namespace, plan))
    except NotFound:
        return None, None
    return _decode(config_map, namespace, plan), config_map["metadata"]["resourceVersion"]


def _attempt(entry: dict | None) -> int:
    if entry is None:
        return 1
    return entry["attempt"] + 1 if entry["outcome"] in RETRIED else entry["attempt"]


def _name(task: Task) -> str:
    return "/".join(task.key)


def _text(instant: datetime.datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def choose_run(
    journals: t.Mapping[str, dict | None], digest: str, ticket: str | None, requested: str | None, new_run: str
) -> dict:
    """Which run a start of the playbook is: the unfinished one of the same plan and ticket, or a new one.

    `journals` holds each cluster's journal of the plan by inventory host; `requested` is restartx_run: None, `new`, or
    a run id. Without a ticket the unfinished run of any ticket is meant. Returns {run_id, resuming, started_at, ticket,
    done, total, warning}. Raises RolloutError when the ticket's run is finished.
    """
    known = {host: journal for host, journal in journals.items() if journal}
    if requested not in (None, "", "new"):
        return _run(requested, known)
    open_runs = [journal for journal in known.values() if not _finished(journal, journals)]
    # Another ticket is another reason: what the old run has restarted already, this one has still to restart.
    same = [journal for journal in open_runs if journal["digest"] == digest and ticket in (None, journal["ticket"])]
    if same and requested != "new":
        return _run(max(same, key=lambda journal: journal["started_at"])["run"], known)
    if ticket and requested != "new":
        for journal in known.values():
            if journal["ticket"] == ticket and journal not in open_runs:
                raise RolloutError(
                    f"ticket {ticket} was carried out already, by run {journal['run']}, finished {journal['updated_at']}; "
                    "to restart everything again say -e restartx_run=new"
                )
    left = {f"{journal['run']} ({journal['ticket'] or 'no ticket'})" for journal in open_runs}
    chosen = _run(new_run, known)
    if left:
        chosen["warning"] = f"unfinished and now left behind: run {', '.join(sorted(left))}"
    return chosen


def _finished(journal: dict, journals: t.Mapping[str, dict | None]) -> bool:
    """A run is finished when it is so on every cluster that it was meant for and that is asked now."""
    asked = [journals[host] for host in journal["clusters"] if host in journals] or [journal]
    return all(other and other["run"] == journal["run"] and other["state"] == "finished" for other in asked)


def _run(run: str, known: t.Mapping[str, dict]) -> dict:
    of_run = [journal for journal in known.values() if journal["run"] == run]
    outcomes = [entry["outcome"] for journal in of_run for entry in journal["workloads"].values()]
    return {
        "run_id": run,
        "resuming": bool(of_run),
        "started_at": min((journal["started_at"] for journal in of_run), default=None),
        "ticket": next((journal["ticket"] for journal in of_run if journal["ticket"]), None),
        "done": sum(outcome in DONE for outcome in outcomes),
        "total": len(outcomes),
        "warning": None,
    }
