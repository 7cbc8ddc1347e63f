# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges canaries: their pods must get ready, stay well for the hold, and then the gates must open.

The pods of a canary are read when its workload changes, and at the end of the hold. Times on the pods show what has
happened in between.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.gate_series import COMPARISON, GateSeries, Series
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED, State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Room, Trial
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import State as GateState
from ansible_collections.restartx.core.plugins.module_utils.gates.prometheus import PrometheusGate
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, status, trial
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.canary import CANARY, STABLE
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

READ_SECONDS = 30.0  # how long one answer about the pods may take
READ_AGAIN = 5.0  # seconds until the pods are read again after an error
ROOM_AGAIN = 1.0  # seconds until budgets are asked again that leave no room
SOON = 0.2  # seconds until an answer about them is looked for again
UNREAD_SECONDS = 120.0  # seconds without an answer after which the canary has failed


@dataclass
class _Course:
    """How far the trial of one canary is. Instants are of the monotonic clock."""

    began: float
    asked_at: float | None = None  # while the pods are read
    again: bool = False  # something has changed meanwhile
    pods: dict[str, trial.Seen] | None = None  # from the begin of the hold
    unread_since: float | None = None
    others: list[str] = field(default_factory=list)  # names of the other pods of the workload
    gates: Series | None = None  # while they are asked
    pods_due: float | None = None  # when the pods are to be read
    passed: bool = False  # hold and gates; the pods are read a last time
    waits: bool = False  # for room, so that is asked for before the pods are read again
    waited: bool = False  # for room since the gates were asked, so what they said may no longer be so


