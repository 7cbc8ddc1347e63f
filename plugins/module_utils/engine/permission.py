# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a call, and whether its changes may still be sent."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Clock
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

CLEANUP_SECONDS = 10.0  # seconds after a call was cut short in which causes are read and undos are sent


@dataclass(frozen=True)
class RunOptions:
    """The options that apply to the whole call."""

    wait: bool = True
    deadline: float | None = None  # monotonic instant
    wait_timeout: float | None = None  # the same as a duration in seconds, for messages
    window: t.Any = None  # schedule.window.Window: nothing starts outside it
    fail_fast: bool = False
    undo_failed: t.Any = None  # the step that follows a failed restart
    undo_only: frozenset[str] | None = None  # the groups for which it does; None for all
    logs: bool = True  # whether the last lines of a container's log are read


@dataclass(frozen=True)
class Cancellation:
    """A call that was cut short: why, the outcome of tasks in progress, and until when causes and undos are handled."""

    why: str
    outcome: Outcome
    until: float  # monotonic instant


class Permission:
    """Whether work may still start, and how long a request may take. The loop asks, and so do the workers right before
    they send a change. Only the loop cuts a call short."""

    def __init__(self, options: RunOptions, controller: Controller, clock: Clock, guarded: t.Callable[[], str | None]):
        self.options = options
        self._guarded = guarded  # why the guards refuse new work, if they do
        self.cancelled: Cancellation | None = None
        self._controller = controller
        self._clock = clock

    @property
    def until(self) -> float | None:
        """The deadline of requests; None for no limit."""
        if self.cancelled:
            return self.cancelled.until
        return None if self.options.deadline is None else self.options.deadline + CLEANUP_SECONDS

    @property
    def next(self) -> float | None:
        """The next instant at which time alone changes an answer of this object."""
        if self.cancelled:
            return None if self.over() else self.cancelled.until
        return self.options.deadline

    def ending(self) -> Cancellation | None:
        """Why the call must be cut short now; None if it need not be, or was already."""
        now = self._clock.monotonic()
        if self.cancelled:
            return None
        if not self._controller.alive():
            return Cancellation(self._controller.reason, Outcome.UNFINISHED, now)
        lost = self._guarded()
        if lost:
            return Cancellation(lost, Outcome.UNFINISHED, now)
        if self.options.deadline is not None and now >= self.options.deadline:
            return Cancellation(self._deadline_over, Outcome.UNFINISHED, now + CLEANUP_SECONDS)
        return None

    def failed_fast(self, why: str) -> Cancellation:
        """The cancellation of a call with fail_fast after a failure."""
        return Cancellation(f"fail_fast: {why}", Outcome.IN_PROGRESS, self._clock.monotonic() + CLEANUP_SECONDS)

    def over(self) -> bool:
        """Whether the time for causes and undos is over."""
        return self.cancelled is not None and self._clock.monotonic() >= self.cancelled.until

    def refusal(self, undoing: bool = False, going_on: bool = False) -> str | None:
        """Why no change may be sent any more; None if it may. Called in workers, right before a change is sent.

        An undo after a failure may be sent for a while longer, and outside the window: it repairs a change from within.
        What goes on with a rollout may be sent outside the window too, because that rollout began within.
        """
        if not self._controller.alive():
            return self._controller.reason
        lost = self._guarded()
        if lost:
            return lost
        if self.cancelled and (not undoing or self.over()):
            return self.cancelled.why
        if undoing:
            return None
        if self.options.deadline is not None and self._clock.monotonic() >= self.options.deadline:
            return self._deadline_over
        window = None if going_on else self.options.window
        if window is not None and not window.is_open(self._clock.now()):
            return window.explain(self._clock.now())
        return None

    def permitted(self, undoing: bool, going_on: bool = False) -> t.Callable[[], str | None]:
        """refusal() as a function for the cluster."""
        return lambda: self.refusal(undoing, going_on)

    @property
    def _deadline_over(self) -> str:
        span = duration.text(self.options.wait_timeout or 0.0)
        return f"the wait_timeout of {span} for the whole call is over"
