# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one loop that carries out everything that takes time.

It starts what the pace allows, takes what the world answers and sees, and ends each workload with an outcome. It
knows no verb (run/steps.py does), no thread (run/world.py does) and no clock but the one it is given.
"""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.run import controller as controllers
from ansible_collections.restartx.core.plugins.module_utils.run import lease as leases
from ansible_collections.restartx.core.plugins.module_utils.run import scribe
from ansible_collections.restartx.core.plugins.module_utils.run.alarms import Alarms
from ansible_collections.restartx.core.plugins.module_utils.run.mandate import Cut, Mandate, Terms
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Found, Key
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task
from ansible_collections.restartx.core.plugins.module_utils.run.turns import Turns
from ansible_collections.restartx.core.plugins.module_utils.run.world import Answer, Seen


class Loop:
    """Carries `tasks` through, in the order and at the speed that `pace` gives.

    `controller` is asked before each change; `journal`, a Scribe where there is one, is told how things stand; `lease`,
    where there is one, is kept, and nothing begins without it.
    """

    def __init__(self, tasks: t.Sequence[Task], pace, world, terms: Terms, controller, journal=None, lease=None):
        self.tasks: dict[Key, Task] = {task.key: task for task in tasks}
        self._named: dict[str, Task] = {task.title: task for task in tasks}
        self._pace = pace
        self._world = world
        self._clock = world.clock
        self._journal = journal
        self._lease = lease
        self._mandate = Mandate(terms, controller, world.clock, lease)
        self._alarms = Alarms()
        self._turns = Turns(self.tasks, world, self._mandate, self._alarms, self._ended)

    @property
    def warnings(self) -> list[str]:
        """What the user should know beside the outcomes."""
        of_journal = self._journal.warnings if self._journal else []
        return [*self._turns.warnings, *self._turns.rollouts.warnings, *of_journal]

    def follow(self, found: Found) -> None:
        """Watch what was found, each scope from its own list on."""
        self._turns.rollouts.follow(found)

    def run(self) -> None:
        """Returns when every task has its outcome."""
        try:
            # What will be refused is so before anything is touched, and counts against the failure budget at once.
            for task in self.tasks.values():
                self._turns.settle_early(task)
            while True:
                self._let_time_pass()
                self._start_due()
                if self._lease:
                    self._lease.keep(self._world)
                if self._journal and not self._lost():
                    self._journal.write(self._world, self.tasks.values())
                if self._over():
                    break
                event = self._world.next(self._until_next_instant())
                while event is not None:
                    self._take(event)
                    event = self._world.next(0)
            self._close_books()
        finally:
            self._world.close()

    def _let_time_pass(self) -> None:
        cut = self._mandate.ending()
        if cut:
            self._cut_short(cut)
        now = self._clock.monotonic()
        for task in self._alarms.due(now):
            self._turns.rollouts.ring(task, now)

    def _until_next_instant(self) -> float:
        """Seconds until time alone may change something."""
        now = self._clock.monotonic()
        due = None if self._turns.rollouts.blind else self._pace.next_due(now)
        instants = [due, self._mandate.next, self._alarms.next]
        return max(0.0, min([controllers.LOOK_EVERY, *(at - now for at in instants if at is not None)]))

    def _start_due(self) -> None:
        window = self._mandate.terms.window
        # Who may not watch, or cannot yet, changes nothing: he would not see what comes of it.
        while not (self._mandate.cut or self._turns.rollouts.blind):
            due = self._pace.due(self._clock.monotonic())
            if due and window is not None and not window.is_open(self._clock.now()):
                self._pace.stop(window.explain(self._clock.now()))
            elif due:
                for name in due:
                    self._pace.started(name, self._clock.monotonic())
                    self._turns.begin(self._named[name])
            else:
                return

    def _take(self, event: Answer | Seen) -> None:
        if isinstance(event, Seen):
            self._turns.rollouts.see(event.scope, event.event)
        elif event.token == scribe.TOKEN:
            self._journal.written(event.error)
        elif event.token == leases.TOKEN:
            self._lease.kept(event.error)
        else:
            self._turns.take(event)

    def _ended(self, task: Task) -> None:
        self._pace.ended(task.title, task.ended, task.good)
        if self._journal:
            self._journal.note()
        if not task.good and self._mandate.terms.fail_fast and not self._mandate.cut:
            self._cut_short(self._mandate.failed_fast(f"{task.title} {task.outcome.replace('_', ' ')}"))

    def _cut_short(self, cut: Cut) -> None:
        """Nothing new begins, and no rollout is waited for any more."""
        self._mandate.cut = cut
        self._pace.stop(cut.why)
        for task in self.tasks.values():
            if task.state in ("watching", "settling"):
                self._turns.leave(task)

    def _lost(self) -> bool:
        """Whether the lock is lost; the journal then belongs to whoever holds it."""
        return self._lease is not None and self._lease.refusal() is not None

    def _over(self) -> bool:
        if self._pace.finished:
            return True
        # What was sent is waited for: whether it changed anything must be known.
        return self._mandate.over() and not any(task.state == "acting" for task in self.tasks.values())

    def _close_books(self) -> None:
        """What has no outcome yet gets one, and the last entry is written."""
        for task in self.tasks.values():
            if task.running:  # there was no time for its cause
                self._turns.end(task, *task.failure)
        reasons = self._pace.waiting_for()
        for task in self.tasks.values():
            if task.state == "waiting":
                task.message = reasons[task.title]
        if self._journal:
            while self._journal.busy:  # lest an earlier entry arrive after the last one
                event = self._world.next(None)
                if isinstance(event, Answer) and event.token == scribe.TOKEN:
                    self._journal.written(event.error)
            if not self._lost():
                self._journal.close(list(self.tasks.values()))
