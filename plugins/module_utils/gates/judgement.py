# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides from the answers of a gate whether what waits for it may go on."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Answer
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

TIMEOUT = 600.0  # seconds
INTERVAL = 10.0
FAIL = "fail"
CONTINUE = "continue"


class State(enum.StrEnum):
    """What the answers so far mean."""

    OPEN = "open"
    CLOSED = "closed"  # it is asked again
    FAILED = "failed"  # it did not open in time, or never will
    PASSED = "passed"  # it did not open in time, and that is allowed


@dataclass(frozen=True)
class Limits:
    """How a gate is asked, in seconds. `hold` is how long it must have been open without a break."""

    timeout: float = TIMEOUT
    interval: float = INTERVAL
    hold: float = 0.0
    on_timeout: str = FAIL


@dataclass(frozen=True)
class Verdict:
    """The state of a gate, and a sentence about it. `again` is the instant at which it is asked again."""

    state: State
    said: str
    again: float | None = None

    @property
    def over(self) -> bool:
        return self.state is not State.CLOSED


class Judgement:
    """The answers of one gate since `began`, an instant of the monotonic clock."""

    def __init__(self, limits: Limits, began: float):
        self._limits = limits
        self._began = began
        self._open_since: float | None = None

    @property
    def ends(self) -> float:
        """The instant at which the timeout is over."""
        return self._began + self._limits.timeout

    def take(self, answer: Answer, now: float) -> Verdict:
        """The verdict after one more answer."""
        if not answer.is_open:
            self._open_since = None
            if answer.final:
                return Verdict(State.FAILED, answer.said)
        else:
            self._open_since = now if self._open_since is None else self._open_since
            if now - self._open_since >= self._limits.hold:
                return Verdict(State.OPEN, answer.said)
        said = answer.said
        if self._open_since is not None:
            so_far, wanted = duration.text(now - self._open_since), duration.text(self._limits.hold)
            said = f"{said}, for {so_far} of {wanted}"
        if now < self.ends:
            return Verdict(State.CLOSED, said, min(now + self._wait(now), self.ends))
        late = f"it did not open within {duration.text(self._limits.timeout)}: {said}"
        return Verdict(State.PASSED if self._limits.on_timeout == CONTINUE else State.FAILED, late)

    def _wait(self, now: float) -> float:
        """Seconds until the next question: not later than the instant at which it has been open for long enough."""
        if self._open_since is None:
            return self._limits.interval
        return min(self._limits.interval, max(self._open_since + self._limits.hold - now, 0.0))
