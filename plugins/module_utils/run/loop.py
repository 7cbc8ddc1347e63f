# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one loop that carries out everything that takes time.

It starts what the pace allows, takes what the world answers and sees, and ends each workload with an outcome. It
knows no verb (run/steps.py does), no thread (run/world.py does) and no clock but the one it is given.
"""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, history, kinds, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.undo import Unchanged
from ansible_collections.restartx.core.plugins.module_utils.run import explain, steps
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Found, Key, Scope
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task
from ansible_collections.restartx.core.plugins.module_utils.run.world import Answer, Seen
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

MAX_CONFLICTS = 10  # someone who changes a workload ten times while we look at it is a controller at war with us
NUDGE_EVERY = 2.0  # seconds between two looks for what only a deletion can free
LOOK_AT_CONTROLLER_EVERY = 1.0  # seconds


class Abandoned(Exception):
    """The controlling Ansible process is gone: nothing more may be changed."""

    def __init__(self) -> None:
        super().__init__("the Ansible process that started this module is gone; nothing more was begun")


@dataclass(frozen=True)
class Terms:
    """What holds for the whole call."""

    wait: bool = True
    deadline: float | None = None  # monotonic instant
    wait_timeout: float | None = None  # the same as a span in seconds, for messages
    window: t.Any = None  # schedule.window.Window: nothing begins outside it
    fail_fast: bool = False
    undo_failed: steps.UndoStep | None = None  # what a failed restart is followed by


class Loop:
    """Carries `tasks` through, in the order and at the speed that `pace` gives.

    `controller` is asked before each change; `journal`, where there is one, is told how things stand.
    """

    def __init__(self, tasks: t.Sequence[Task], pace, world, terms: Terms, controller, journal=None):
        self.tasks: dict[Key, Task] = {task.key: task for task in tasks}
        self._named: dict[str, Task] = {task.title: task for task in tasks}
        self.warnings: list[str] = []
        self._pace = pace
        self._world = world
        self._clock = world.clock
        self._terms = terms
        self._controller = controller
        self._journal = journal
        self._journal_busy = False
        self._scopes: dict[Key, Scope] = {}
        self._alarms: list[tuple[float, Key]] = []  # a heap of the instants at which time alone changes a task
        self._broken: str | None = None  # why the loop ends before its work is done

    def follow(self, found: Found) -> None:
        """Watch what was found, each scope from its own list on."""
        self._scopes = dict(found.scope_of)
        for scope, version in found.versions.items():
            if scope in set(found.scope_of.values()):
                self._world.follow(scope, version)

    def run(self) -> None:
        """Returns when every task has ended; raises Abandoned when the controller is gone."""
        self._settle_early()
        try:
            while True:
                self._let_time_pass()
                self._start_due()
                self._write_journal()
                if self._over():
                    break
                event = self._world.next(self._until_next_instant())
                while event is not None:
                    self._take(event)
                    event = self._world.next(0)
            self._close_books()
        finally:
            self._world.close()

    # -- time ---------------------------------------------------------------------------------------------------

    def _let_time_pass(self) -> None:
        now = self._clock.monotonic()
        if not self._controller.alive():
            raise Abandoned()
        if self._terms.deadline is not None and now >= self._terms.deadline:
            self._break(f"the wait_timeout of {duration.text(self._terms.wait_timeout)} for the whole call is over")
        while self._alarms and self._alarms[0][0] <= now:
            self._ring(self.tasks[heapq.heappop(self._alarms)[1]], now)

    def _ring(self, task: Task, now: float) -> None:
        """An instant of a task has come; what it was set for may have passed in the meantime."""
        if task.state == "settling" and now >= task.settled_at:
            self._end(task, task.outcome, task.message)
        elif task.state == "watching" and task.deadline is not None and now >= task.deadline:
            self._fail(task, "unfinished", f"not done after {duration.text(task.timeout)}: {task.message}")
        elif task.state == "watching" and task.nudge_at is not None and now >= task.nudge_at:
            task.nudge_at = self._alarm(task, now + NUDGE_EVERY)
            self._world.do(("nudge", task.key), task.step.nudge, self._world.cluster, task.object)

    def _alarm(self, task: Task, instant: float) -> float:
        heapq.heappush(self._alarms, (instant, task.key))
        return instant

    def _until_next_instant(self) -> float:
        """Seconds until time alone may change something."""
        now = self._clock.monotonic()
        instants = [self._pace.next_due(now), self._terms.deadline, self._alarms[0][0] if self._alarms else None]
        return max(0.0, min([LOOK_AT_CONTROLLER_EVERY, *(at - now for at in instants if at is not None)]))

    def _over(self) -> bool:
        if self._broken:  # what was sent is waited for: whether it changed anything must be known
            return not any(task.state == "acting" for task in self.tasks.values())
        return self._pace.finished

    def _break(self, why: str) -> None:
        self._broken = self._broken or why
        self._pace.stop(why)

    # -- beginning ----------------------------------------------------------------------------------------------

    def _start_due(self) -> None:
        while not self._broken:
            window = self._terms.window
            due = self._pace.due(self._clock.monotonic())
            if due and window is not None and not window.is_open(self._clock.now()):
                self._pace.stop(window.explain(self._clock.now()))
                return
            if not due:
                return
            for name in due:
                self._begin(self._named[name])

    def _settle_early(self) -> None:
        """What will be refused is so before anything is touched, and counts against the failure budget at once."""
        for task in self.tasks.values():
            decision = task.step.judge(task.object)
            if isinstance(decision, steps.End):
                self._end(task, decision.outcome, decision.message)

    def _begin(self, task: Task) -> None:
        task.started = self._clock.monotonic()
        task.started_at = self._clock.now()
        task.revision_before = history.revision_shown(task.object)
        self._pace.started(task.title, task.started)
        self._judge(task)

    def _judge(self, task: Task) -> None:
        decision = task.step.judge(task.object)
        if isinstance(decision, steps.End):
            self._end(task, decision.outcome, decision.message)
        elif isinstance(decision, steps.Follow):
            self._await_rollout(task, decision.outcome)
        else:
            task.state = "acting"
            task.before = task.object
            self._world.do(("act", task.key), self._act, task.step, task.object)

    def _act(self, step, workload: dict) -> dict:
        """Runs in a hand: looks once more whether anyone still wants it."""
        if not self._controller.alive():
            raise Abandoned()
        return step.act(self._world.cluster, workload)

    # -- events -------------------------------------------------------------------------------------------------

    def _take(self, event: Answer | Seen) -> None:
        if isinstance(event, Seen):
            self._see(event.scope, event.event)
            return
        what, key = event.token
        if isinstance(event.error, Abandoned):
            raise event.error
        if what == "journal":
            self._journal_written(event)
            return
        task = self.tasks[key]
        if what in ("act", "read") and isinstance(event.error, (ClusterError, RolloutError)):
            self._answer_with_error(task, what, event.error)
        elif what == "explain":
            self._explained(task, event)
        elif what == "nudge":
            self._nudged(task, event)
        elif event.error is not None:
            raise event.error  # a bug of ours, not a state of the cluster
        elif what == "read":
            task.object = event.value
            self._judge(task)
        else:
            self._acted(task, event.value)

    def _answer_with_error(self, task: Task, what: str, error: Exception) -> None:
        if isinstance(error, Conflict) and task.conflicts < MAX_CONFLICTS:
            # Someone changed it between our view and our patch: read it anew and judge again.
            task.conflicts += 1
            path = kinds.path(*task.key)
            self._world.do(("read", task.key), self._world.cluster.get, path)
        elif isinstance(error, NotFound):
            self._end(task, "failed", f"{kinds.label(task.object)} was deleted in the meantime")
        elif isinstance(error, Unchanged):
            self._end(task, "unchanged", str(error))
        else:
            self._end(task, "refused" if isinstance(error, RolloutError) else "failed", str(error))

    def _acted(self, task: Task, after: dict) -> None:
        task.changed = True
        task.diff = diff.changed_fields(task.before, after)
        task.object = after
        self._await_rollout(task, task.step.outcome)

    def _await_rollout(self, task: Task, outcome: str) -> None:
        now = self._clock.monotonic()
        task.outcome = outcome
        task.state = "watching"
        task.generation = task.object["metadata"].get("generation")
        task.deadline = self._alarm(task, now + task.timeout) if task.timeout is not None else None
        if getattr(task.step, "delete_stuck_pods", False):
            task.nudge_at = self._alarm(task, now + NUDGE_EVERY)
        if self._terms.wait:
            self._look(task)
        else:
            self._end(task, outcome, outcome.replace("_", " "))

    def _see(self, scope: Scope, event: t.Any) -> None:
        if isinstance(event, watch.Lost):
            self._break(str(event.error))
        elif isinstance(event, watch.Relisted):
            present = {kinds.key(workload): workload for workload in event.items}
            for key, its_scope in self._scopes.items():
                if its_scope == scope:
                    self._update(self.tasks[key], present.get(key))
        else:
            task = self.tasks.get(kinds.key(event.object))
            if task is not None:
                self._update(task, None if isinstance(event, watch.Removed) else event.object)

    def _update(self, task: Task, workload: dict | None) -> None:
        if task.state == "ended":
            return
        if workload is None or workload["metadata"]["uid"] != task.object["metadata"]["uid"]:
            if task.state in ("watching", "settling"):
                self._end(task, "failed", "object has been deleted")
            elif workload is not None:
                task.object = workload
            return
        if task.state in ("watching", "settling", "explaining"):
            if workload["metadata"].get("generation", 0) < (task.generation or 0):
                return  # from before our own change
            task.object = workload
            if task.state != "explaining":
                self._look(task)
        else:
            task.object = workload

    # -- judging a rollout --------------------------------------------------------------------------------------

    def _look(self, task: Task) -> None:
        undoing = task.step.undoing(task.object)
        if undoing:
            self._end(task, "superseded", undoing)
            return
        verdict = status.judge(task.object, generation=task.generation)
        task.message = verdict.message
        if verdict.state == "failed":
            self._fail(task, "failed", verdict.message)
        elif verdict.state == "waiting" and task.state == "settling":
            task.state = "watching"  # fine at first, and broke
            if task.deadline is not None:
                self._alarm(task, task.deadline)
        elif verdict.state == "done" and task.state == "watching" and task.settle:
            task.state = "settling"
            task.settled_at = self._alarm(task, self._clock.monotonic() + task.settle)
        elif verdict.state == "done" and task.state == "watching":
            self._end(task, task.outcome, verdict.message)

    def _fail(self, task: Task, outcome: str, message: str) -> None:
        task.state = "explaining"
        task.outcome, task.message = outcome, message
        self._world.do(("explain", task.key), explain.find_cause, self._world.cluster, task.object)

    def _explained(self, task: Task, event: Answer) -> None:
        if isinstance(event.error, ClusterError):
            self.warnings.append(f"no cause for {task.title}: {event.error}")
        elif event.error is not None:
            raise event.error
        task.cause = event.value
        undo = self._terms.undo_failed
        if undo is None or task.step.outcome == undo.outcome:
            self._end(task, task.outcome, task.message)
            return
        task.step = replace(undo, warnings=task.warnings)
        self._judge(task)

    def _nudged(self, task: Task, event: Answer) -> None:
        if isinstance(event.error, ClusterError):
            self.warnings.append(f"stuck pods of {task.title} could not be freed: {event.error}")
        elif event.error is not None:
            raise event.error
        else:
            self.warnings += [f"{task.title}: deleted the stuck pod {name}" for name in event.value]

    # -- the journal --------------------------------------------------------------------------------------------

    def _write_journal(self) -> None:
        if self._journal is None or self._journal_busy:
            return
        body = self._journal.due(self.tasks.values(), self._clock.now(), self._clock.monotonic())
        if body is not None:
            self._journal_busy = True
            self._world.do(("journal", None), self._journal.write, self._world.cluster, body)

    def _journal_written(self, event: Answer) -> None:
        """A journal that cannot be written for a while does not stop a run: the workloads carry what counts."""
        self._journal_busy = False
        if isinstance(event.error, ClusterError):
            self.warnings.append(f"the journal could not be written: {event.error}")
        elif event.error is not None:
            raise event.error

    # -- ending -------------------------------------------------------------------------------------------------

    def _end(self, task: Task, outcome: str, message: str) -> None:
        task.state = "ended"
        task.outcome, task.message = outcome, message
        task.ended = self._clock.monotonic()
        task.finished_at = self._clock.now()
        self._pace.ended(task.title, task.ended, task.good)
        if not task.good and self._terms.fail_fast:
            self._break(f"fail_fast: {task.title} {outcome}")

    def _close_books(self) -> None:
        """What has not ended gets the outcome and the words that fit."""
        reasons = self._pace.waiting_for()
        for task in self.tasks.values():
            if task.state == "waiting":
                task.message = reasons.get(task.title, "not started")
            elif task.running:
                task.outcome = "in_progress" if self._terms.fail_fast else "unfinished"
                task.message = f"{self._broken}; last seen: {task.message}" if task.message else str(self._broken)
                task.ended = self._clock.monotonic()
                task.finished_at = self._clock.now()
        if self._journal is not None:
            while self._journal_busy:  # lest an earlier entry arrive after the last one
                event = self._world.next(None)
                if isinstance(event, Answer) and event.token[0] == "journal":
                    self._journal_written(event)
            try:
                self._journal.close(self._world.cluster, list(self.tasks.values()), self._clock.now())
            except ClusterError as error:
                self.warnings.append(f"the journal could not be closed: {error}")
