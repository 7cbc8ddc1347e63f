# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one loop that carries out everything that takes time.

It starts the tasks that the pace allows, takes answers and events from the executor, and ends each workload with an
outcome. It knows no verbs (see engine/steps.py), no threads (see engine/executor.py), and only the clock that it is
given.
"""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine import controller as controllers
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer, Seen
from ansible_collections.restartx.core.plugins.module_utils.engine.gating import AfterGates, GateEntry, RunGates
from ansible_collections.restartx.core.plugins.module_utils.engine.holds import Hold, Holds, WatchHold, WindowHold
from ansible_collections.restartx.core.plugins.module_utils.engine.lifecycle import Lifecycle
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Guard, Observer, Observers
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import (
    Cancellation,
    Permission,
    RunOptions,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED, Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import State as GateState
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Verdict
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Pace
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found


class Loop:
    """Carries out `tasks` in the order and at the speed that `pace` allows.

    `controller` and `guards` are checked before each change. `observers` receive all events. `holds` keep tasks from
    starting for a while. `gates` are what the run waits for besides.
    """

    def __init__(
        self,
        tasks: t.Sequence[Task],
        pace: Pace,
        executor: Executor,
        options: RunOptions,
        controller: controllers.Controller,
        observers: t.Sequence[Observer] = (),
        guards: t.Sequence[Guard] = (),
        holds: t.Sequence[Hold] = (),
        gates: RunGates | None = None,
    ):
        self.tasks: dict[Key, Task] = {task.key: task for task in tasks}
        self._named: dict[str, Task] = {task.title: task for task in tasks}
        self._pace = pace
        self._executor = executor
        self._clock = executor.clock
        self._observers = Observers(observers, guards)
        self._permission = Permission(options, controller, executor.clock, self._observers.refusal)
        self._timers = Timers()
        self._gates = gates or RunGates()
        self._entries = {entry.title: entry for entry in self._gates.entries}
        self._after = AfterGates(self._gates.after)
        self._lifecycle = Lifecycle(self.tasks, executor, self._permission, self._timers, self._held, self._after)
        for task in tasks:
            task.listener = self._hear
            if options.undo_failed is not None and (options.undo_only is None or task.group in options.undo_only):
                task.then(options.undo_failed, after_failure=True)
        window = [WindowHold(options.window, executor.clock)] if options.window else []
        watches = WatchHold(lambda: self._lifecycle.rollouts.blind)
        self._unjudged = list(tasks)  # tasks that may turn out to be only followed
        self._holds = pace.holds = Holds([watches, *window, *holds], self._named)

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return [*self._lifecycle.warnings, *self._lifecycle.rollouts.warnings, *self._observers.warnings]

    def hold(self, now: float) -> tuple[str, float | None]:
        """Why nothing may start at this instant, and until when if that is known. An empty text means that something may."""
        reason = self._pace.held(now) or self._gates.closed
        if reason:
            return reason, None
        due = self._pace.next_due(now)
        return ("stagger", due) if due is not None and due > now else ("", None)

    def follow(self, found: Found) -> None:
        """Watches the workloads that were found, each scope from its own list on."""
        self._lifecycle.rollouts.follow(found)

    def run(self) -> None:
        """Returns when every task has its outcome."""
        try:
            # Refused workloads are refused before anything is touched, and count against the failure budget at once.
            for task in self.tasks.values():
                self._lifecycle.settle_early(task)
            while True:
                self._let_time_pass()
                self._start_due()
                self._observers.give_work(self._executor, self.tasks.values())
                if self._over():
                    break
                event = self._executor.next(self._until_next_instant())
                while event is not None:
                    self._take(event)
                    event = self._executor.next(0)
            self._finish()
        finally:
            self._executor.close()

    def _let_time_pass(self) -> None:
        cancelled = self._permission.ending()
        if cancelled:
            self._cancel(cancelled)
        now = self._clock.monotonic()
        for task in self._timers.due(now):
            self._lifecycle.ring(task, now)

    def _until_next_instant(self) -> float:
        """Seconds until time alone may change something."""
        now = self._clock.monotonic()
        # Once the call is cut short, nothing starts any more. A hold whose work is no longer done may stay overdue then.
        held = None if self._permission.cancelled else self._holds.next
        instants = [self._pace.next_due(now), held, self._permission.next, self._timers.next]
        instants += [gate.next for gate in self._gates.asked]
        return max(0.0, min([controllers.LOOK_EVERY, *(at - now for at in instants if at is not None)]))

    def _start_due(self) -> None:
        if not (self._permission.cancelled or self._lifecycle.rollouts.blind):
            # Workloads that are only followed do not wait for their turn, because nothing is changed.
            followed, self._unjudged = self._unjudged, []
            for task in followed:
                if self._lifecycle.only_follows(task):
                    self._lifecycle.begin(task)
        self._begin_gates()
        while not self._permission.cancelled:
            due = self._pace.due(self._clock.monotonic())
            for place, name in enumerate(due):
                # A task that started after they became due may hold the others.
                if place == 0 or not self._holds.reason(name, self._clock.monotonic()):
                    self._lifecycle.begin(self._named[name])
            if not due:
                return

    def _begin_gates(self) -> None:
        """Begins the entries that are gates and whose turn has come. If nothing can follow them, none is asked any longer."""
        if self._pace.stopped or self._gates.needless():
            self._leave_gates()
            return
        # A gate that has passed already ends at once, and others may follow it.
        while free := self._pace.free_due():
            for title in free:
                self._begin_gate(self._entries[title])

    def _leave_gates(self) -> None:
        for title in self._pace.running & self._entries.keys():
            self._entries[title].gate.leave(title)
            self._pace.put_back(title)

    def _begin_gate(self, entry: GateEntry) -> None:
        """The turn of an entry that is a gate has come. What comes after it waits until the gate has opened."""
        self._pace.started(entry.title, self._clock.monotonic(), paced=False)
        if entry.passed:
            self._pace.ended(entry.title, self._clock.monotonic(), good=True)
        else:
            entry.gate.wait(entry.title, lambda verdict: self._judge_gate(entry, verdict))

    def _judge_gate(self, entry: GateEntry, verdict: Verdict) -> None:
        entry.verdict = verdict
        if not verdict.over:
            return
        good = verdict.state is not GateState.FAILED
        if not good:
            entry.failed(entry.gate.closed)
        self._pace.ended(entry.title, self._clock.monotonic(), good)
        if not good and self._permission.options.fail_fast and not self._permission.cancelled:
            self._cancel(self._permission.failed_fast(entry.gate.closed))

    def _take(self, event: Answer | Seen) -> None:
        if isinstance(event, Seen):
            self._lifecycle.rollouts.see(event.scope, event.event)
        elif self._observers.concerns(event):
            self._observers.take(event)
        else:
            self._lifecycle.take(event)

    def _held(self, task: Task) -> str | None:
        """Why a task that changes its workload cannot start yet; None if it can."""
        return self._holds.reason(task.title, self._clock.monotonic())

    def _hear(self, event: Event) -> None:
        """Passes an event to all listeners, one after the other."""
        for listener in (self._pace_out, self._observers.see, self._fail_fast):
            listener(event)

    def _pace_out(self, event: Event) -> None:
        """Tells the pace when a member starts and ends."""
        now = self._clock.monotonic()
        if event.after is State.ENDED:
            self._pace.ended(event.task.title, now, event.task.good, counts=not event.task.earlier)
        elif event.after is State.WAITING:
            self._pace.put_back(event.task.title)
        elif event.before is State.WAITING:
            # Others need not wait for a task that is only followed.
            self._pace.started(
                event.task.title, now, paced=event.after is State.ACTING or self.tasks[event.task.key].evicts
            )

    def _fail_fast(self, event: Event) -> None:
        """With fail_fast, the first failure ends the call."""
        bad = event.after is State.ENDED and not event.task.good
        if bad and self._permission.options.fail_fast and not self._permission.cancelled:
            self._cancel(self._permission.failed_fast(f"{event.task.title} {event.outcome.words}"))

    def _cancel(self, cancelled: Cancellation) -> None:
        """Cuts the call short: nothing new starts, and rollouts are no longer waited for."""
        self._permission.cancelled = cancelled
        self._pace.stop(cancelled.why)
        self._leave_gates()
        for task in self.tasks.values():
            if task.state in FOLLOWED:
                self._lifecycle.leave(task)
                self._after.leave(task)
            elif task.state is State.ACTING:
                self._lifecycle.stop_trying(task, cancelled.why)

    def _over(self) -> bool:
        if self._pace.finished or self._pace.held_up(self._clock.monotonic()):
            return True
        # Requests that were sent are waited for, because the result must say whether they changed anything.
        sent = (task for task in self.tasks.values() if task.state is State.ACTING and task.retry_at is None)
        return self._permission.over() and not any(sent)

    def _finish(self) -> None:
        """Gives an outcome to each task without one, and closes the observers."""
        for task in self.tasks.values():
            if task.running and task.failure:  # there was no time for its cause
                self._lifecycle.end(task, *(task.undo_failure or task.failure))
        reasons = self._pace.waiting_for(self._clock.monotonic())
        for task in self.tasks.values():
            if task.state is State.WAITING:
                task.message = reasons[task.title]
        for entry in self._entries.values():
            entry.message = reasons.get(entry.title, "")
        self._observers.close(self._executor, list(self.tasks.values()))
