# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What decides about a rollout by its pods, instead of by the status of its workload: the trial of a canary, the eviction
of pods one by one, and what holds a rollout for budgets."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import Permission
from ansible_collections.restartx.core.plugins.module_utils.engine.pod_by_pod import PodsOneByOne
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.rollout_holds import RolloutHolds
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.engine.trials import Trials
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome

Judgement = t.Callable[[Task, Outcome, str], None]


class Judges:
    """All of them. `ended` and `failed` are told the outcome of a task; see PodsOneByOne for the others. `look` is called to
    judge its workload as usual."""

    def __init__(
        self,
        executor: Executor,
        timers: Timers,
        permission: Permission,
        ended: Judgement,
        failed: Judgement,
        moves: t.Callable[[Task], None],
        look: t.Callable[[Task], None],
    ):
        self._trials = Trials(executor, timers, ended, failed, moves)
        self._pods = PodsOneByOne(executor, timers, permission, ended, failed, moves, look)
        self._holds = RolloutHolds(executor, timers, permission, moves, look)
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {
            **self._trials.answers,
            **self._pods.answers,
            **self._holds.answers,
        }

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return [*self._trials.warnings, *self._pods.warnings, *self._holds.warnings]

    def begin(self, task: Task) -> None:
        """A rollout of the task begins."""
        self._trials.begin(task)
        self._pods.begin(task)
        self._holds.begin(task)

    def decide(self, task: Task) -> bool:
        """Whether one of them decides about the task now."""
        return task.step.trial is not None or self._pods.decides(task) or self._holds.holds(task)

    def look(self, task: Task) -> None:
        """The workload of a task about which one of them decides may have changed."""
        if task.step.trial:
            self._trials.look(task)
        elif self._holds.holds(task):
            self._holds.look(task)
        else:
            self._pods.look(task)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of a task that has been reached."""
        if task.state not in FOLLOWED:
            return
        self._holds.ring(task, now)
        if task.step.trial:
            self._trials.ring(task, now)
        elif self._pods.decides(task):
            self._pods.ring(task, now)
