# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks gates one after the other: the next one when the one before has opened. For the pods of a canary, and between pods."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate, ask_numbered
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Judgement, State

COMPARISON = "comparison with the other pods"  # no name of a gate


@dataclass
class Series:
    """The gates of one task that are still to be asked, the current one first. Instants are of the monotonic clock."""

    left: list[tuple[str, Gate]]  # by name
    judgement: Judgement  # of the current gate
    question: int | None = None  # the number of the last question; answers to others are late
    due: float | None = None  # when to ask it again


@dataclass(frozen=True)
class Told:
    """What an answer means: all gates are open, or which one is closed and why. If it has failed, it is not asked again.

    `opens` tells whether the gate is open, but not long enough yet, and `final` whether it can never open.
    """

    state: State
    words: str = ""
    opens: bool = False
    final: bool = False


class GateSeries:
    """Asks gates for a caller, which passes the answers that have this token to take(), and the instants to ring()."""

    def __init__(self, executor: Executor, timers: Timers, token: str):
        self.warnings: list[str] = []
        self._executor = executor
        self._timers = timers
        self._token = token
        self._numbers = itertools.count()

    def begin(self, task: Task, gates: t.Sequence[tuple[str, Gate]]) -> Series:
        """Asks the first of these gates, of which there is at least one."""
        series = Series(list(gates), self._judgement(gates[0][1]))
        self._ask(task, series)
        return series

    def ring(self, task: Task, series: Series | None, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        if series and series.due is not None and now >= series.due:
            self._ask(task, series)

    def take(self, task: Task, series: Series | None, answer: Answer) -> Told | None:
        """What an answer means; None if it is late, or if the next gate is asked now."""
        if answer.error is not None:
            raise answer.error  # a bug: a gate that cannot be asked is an answer too
        question, told_by_gate = answer.value
        if series is None or task.state not in FOLLOWED or question != series.question:
            return None
        name, gate = series.left[0]
        verdict = series.judgement.take(told_by_gate, self._executor.clock.monotonic())
        which = name if name == COMPARISON else f'gate "{name}"'
        if not verdict.over:
            series.due = None if verdict.again is None else self._timers.set(task, verdict.again)
        elif verdict.state is not State.FAILED:
            if verdict.state is State.PASSED:
                passed = f"the {which} counts as open for {task.title}, because on_timeout is continue"
                self.warnings.append(f"{passed}: {verdict.said}")
            return self._next(task, series)
        words = f"the {which} ({gate.provider.about()}) is closed: {verdict.said}"
        return Told(verdict.state, words, told_by_gate.is_open, told_by_gate.final)

    def _next(self, task: Task, series: Series) -> Told | None:
        del series.left[0]
        series.question = None
        if not series.left:
            return Told(State.OPEN)
        series.judgement = self._judgement(series.left[0][1])
        self._ask(task, series)
        return None

    def _judgement(self, gate: Gate) -> Judgement:
        return Judgement(gate.limits, self._executor.clock.monotonic())

    def _ask(self, task: Task, series: Series) -> None:
        _name, gate = series.left[0]
        cluster, clock = self._executor.cluster, self._executor.clock
        series.question, series.due = next(self._numbers), None
        asked = (gate, cluster, clock.now(), clock.monotonic())
        self._executor.do((self._token, task.key), ask_numbered, series.question, *asked)
