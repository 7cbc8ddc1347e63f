# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Evicts the pods of workloads one by one, or some at a time, each as soon as those before it have been replaced well.

Nothing of it outlives the module: which pods are old is seen from the cluster, so a resumed run goes on with the rest.
"""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    NotPermitted,
    OverBudget,
)
from ansible_collections.restartx.core.plugins.module_utils.engine import requests, turnout
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.guarded import guarded
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import Permission
from ansible_collections.restartx.core.plugins.module_utils.engine.pod_course import Course
from ansible_collections.restartx.core.plugins.module_utils.engine.pod_gates import PodGates
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED, State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import PodByPod
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Asking
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, pod_batch, pod_order
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_order import Turn
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

LOOK_EVERY = 2.0  # seconds after which the pods are read again if the workload shows no change
REFUSED_PAUSE = 5.0  # seconds until an eviction that a budget does not allow, or an error, is tried again
REQUEST_SECONDS = 30.0  # how long one answer may take
UNREAD_SECONDS = 120.0  # seconds without an answer after which nothing more is waited for
SEVERAL = "more than one PodDisruptionBudget"  # of an error that does not go away by itself
GRANT = "rbac/between_pods.yml grants it"

Judgement = t.Callable[[Task, Outcome, str], None]


class PodsOneByOne:
    """Decides about the tasks whose pods are evicted. `ended` and `failed` are told an outcome, `moves` that a pod is being
    replaced, and `done` that none is left."""

    def __init__(
        self,
        executor: Executor,
        timers: Timers,
        permission: Permission,
        ended: Judgement,
        failed: Judgement,
        moves: t.Callable[[Task], None],
        done: t.Callable[[Task], None],
    ):
        self._gates = PodGates(executor, timers, self.look, self._closed, failed)
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {
            "pods_of_turn": self._read,
            "evict": self._evicted,
            **self._gates.answers,
        }
        self._executor = executor
        self._timers = timers
        self._permission = permission
        self._ended, self._failed = ended, failed
        self._moves = moves
        self._done = done
        self._courses: dict[Key, Course] = {}
        self._zones: dict[str, str] = {}  # of the nodes, for all tasks
        self._numbers = itertools.count()

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return self._gates.warnings

    def begin(self, task: Task) -> None:
        """A rollout of the task begins."""
        last = self._courses.pop(task.key, None)
        if last and last.evicting:  # its answer is still to come, and nothing else is evicted before
            self._courses[task.key] = Course(evicting=True, outdated=True)
        self._gates.leave(task)

    def decides(self, task: Task) -> bool:
        """Whether pods of the task are still to be replaced."""
        course = self._courses.get(task.key)
        return task.step.pod_by_pod(task.object) is not None and not (course and course.finished)

    def look(self, task: Task) -> None:
        """The workload of the task may have changed."""
        course, its = self._courses.setdefault(task.key, Course()), task.step.pod_by_pod(task.object)
        if its is None or course.evicting:
            return
        course.again = course.asked_at is not None
        if course.asked_at is None:
            self._ask_pods(task, course, its)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        course = self._courses.setdefault(task.key, Course())
        self._gates.ring(task, now)
        if course.due is not None and now >= course.due:
            course.due = None
            self.look(task)

    def _ask_pods(self, task: Task, course: Course, its: PodByPod) -> None:
        course.asked_at, course.again = self._executor.clock.monotonic(), False
        course.question = next(self._numbers)
        asking = Asking(self._executor.cluster, self._executor.clock.now(), course.asked_at + REQUEST_SECONDS)
        asked = (asking, task.object, its, dict(self._zones), dict(course.places), course.unread)
        self._executor.do(("pods_of_turn", task.key), turnout.numbered, course.question, *asked)

    def _read(self, task: Task, answer: Answer) -> None:
        """Handles the pods of a workload."""
        if answer.error is not None:
            raise answer.error  # a bug: an error of the cluster is an answer too
        course, now = self._courses.get(task.key), self._executor.clock.monotonic()
        its = task.step.pod_by_pod(task.object)
        if course is None or task.state not in FOLLOWED or course.asked_at is None or its is None or course.finished:
            return
        question, seen = answer.value
        if question != course.question:
            return
        asked_at, course.asked_at = course.asked_at, None
        failed = isinstance(seen, ClusterError)
        course.unread = None if failed else seen.unread
        self._zones |= {} if failed else seen.zones  # kept, because reading them may take long
        if course.again or course.unread is not None:  # what was read may be older than the workload
            self._ask_pods(task, course, its)
        elif failed:
            self._unread(task, course, str(seen), now)
        else:
            course.unread_since = None
            self._judge(task, course, its, seen.turn(task.object, its, course.places), asked_at)

    def _unread(self, task: Task, course: Course, error: str, now: float) -> None:
        """What the pods do cannot be found out: it is tried again for a while, and nothing is evicted."""
        course.unread_since = now if course.unread_since is None else course.unread_since
        if now - course.unread_since >= UNREAD_SECONDS:
            told = f"its pods could not be read, so none was evicted any more: {error}"
            self._failed(task, Outcome.UNFINISHED, told)
        else:
            course.due = self._timers.set(task, now + REFUSED_PAUSE)

    def _judge(self, task: Task, course: Course, its: PodByPod, turn: Turn, asked_at: float) -> None:
        now = self._executor.clock.monotonic()
        course.done, course.joins = turn.done, bool(turn.joins)
        course.places = course.places if turn.waits or turn.joins else {}
        course.ready = {one: course.ready.get(one, now) for one in turn.ready}
        if turn.waits or turn.pod is None:
            self._gates.leave(task)
            course.failing_since = None
        if turn.waits:
            self._wait(task, course, f"{turn.done}; {turn.waits}")
            return
        if turn.unknown:
            self._hold(task, course, f"{turn.done}; {turn.unknown}", now + REFUSED_PAUSE)
            return
        if turn.pod is None and turn.kept:
            told = Outcome.SUPERSEDED if task.outcome is Outcome.UNDONE else Outcome.UNCHANGED
            self._ended(task, told, turn.kept)
            return
        if turn.pod is None:
            course.finished = True
            self._goes_on(task, turn.done)
            self._done(task)
            return
        least = max(its.settle, float(kinds.field(task.object, "spec.minReadySeconds", 0)))
        settled_at = max(course.ready.values(), default=float("-inf")) + least
        if least and asked_at < settled_at:
            self._gates.leave(task)
            self._hold(task, course, f"{turn.done}, and must stay ready for {duration.text(least)}", settled_at)
        elif self._gates.open(task, its.gates, turn.pod["metadata"]["uid"], course.joins):
            self._evict(task, course, turn)

    def _wait(self, task: Task, course: Course, message: str) -> None:
        """Something is under way that should end within the timeout."""
        self._goes_on(task, message)
        course.due = self._timers.set(task, self._executor.clock.monotonic() + LOOK_EVERY)

    def _goes_on(self, task: Task, message: str) -> None:
        task.message = message
        if task.state is State.SETTLING:
            task.to(State.WATCHING, self._executor.clock)
            self._moves(task)

    def _hold(self, task: Task, course: Course, message: str, until: float | None) -> None:
        """Nothing is under way: no pod may be evicted yet. An undo is not held for longer than its timeout.

        While others are being replaced, it is evicted with the next ones instead."""
        if course.joins:
            course.places = {}
            self._gates.leave(task)
            self._wait(task, course, message)
            return
        task.message = message
        if task.state is State.WATCHING and not _undoes(task):
            task.to(State.SETTLING, self._executor.clock)
        if until is not None:
            course.due = self._timers.set(task, until)

    def _evict(self, task: Task, course: Course, turn: Turn) -> None:
        pod = t.cast(dict, turn.pod)
        meta, slot = pod["metadata"], pod_batch.place(task.object, pod)
        if course.evicted.get(slot, meta["uid"]) != meta["uid"]:
            told = f"pod {meta['name']} was created after an eviction and is not of the newest revision, so none is evicted any more"
            self._failed(task, Outcome.FAILED, told)
            return
        course.evicted[slot], course.evicting = meta["uid"], True
        course.places[slot] = pod_order.zone_of(pod, self._zones)
        course.evicted_name = meta["name"]
        self._gates.leave(task)  # they are asked again if this is not allowed
        task.message = f"{turn.done}; evicting pod {meta['name']}"
        cluster = guarded(self._executor.cluster, self._permission.permitted(task.after_failure))
        until = self._executor.clock.monotonic() + REQUEST_SECONDS
        self._executor.do(("evict", task.key), requests.evict, cluster, pod, until)

    def _evicted(self, task: Task, answer: Answer) -> None:
        """Handles the answer to an eviction."""
        course, error = self._courses.get(task.key), answer.error
        if course is None:
            return
        course.evicting = False
        if error is None:
            task.changed = True
        if error is None or isinstance(error, OverBudget):
            course.failing_since = None
        if task.state not in FOLLOWED:
            return
        if course.outdated:
            course.outdated = False
            self.look(task)
            return
        if error is None:
            task.outcome = Outcome.UNDONE if _undoes(task) else task.outcome
            self._replacing(task, course)
        elif isinstance(error, NotPermitted) and not error.ambiguous:
            self._ended(task, Outcome.UNFINISHED, f"{course.done}; no further pod is evicted: {error}")
        elif isinstance(error, Forbidden):
            self._failed(task, Outcome.FAILED, str(error) if error.refusal else f"{error}; {GRANT}")
        elif isinstance(error, OverBudget):
            self._not_yet(task, course, error.refusal)
        elif isinstance(error, (Conflict, NotFound)):
            self._wait(task, course, f"{course.done}; pod {course.evicted_name} is gone")
        elif SEVERAL in str(error):
            self._failed(task, Outcome.FAILED, f"{error}; leave one budget that selects it")
        elif getattr(error, "transient", False):
            self._fails(task, course, str(error))  # if it was carried out after all, the pods show it
        else:
            self._failed(task, Outcome.FAILED, str(error))

    def _not_yet(self, task: Task, course: Course, why: str) -> None:
        told = f"{course.done}; pod {course.evicted_name} may not be evicted yet: {why}"
        self._hold(task, course, told, self._executor.clock.monotonic() + REFUSED_PAUSE)

    def _fails(self, task: Task, course: Course, error: str) -> None:
        """An eviction could not be carried out: it is tried again, for no longer than the timeout."""
        now = self._executor.clock.monotonic()
        course.failing_since = now if course.failing_since is None else course.failing_since
        if task.timeout is None or now - course.failing_since < task.timeout:
            self._not_yet(task, course, error)
            return
        span = duration.text(task.timeout)
        told = f"{course.done}; pod {course.evicted_name} could not be evicted for {span}: {error}"
        self._failed(task, Outcome.UNFINISHED, told)

    def _closed(self, task: Task, told: str, a_while: bool) -> None:
        """A gate is closed, perhaps only for a while."""
        course = self._courses[task.key]
        if not (course.joins and a_while):  # meanwhile, others are being replaced
            self._hold(task, course, f"{course.done}; {told}", None)

    def _replacing(self, task: Task, course: Course) -> None:
        """A pod ends, and its successor has the whole timeout to get ready."""
        if task.state is State.SETTLING:
            task.to(State.WATCHING, self._executor.clock)
        self._moves(task)
        self.look(task)


def _undoes(task: Task) -> bool:
    its = task.step.pod_by_pod(task.object)
    return its is not None and its.run is not None
