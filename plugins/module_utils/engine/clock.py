# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real clock of the loop. Tests inject a simulated one."""

from __future__ import annotations

import datetime
import time

from ansible_collections.restartx.core.plugins.module_utils.cluster import clock


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """The time of day, aware, in UTC: for records and maintenance windows."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """For deadlines, intervals and durations. The cluster reads the same clock, see cluster/clock.py."""
        return clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits for that many seconds."""
        time.sleep(seconds)
