# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a call is asked to do, and whether that is still wanted."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

LAST_WORDS = 10.0  # seconds after a call was cut short in which causes are asked for and undos are sent


@dataclass(frozen=True)
class Terms:
    """What holds for the whole call."""

    wait: bool = True
    deadline: float | None = None  # monotonic instant
    wait_timeout: float | None = None  # the same as a span in seconds, for messages
    window: t.Any = None  # schedule.window.Window: nothing begins outside it
    fail_fast: bool = False
    undo_failed: t.Any = None  # the step that follows a failed restart


@dataclass(frozen=True)
class Cut:
    """A call cut short: why, which outcome that makes of what is on its way, and until when last words are heard."""

    why: str
    outcome: str
    until: float  # monotonic instant


class Mandate:
    """Whether work may still begin, and how long a request may take. Asked by the loop and, before each change, in the
    world's hands; the loop alone cuts it short."""

    def __init__(self, terms: Terms, controller, clock, lease=None):
        self.terms = terms
        self._lease = lease
        self.cut: Cut | None = None
        self._controller = controller
        self._clock = clock

    @property
    def until(self) -> float | None:
        """The instant until which a request may take; None for no limit."""
        if self.cut:
            return self.cut.until
        return None if self.terms.deadline is None else self.terms.deadline + LAST_WORDS

    @property
    def next(self) -> float | None:
        """The next instant at which time alone changes what is wanted."""
        if self.cut:
            return None if self.over() else self.cut.until
        return self.terms.deadline

    def ending(self) -> Cut | None:
        """Why the call must be cut short now; None when it need not be, or is already."""
        now = self._clock.monotonic()
        if self.cut:
            return None
        if not self._controller.alive():
            return Cut(self._controller.reason, "unfinished", now)
        lost = self._lease and self._lease.refusal()
        if lost:
            return Cut(lost, "unfinished", now)
        if self.terms.deadline is not None and now >= self.terms.deadline:
            why = f"the wait_timeout of {duration.text(self.terms.wait_timeout)} for the whole call is over"
            return Cut(why, "unfinished", now + LAST_WORDS)
        return None

    def failed_fast(self, why: str) -> Cut:
        """The end of a call that does not wait for the others once one has failed."""
        return Cut(f"fail_fast: {why}", "in_progress", self._clock.monotonic() + LAST_WORDS)

    def over(self) -> bool:
        """Whether the time for last words has passed."""
        return self.cut is not None and self._clock.monotonic() >= self.cut.until

    def refusal(self, undoing: bool = False) -> str | None:
        """Why nothing may begin any more; None when it may. An undo of what failed may, for a while longer."""
        if not self._controller.alive():
            return self._controller.reason
        lost = self._lease and self._lease.refusal()
        if lost:
            return lost
        if self.cut and (not undoing or self.over()):
            return self.cut.why
        return None
