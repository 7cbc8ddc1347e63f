# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A maintenance window: when it is open, when it opens next, and why it is closed.

The days are those on which the window starts, so Friday 22:00 to 04:00 covers Saturday 02:00. Local times become
instants in one place, _instant(), with the rule of RFC 5545 (3.3.5) for daylight saving time: a local time that does
not exist is read as if clocks had not changed yet. If a local time exists twice, a window starts at the first and ends
at the second, so that the repeated hour never shortens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.restartx.core.plugins.module_utils.schedule import duration, zones
from ansible_collections.restartx.core.plugins.module_utils.schedule.days import SHORT, WHOLE_DAY, Freeze, Hours
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.reading import read

HORIZON_DAYS = 400  # how far ahead openings are searched: a year and a freeze
EVERY_DAY = frozenset(range(7))
Span = tuple[datetime, datetime]  # start and end, both in UTC, the end excluded


@dataclass(frozen=True)
class Window:
    """Days (0 is Monday) on which it starts, hours, the zone of both, and freezes in which it stays closed.

    All instants that are passed in are aware. Those that are returned are in UTC: Python compares two times in one zone
    by what the clock shows, and not by their instants.
    """

    zone: ZoneInfo
    days: frozenset[int] = EVERY_DAY
    hours: tuple[Hours, ...] = (WHOLE_DAY,)
    freezes: tuple[Freeze, ...] = ()

    @classmethod
    def from_dict(cls, data: object, root: str = "window") -> Window:
        """The window in an option. Raises PlanError with all mistakes."""
        errors: list[str] = []
        window = cls.from_values(read("window", data, root, errors), root, errors)
        if window is None:
            raise PlanError(errors)
        return window

    @classmethod
    def from_values(cls, values: Mapping[str, Any] | None, root: str, errors: list[str]) -> Window | None:
        """The window with these checked values; None if there are errors, now or before."""
        if values is not None and all(values.get(key, ()) == () for key in ("days", "hours", "freezes")):
            errors.append(f"{root}: never closes; give days, hours or freezes, or leave the window out")
        if errors or values is None:
            return None
        return cls(
            zone=values["timezone"],
            days=frozenset(values.get("days", EVERY_DAY)),
            hours=values.get("hours", (WHOLE_DAY,)),
            freezes=values.get("freezes", ()),
        )

    def warnings(self, root: str = "window") -> tuple[str, ...]:
        """A sentence with its path for each surprising property of this window."""
        found = zones.warning(self.zone)
        return (f"{root}.timezone: {found}",) if found else ()

    def __str__(self) -> str:
        days = ", ".join(SHORT[day] for day in sorted(self.days)) if self.days != EVERY_DAY else "every day"
        return f"{days} {', '.join(str(hours) for hours in self.hours)} {self.zone.key}"

    def is_open(self, at: datetime) -> bool:
        """Whether the window is open at this instant."""
        at = _utc(at)
        return self._freeze(at) is None and any(start <= at < end for start, end in self._spans(at))

    def opens(self, at: datetime) -> datetime | None:
        """The first instant, at or after this one, at which the window is open; None if it is not within 400 days."""
        moment = _utc(at)
        horizon = moment + timedelta(days=HORIZON_DAYS)
        while moment <= horizon:
            freeze = self._freeze(moment)
            if freeze:
                moment = self._frozen(freeze)[1]
            elif self.is_open(moment):
                return moment
            else:
                starts = (start for start, _end in self._spans(moment) if start > moment)
                moment = min(starts, default=moment + timedelta(days=7))
        return None

    def closes(self, at: datetime) -> datetime | None:
        """The first instant, at or after this one, at which the window is closed; None if it is not within 400 days."""
        moment = _utc(at)
        horizon = moment + timedelta(days=HORIZON_DAYS)
        while self.is_open(moment):
            end = moment
            for start, stop in sorted(self._spans(moment)):
                if start <= end:
                    end = max(end, stop)
            moment = min([end, *(start for start, _end in map(self._frozen, self.freezes) if start > moment)])
            if moment > horizon:
                return None
        return moment

    def started(self, at: datetime) -> date | None:
        """The day, in the zone of the window, on which the window that is open now has opened, or the next one opens.

        Hours that continue at midnight, such as 22:00-24:00 and 00:00-04:00, are one window. Whole days that are open
        are a window each. None if no window opens within 400 days.
        """
        moment = self.opens(at)
        if moment is None:
            return None
        start = first = min(start for start, end in self._spans(moment) if start <= moment < end)
        while before := [begin for begin, end in self._spans(first) if begin < first <= end]:
            first = min(before)
            if start - first >= timedelta(days=1):
                first = start
                break
        return first.astimezone(self.zone).date()

    def explain(self, at: datetime) -> str:
        """A sentence: whether the window is open, and when that changes."""
        at = _utc(at)
        freeze = self._freeze(at)
        if self.is_open(at):
            place, verb, change = f"inside the window {self}", "closes", self.closes(at)
        elif freeze:
            place, verb, change = f"frozen ({freeze}) in the window {self}", "opens", self.opens(at)
        else:
            place, verb, change = f"outside the window {self}", "opens", self.opens(at)
        if change is None:
            return f"{place}, and does not {verb[:-1]} within {HORIZON_DAYS} days"
        seconds = (change - at).total_seconds()
        left = duration.text(seconds if seconds < 60 else seconds // 60 * 60)
        local = change.astimezone(self.zone)
        # Not %a, because Ansible sets the locale of the user.
        return f"{place}; {verb} {SHORT[local.weekday()].capitalize()} {local:%Y-%m-%d %H:%M %Z} (in {left})"

    def _spans(self, near: datetime) -> Iterator[Span]:
        """The open times, without regard to freezes, of windows that start two days before to eight days after `near`.

        Two days, because the longest hours end a day after their start and a zone may skip a whole date (Samoa, 2011).
        Eight, so that each day of the week is included. A start that daylight saving time moved past its end is
        harmless: there is no instant between them.
        """
        today = near.astimezone(self.zone).date()
        for offset in range(-2, 9):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                for hours in self.hours:
                    start = _instant(self.zone, day, hours.start, last=False)
                    end = _instant(self.zone, day, hours.end, last=True)
                    yield start, end

    def _freeze(self, at: datetime) -> Freeze | None:
        for freeze in self.freezes:
            start, end = self._frozen(freeze)
            if start <= at < end:
                return freeze
        return None

    def _frozen(self, freeze: Freeze) -> Span:
        if isinstance(freeze.start, datetime) and isinstance(freeze.end, datetime):
            return _utc(freeze.start), _utc(freeze.end)
        day_after = freeze.end + timedelta(days=1)
        return _instant(self.zone, freeze.start, 0, last=False), _instant(self.zone, day_after, 0, last=True)


def _utc(at: datetime) -> datetime:
    """The same instant in UTC. Only UTC is used for comparison and arithmetic here."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC)


def _instant(zone: ZoneInfo, day: date, minutes: int, last: bool) -> datetime:
    """The instant of a local time; see the top of this file for those that do not exist or exist twice."""
    local = datetime.combine(day, time()) + timedelta(minutes=minutes)
    first, second = (_utc(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    return max(first, second) if last else first
