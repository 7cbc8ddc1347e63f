# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Durations as people write them: 90s, 15m, 3h, 1h30m, 1d, or a number of seconds."""

from __future__ import annotations

import re

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
LONGEST = 366 * UNITS["d"]
NUMBER = r"[0-9]+(?:\.[0-9]+)?"
PATTERN = re.compile(rf"(?=.)(?:({NUMBER})d)? *(?:({NUMBER})h)? *(?:({NUMBER})m)? *(?:({NUMBER})s)?", re.ASCII)


def parse(value: object) -> float:
    """Seconds of a duration.

    In: "90s", "15m", "3h", "1h30m", "1d", or seconds as a number or its text. Units go from large to small.
    Raises ScheduleError for anything else, for negative durations, and for more than 366 days.
    """
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds <= LONGEST:
        raise ScheduleError(
            f'{show(value)} is not a duration; write "90s", "15m", "3h", "1h30m" or a number of seconds'
        )
    return float(seconds)


def _seconds(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    written = value.strip()
    if re.fullmatch(NUMBER, written):
        return float(written)
    match = PATTERN.fullmatch(written)
    if not match:
        return None
    return sum(float(number) * size for number, size in zip(match.groups(), UNITS.values()) if number)


def text(seconds: float) -> str:
    """A duration for people: "1d 15h", "1m 30s", "0s"; tenths of a second only below ten seconds."""
    if seconds < 10 and round(seconds, 1) % 1:
        return f"{round(seconds, 1)}s"
    rest = round(seconds)
    parts = []
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
