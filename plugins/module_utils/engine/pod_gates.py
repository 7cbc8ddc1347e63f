# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the gates that must be open before a pod is evicted, one after the other and for each pod anew."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.gate_series import GateSeries, Series
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import State
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key


class PodGates:
    """Tells `opened` when all gates have opened, `closed` why one has not, and `failed` if it does not open in time."""

    def __init__(
        self,
        executor: Executor,
        timers: Timers,
        opened: t.Callable[[Task], None],
        closed: t.Callable[[Task, str], None],
        failed: t.Callable[[Task, Outcome, str], None],
    ):
        self._series = GateSeries(executor, timers, "gate_of_pod")
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {"gate_of_pod": self._told}
        self._opened = opened
        self._closed = closed
        self._failed = failed
        self._asked: dict[Key, tuple[str, Series]] = {}  # with the uid of the pod

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return self._series.warnings

    def open(self, task: Task, gates: t.Sequence[tuple[str, Gate]], pod: str) -> bool:
        """Whether the gates have opened for this pod. Otherwise they are asked."""
        if not gates:
            return True
        of, series = self._asked.get(task.key, ("", None))
        if series is None or of != pod:
            self._closed(task, "the gates are asked")
            self._asked[task.key] = pod, self._series.begin(task, gates)
            return False
        return not series.left

    def leave(self, task: Task) -> None:
        """What the gates told is no longer about what is next."""
        self._asked.pop(task.key, None)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        _pod, series = self._asked.get(task.key, ("", None))
        self._series.ring(task, series, now)

    def _told(self, task: Task, answer: Answer) -> None:
        """Handles the answer of a gate."""
        _pod, series = self._asked.get(task.key, ("", None))
        told = self._series.take(task, series, answer)
        if told is None:
            return
        if told.state is State.CLOSED:
            self._closed(task, told.words)
        elif told.state is State.FAILED:
            self._failed(task, Outcome.UNFINISHED, f"no further pod is evicted: {told.words}")
        else:
            self._opened(task)
