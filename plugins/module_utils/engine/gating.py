# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates of a run. Each is asked in a worker, and only while something waits for it."""

from __future__ import annotations

import datetime
import itertools
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Clock
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate, ask
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import INTERVAL, Judgement, State, Verdict
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Answer

Told = t.Callable[[Verdict], None]


class AskedGate:
    """A gate that is asked during a run, as an observer that has its worker ask. A subclass says for what."""

    required = True
    needs_lock = False

    def __init__(self, name: str, gate: Gate, cluster: Cluster, clock: Clock):
        self.warnings: list[str] = []
        self.name = name
        self.gate = gate
        self.clock = clock
        self.opened_at: datetime.datetime | None = None  # when it was open for the first time
        self.last: Verdict | None = None
        self.log: tuple[str, ...] = ()
        self._cluster = cluster
        self._ask_at: float | None = None  # None: nothing waits for it, or an answer is on its way
        self._asked_at = float("-inf")
        self._asking = False  # an answer is on its way
        self._answer: Answer | None = None  # of the worker

    @property
    def next(self) -> float | None:
        """When it is asked again. While an answer is on its way, only that changes something."""
        return self._ask_at

    @property
    def waited_for(self) -> bool:
        """Whether something waits for it."""
        raise NotImplementedError

    @property
    def closed(self) -> str:
        """That the gate is closed, with its last answer."""
        return self.told(self.last)

    def told(self, verdict: Verdict | None) -> str:
        """That the gate is closed for what was told this."""
        said = verdict.said if verdict else "it was not asked yet"
        return f'the gate "{self.name}" ({self.gate.provider.about()}) is closed: {said}'

    def see(self, event: Event) -> None:
        """What happens to tasks does not change a gate."""

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """A question, if something waits for the gate and it is time."""
        now = self.clock.monotonic()
        if self._ask_at is None or now < self._ask_at:
            return None
        self._ask_at, self._asked_at, self._asking = None, now, True
        return Work(self._ask)

    def _ask(self) -> None:
        self._answer = ask(self.gate, self._cluster, self.clock.now(), self.clock.monotonic())

    def worked(self, error: BaseException | None) -> None:
        """The answer is there."""
        self._asking = False
        if error is not None:
            raise error  # a bug: a gate that cannot be asked is an answer too
        if self._answer is not None:
            self.log = self._answer.log
            self._take(self._answer, self.clock.monotonic())

    def _take(self, answer: Answer, now: float) -> None:
        raise NotImplementedError

    def _judged(self, verdict: Verdict) -> None:
        """Notes what something that waits for the gate is told."""
        self.last = verdict
        if verdict.state is State.OPEN:
            self.opened_at = self.opened_at or self.clock.now()
        warning = f'the gate "{self.name}" counts as open, because on_timeout is continue: {verdict.said}'
        if verdict.state is State.PASSED and warning not in self.warnings:
            self.warnings.append(warning)

    def close(self, tasks: t.Sequence[Task]) -> None:
        """It keeps nothing."""


