# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Follows the rollouts in progress until each is done, failed, reverted, or out of time."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer, Interrupted, Opened
from ansible_collections.restartx.core.plugins.module_utils.engine.gating import AfterGates
from ansible_collections.restartx.core.plugins.module_utils.engine.guarded import guarded
from ansible_collections.restartx.core.plugins.module_utils.engine.judges import Judges
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import Permission
from ansible_collections.restartx.core.plugins.module_utils.engine.pods import FEW, LOOK_AFTER, MANY, Pods, PodScope
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.settling import Settling
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED, State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers, come
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.selection.lists import Scope
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found

FREE_STUCK_PODS_EVERY = 2.0  # seconds between two checks for stuck pods that must be deleted
FREE_STUCK_PODS_TIMEOUT = 30.0  # seconds after which such a check is given up; the next one may succeed
DELETED = "object has been deleted"  # kubectl's words

Judgement = t.Callable[[Task, Outcome, str], None]  # the task, its outcome, and why


class Watching:
    """Keeps the last known state of every workload, and judges the tasks that are watched or settling.

    `ended` is called with the outcome of a rollout, or `failed` if its cause should be read. The caller passes due
    timers to ring().
    """

    def __init__(
        self,
        tasks: dict[Key, Task],
        executor: Executor,
        timers: Timers,
        permission: Permission,
        ended: Judgement,
        failed: Judgement,
        gates: AfterGates,
    ):
        self._warnings: list[str] = []
        self._tasks = tasks
        self._executor = executor
        self._timers = timers
        self._permission = permission
        self._gates = gates
        self._tell_ended, self._tell_failed = ended, failed
        self._pods = Pods(tasks, executor, timers, self._failed)
        self._judges = Judges(executor, timers, permission, self._ended, self._failed, self._moves, self._look)
        self.answers = {**self._pods.answers, **self._judges.answers}
        self._under_way: set[Key] = set()
        self._moved_at = 0.0  # when one of them changed last
        self._scope_of: dict[Key, Scope] = {}
        self._tasks_of: dict[Scope, list[Task]] = {}
        self._blind: set[Scope] = set()  # scopes whose watches are not open yet
        self.settling = Settling(executor, timers, lambda task: self.ring(task, executor.clock.monotonic()))
        self._lost: dict[Scope, str] = {}  # scopes whose watches have ended, and why
        self._interrupted: dict[Scope, tuple[str, float]] = {}  # those interrupted now: why, and since when

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return [*self._warnings, *self._pods.warnings, *self._judges.warnings]

    def follow(self, found: Found) -> None:
        """Watches the workloads that were found, each scope from its own list on."""
        self._scope_of = dict(found.scope_of)
        for key, scope in found.scope_of.items():
            self._tasks_of.setdefault(scope, []).append(self._tasks[key])
        self._blind = {scope for scope in self._tasks_of if self._executor.follow(scope, found.versions[scope])}

    @property
    def blind(self) -> str | None:
        """Why some watches are not open yet, so that nothing should be changed. None if all are open."""
        if not self._blind:
            return None
        why = next((self._interrupted[scope][0] for scope in self._blind if scope in self._interrupted), None)
        return f"{why}; nothing begins before its rollout can be watched" if why else "the watch is not open yet"

    def cut_off(self, task: Task) -> str:
        """Why the rollout of the task cannot be watched now, as the start of a sentence; empty if it can."""
        scope = self._scope_of.get(task.key)
        if scope is None or scope not in self._interrupted:
            return ""
        why, since = self._interrupted[scope]
        span = duration.text(round(self._executor.clock.monotonic() - since))
        return f"{why}, so nothing was seen of it for {span}; "

    def begin(self, task: Task, outcome: Outcome) -> None:
        """Waits for the rollout of the workload. When it is done, the task has this outcome."""
        self._under_way.add(task.key)
        task.to(State.WATCHING, self._executor.clock, outcome, "")
        self._moves(task)
        self._judges.begin(task)
        self._free_stuck_pods_later(task)
        scope = self._scope_of.get(task.key)
        lost = self._lost.get(scope) if scope else None
        if task.gone:
            self._ended(task, Outcome.FAILED, self._deleted(task))
        elif lost:
            self._ended(task, Outcome.UNFINISHED, lost)
        else:
            self._look(task)

    def _moves(self, task: Task) -> None:
        """What is waited for begins, and has the whole timeout."""
        until = None if task.timeout is None else self._executor.clock.monotonic() + task.timeout
        task.deadline = None if until is None else self._timers.set(task, until)
        task.lingers_until = None
        self._pods.begin(task)
        self._look_at_pods_later(task)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of a task that has been reached. Its reason may no longer exist."""
        self._judges.ring(task, now)
        lingered = come(task.lingers_until, now) or (task.lingers_until is not None and come(task.deadline, now))
        if task.state is State.SETTLING and not self._judges.decide(task) and come(task.settled_at, now):
            self._settled(task, task.message)
        elif task.state is State.WATCHING and lingered:
            task.lingers_until = min(task.lingers_until or now, now)
            self._look(task)
        elif task.state is State.WATCHING and task.timeout is not None and come(task.deadline, now):
            span = duration.text(task.timeout)
            self._failed(task, Outcome.UNFINISHED, f"{self.cut_off(task)}not done after {span}: {task.message}")
        elif task.state is State.WATCHING:
            if come(task.free_stuck_pods_at, now):
                task.free_stuck_pods_at = None
                cluster = guarded(self._executor.cluster, self._permission.permitted(task.after_failure))
                until = now + FREE_STUCK_PODS_TIMEOUT
                self._executor.do(("free_stuck_pods", task.key), task.step.free_stuck_pods, cluster, task.object, until)
            if come(task.pods_at, now):
                self._look_at_pods(task, now)
            else:
                self._pods.ring(task, now)

    def freed_stuck_pods(self, task: Task, answer: Answer) -> None:
        """Handles the answer of a check for stuck pods: the names of the pods that were deleted."""
        if answer.error is not None:
            self._warnings.append(f"stuck pods of {task.title} could not be freed: {answer.error}")
        else:
            self._warnings += [f"{task.title}: deleted the stuck pod {name}" for name in answer.value]
            task.changed = task.changed or bool(answer.value)
        if task.state in FOLLOWED:
            task.outcome = task.step.outcome if answer.value else task.outcome
            self._free_stuck_pods_later(task)

    def see(self, scope: Scope | PodScope, event: watch.Event | Opened | Interrupted) -> None:
        """Handles an event of the watch of a scope."""
        if isinstance(scope, PodScope):
            if not isinstance(event, (Opened, Interrupted)):
                self._pods.see(scope, event)
            return
        if isinstance(event, Interrupted):
            self._interrupted.setdefault(scope, ("", self._executor.clock.monotonic()))
            self._interrupted[scope] = (str(event.error), self._interrupted[scope][1])
            return
        self._blind.discard(scope)
        self._interrupted.pop(scope, None)
        if isinstance(event, Opened):
            return
        if isinstance(event, watch.Lost):
            self._lose(scope, event.error)
        elif isinstance(event, watch.Relisted):
            present = {kinds.key(workload): workload for workload in event.items}
            for task in self._tasks_of.get(scope, []):
                self._update(task, present.get(task.key))
        else:
            key = kinds.key(event.object)
            # A workload that another scope selects too is followed only by its own scope: the two watches are not
            # synchronized, and a workload that no longer matches one selector may still match the other.
            if self._scope_of.get(key) == scope:
                self._update(self._tasks[key], None if isinstance(event, watch.Removed) else event.object)

    def _lose(self, scope: Scope, error: Exception) -> None:
        """The watch of a scope has ended: only its own workloads end."""
        if not isinstance(error, ClusterError):
            raise error  # a bug, not a state of the cluster
        self._lost[scope] = str(error)
        for task in self._tasks_of.get(scope, []):
            if task.state in FOLLOWED:
                self._ended(task, Outcome.UNFINISHED, f"{error}; last seen: {task.message}")
            elif task.state is State.WAITING:
                self._ended(task, Outcome.NOT_STARTED, str(error))

    def _update(self, task: Task, workload: dict | None) -> None:
        if task.state is State.ENDED:
            return
        followed = task.state in FOLLOWED
        if workload is None or workload["metadata"]["uid"] != task.object["metadata"]["uid"]:
            if followed:
                self._ended(task, Outcome.FAILED, self._deleted(task))
            else:
                task.gone = workload is None
                task.object = workload or task.object
        elif workload["metadata"].get("generation", 0) >= (task.generation or 0):  # else from before our own change
            task.gone = False
            task.object = workload
            if followed:
                self._moved_at = self._executor.clock.monotonic()
                self._look(task)
                self._pods.moved(task)

    def _deleted(self, task: Task) -> str:
        scope = self._scope_of.get(task.key)
        # A watch reports both in the same way.
        relabelled = f", or no longer has the labels {scope.label_selector}" if scope and scope.label_selector else ""
        return DELETED + relabelled

    def _look(self, task: Task) -> None:
        lost = task.lost()
        if lost:
            self._ended(task, Outcome.SUPERSEDED, lost)
            return
        if self._judges.decide(task):
            self._judges.look(task)
            return
        verdict = self._verdict(task)
        task.message = verdict.message
        if verdict.state == status.FAILED:
            self._failed(task, Outcome.FAILED, verdict.message)
        elif verdict.state == status.WAITING and task.state is State.SETTLING:
            task.broke = True
            task.to(State.WATCHING, self._executor.clock)  # healthy at first, then broken
            if task.gate and task.timeout is not None:  # what it has waited for a gate does not count
                task.deadline = self._executor.clock.monotonic() + task.timeout
            self._gates.leave(task)
            if task.deadline is not None:
                self._timers.set(task, task.deadline)  # it may have passed in the meantime
            self._look_at_pods_later(task)
            self._free_stuck_pods_later(task)
        elif verdict.state == status.DONE and task.state is State.WATCHING and task.settle and task.step.settles:
            self.settling.begin(task)
        elif verdict.state == status.DONE and task.state is State.WATCHING:
            self._settled(task, verdict.message)

    def _settled(self, task: Task, message: str) -> None:
        """It has been healthy for long enough, and is done once its gates are open, if the step waits for any."""
        task.settled_at = None
        done = functools.partial(self._ended, task, task.outcome, message)
        failed = functools.partial(self._failed, task, Outcome.FAILED)
        if not (task.step.settles and self._gates.begin(task, done, failed)):
            done()
        elif task.state is not State.SETTLING:
            task.to(State.SETTLING, self._executor.clock)

    def _verdict(self, task: Task) -> status.Verdict:
        """The progress of its rollout. Terminating old pods are waited for until they are killed, or hang."""
        seen = task.step.progress(task.object, task.generation, task.found)
        if seen.lingering is None:
            task.lingers_until = None
            return seen
        now = self._executor.clock.monotonic()
        if task.lingers_until is None:
            task.lingers_until = self._timers.set(task, now + status.linger_time(task.object))
        enough = task.state is State.SETTLING or now >= task.lingers_until
        return seen.lingering if enough else seen

    def _look_at_pods_later(self, task: Task) -> None:
        task.slow_since = self._moved_at = self._executor.clock.monotonic()
        task.pods_at = self._timers.set(task, task.slow_since + LOOK_AFTER)

    def _look_at_pods(self, task: Task, now: float) -> None:
        """Its rollout is slow. Among many rollouts this is normal while some of them make progress."""
        task.crowd = max(task.crowd, len(self._under_way))
        slow_at = task.slow_since + LOOK_AFTER * max(1.0, task.crowd / FEW)
        stands_still_at = self._moved_at + LOOK_AFTER * max(1.0, task.crowd / MANY)
        if now >= min(slow_at, stands_still_at) and task.lingers_until is None:
            task.pods_at = None
            self._pods.attend(task)
        else:
            task.pods_at = self._timers.set(task, now + LOOK_AFTER)

    def _ended(self, task: Task, outcome: Outcome, message: str) -> None:
        self._under_way.discard(task.key)
        self._gates.leave(task)
        self._tell_ended(task, outcome, message)

    def _failed(self, task: Task, outcome: Outcome, message: str) -> None:
        self._under_way.discard(task.key)
        self._gates.leave(task)
        self._tell_failed(task, outcome, message)

    def _free_stuck_pods_later(self, task: Task) -> None:
        if task.step.frees_stuck_pods(task.object):
            task.free_stuck_pods_at = self._timers.set(task, self._executor.clock.monotonic() + FREE_STUCK_PODS_EVERY)
