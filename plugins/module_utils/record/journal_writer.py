# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the journal of a run before anything is touched, and whenever outcomes change.

There is one write at a time, and about one a second at most. Changes in between are written together.
"""

from __future__ import annotations

import datetime
import functools
import json
import secrets
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.record import held, journal, resume, runs
from ansible_collections.restartx.core.plugins.module_utils.record.document import Document, TakenOver
from ansible_collections.restartx.core.plugins.module_utils.record.title import Known, Title
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, RETRIED, Outcome

WRITE_EVERY = 1.0  # seconds
REASON_EVERY = 60.0  # seconds between two answers of a closed gate


class JournalWriter:
    """Writes the journal of one run on one cluster, as an observer of the engine; made by begin()."""

    required = True
    needs_lock = True  # only the holder of the lock writes the journal
    under_way = "running"  # the state of the run while the writer works

    def __init__(self, cluster: t.Any, clock: t.Any, title: Title, old: dict | None, unchanged: t.Collection[str] = ()):
        self.warnings: list[str] = []
        self._cluster = cluster
        self._clock = clock
        self._title = title
        self._old: dict = old or {}
        self._known: dict[str, dict] = self._old.get("workloads", {})
        self._unchanged = unchanged
        self._started_at = self._old.get("started_at") or _text(clock.now())
        self._clusters = list(dict.fromkeys([*self._old.get("clusters", []), *title.clusters]))
        self._start = secrets.token_hex(3)  # makes equal texts of two starts in the same second differ
        self._earlier: dict[str, resume.Earlier] = {}
        self._partitions: dict[str, int] = {}
        self._canaries: dict[str, Canary] = {}
        self._documents: list[Document] = []
        self.taken_back: t.Callable[[], bool] = lambda: False  # whether the whole run must be undone
        # Why something waits by gate, when each gate was open first, and which entries are gates that have opened.
        self.gates: t.Callable[[], dict[str, t.Any]] = lambda: {name: self._old.get(name) for name in journal.OF_GATES}
        self.gates_closed: t.Callable[[], bool] = lambda: False  # whether a gate that the run must pass has not opened
        self._gates_told: dict[str, t.Any] = {}
        self._due = self._taken_over = False
        self._written_at = float("-inf")

    @classmethod
    def begin(
        cls,
        cluster: t.Any,
        clock: t.Any,
        title: Title,
        known: Known,
        tasks: t.Sequence[Task],
        unchanged: t.Collection[str] = (),
        dry_run: bool = False,
    ) -> JournalWriter:
        """Decides what each task does in this start, and writes that the run has begun.

        `unchanged` are the ids of the entries whose selection is that of the start before. Nothing may be restarted
        before this returns. Raises ClusterError or RolloutError if the journal cannot be written. A dry run writes
        nothing.
        """
        writer = cls(cluster, clock, title, known.run, unchanged)
        writer._settle(tasks)
        if not dry_run:
            writer._create(known.held, len({_name(task) for task in tasks} | writer._known.keys()), tasks)
            if known.run is None:
                writer.warnings += runs.prune(cluster, title.namespace, known.runs, clock.now())
        return writer

    def _settle(self, tasks: t.Sequence[Task]) -> None:
        title, since = self._title, datetime.datetime.fromisoformat(self._started_at)
        for task in tasks:
            name = _name(task)
            undoes = task.group in title.undoing
            self._earlier[name] = resume.decide(
                self._known.get(name), task.object, title.run, title.retry, title.field_manager, since, undoes
            )
            partition = held.partition_of(self._known.get(name), task.object, task.group in title.pausing)
            if partition is not None:
                self._partitions[name] = partition
            asked = title.canaries.get(task.group), title.enforced.get(task.key)
            its = held.canary_of(self._known.get(name), task.object, *asked, title.run, title.field_manager)
            if its is not None:
                self._canaries[name] = its

    def _create(self, held: t.Sequence[dict], workloads: int, tasks: t.Sequence[Task]) -> None:
        title = self._title
        parts = 0 if workloads <= journal.INLINE else -(-workloads // journal.IN_PART)
        by_name = {one["metadata"]["name"]: one for one in held}
        for part in range(parts + 1):
            name = journal.name_of(title.plan, title.run, part)
            labels, there = journal.labels_of(title.plan, title.run, part), by_name.get(name)
            self._documents.append(Document(self._cluster, self._clock, title.namespace, name, labels, there))
        try:
            self._write(self._texts(tasks, self.under_way))
        except (Conflict, TakenOver) as error:
            raise RolloutError(
                f'the journal of plan "{title.plan}" is being written by another start right now; nothing was '
                "touched: wait until it has ended, then start again"
            ) from error

    def earlier(self, task: Task) -> resume.Earlier:
        """The state of the task after earlier starts of the run: its attempt, and an outcome that is kept."""
        return self._earlier[_name(task)]

    def was_done(self, task: Task) -> bool:
        """Whether an earlier start of the run has brought the task to its end, its gates included."""
        return (self._known.get(_name(task)) or {}).get("outcome") in DONE

    def partition(self, task: Task) -> int | None:
        """The partition of a StatefulSet before this run held it for inspection, if the run may do so."""
        return self._partitions.get(_name(task))

    def see(self, event: Event) -> None:
        """Notes that a new outcome, or an undo that starts, must be written."""
        self._due = self._due or event.after is State.ENDED or event.task.undoing or self.taken_back()

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """A write, if there is something new."""
        now = self._clock.monotonic()
        self._due = self._due or self._gates_are_news(now)
        if not self._due or self._taken_over or now < self._written_at + WRITE_EVERY:
            return None
        self._due, self._written_at = False, now
        return Work(functools.partial(self._write, self._texts(tasks, self.under_way)))

    def _gates_are_news(self, now: float) -> bool:
        """Whether a gate has opened or closed. A new answer of a gate that stays closed is written less often."""
        gates, told = self.gates(), self._gates_told
        closed, before = gates["waits_for"] or {}, told.get("waits_for") or {}
        if closed.keys() != before.keys() or {**gates, "waits_for": 0} != {**told, "waits_for": 0}:
            return True
        return closed != before and now >= self._written_at + REASON_EVERY

    def worked(self, error: BaseException | None) -> None:
        """A write is done. A failed write does not stop the run, because the workloads carry the marks. It is tried
        again."""
        if error is None:
            return
        if not isinstance(error, ClusterError):
            raise error  # a bug, not a state of the cluster
        self._due = True
        self._taken_over = self._taken_over or isinstance(error, TakenOver)
        warning = f"the journal could not be written: {error}"
        if warning not in self.warnings:
            self.warnings.append(warning)

    def close(self, tasks: t.Sequence[Task]) -> None:
        """The last write: `finished` if everything succeeded, otherwise `stopped`. No other write may be in
        progress."""
        if self._taken_over:
            return
        try:
            self._write(self._texts(tasks, *self._ending(tasks)))
        except ClusterError as error:
            self.warnings.append(f"the journal could not be closed: {error}")

    def _ending(self, tasks: t.Sequence[Task]) -> tuple[str, str | None]:
        """The state of the run after this start, and what stopped it."""
        bad = [task for task in tasks if not task.good]
        # If only the end of the window stopped the run, it continues in the next window: here, or if all went well here,
        # on the clusters of a later wave.
        closed = self._title.window is not None and not self._title.window.is_open(self._clock.now())
        stopped_by = "window" if closed and all(task.outcome is Outcome.NOT_STARTED for task in bad) else None
        return ("stopped" if bad or self.gates_closed() else "finished"), stopped_by

    def _write(self, texts: t.Sequence[str]) -> None:
        """Writes the texts into their ConfigMaps, the first one last. Runs in a worker. Raises ClusterError."""
        for document, text in reversed(list(zip(self._documents, texts))):
            if text != document.text:
                is_first = document is self._documents[0]
                beside = {journal.PLAN_KEY: self._title.plan_text} if is_first and self._title.plan_text else {}
                document.write(text, beside)

    def _texts(self, tasks: t.Iterable[Task], state: str, stopped_by: str | None = None) -> list[str]:
        """The current texts of the ConfigMaps of the journal."""
        named = {_name(task): self._entry(task) for task in tasks}
        # Workloads that the plan no longer selects stay in the journal, because the run has restarted them.
        left = {name: self._left_alone(entry) for name, entry in self._known.items() if name not in named}
        workloads = {**left, **named}
        state = journal.UNDOING if self.taken_back() else state
        content = {**self._header(named, state, stopped_by), "counts": journal.counts_of(workloads)}
        if len(self._documents) == 1:
            return [_json({**content, "workloads": workloads})]
        cuts = [list(workloads)[at : at + journal.IN_PART] for at in range(0, len(workloads), journal.IN_PART)]
        head = {"version": journal.VERSION, "run": self._title.run, "start": self._start}
        rest = [_json({**head, "workloads": {name: workloads[name] for name in cut}}) for cut in cuts]
        return [_json({**content, "workloads": {}}), *rest]

    def _header(self, named: t.Mapping[str, dict], state: str, stopped_by: str | None) -> dict:
        """The journal without its workloads. `named` are the entries of the workloads of this start."""
        title, self._gates_told = self._title, self.gates()
        return {
            "version": journal.VERSION,
            "plan": title.plan,
            "digest": title.digest,
            "run": title.run,
            "ticket": title.ticket,
            "period": title.period,
            "clusters": self._clusters,
            "job": title.job,
            "operator": title.operator or self._old.get("operator"),
            "break_circuit": title.break_circuit or self._old.get("break_circuit"),
            "start": self._start,
            "started_at": self._started_at,
            "state": state,
            "stopped_by": stopped_by,
            "over": state == journal.UNDOING or (state == "finished" and len(self._clusters) <= 1),
            "updated_at": _text(self._clock.now()),
            "done": sum(entry["outcome"] in DONE for entry in named.values()),
            "total": len(named),
            "parts": len(self._documents) - 1,
            **{name: value for name, value in self._gates_told.items() if value},
        }

    def _left_alone(self, entry: dict) -> dict:
        """What the journal says of a workload that this start does not have. Its entry is null if that entry was changed
        and no longer selects it. Otherwise the workload is only missing at present."""
        return entry if entry["entry"] in self._unchanged else {**entry, "entry": None}

    def _entry(self, task: Task) -> dict:
        name = _name(task)
        partition = {"partition": self._partitions[name]} if name in self._partitions else {}
        its = {"canary": self._canaries[name].record} if name in self._canaries else {}
        return {
            "uid": task.object["metadata"].get("uid"),
            "entry": task.group,
            "attempt": self._earlier[name].attempt,
            "outcome": self._outcome(task),
            **partition,
            **its,
        }

    def _outcome(self, task: Task) -> str | None:
        if _is_being_undone(task):
            return str(Outcome.UNDONE)
        name = _name(task)
        if task.state is not State.ENDED or task.outcome is Outcome.NOT_STARTED:
            earlier, known = self._earlier[name], self._known.get(name)
            if earlier.outcome:
                return str(earlier.outcome)
            left = None if known is None or earlier.attempt > known["attempt"] else _left(known["outcome"])
            return left or (str(Outcome.IN_PROGRESS) if _was_sent(task) else None)
        if task.unanswered and task.outcome in RETRIED:
            # The template shows the next start whether the change was carried out.
            return None
        if task.cut_short and task.outcome in RETRIED:
            # The next start waits for it, and leaves it alone if somebody has reverted it by then.
            return str(Outcome.IN_PROGRESS)
        return str(task.outcome)


def _left(outcome: str | None) -> str | None:
    """The outcome of the last start while this one has none, and does not try it again."""
    if outcome == Outcome.UNFINISHED:
        return str(Outcome.IN_PROGRESS)
    return None if outcome in RETRIED else outcome


def _was_sent(task: Task) -> bool:
    """Whether the task's restart was sent, as far as an answer tells."""
    return task.running and (task.place > 0 or task.state is not State.ACTING)


def _json(content: t.Mapping) -> str:
    return json.dumps(content, separators=(",", ":"))


def _name(task: Task) -> str:
    return journal.entry_name(task.key)


def _is_being_undone(task: Task) -> bool:
    """Whether an undo has started and its result is not known. The start may be killed before it can write the result.

    If the undo was not sent, the template still carries the run, and the template decides.
    """
    unknown = task.cut_short or (task.unanswered and task.outcome in RETRIED)
    return task.undoing and (unknown or task.state is not State.ENDED)


def _text(instant: datetime.datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
