# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The clock of all deadlines, intervals and durations."""

from __future__ import annotations

import time

# A machine that was suspended for an hour has lost its lock and missed its deadlines. time.monotonic() reads
# CLOCK_MONOTONIC, which does not count that hour on Linux. CLOCK_BOOTTIME does: see clock_gettime(2).
_COUNTS_SUSPENSION = getattr(time, "CLOCK_BOOTTIME", None)


def monotonic() -> float:
    """Seconds since a fixed point in time. Never goes back, and continues while the machine is suspended."""
    if _COUNTS_SUSPENSION is None:
        return time.monotonic()  # macOS has no such clock
    return time.clock_gettime(_COUNTS_SUSPENSION)