class GateHold(AskedGate):
    """A hold on the tasks of some groups (None: of all).

    An open gate counts as open for one interval, and as long as its answer took. Then it is asked again before anything
    else starts. If it is still open then, it has been without a break, so nothing waits for its `for` anew. So gates that
    are asked at different times are open together at some time.
    """

    def __init__(self, name: str, gate: Gate, groups: frozenset[str] | None, cluster: Cluster, clock: Clock):
        super().__init__(name, gate, cluster, clock)
        self._groups = groups
        self._judgement: Judgement | None = None  # of the answers without a longer break between them
        self._open_until = float("-inf")

    @property
    def next(self) -> float | None:
        """Also when its last answer no longer counts."""
        counts = self._was_open and self.clock.monotonic() < self._open_until
        return self._open_until if counts else super().next

    @property
    def closed(self) -> str:
        """That the gate is closed, or asked again."""
        if self._was_open:
            return f'the gate "{self.name}" ({self.gate.provider.about()}) is asked again'
        return super().closed

    @property
    def lasting(self) -> bool:
        """A gate that did not open in time, or never will, ends the call if everything that is left waits for it."""
        return self.last is not None and self.last.state is State.FAILED

    @property
    def waited_for(self) -> bool:
        return self.lasting or (self._judgement is not None and not self._was_open)

    @property
    def _was_open(self) -> bool:
        return self.last is not None and self.last.state is State.OPEN

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says that the gate is closed, with its last answer."""
        if (task is None) != (self._groups is None) or (task and self._groups and task.group not in self._groups):
            return None
        if now < self._open_until:
            return None
        if self._ask_at is None and not (self._asking or self.lasting):
            at = self.clock.monotonic()
            if now > at:
                return None  # it is asked when that instant has come
            if self._judgement is None or at > self._open_until + max(self.gate.limits.interval, INTERVAL):
                self.last, self._judgement = None, Judgement(self.gate.limits, at)
            self._ask_at = at
        return self.closed

    def _take(self, answer: Answer, now: float) -> None:
        if self._judgement is None:
            return
        if self._was_open and not answer.is_open:
            self._judgement = Judgement(self.gate.limits, now)  # it was open until now
        verdict = self._judgement.take(answer, now)
        self._judged(verdict)
        self._ask_at = verdict.again
        if verdict.state is State.OPEN:
            self._open_until = now + self.gate.limits.interval + (now - self._asked_at)
        elif verdict.over:
            self._judgement = None
            self._open_until = float("inf") if verdict.state is State.PASSED else self._open_until


class AfterGate(AskedGate):
    """A gate for which that waits which is otherwise done. Only what was asked since it waits counts for it."""

    def __init__(self, name: str, gate: Gate, cluster: Cluster, clock: Clock):
        super().__init__(name, gate, cluster, clock)
        self._waiting: dict[str, tuple[float, Judgement, Told]] = {}

    @property
    def waited_for(self) -> bool:
        return bool(self._waiting)

    def wait(self, waiter: str, told: Told) -> None:
        """Asks the gate for this waiter, until `told` was called with a verdict that is over."""
        now = self.clock.monotonic()
        self.last = None if not self._waiting else self.last
        self._waiting[waiter] = now, Judgement(self.gate.limits, now), told
        self._ask_at = now

    def leave(self, waiter: str) -> None:
        """It waits no longer."""
        self._waiting.pop(waiter, None)
        self._ask_at = self._ask_at if self._waiting else None

    def _take(self, answer: Answer, now: float) -> None:
        for waiter, (began, judgement, told) in list(self._waiting.items()):
            if began > self._asked_at:
                continue  # it waits only since the gate was asked
            if waiter not in self._waiting:
                continue  # it has left because of what another one was told
            verdict = judgement.take(answer, now)
            self._judged(verdict)
            if verdict.over:
                del self._waiting[waiter]
            told(verdict)
            if verdict.again is not None:
                self._ask_at = verdict.again if self._ask_at is None else min(self._ask_at, verdict.again)


class AfterGates:
    """The gates that must open after the rollout of a task, by its group."""

    def __init__(self, gates: t.Mapping[str, t.Sequence[AfterGate]]):
        self._gates = gates

    def begin(self, task: Task, done: t.Callable[[], None], failed: t.Callable[[str], None]) -> bool:
        """Waits for the gates of a task. False if there are none: it need not wait."""
        passed = task.after_failure or (task.gates_passed and not task.changed)
        closed = {} if passed else {one.name: one for one in self._of(task)}

        def told(gate: AfterGate, verdict: Verdict) -> None:
            task.gate = gate.closed
            if verdict.state is State.FAILED:
                self.leave(task)
                failed(gate.closed)
            elif verdict.over:
                del closed[gate.name]
                task.gate = next((one.closed for one in closed.values()), "")
                if not closed:
                    done()

        for gate in closed.values():
            task.gate = task.gate or gate.closed
            gate.wait(task.title, lambda verdict, gate=gate: told(gate, verdict))  # type: ignore[misc]
        return bool(closed)

    def leave(self, task: Task) -> None:
        """The task waits no longer, for example because it is no longer healthy."""
        task.gate = ""
        for gate in self._of(task):
            gate.leave(task.title)

    def _of(self, task: Task) -> t.Sequence[AfterGate]:
        return self._gates.get(task.group, ())


@dataclass
class GateEntry:
    """A gate in the order of a run, as an entry of its own. `title` names it in sentences."""

    group: str
    title: str
    gate: AfterGate
    passed: bool = False  # in an earlier start of the run
    failed: t.Callable[[str], None] = lambda why: None  # is told why it failed
    verdict: Verdict | None = None
    message: str = ""  # why it was not asked

    @property
    def closed(self) -> str:
        """That the gate is closed, with its last answer for this entry. Others may wait for the same gate."""
        return self.gate.told(self.verdict)


@dataclass(frozen=True)
class RunGates:
    """The gates of a run, besides those that keep restarts from starting: by the group whose tasks wait for them after
    their rollouts, and the entries that are gates."""

    after: t.Mapping[str, t.Sequence[AfterGate]] = field(default_factory=dict)
    entries: t.Sequence[GateEntry] = ()
    needless: t.Callable[[], bool] = lambda: False  # whether the run will be undone, so that no entry is asked

    @property
    def asked(self) -> list[AfterGate]:
        """Each gate once."""
        found = [*itertools.chain(*self.after.values()), *(entry.gate for entry in self.entries)]
        return list({id(gate): gate for gate in found}.values())

    @property
    def closed(self) -> str:
        """The first gate that something waits for, with its last answer; empty if there is none."""
        return next((gate.closed for gate in self.asked if gate.waited_for), "")
