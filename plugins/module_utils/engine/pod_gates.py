# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the gates that must be open before a pod is evicted, one after the other and for each pod anew."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.gates import judgement
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate, ask_numbered
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key


@dataclass
class _Asked:
    """The gates of one pod. Instants are of the monotonic clock."""

    pod: str  # its uid
    left: list[tuple[str, Gate]]  # that are still to be asked, the current one first
    judgement: judgement.Judgement | None = None  # of the current gate
    question: int | None = None  # the number of the last question; answers to others are late
    due: float | None = None  # when to ask it again
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
        self.warnings: list[str] = []
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {"gate_of_pod": self._told}
        self._executor = executor
        self._timers = timers
        self._opened = opened
        self._closed = closed
        self._failed = failed
        self._asked: dict[Key, _Asked] = {}
        self._numbers = itertools.count()

    def open(self, task: Task, gates: t.Sequence[tuple[str, Gate]], pod: str, joins: bool) -> bool:
        """Whether the gates have opened for this pod. Otherwise they are asked. It may `join` others that are being replaced."""
        if not gates:
            return True
        asked = self._asked.get(task.key)
        if asked is None or asked.pod != pod:
            self._asked[task.key] = asked = _Asked(pod, list(gates))
            self._closed(task, "the gates are asked", True)
            self._begin(task, asked)
        asked.joins = joins
        return not asked.left

    def leave(self, task: Task) -> None:
        """What the gates told is no longer about what is next."""
        self._asked.pop(task.key, None)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of the task that has been reached."""
        asked = self._asked.get(task.key)
        if asked and asked.due is not None and now >= asked.due:
            self._ask(task, asked)

    def _begin(self, task: Task, asked: _Asked) -> None:
        _name, gate = asked.left[0]
        asked.judgement = judgement.Judgement(gate.limits, self._executor.clock.monotonic())
        self._ask(task, asked)

    def _ask(self, task: Task, asked: _Asked) -> None:
        _name, gate = asked.left[0]
        cluster, clock = self._executor.cluster, self._executor.clock
        asked.question, asked.due = next(self._numbers), None
        question = (gate, cluster, clock.now(), clock.monotonic())
        self._executor.do(("gate_of_pod", task.key), ask_numbered, asked.question, *question)

    def _told(self, task: Task, answer: Answer) -> None:
        """Handles the answer of a gate."""
        if answer.error is not None:
            raise answer.error  # a bug: a gate that cannot be asked is an answer too
        asked, (question, told_by_gate) = self._asked.get(task.key), answer.value
        if asked is None or task.state not in FOLLOWED or asked.judgement is None or question != asked.question:
            return
        name, gate = asked.left[0]
        verdict = asked.judgement.take(told_by_gate, self._executor.clock.monotonic())
        told = f'the gate "{name}" ({gate.provider.about()}) is closed: {verdict.said}'
        if verdict.state is judgement.State.CLOSED:
            asked.due = None if verdict.again is None else self._timers.set(task, verdict.again)
            self._closed(task, told, told_by_gate.is_open)
        elif verdict.state is judgement.State.FAILED and asked.joins and not told_by_gate.final:
            self._closed(task, told, False)
        elif verdict.state is judgement.State.FAILED:
            self._failed(task, Outcome.UNFINISHED, f"no further pod is evicted: {told}")
        else:
            if verdict.state is judgement.State.PASSED:
                passed = f'the gate "{name}" counts as open for {task.title}, because on_timeout is continue'
                self.warnings.append(f"{passed}: {verdict.said}")
            del asked.left[0]
            if asked.left:
                self._begin(task, asked)
            else:
                self._opened(task)