class Trials:
    """Decides about the tasks whose step has a trial. `ended` and `failed` are told the outcome, and `moves` that something
    is waited for that should end within the timeout."""

    def __init__(
        self,
        executor: Executor,
        timers: Timers,
        ended: t.Callable[[Task, Outcome, str], None],
        failed: t.Callable[[Task, Outcome, str], None],
        moves: t.Callable[[Task], None],
    ):
        self._gates = GateSeries(executor, timers, "canary_gate")
        self._warnings: list[str] = []
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {"canary": self._read, "canary_gate": self._told}
        self._executor = executor
        self._timers = timers
        self._ended = ended
        self._tell_failed = failed
        self._moves = moves
        self._courses: dict[Key, _Course] = {}

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return [*self._warnings, *self._gates.warnings]

    def begin(self, task: Task) -> None:
        """A rollout of the task begins; what was known of an earlier canary no longer counts."""
        self._courses.pop(task.key, None)

    def look(self, task: Task) -> None:
        """The workload of the task may have changed."""
        course = self._course(task)
        course.again = course.asked_at is not None
        if course.asked_at is None:
            self._ask_pods(task, course)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        course = self._course(task)
        self._gates.ring(task, course.gates, now)
        if course.pods_due is not None and now >= course.pods_due:
            course.pods_due = None
            if not (course.waits and self._awaits_room(task, course, _its(task))):
                self.look(task)

    def _course(self, task: Task) -> _Course:
        return self._courses.setdefault(task.key, _Course(self._executor.clock.monotonic()))

    def _ask_pods(self, task: Task, course: _Course) -> None:
        course.asked_at = self._executor.clock.monotonic()
        course.again = course.waits = False
        until = course.asked_at + READ_SECONDS
        self._executor.do(("canary", task.key), requests.pods_and_newest, self._executor.cluster, task.object, until)

    def _read(self, task: Task, answer: Answer) -> None:
        """Handles the pods of a workload."""
        course, its, now = self._courses.get(task.key), task.step.trial, self._executor.clock.monotonic()
        if course is None or its is None or task.state not in FOLLOWED or course.asked_at is None:
            return
        asked_at, course.asked_at = course.asked_at, None
        if answer.error is not None:
            self._unread(task, course, str(answer.error), now)
            return
        course.unread_since = None
        pods, newest = answer.value
        if course.pods is None:
            self._begin_hold(task, course, its, trial.ready_pods(task.object, pods, newest), now)
        else:
            why = trial.broken(course.pods, pods)
            if why:
                self._failed(task, Outcome.FAILED, f"the {its.words} failed: {why}")
                return
            course.others = trial.others(task.object, course.pods, pods)
            self._go_on(task, course, its, asked_at)
        if course.again and task.state in FOLLOWED and self._courses.get(task.key) is course:
            self._ask_pods(task, course)

    def _unread(self, task: Task, course: _Course, error: str, now: float) -> None:
        """What the pods do cannot be found out: it is tried again for a while, and nothing goes on."""
        course.unread_since = now if course.unread_since is None else course.unread_since
        if now - course.unread_since >= UNREAD_SECONDS:
            self._failed(
                task,
                Outcome.UNFINISHED,
                f"the {_its(task).words} could not be judged: its pods could not be read: {error}",
            )
        else:
            course.pods_due = self._timers.set(task, now + READ_AGAIN)

    def _begin_hold(self, task: Task, course: _Course, its: Trial, ready: dict[str, trial.Seen], now: float) -> None:
        words, enough = f"{its.words}: {canary.words(task.object)}", min(its.pods, status.counts(task.object).wanted)
        if len(ready) < enough:
            task.message = f"{words}, {len(ready)} of {enough} ready"
            return
        course.pods = ready
        task.settled_at = course.pods_due = self._timers.set(task, now + its.hold)
        task.to(State.SETTLING, self._executor.clock, message=f"{words}, holding for {duration.text(its.hold)}")

    def _go_on(self, task: Task, course: _Course, its: Trial, asked_at: float) -> None:
        """The pods were well at the instant at which they were asked for."""
        if task.settled_at is None or course.gates is not None:
            return
        if asked_at < task.settled_at:
            if course.pods_due != task.settled_at:  # an error has set another instant
                course.pods_due = self._timers.set(task, task.settled_at)
            return
        counts = status.counts(task.object)
        if its.all_ready and counts.ready < counts.wanted:
            self._await_others(task, course, its, counts)
            return
        if course.passed or not (its.gates or its.compare):
            if self._awaits_room(task, course, its):
                return
            if not (course.passed and course.waited):
                self._ended(task, task.outcome, f"{its.words}: {canary.words(task.object)}, and held")
                return
            course.passed = course.waited = False  # the gates are asked again
        gates = [*its.gates, *self._comparison(task, course, its)]
        if gates:
            course.gates = self._gates.begin(task, gates)
        else:
            course.passed = True
            self._ask_pods(task, course)

    def _awaits_room(self, task: Task, course: _Course, its: Trial) -> bool:
        """Whether budgets leave no room for what follows. Then they are asked again, and its pods are read if its workload
        changes. What was said last counts while they are being read."""
        room, now = task.room(task) if task.room else Room(), self._executor.clock.monotonic()
        task.held = room.reason if room.known else task.held
        course.waits = bool(room.reason)
        if not room.reason:
            return False
        course.waited = course.waited or room.known or room.until > now  # not only for a first answer
        course.pods_due = self._timers.set(task, max(room.until, now + (ROOM_AGAIN if room.known else SOON)))
        if room.known or room.until > now:
            task.message = f"{its.words}: {canary.words(task.object)}; the rest waits, because {room.reason}"
        return True

    def _failed(self, task: Task, outcome: Outcome, message: str) -> None:
        task.held = ""
        self._tell_failed(task, outcome, message)

    def _await_others(self, task: Task, course: _Course, its: Trial, counts: status.Counts) -> None:
        """Another pod is not ready, so none may be replaced now. The gates are asked once all are."""
        course.passed = course.waited = False
        task.held = ""
        task.message = f"{its.words}: {canary.words(task.object)}; {counts.ready} of {counts.wanted} pods are ready"
        if task.state is State.SETTLING:
            task.to(State.WATCHING, self._executor.clock)
            self._moves(task)
        course.pods_due = self._timers.set(task, self._executor.clock.monotonic() + READ_AGAIN)

    def _comparison(self, task: Task, course: _Course, its: Trial) -> list[tuple[str, Gate]]:
        """The gate that compares the pods of the canary with the others."""
        if its.compare is None or not isinstance(its.compare.provider, PrometheusGate):
            return []
        if not course.others:
            told = f"{task.title} has no other pods to compare its canary with, so it was not compared"
            self._warnings += [] if told in self._warnings else [told]
            return []
        names = [seen.name for seen in (course.pods or {}).values()]
        patterns = {CANARY: trial.pattern(names), STABLE: trial.pattern(course.others)}
        expression = its.compare.provider.expression
        for name, pattern in patterns.items():
            expression = expression.replace(name, pattern)
        return [(COMPARISON, replace(its.compare, provider=replace(its.compare.provider, expression=expression)))]

    def _told(self, task: Task, answer: Answer) -> None:
        """Handles the answer of a gate."""
        course = self._courses.get(task.key)
        told = self._gates.take(task, course.gates if course else None, answer)
        if course is None or told is None:
            return
        if told.state is GateState.CLOSED:
            task.message = f"{_its(task).words}: {canary.words(task.object)}; {told.words}"
        elif told.state is GateState.FAILED:
            self._failed(task, _its(task).unopened, f"the {_its(task).words} failed: {told.words}")
        else:
            course.gates, course.passed = None, True
            self._ask_pods(task, course)


def _its(task: Task) -> Trial:
    return t.cast(Trial, task.step.trial)
