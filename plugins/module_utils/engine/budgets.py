# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps restarts from starting while a PodDisruptionBudget leaves no room for them (`budgets: honour`).

Budgets and pods are read in a worker, and only for namespaces in which something waits for them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine.budget_reads import (
    FRESH,
    NOTHING,
    Look,
    look,
    looked,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.budget_starts import Answer, Start
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Clock
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Room
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    budget_hold,
    budgets,
    kinds,
    marks,
    status,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover, Key

AFTER_ERROR = 5.0
LONGEST = 10.0  # seconds that one request may take


class BudgetHold:
    """A hold on the restarts of some groups, and an observer that reads budgets and pods.

    `tasks` are all of the call: the rollouts of each of them count, also of groups that are not held. `known` is what
    was read of namespaces before the run, at the instant `at`.
    """

    required = True
    needs_lock = False

    def __init__(
        self,
        tasks: t.Sequence[Task],
        groups: t.Collection[str],
        run: str | None,
        cluster: Cluster,
        clock: Clock,
        known: t.Mapping[str, t.Sequence[Cover]],
        at: float,
    ):
        self.warnings: list[str] = []
        self.tasks = tasks
        self._groups = groups
        self._run = run
        self._cluster = cluster
        self.clock = clock
        self._looks = {namespace: looked(covers, at, 0.0) for namespace, covers in known.items()}
        self._lasting = False
        self._wanted: set[str] = set()  # the namespaces that must be read before something starts
        self._waiting: set[str] = set()  # those in which something is held by what was read
        self._read: dict[str, Look] = {}  # by the worker, and
        self._found: dict[Key, dict | None] = {}  # the workloads in it that the loop no longer follows; None: deleted
        self._reading = False
        self._later: dict[Key, dict | None] = {}  # those as they were read last
        # By budget: how many pods the rollouts in progress may still stop, and whether a controller does that.
        self._pending: dict[int, tuple[int, bool]] = {}
        self._rolling: set[str] | None = None  # the namespaces in which controllers replace pods for the run
        self._covered: dict[int, list[Task]] = {}  # by budget: whose pods it may select
        self._answers: dict[Key, Answer] = {}  # the last ones
        self._starts: dict[Key, Start] = {}  # the last ones

    @property
    def next(self) -> float | None:
        """When it reads again. While an answer is on its way, only that changes something."""
        if self._reading:
            return None
        if self._wanted:
            return self.clock.monotonic()
        return min((self._looks[one].until for one in self._waiting if one in self._looks), default=None)

    @property
    def lasting(self) -> bool:
        """Whether the room that the last task lacked is kept by what has ended and is held: nothing of this call frees it."""
        return self._lasting

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says which budget leaves no room for the restart."""
        if task is None or task.group not in self._groups or now > self.clock.monotonic():
            return None  # in the future, it is looked at when that instant has come
        namespace, start = task.key[1], self._start(task)
        if start.workload is None or (start.evicts and not self._rolls_in(namespace)):
            self._answers.pop(task.key, None)
            return None
        known = self._looks.get(namespace, NOTHING)
        answer = self._answers.get(task.key, Answer())
        if now >= known.until:
            self._wanted.add(namespace)
            self._lasting = False
            return answer.reason or f"the budgets of namespace {namespace} are being read"
        pending = [self._pending_of(cover) for cover in known.covers]
        if not answer.holds(known, pending, task):
            reason = known.error or self._closed(known, task)
            answer = self._answers[task.key] = Answer(known, pending, task.object, task.state, reason)
        if answer.reason:
            self._waiting.add(namespace)
            self._lasting = any(self._stays_closed(cover, task) for cover in known.covers)
        return answer.reason

    def _start(self, task: Task) -> Start:
        found = self._starts.get(task.key)
        if found is None or found.seen is not task.object or found.step is not task.step:
            found = self._starts[task.key] = Start.of(task)
        return found

    def _closed(self, known: Look, task: Task) -> str | None:
        start = self._start(task)
        for cover in known.covers:
            pending, rolling = self._pending_of(cover)
            asks = rolling or not start.evicts  # Kubernetes keeps evictions apart from each other
            if asks and start.workload and budgets.may_select(cover.budget, task.object):
                # A workload that is looked at again after a conflict counts itself as under way.
                own = self._may_stop(cover, task) if self._is_under_way(task) else 0
                reason = cover.closed(start.workload, pending - own)
                if reason:
                    return reason
        return None

    def _rolls_in(self, namespace: str) -> bool:
        """Whether a controller replaces pods there for the run."""
        if self._rolling is None:
            under_way = filter(self._is_under_way, self.tasks)
            self._rolling = {task.key[1] for task in under_way if self._rolls(task)}
        return namespace in self._rolling

    def _rolls(self, task: Task) -> bool:
        """Whether the controller of a workload stops its pods, and nobody evicts them."""
        return task.step.evicting(self._seen(task)) is None

    def room(self, task: Task) -> Room:
        """Whether there is room for the rest of a rollout that is under way or held. Others that are held take none
        until they are let go on."""
        now, namespace, workload = self.clock.monotonic(), task.key[1], self._object(task)
        if not (kinds.kind_of(workload).stops_at_once(workload) and budget_hold.rest(workload)):
            return Room(until=now + FRESH)
        known = self._looks.get(namespace, NOTHING)
        if now >= known.until:
            self._wanted.add(namespace)
            return Room(f"the budgets of namespace {namespace} are being read", known=False)
        if known.error:
            return Room(known.error, known=False, until=known.until)
        for cover in known.covers:
            if budgets.may_select(cover.budget, workload):
                self._pending_of(cover)
                others = [one for one in self._covered[id(cover)] if one is not task and (one.let_go or not one.held)]
                pending = sum(self._may_stop(cover, one) for one in others if self._is_under_way(one))
                reason = cover.closed_midway(workload, pending)
                if reason:
                    return Room(reason, until=known.until)
        return Room(until=known.until)

    def _stays_closed(self, cover: Cover, task: Task) -> bool:
        """Whether only workloads that have ended, and are held, take the room that the task needs. Pods that are not ready now
        may be so again."""
        start, room = self._start(task), cover.room()
        if not start.workload or room is None or not budgets.may_select(cover.budget, task.object):
            return False
        needs = cover.stops(start.workload)
        needs = min(needs, room) if start.evicts else needs  # alone, it would not have to ask
        held = [one for one in self._covered.get(id(cover), ()) if one.state is State.ENDED and self._is_held(one)]
        kept = sum(self._may_stop(cover, one) for one in held if self._is_under_way(one))
        return room - kept < needs <= room

    def _is_held(self, task: Task) -> bool:
        """Whether a canary, or a pause, keeps its rollout from going on."""
        seen = self._seen(task)
        return bool(kinds.field(seen, "spec.paused")) or task.step.released(seen) != seen

    def _pending_of(self, cover: Cover) -> tuple[int, bool]:
        """How many of its pods the rollouts in progress may still stop, and whether a controller stops any, now or later."""
        number = id(cover)
        if number not in self._covered:
            here = [task for task in self.tasks if budgets.may_select(cover.budget, task.object)]
            self._covered[number] = here
        if number not in self._pending:
            under_way = list(filter(self._is_under_way, self._covered[number]))
            rolling = any(cover.stops(self._object(task)) for task in under_way if self._rolls(task))
            self._pending[number] = sum(self._may_stop(cover, task) for task in under_way), rolling
        return self._pending[number]

    def _may_stop(self, cover: Cover, task: Task) -> int:
        return max(0, cover.may_stop(self._object(task)))

    def _is_under_way(self, task: Task) -> bool:
        """Whether a rollout that the run has caused is not done. One that failed may still go on, also of an earlier
        start."""
        if task.state is State.ACTING:
            return True
        if self._later.get(task.key, task.object) is None:
            return False
        if not self._rolls(task) and (task.running or (task.state is State.ENDED and task.good)):
            return task.running and task.evicts
        caused = task.running or task.changed or (self._run is not None and marks.run_of(task.object) == self._run)
        return caused and status.judge(self._object(task), task.generation).state != status.DONE

    def _object(self, task: Task) -> dict:
        """The workload as its rollout will go on: a canary holds it only for a while. Before the turn of a task, and after its
        end, nobody evicts its pods."""
        seen = self._seen(task)
        return (task.step.evicting(seen) if task.running else None) or task.step.released(seen)

    def _seen(self, task: Task) -> dict:
        """The workload as it was seen last, also if the loop no longer follows it."""
        return self._later.get(task.key) or task.object

    def see(self, event: Event) -> None:
        """A rollout that begins or ends leaves another room for the others."""
        self._forget()

    def _forget(self) -> None:
        self._pending.clear()
        self._rolling = None

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """Budgets and pods to read, if something waits for them."""
        self._forget()  # watches may have shown progress
        self._waiting.clear()
        wanted, self._wanted = self._wanted, set()
        if not wanted:
            return None
        workloads = [self._object(task) for task in self.tasks if task.key[1] in wanted]
        lost = [task for task in self.tasks if task.state is State.ENDED and task.key[1] in wanted]
        lost = [task for task in lost if self._is_under_way(task)]
        self._reading = True
        return Work(lambda: self._look(sorted(wanted), workloads, [task.key for task in lost]))

    def _look(self, namespaces: t.Sequence[str], workloads: t.Sequence[dict], lost: t.Sequence[Key]) -> None:
        """Runs in a worker."""
        self._found = {}
        for namespace in namespaces:
            began = self.clock.monotonic()
            try:
                for key in lost:
                    if key[1] == namespace:
                        self._found[key] = self._read_again(key)
                covers = look(self._cluster, namespace, workloads, self.clock.monotonic() + LONGEST)
                now = self.clock.monotonic()
                self._read[namespace] = looked(covers, now, now - began)
            except ClusterError as error:
                told = f"the budgets of namespace {namespace} could not be read: {error}"
                self._read[namespace] = Look(until=self.clock.monotonic() + AFTER_ERROR, error=told)

    def _read_again(self, key: Key) -> dict | None:
        try:
            return self._cluster.get(kinds.path(*key), deadline=self.clock.monotonic() + LONGEST)
        except NotFound:
            return None

    def worked(self, error: BaseException | None) -> None:
        """The answer is there."""
        self._reading = False
        if error is not None:
            raise error  # a bug: what cannot be read is an answer too
        self._looks |= self._read
        self._later |= self._found
        self._wanted -= self._read.keys()
        self._read = {}
        self._forget()
        self._covered.clear()

    def close(self, tasks: t.Sequence[Task]) -> None:
        """What was not started says which budget it waited for, whatever ended the call."""
        for task in tasks:
            reason = self._answers.get(task.key, Answer()).reason
            if task.state is State.WAITING and reason and reason not in task.message:
                task.message = f"{task.message}; {reason}"
