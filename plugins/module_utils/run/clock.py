# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The time, as the loop asks for it; tests put a clock of their own in its place."""

from __future__ import annotations

import datetime
import time


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """The true time, aware, in UTC: for what is written down and for maintenance windows."""
        return datetime.datetime.now(datetime.timezone.utc)

    def monotonic(self) -> float:
        """Seconds that never jump: for deadlines, spacing and durations."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Does nothing for a while."""
        time.sleep(seconds)
