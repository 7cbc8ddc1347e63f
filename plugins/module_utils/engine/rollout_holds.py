# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds rollouts under way while budgets leave no room for them, and lets them go on (`budgets: enforce`).

Whether there is room is asked about once a second (Task.room). Meanwhile nothing else is judged of a held rollout, and the
time for which it is held counts against nothing.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, NotPermitted
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.guarded import guarded
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import Permission
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED, State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Room, Step
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

SOON = 0.2  # seconds until an answer about budgets is looked for again
STEADY = 3.0  # seconds for which there must be room before a held rollout goes on
AFTER_ERROR = 5.0  # seconds until a change that failed is tried again
REQUEST_SECONDS = 30.0  # how long one change may take
EARLIER = "until it is known whether budgets leave room for it"


@dataclass
class _Course:
    """What is known of one rollout. Instants are of the monotonic clock."""

    step: Step
    due: float | None = None  # when budgets are asked next
    sending: bool = False  # a change is on its way
    held: bool = False
    left: float | None = None  # the seconds until its timeout when it was held
    room_since: float | None = None
    freed: bool = False  # somebody else has let it go on, and it is not held again


class RolloutHolds:
    """Decides about rollouts that it holds. `moves` is told that one goes on, and `look` is called to judge its workload
    again."""

    def __init__(
        self,
        executor: Executor,
        timers: Timers,
        permission: Permission,
        moves: t.Callable[[Task], None],
        look: t.Callable[[Task], None],
    ):
        self.warnings: list[str] = []
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {
            "hold": self._was_held,
            "let_go": self._was_let_go,
        }
        self._executor = executor
        self._timers = timers
        self._permission = permission
        self._moves = moves
        self._judge = look
        self._courses: dict[Key, _Course] = {}

    def begin(self, task: Task) -> None:
        """A rollout of the task begins. An earlier start may have held it."""
        self._courses.pop(task.key, None)
        task.held, task.let_go = "", False
        held = task.step.is_held(task.object)
        if not held and (task.room is None or not task.step.may_hold(task.object)):
            return
        course = self._courses[task.key] = _Course(task.step)
        if held:
            self._stand_still(task, course, EARLIER)
        self._ask_at(task, course, self._executor.clock.monotonic())

    def holds(self, task: Task) -> bool:
        """Whether the rollout of the task is held."""
        course = self._courses.get(task.key)
        return course is not None and course.held and course.step is task.step

    def look(self, task: Task) -> None:
        """The workload of a task that is held may have changed."""
        course = self._courses[task.key]
        if course.sending or task.step.is_held(task.object):
            return
        course.freed = budget_hold.rest(task.object) > 0
        if course.freed:
            self.warnings.append(f"somebody else has let the rollout of {task.title} go on, so it was not held again")
        self._goes_on(task, course)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        course = self._courses.get(task.key)
        if course is None or course.due is None or now < course.due or course.step is not task.step:
            return
        course.due = None
        if course.sending:
            return
        room = task.room(task) if task.room else Room()  # a plan that no longer enforces budgets holds nothing
        if room.known and (room.reason or not course.held):
            course.room_since = None
        if room.known and course.held and not room.reason:
            course.room_since = now if course.room_since is None else course.room_since
            if task.room is None or now - course.room_since >= STEADY:
                task.let_go = True  # from now on, it takes the room that others see
                self._send(task, course, "let_go", task.step.go_on)
                return
        elif room.known and course.held:
            self._tell(task, room.reason)
        elif room.known and room.reason and not course.freed:
            task.held = room.reason
            self._send(task, course, "hold", task.step.hold)
            return
        self._ask_at(task, course, max(room.until, now + SOON))

    def _ask_at(self, task: Task, course: _Course, at: float) -> None:
        course.due = self._timers.set(task, at)

    def _send(self, task: Task, course: _Course, what: str, change: t.Callable[..., dict | None]) -> None:
        course.sending = True
        cluster = guarded(self._executor.cluster, self._permission.permitted(undoing=False, going_on=True))
        until = self._executor.clock.monotonic() + REQUEST_SECONDS
        self._executor.do((what, task.key), change, cluster, task.object, until)

    def _was_held(self, task: Task, answer: Answer) -> None:
        course = self._answered(task, answer)
        if course is None:
            return
        if answer.error is None and answer.value is not None:
            self._stand_still(task, course, task.held)
            self._ask_at(task, course, self._executor.clock.monotonic())
        else:
            task.held = ""
            self._again(task, course, answer, "held")

    def _was_let_go(self, task: Task, answer: Answer) -> None:
        course = self._answered(task, answer)
        if course is None:
            return
        if answer.error is None:
            self._goes_on(task, course)
        else:
            task.let_go = getattr(answer.error, "ambiguous", False)  # then it may go on already
            self._again(task, course, answer, "let go on")

    def _answered(self, task: Task, answer: Answer) -> _Course | None:
        """The course that an answer is about; None if the task goes on with something else. It then has the workload."""
        course, after = self._courses.get(task.key), answer.value
        if after is not None and after["metadata"].get("generation", 0) >= task.object["metadata"].get("generation", 0):
            task.object = after
        if course is None or task.state not in FOLLOWED or course.step is not task.step:
            return None
        course.sending = False
        if after is not None:
            task.generation = after["metadata"].get("generation")
        return course

    def _again(self, task: Task, course: _Course, answer: Answer, done: str) -> None:
        """It was not done: it is tried again, if there is still a reason."""
        if answer.error is not None and not isinstance(answer.error, NotPermitted):
            if not isinstance(answer.error, ClusterError):
                raise answer.error  # a bug, and not a state of the cluster
            told = f"the rollout of {task.title} could not be {done}, and it is tried again: {answer.error}"
            self.warnings += [] if told in self.warnings else [told]
        self._ask_at(task, course, self._executor.clock.monotonic() + AFTER_ERROR)

    def _stand_still(self, task: Task, course: _Course, why: str) -> None:
        now = self._executor.clock.monotonic()
        course.held, course.room_since = True, None
        course.left = None if task.deadline is None else max(task.deadline - now, 0.0)
        self._tell(task, why)
        if task.state is State.WATCHING:
            task.to(State.SETTLING, self._executor.clock)

    def _tell(self, task: Task, why: str) -> None:
        task.held = why
        task.message = f"its rollout is {budget_hold.words(task.object)}, because {why}"

    def _goes_on(self, task: Task, course: _Course) -> None:
        now, left = self._executor.clock.monotonic(), course.left
        course.held, course.left, course.room_since = False, None, None
        task.held, task.let_go, task.message = "", False, ""
        if task.state is State.SETTLING:
            task.to(State.WATCHING, self._executor.clock)
        self._moves(task)
        if left is not None:
            task.deadline = self._timers.set(task, now + left)
        self._ask_at(task, course, now + SOON)
        self._judge(task)
