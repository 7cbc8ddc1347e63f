# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps a run's journal in step with its tasks: written before anything is touched, and whenever outcomes change.

One writing at a time, about once a second at most; what happens in between is written together. Each writing builds on
the version that the one before left, so a journal that another run has taken over is never overwritten.
"""

from __future__ import annotations

import datetime
import json
import secrets
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import journal
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task

TOKEN = ("journal", None)  # of the writings that the world is given
WRITE_EVERY = 1.0  # seconds
PATIENCE = 30.0  # seconds after which a writing is given up; the next one says the same and more
RETRIED = frozenset({"failed", "unfinished", "superseded"})  # outcomes after which a resumed run tries again


class TakenOver(ClusterError):
    """Somebody else writes the journal by now."""


@dataclass(frozen=True)
class Title:
    """Which run the journal tells of; `clusters` are the inventory hosts that it is meant for."""

    namespace: str
    plan: str
    digest: str
    run: str
    ticket: str | None = None
    clusters: t.Sequence[str] = ()
    job: str | None = None
    seen_run: str | None = None  # the run that the journal told of when this one was decided on; empty for none


class Scribe:
    """Writes the journal of one run on one cluster; made by begin()."""

    def __init__(self, cluster, clock, title: Title, old: dict | None):
        self.warnings: list[str] = []
        self._cluster = cluster
        self._clock = clock
        self._title = title
        resumed = old is not None and old["run"] == title.run
        known = old["workloads"] if resumed else {}
        self._started_at = old["started_at"] if resumed else _text(clock.now())
        self._start = secrets.token_hex(3)  # tells the texts of two starts apart that write the same in the same second
        self._attempts = {name: _attempt(entry) for name, entry in known.items()}
        # What this start has not looked at yet is as the last one left it, unless it is tried again.
        self._outcomes = {name: entry["outcome"] for name, entry in known.items() if entry["outcome"] not in RETRIED}
        self._version: str | None = None
        self._ours: list[str] = []  # what the server may hold from us: the last text that it took, and those since
        self._due = False
        self._busy = False
        self._written_at = float("-inf")
        self._taken_over = False

    @classmethod
    def begin(cls, cluster, clock, title: Title, tasks: t.Sequence[Task], dry_run: bool = False) -> Scribe:
        """Reads the plan's journal, settles which attempt each task's is, and writes that the run has begun.

        Nothing may be restarted before this has returned. Raises ClusterError or RolloutError when it cannot be written.
        For a dry run it is only read.
        """
        held = journal.fetch(cluster, title.namespace, title.plan)
        old = journal.decode(held, title.namespace, title.plan) if held else None
        if title.seen_run is not None and old and old["run"] not in (title.run, title.seen_run):
            raise RolloutError(
                f'another start of plan "{title.plan}" has begun run {old["run"]} since this one looked at the journal; '
                "nothing was touched: start again"
            )
        scribe = cls(cluster, clock, title, old)
        scribe._forgive(tasks)
        if dry_run:
            return scribe
        text = scribe._tell(tasks, "running")
        try:
            if held is None:
                scribe._create(text)
            else:
                scribe._version = held["metadata"]["resourceVersion"]
                scribe._put(text)
        except (Conflict, TakenOver) as error:
            raise RolloutError(
                f'the journal of plan "{title.plan}" is being written by another start of it at this moment; nothing was '
                "touched: wait until that one has ended, then start again"
            ) from error
        return scribe

    def _forgive(self, tasks: t.Sequence[Task]) -> None:
        """What had failed or taken too long, and has come up since, is not tried again."""
        for task in tasks:
            attempt = restart.attempt_of(task.object, self._title.run)
            if attempt and status.judge(task.object).state == status.DONE:
                self._attempts[_name(task)] = attempt

    @property
    def busy(self) -> bool:
        """Whether a writing is under way."""
        return self._busy

    def attempt(self, task: Task) -> int:
        """Which attempt of this run a restart of the task now is: 1, or more after it failed before."""
        return self._attempts.get(_name(task), 1)

    def final(self, task: Task) -> bool:
        """Whether the task was undone in this run, and so is not restarted by it again."""
        return self._outcomes.get(_name(task)) == "undone"

    def note(self) -> None:
        """An outcome has changed."""
        self._due = True

    def write(self, world, tasks: t.Iterable[Task]) -> None:
        """Gives the world a writing, if there is something new and the last one is over; see written()."""
        now = self._clock.monotonic()
        if not self._due or self._busy or self._taken_over or now < self._written_at + WRITE_EVERY:
            return
        self._due, self._busy, self._written_at = False, True, now
        world.do(TOKEN, self._put, self._tell(tasks, "running"))

    def written(self, error: Exception | None) -> None:
        """A writing is over. One that failed stops no run, for the workloads carry what counts; it is tried again."""
        self._busy = False
        if error is None:
            return
        if not isinstance(error, ClusterError):
            raise error  # a bug of ours, not a state of the cluster
        self._due = True
        self._taken_over = self._taken_over or isinstance(error, TakenOver)
        warning = f"the journal could not be written: {error}"
        if warning not in self.warnings:
            self.warnings.append(warning)

    def close(self, tasks: t.Sequence[Task]) -> None:
        """The last entry: finished when all went well, else stopped. No writing may be under way."""
        if self._taken_over:
            return
        state = "finished" if all(task.good for task in tasks) else "stopped"
        try:
            self._put(self._tell(tasks, state))
        except ClusterError as error:
            self.warnings.append(f"the journal could not be closed: {error}")

    def _tell(self, tasks: t.Iterable[Task], state: str) -> str:
        """The text of the journal as things stand."""
        title = self._title
        content = {
            "version": journal.VERSION,
            "plan": title.plan,
            "digest": title.digest,
            "run": title.run,
            "ticket": title.ticket,
            "clusters": list(title.clusters),
            "job": title.job,
            "start": self._start,
            "started_at": self._started_at,
            "state": state,
            "updated_at": _text(self._clock.now()),
            "workloads": {_name(task): self._entry(task) for task in tasks},
        }
        return json.dumps(content, separators=(",", ":"))

    def _entry(self, task: Task) -> dict:
        return {
            "uid": task.object["metadata"].get("uid"),
            "entry": task.group,
            "attempt": self.attempt(task),
            "outcome": self._outcome(task),
        }

    def _outcome(self, task: Task) -> str | None:
        if task.state != "ended" or task.outcome == "not_started":
            return self._outcomes.get(_name(task))
        # What was on its way when the call ended is waited for by the next start, not restarted once more.
        return None if task.left and task.outcome in RETRIED else task.outcome

    def _create(self, text: str) -> None:
        title = self._title
        body = journal.config_map(title.namespace, title.plan, text)
        try:
            self._took(text, self._cluster.create(journal.path(title.namespace), body))
        except NotFound as error:
            raise RolloutError(journal.no_namespace(title.namespace)) from error

    def _put(self, text: str) -> None:
        """Puts the text in place of the last one; runs in a hand. Raises ClusterError, TakenOver among them."""
        deadline = self._clock.monotonic() + PATIENCE
        where = journal.path(self._title.namespace, self._title.plan)
        self._ours.append(text)
        try:
            answer = self._patch(where, text, deadline)
        except Conflict:
            # Somebody labelled it, or an earlier writing whose answer was lost has arrived after all.
            held = self._cluster.get(where, deadline=deadline)
            there = (held.get("data") or {}).get(journal.KEY)
            if there not in self._ours:
                raise TakenOver("another start of the plan writes it now; this one goes on without") from None
            self._version = held["metadata"]["resourceVersion"]
            answer = held if there == text else self._patch(where, text, deadline)
        self._took(text, answer)

    def _patch(self, where: str, text: str, deadline: float) -> dict:
        body = {"metadata": {"resourceVersion": self._version}, "data": {journal.KEY: text}}
        return self._cluster.patch(where, body, "merge", deadline=deadline)

    def _took(self, text: str, answer: dict) -> None:
        self._version = answer["metadata"]["resourceVersion"]
        self._ours = [text]


def _attempt(entry: dict) -> int:
    return entry["attempt"] + 1 if entry["outcome"] in RETRIED else entry["attempt"]


def _name(task: Task) -> str:
    return "/".join(task.key)


def _text(instant: datetime.datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
