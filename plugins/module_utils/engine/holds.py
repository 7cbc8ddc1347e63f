# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reasons why a task may not start yet. Each hold says why, and when to check again.

A hold does not end a call by itself. Final reasons (the controller is gone, the lock is lost, the time is over) are not
holds; see engine/permission.py.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Clock
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window


class Hold(t.Protocol):
    """One reason not to start yet. Instants are of the monotonic clock.

    Without a task, reason() says why no task may start. With a task, it says why that task may not. If it raises an
    exception, the task is held.
    """

    @property
    def lasting(self) -> bool:
        """Whether a call does not wait for it: a call ends if everything that is left is held in this way."""

    @property
    def next(self) -> float | None:
        """When to check again if nothing happens before; None if only an event can change it."""

    def reason(self, task: Task | None, now: float) -> str | None:
        """Why the task may not start at this instant, which may be in the future; None if it may."""


class WindowHold:
    """Nothing starts outside the maintenance window. A call does not wait until it opens again."""

    lasting = True

    def __init__(self, window: Window, clock: Clock):
        self._window = window
        self._clock = clock
        self._next: float | None = None

    @property
    def next(self) -> float | None:
        """When the window closes, or opens."""
        now = self._clock.monotonic()
        if self._next is None or now >= self._next:
            at = self._clock.now()
            change = self._window.closes(at) if self._window.is_open(at) else self._window.opens(at)
            self._next = None if change is None else now + (change - at).total_seconds()
        return self._next

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says that the window is closed, and when it opens."""
        if task is not None:
            return None
        at = self._clock.now() + datetime.timedelta(seconds=now - self._clock.monotonic())
        return None if self._window.is_open(at) else self._window.explain(at)


class WatchHold:
    """Nothing starts before all watches are open, because its rollout could not be followed."""

    lasting = False
    next = None

    def __init__(self, blind: t.Callable[[], str | None]):
        self._blind = blind

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says that a watch is not open yet, and why."""
        return self._blind() if task is None else None


class Holds:
    """All holds of a run, for the pace, which knows tasks by their titles."""

    def __init__(self, holds: t.Sequence[Hold], tasks: t.Mapping[str, Task]):
        self._holds = list(holds)
        self._tasks = tasks

    @property
    def next(self) -> float | None:
        """The earliest instant at which one of them may change."""
        return min((hold.next for hold in self._holds if hold.next is not None), default=None)

    def reason(self, member: str | None, now: float) -> str | None:
        """The first reason why the task with this title may not start; None if it may."""
        return next((reason for _hold, reason in self._reasons(member, now, self._holds)), None)

    def lasting(self, member: str | None, now: float) -> bool:
        """Whether the call does not wait for one of the holds of this task. Holds that were not lasting when they were asked
        last are not asked. Whether one is may depend on the task."""
        asked = [hold for hold in self._holds if hold.lasting]
        return any(hold.lasting for hold, _reason in self._reasons(member, now, asked))

    def _reasons(self, member: str | None, now: float, holds: t.Iterable[Hold]) -> t.Iterator[tuple[Hold, str]]:
        task = None if member is None else self._tasks[member]
        for hold in holds:
            try:
                reason = hold.reason(task, now)
            except Exception as error:  # a hold that fails keeps the task from starting
                reason = f"whether it may begin could not be found out: {error}"
            if reason:
                yield hold, reason
