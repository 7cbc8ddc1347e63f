# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which failed requests are sent again, and when.

429 is always safe to repeat: the server refused before doing anything. After any other failure the request is repeated
only if the server cannot have carried it out, or if doing it twice does no harm (`resend`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError

T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with full jitter, in seconds.

    The pause before repetition n is random between 0 and `first` * 2^(n-1), never more than `longest`. Where the server
    names a time (Retry-After) that time is kept, with up to `first` on top so that many clients do not come back at
    once; more than `patience` is not waited for. `clock`, `sleep` and `random` are injected by tests.
    """

    attempts: int = 10
    first: float = 0.5
    longest: float = 15.0
    patience: float = 300.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def pause(self, failures: int, error: ClusterError | None = None) -> float:
        """Seconds to wait after that many failures in a row (from 1), the last of which was `error`."""
        if error is not None and error.retry_after is not None:
            return error.retry_after + self.random() * self.first
        exponent = min(failures - 1, 30)  # far beyond `longest`, and no float overflows
        return self.random() * min(self.longest, self.first * 2**exponent)

    def run(
        self,
        call: Callable[[], T],
        *,
        resend: bool,
        deadline: float | None = None,
        limit: Callable[[ClusterError], int] | None = None,
    ) -> T:
        """Call until it succeeds; re-raises the last ClusterError when waiting is of no use, not safe, or too late.

        `deadline` is an instant of `clock`: no pause reaches beyond it. `limit` gives the number of attempts for an
        error, in place of the policy's own. The error is `ambiguous` also when an earlier attempt may have been carried
        out: a conflict may then be one with ourselves.
        """
        failures = 0
        unseen = False
        while True:
            try:
                return call()
            except ClusterError as error:
                failures += 1
                attempts = limit(error) if limit else self.attempts
                again = repeatable(error, resend)
                error.ambiguous = unseen = unseen or error.ambiguous
                if failures >= attempts or not again:
                    raise
                pause = self.pause(failures, error)
                if pause > self.patience or (deadline is not None and self.clock() + pause >= deadline):
                    raise
            self.sleep(pause)


def repeatable(error: ClusterError, resend: bool) -> bool:
    """Whether the same request may be sent again after this error; `resend`: doing it twice does no harm."""
    return error.transient and (resend or not error.ambiguous)
