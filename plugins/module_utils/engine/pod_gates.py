# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the gates that must be open before a pod is evicted, one after the other and for each pod anew."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.gate_series import GateSeries, Series
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import State
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key


@dataclass
class _Asked:
    """The gates of one pod."""

    pod: str  # its uid
    series: Series
    joins: bool = False  # other pods are being replaced, so nothing fails if a gate does not open


class PodGates:
    """Tells `opened` when all gates have opened, `closed` why one has not, and `failed` if it does not open in time. `closed` is
    also told whether it may only take a while: the gate is open, or was not asked yet."""

    def __init__(
        self,
        executor: Executor,
        timers: Timers,
        opened: t.Callable[[Task], None],
        closed: t.Callable[[Task, str, bool], None],
        failed: t.Callable[[Task, Outcome, str], None],
    ):
        self._series = GateSeries(executor, timers, "gate_of_pod")
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {"gate_of_pod": self._told}
        self._opened = opened
        self._closed = closed
        self._failed = failed
        self._asked: dict[Key, _Asked] = {}

    @property
    def warnings(self) -> list[str]:
        """What the user should know besides the outcomes."""
        return self._series.warnings

    def open(self, task: Task, gates: t.Sequence[tuple[str, Gate]], pod: str, joins: bool) -> bool:
        """Whether the gates have opened for this pod. Otherwise they are asked. It may `join` others that are being replaced."""
        if not gates:
            return True
        asked = self._asked.get(task.key)
        if asked is None or asked.pod != pod:
            self._closed(task, "the gates are asked", True)
            self._asked[task.key] = asked = _Asked(pod, self._series.begin(task, gates))
        asked.joins = joins
        return not asked.series.left

    def leave(self, task: Task) -> None:
        """What the gates told is no longer about what is next."""
        self._asked.pop(task.key, None)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        asked = self._asked.get(task.key)
        self._series.ring(task, asked.series if asked else None, now)

    def _told(self, task: Task, answer: Answer) -> None:
        """Handles the answer of a gate."""
        asked = self._asked.get(task.key)
        told = self._series.take(task, asked.series if asked else None, answer)
        if asked is None or told is None:
            return
        if told.state is State.CLOSED:
            self._closed(task, told.words, told.opens)
        elif told.state is State.FAILED and asked.joins and not told.final:
            self._closed(task, told.words, False)
        elif told.state is State.FAILED:
            self._failed(task, Outcome.UNFINISHED, f"no further pod is evicted: {told.words}")
        else:
            self._opened(task)
