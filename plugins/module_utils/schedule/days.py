# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of a maintenance window: days of the week, hours of the day, and freezes.

The readers work as in values.py. Nothing here depends on the current time; window.py turns these into instants.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest, text

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORT = tuple(day[:3] for day in DAYS)
RANGE = re.compile(r"([0-9]{1,2}):([0-9]{2}) *- *([0-9]{1,2}):([0-9]{2})", re.ASCII)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# RFC 3339 with an offset, seconds optional.
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Hours:
    """Hours of a day, in minutes after midnight. An end above 1440 is on the next day."""

    start: int
    end: int

    def __str__(self) -> str:
        end = self.end if self.end <= DAY_MINUTES else self.end - DAY_MINUTES
        return f"{self.start // 60:02}:{self.start % 60:02}-{end // 60:02}:{end % 60:02}"


@dataclass(frozen=True)
class Freeze:
    """A time in which the window stays closed: two dates, both included, or two aware instants, the end excluded."""

    start: datetime.date | datetime.datetime
    end: datetime.date | datetime.datetime

    def __str__(self) -> str:
        if self.start == self.end:
            return self.start.isoformat()
        return f"{self.start.isoformat()}/{self.end.isoformat()}"


WHOLE_DAY = Hours(0, DAY_MINUTES)


def day(value: object) -> int:
    """0 for Monday to 6 for Sunday; in: tue or Tuesday, in any case."""
    word = text(value).lower()
    for number, name in enumerate(DAYS):
        if word in (name, SHORT[number]):
            return number
    raise ScheduleError(f"{show(value)} is not a day of the week: {', '.join(SHORT)}{closest(word, DAYS)}")


def hours(value: object) -> Hours:
    """Hours such as "22:00-01:00". An end at or before the start is on the next day. 24:00 is the end of the day."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= DAY_MINUTES:
        written = f"{value // 60}:{value % 60:02}"
        raise ScheduleError(
            f'{value} is how YAML reads {written} without quotes; write a range in quotes, as "22:00-01:00"'
        )
    match = RANGE.fullmatch(text(value))
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups()) if match else (99, 99, 99, 99)
    start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
    if max(start_minute, end_minute) > 59 or start >= DAY_MINUTES or end > DAY_MINUTES:
        raise ScheduleError(f'{show(value)} is not a range of hours; write it as "22:00-01:00"')
    if start == end:
        raise ScheduleError(f'{show(value)} is no time at all; the whole day is "00:00-24:00"')
    return Hours(start, end if end > start else end + DAY_MINUTES)


def freeze(value: object) -> Freeze:
    """A freeze such as 2026-12-20/2027-01-06, a single date, or two RFC 3339 instants around a slash."""
    if isinstance(value, datetime.datetime):
        raise ScheduleError(f"{value.isoformat()} is one instant; a freeze has a start and an end, with / between")
    written = value.isoformat() if isinstance(value, datetime.date) else text(value)
    parts = [_moment(side.strip()) for side in written.split("/")]
    sides = [part for part in parts if part is not None]
    if len(parts) > 2 or len(sides) < len(parts) or (isinstance(sides[0], datetime.datetime) and len(sides) == 1):
        raise ScheduleError(
            f"{show(value)} is not a freeze; write 2026-12-20/2027-01-06 (both included), one date, "
            "or two instants as 2026-12-24T18:00:00+01:00/2026-12-27T06:00:00+01:00"
        )
    start, end = sides[0], sides[-1]
    if type(start) is not type(end):
        raise ScheduleError(f"{show(value)} mixes a date and an instant; write two dates or two instants")
    if end < start or (end == start and isinstance(start, datetime.datetime)):
        raise ScheduleError(f"{show(value)} ends before it starts")
    if start.year < 2000 or end.year > 2999:
        raise ScheduleError(f"{show(value)} lies outside the years 2000 to 2999")
    return Freeze(start, end)


def _moment(written: str) -> datetime.date | datetime.datetime | None:
    try:
        if DATE.fullmatch(written):
            return datetime.date.fromisoformat(written)
        if INSTANT.fullmatch(written):
            return datetime.datetime.fromisoformat(written)
    except ValueError:
        pass  # the 30th of February
    return None
