# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rollouts under way: each is followed until it is done, failed, taken back, or out of time."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, status
from ansible_collections.restartx.core.plugins.module_utils.run.alarms import Alarms
from ansible_collections.restartx.core.plugins.module_utils.run.pods import FEW, LOOK_AFTER, MANY, Pods, PodScope
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Found, Key, Scope
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task
from ansible_collections.restartx.core.plugins.module_utils.run.world import Answer, Opened
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

NUDGE_EVERY = 2.0  # seconds between two looks for what only a deletion can free
NUDGE_PATIENCE = 30.0  # seconds after which such a look is given up; the next one may have more luck
DELETED = "object has been deleted"  # kubectl's words

Judgement = t.Callable[[Task, str, str], None]  # the task, its outcome, and why


class Rollouts:
    """Keeps every task's view of its workload, and judges those that are watched or settle.

    What came of a rollout is told by `ended`, or by `failed` where its cause is worth asking for. Alarms that the caller
    sets off come back through ring().
    """

    def __init__(self, tasks: dict[Key, Task], world, alarms: Alarms, ended: Judgement, failed: Judgement):
        self._warnings: list[str] = []
        self._tasks = tasks
        self._world = world
        self._alarms = alarms
        self._tell_ended = ended
        self._tell_failed = failed
        self._pods = Pods(tasks, world, alarms, lambda task, why: self._failed(task, "failed", why))
        self._under_way: set[Key] = set()
        self._moved_at = 0.0  # when one of them was seen to change
        self._scope_of: dict[Key, Scope] = {}
        self._tasks_of: dict[Scope, list[Task]] = {}
        self._blind: set[Scope] = set()  # scopes whose watches are not open yet
        self._lost: dict[Scope, str] = {}  # scopes that nothing is seen of any more, and why

    @property
    def warnings(self) -> list[str]:
        """What the user should know beside the outcomes."""
        return [*self._warnings, *self._pods.warnings]

    def follow(self, found: Found) -> None:
        """Watch what was found, each scope from its own list on."""
        self._scope_of = dict(found.scope_of)
        for key, scope in found.scope_of.items():
            self._tasks_of.setdefault(scope, []).append(self._tasks[key])
        self._blind = {scope for scope in self._tasks_of if self._world.follow(scope, found.versions[scope])}

    @property
    def blind(self) -> bool:
        """Whether some of what is to be followed cannot be seen yet: then nothing should be changed."""
        return bool(self._blind)

    def begin(self, task: Task, outcome: str) -> None:
        """Wait for the rollout of what the task's workload now says; done, the task has this outcome."""
        now = self._world.clock.monotonic()
        task.state = "watching"
        self._under_way.add(task.key)
        task.outcome, task.message = outcome, ""
        task.deadline = self._alarms.set(task, now + task.timeout) if task.timeout is not None else None
        self._look_at_pods_later(task)
        self._nudge_later(task)
        lost = self._lost.get(self._scope_of.get(task.key))
        if task.gone:
            self._ended(task, "failed", self._deleted(task))
        elif lost:
            self._ended(task, "unfinished", lost)
        else:
            self._look(task)

    def ring(self, task: Task, now: float) -> None:
        """An instant of a task has come; what it was set for may have passed in the meantime."""
        if task.state == "settling" and now >= task.settled_at:
            self._ended(task, task.outcome, task.message)
        elif task.state == "watching" and task.deadline is not None and now >= task.deadline:
            self._failed(task, "unfinished", f"not done after {duration.text(task.timeout)}: {task.message}")
        elif task.state == "watching":
            if task.nudge_at is not None and now >= task.nudge_at:
                task.nudge_at = None
                cluster, deadline = self._world.cluster, now + NUDGE_PATIENCE
                self._world.do(("nudge", task.key), task.step.nudge, cluster, task.object, deadline)
            if task.pods_at is not None and now >= task.pods_at:
                self._look_at_pods(task, now)
            else:
                self._pods.ring(task, now)

    def nudged(self, task: Task, answer: Answer) -> None:
        """What came of a look for stuck pods: the names of those that were deleted."""
        if answer.error is not None:
            self._warnings.append(f"stuck pods of {task.title} could not be freed: {answer.error}")
        else:
            self._warnings += [f"{task.title}: deleted the stuck pod {name}" for name in answer.value]
            task.changed = task.changed or bool(answer.value)
        if task.state in ("watching", "settling"):
            task.outcome = task.step.outcome if answer.value else task.outcome
            self._nudge_later(task)

    def see(self, scope: Scope | PodScope, event: watch.Event) -> None:
        """What a scope's watch has seen."""
        if isinstance(scope, PodScope):
            self._pods.see(scope, event)
            return
        self._blind.discard(scope)
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
            # A workload that another scope selects as well is followed by its own scope only: the two watches are not
            # in step, and what no longer matches one selector is still there for the other.
            if self._scope_of.get(key) == scope:
                self._update(self._tasks[key], None if isinstance(event, watch.Removed) else event.object)

    def _lose(self, scope: Scope, error: Exception) -> None:
        """Nothing more will be seen of a scope: only its own workloads end."""
        if not isinstance(error, ClusterError):
            raise error  # a bug of ours, not a state of the cluster
        self._lost[scope] = str(error)
        for task in self._tasks_of.get(scope, []):
            if task.state in ("watching", "settling"):
                self._ended(task, "unfinished", f"{error}; last seen: {task.message}")
            elif task.state == "waiting":
                self._ended(task, "not_started", str(error))

    def _update(self, task: Task, workload: dict | None) -> None:
        if task.state == "ended":
            return
        followed = task.state in ("watching", "settling")
        if workload is None or workload["metadata"]["uid"] != task.object["metadata"]["uid"]:
            if followed:
                self._ended(task, "failed", self._deleted(task))
            else:
                task.gone = workload is None
                task.object = workload or task.object
        elif workload["metadata"].get("generation", 0) >= (task.generation or 0):  # else from before our own change
            task.gone = False
            task.object = workload
            if followed:
                self._moved_at = self._world.clock.monotonic()
                self._look(task)

    def _deleted(self, task: Task) -> str:
        scope = self._scope_of.get(task.key)
        # A watch tells both alike.
        relabelled = f", or no longer has the labels {scope.label_selector}" if scope and scope.label_selector else ""
        return DELETED + relabelled

    def _look(self, task: Task) -> None:
        undoing = task.step.undoing(task.object)
        if undoing:
            self._ended(task, "superseded", undoing)
            return
        verdict = status.judge(task.object, generation=task.generation)
        task.message = verdict.message
        if verdict.state == status.FAILED:
            self._failed(task, "failed", verdict.message)
        elif verdict.state == status.WAITING and task.state == "settling":
            task.state = "watching"  # fine at first, and broke
            if task.deadline is not None:
                self._alarms.set(task, task.deadline)  # it may have passed meanwhile, unheard
            self._look_at_pods_later(task)
            self._nudge_later(task)
        elif verdict.state == status.DONE and task.state == "watching" and task.settle:
            task.state = "settling"
            task.settled_at = self._alarms.set(task, self._world.clock.monotonic() + task.settle)
        elif verdict.state == status.DONE and task.state == "watching":
            self._ended(task, task.outcome, verdict.message)

    def _look_at_pods_later(self, task: Task) -> None:
        task.slow_since = self._moved_at = self._world.clock.monotonic()
        task.pods_at = self._alarms.set(task, task.slow_since + LOOK_AFTER)

    def _look_at_pods(self, task: Task, now: float) -> None:
        """Its rollout takes its time. Among many all do, as they share the control plane; while some move on, it may."""
        task.crowd = max(task.crowd, len(self._under_way))
        slow_at = task.slow_since + LOOK_AFTER * max(1.0, task.crowd / FEW)
        stands_still_at = self._moved_at + LOOK_AFTER * max(1.0, task.crowd / MANY)
        if now >= min(slow_at, stands_still_at):
            task.pods_at = None
            self._pods.attend(task)
        else:
            task.pods_at = self._alarms.set(task, now + LOOK_AFTER)

    def _ended(self, task: Task, outcome: str, message: str) -> None:
        self._under_way.discard(task.key)
        self._tell_ended(task, outcome, message)

    def _failed(self, task: Task, outcome: str, message: str) -> None:
        self._under_way.discard(task.key)
        self._tell_failed(task, outcome, message)

    def _nudge_later(self, task: Task) -> None:
        if task.step.nudges(task.object):
            task.nudge_at = self._alarms.set(task, self._world.clock.monotonic() + NUDGE_EVERY)
