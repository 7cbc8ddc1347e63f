# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A workload in the loop, and its entry in `results`."""

from __future__ import annotations

import collections
import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Clock
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event, State, check
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Room, Step
from ansible_collections.restartx.core.plugins.module_utils.rollout import history, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.codes import Cause
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome, counted_as
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

GRACE = 300.0  # seconds that a problem may take to recover

# The fields of a cause that results show, besides the last lines of a log and further causes.
_SHOWN = ("code", "object", "pods", "pod", "container", "exit_code", "reason", "sentence", "advice")


def _nobody(event: Event) -> None:
    """The listener of a task that is not in a loop."""


@dataclass
class Task:
    """One workload: its steps, its state (engine/states.py), and its outcome.

    Each step starts after the one before it succeeded. After a failure, only steps for failures follow, such as an
    undo. The `listener` is called with every change of state.
    """

    key: Key
    group: str
    object: dict
    step: Step
    timeout: float | None = None
    settle: float = 0.0
    grace: float = GRACE
    state: State = field(default=State.WAITING, init=False)
    outcome: Outcome = Outcome.NOT_STARTED
    goal: Outcome = field(init=False)  # the outcome that its first step is for
    message: str = ""
    failure: tuple[Outcome, str] | None = None  # outcome and message, while causes are read and a reaction is tried
    undo_failure: tuple[Outcome, str] | None = None  # the same for the undo that followed it
    queue: collections.deque[tuple[Step, bool]] = field(default_factory=collections.deque)  # the next steps; see then()
    place: int = 0  # index of the current step
    after_failure: bool = False  # the current step follows a failure
    earlier: bool = False  # the outcome comes from an earlier start of the run
    cut_short: bool = False  # in progress when the call was cut short
    unanswered: bool = False  # it is not known whether its last change was carried out
    gone: bool = False  # last seen deleted
    trouble: str = ""  # what is wrong with its pods now; it may recover
    gate: str = ""  # after its rollout: which gate is closed, and its last answer
    held: str = ""  # why budgets leave no room for the rest of its rollout, while that is held or about to be
    let_go: bool = False  # it is held, and a request to let it go on is on its way
    room: t.Callable[[Task], Room] | None = None  # asks for that; None if nothing is asked
    gates_passed: bool = False  # an earlier start of the run saw its gates open after its rollout
    cause: Cause | None = None
    reaction: str = ""  # what followed its failure, such as an undo
    undo_cause: Cause | None = None  # why the undo after a failure did not come up
    changed: bool = False
    generation: int | None = None
    conflicts: int = 0  # changes by somebody else between our read and our patch, in this step
    tries: int = 0  # patches of this step that failed with a conflict, for any reason
    retry_at: float | None = None  # while it pauses between two attempts
    judged: int | None = None  # the generation of the workload that the step acts on
    deadline: float | None = None
    settled_at: float | None = None
    lingers_until: float | None = None  # until when terminating old pods are waited for after everything else is done
    broke: bool = False  # whether it broke after its rollout was done for the first time
    free_stuck_pods_at: float | None = None
    slow_since: float = 0.0
    crowd: int = 0  # the highest number of rollouts in progress at the same time
    pods_at: float | None = None
    started: float | None = None
    ended: float | None = None
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    revision_before: str | None = None
    before: dict | None = None  # the workload when the request was sent; a watch may show the change before the answer
    template: dict | None = None  # of its pods since the restart, while further steps depend on it
    found: dict | None = None  # the workload before the last request that changed it
    diff: tuple[dict, dict] | None = None
    listener: t.Callable[[Event], None] = field(default=_nobody, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.goal = self.step.outcome

    def then(self, step: Step, after_failure: bool = False) -> None:
        """Adds a step that follows after a success, or only after a failure."""
        self.queue.append((step, after_failure))

    def follows(self, failed: bool) -> bool:
        """Whether a step follows after a success or a failure."""
        return any(after_failure == failed for _step, after_failure in self.queue)

    def advance(self, failed: bool) -> bool:
        """Continues with the next step after a success or a failure; False if there is none. Steps in between are
        dropped."""
        while self.queue:
            step, after_failure = self.queue.popleft()
            if after_failure == failed:
                self.step, self.after_failure = step, after_failure
                self.place += 1
                self.conflicts = self.tries = 0
                return True
        return False

    def lost(self) -> str | None:
        """Who took back what the step is about, or deployed something else that the step must not touch; None if nobody
        did."""
        undoing = self.step.undoing(self.object)
        if undoing or self.template in (None, self.object["spec"]["template"]):
            return undoing
        return self.step.replaced(self.object)

    def to(self, state: State, clock: Clock, outcome: Outcome | None = None, message: str | None = None) -> None:
        """Changes the state, and the outcome and the message if they are given.

        Raises IllegalTransition if the transition is not allowed.
        """
        check(self.state, state)
        before, self.state = self.state, state
        self.outcome = self.outcome if outcome is None else outcome
        self.message = self.message if message is None else message
        now = clock.now()
        if state is State.WAITING:
            self.started = self.started_at = self.revision_before = None
        elif state is State.ENDED:
            self.ended = clock.monotonic()
            self.finished_at = now if self.started_at else None
        self.listener(Event(now, self, before, state, self.outcome, self.message))

    @property
    def title(self) -> str:
        """The name for messages: `Deployment shop/api`."""
        kind, namespace, name = self.key
        return f"{kind} {namespace}/{name}"

    @property
    def why(self) -> str:
        """Why it has its outcome: the cause if one was found."""
        if self.cause is None:
            return self.message
        return f"{self.cause.sentence}; {self.reaction}" if self.reaction else self.cause.sentence

    @property
    def undoing(self) -> bool:
        """Whether it is being undone after a failure, or was."""
        return self.after_failure and self.step.outcome is Outcome.UNDONE

    @property
    def running(self) -> bool:
        return self.state not in (State.WAITING, State.ENDED)

    @property
    def evicts(self) -> bool:
        """Whether its step replaces pods also if it only has to follow a rollout."""
        its = self.step.pod_by_pod(self.object)
        if its is None:
            return False
        return its.run is not None or self.step.progress(self.object, None, None).state != status.DONE

    @property
    def good(self) -> bool:
        """Whether the outcome is as requested; `undone` is good only if an undo was requested."""
        return self.outcome == self.goal or self.outcome.good

    def fail_if_broken(self) -> None:
        """If it is not done in time, it has failed if something is broken. Otherwise a resumed run waits for it."""
        if self.failure and self.failure[0] is Outcome.UNFINISHED and self.cause and self.cause.broken:
            self.failure = Outcome.FAILED, self.failure[1]

    def undone_too(self, undo: Task, why: str) -> None:
        """Takes over what came of its undo, which followed the failure of another workload: `why` names that.

        If nothing was sent, the workload is still what it was, and keeps its outcome.
        """
        well = undo.outcome is Outcome.UNDONE
        if well or undo.changed:
            self.outcome, self.message = undo.outcome, ""
        how = "undone" if well else f"its undo {undo.outcome.words}"
        self.reaction = f"{why}; {how}: {undo.message}"
        self.message = f"{self.message}; {self.reaction}" if self.message else self.reaction
        self.diff = (self.diff[0], undo.diff[1]) if self.diff and undo.diff else self.diff or undo.diff
        self.object, self.changed, self.undo_cause = undo.object, self.changed or undo.changed, undo.cause
        self.ended, self.finished_at = undo.ended or self.ended, undo.finished_at or self.finished_at

    def settle_as(self, outcome: Outcome, message: str) -> None:
        """Sets the outcome and message of a dry run: nothing was changed or started."""
        self.outcome, self.goal, self.message = outcome, Outcome.PLANNED, message
        self.changed, self.diff, self.started, self.started_at, self.finished_at = False, None, None, None, None

    def _of_undo(self) -> dict:
        """What followed a failure, and why an undo did not come up, in results of modules that undo."""
        if self.goal is Outcome.UNDONE:
            return {"undo_cause": _shown(self.cause)}
        if self.goal is not Outcome.RESTARTED:
            return {}
        return {"undo_cause": _shown(self.undo_cause), "reaction": self.reaction or None}

    def result(self) -> dict:
        """The entry in `results`: plain values, never the object itself, because it contains environment values."""
        kind, namespace, name = self.key
        return {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "uid": self.object["metadata"].get("uid"),
            "outcome": str(self.outcome),
            "changed": self.changed,
            "revision_before": self.revision_before,
            "revision_after": history.revision_shown(self.object),
            "message": self.message,
            "pods": status.pods(self.object),
            "missing": status.missing(self.object),
            "nothing_to_replace": status.nothing_to_replace(self.object),
            "cause": _shown(self.cause),
            **self._of_undo(),
            "risks": status.risks(self.object),
            "started_at": text_of(self.started_at),
            "finished_at": text_of(self.finished_at),
            "duration": round(self.ended - self.started, 3)
            if self.ended is not None and self.started is not None
            else None,
        }


def _shown(cause: Cause | None) -> dict | None:
    """A cause as results have it."""
    if cause is None:
        return None
    shown = {name: getattr(cause, name) for name in _SHOWN}
    also = [{"code": one.code, "sentence": one.sentence} for one in cause.also]
    return {**shown, "log": list(cause.log), "also": also}


def summary(results: t.Iterable[dict]) -> dict[str, int]:
    """Counts by outcome, the most frequent first. Restarted workloads without pods are counted separately."""
    return dict(collections.Counter(map(counted_as, results)).most_common())


def verdict(tasks: t.Sequence[Task], verb: str) -> str | None:
    """One sentence on what failed, or None.

    It names the workloads that failed, and not those that were not started because of them.
    """
    bad = [task for task in tasks if not task.good]
    if not bad:
        return None
    first = [task for task in bad if task.outcome is not Outcome.NOT_STARTED] or bad
    shown = "; ".join(_sentence(task) for task in first[:3])
    more = f"; and {len(first) - 3} more" if len(first) > 3 else ""
    if len(tasks) == 1:
        return shown
    return f"{len(bad)} of {len(tasks)} workloads not {verb}: {shown}{more}"


def _sentence(task: Task) -> str:
    return f"{task.title} {task.outcome.words}: {task.why}"


def text_of(instant: datetime.datetime | None) -> str | None:
    """An instant as results have it: `2026-11-24T22:15:24Z`."""
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z") if instant else None
