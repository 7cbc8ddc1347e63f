# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which failed requests are sent again, and when.

After a 429 it is always safe to send a request again, because the server has not carried it out. After any other
failure it is sent again only if the server cannot have carried it out, or if carrying it out twice does no harm
(`resend`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ansible_collections.restartx.core.plugins.module_utils.cluster import clock
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError

T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with full jitter, in seconds.

    The pause before retry n is random between 0 and `first` * 2^(n-1), and never longer than `longest`. If the server
    sends Retry-After, the pause is that time plus a random part of `first`, so that many clients do not retry at once.
    A pause longer than `max_wait` ends the retries. Tests inject `clock`, `sleep` and `random`.
    """

    attempts: int = 10
    first: float = 0.5
    longest: float = 15.0
    max_wait: float = 300.0
    clock: Callable[[], float] = clock.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def pause(self, failures: int, error: ClusterError | None = None) -> float:
        """Seconds to wait after this number of consecutive failures (from 1). `error` is the last one."""
        if error is not None and error.retry_after is not None:
            return error.retry_after + self.random() * self.first
        exponent = min(failures - 1, 30)  # far beyond `longest`; avoids an overflow
        return self.random() * min(self.longest, self.first * 2**exponent)

    def run(
        self,
        call: Callable[[], T],
        *,
        resend: bool,
        deadline: float | None = None,
        limit: Callable[[ClusterError], int] | None = None,
    ) -> T:
        """Call until it succeeds. Raises the last ClusterError again if a retry is useless, not safe, or too late.

        `deadline` is an instant of `clock`, and no pause ends after it. `limit` returns the number of attempts for an
        error, instead of the policy's own. The error is also `ambiguous` if an earlier attempt may have been carried
        out: a conflict may then be with our own change.
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
                if pause > self.max_wait or (deadline is not None and self.clock() + pause >= deadline):
                    raise
            self.sleep(pause)


def repeatable(error: ClusterError, resend: bool) -> bool:
    """Whether the same request may be sent again after this error. `resend`: carrying it out twice does no harm."""
    return error.transient and (resend or not error.ambiguous)
