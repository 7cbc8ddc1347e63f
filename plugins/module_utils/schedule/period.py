# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The period that a scheduled restart belongs to: a day, a week or a month."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

PERIODS = ("day", "week", "month")


def name(period: str, day: date) -> str:
    """The name of the period that contains a day: 2026-11-28, 2026-W48 (ISO 8601) or 2026-11.

    Raises ScheduleError for an unknown period.
    """
    if period == "day":
        return day.isoformat()
    if period == "week":
        year, week, _weekday = day.isocalendar()
        return f"{year}-W{week:02}"
    if period == "month":
        return f"{day.year}-{day.month:02}"
    raise ScheduleError(f'"{period}" is not one of {", ".join(PERIODS)}{closest(str(period), PERIODS)}')


def names(window: Window | None, now: datetime) -> dict[str, str]:
    """The periods of a restart that starts now, by kind.

    A window that crosses midnight belongs to the day on which it opens, in its time zone. Without a window, the day in
    UTC counts.
    """
    day = (window.started(now) if window else None) or now.astimezone(UTC).date()
    return {period: name(period, day) for period in PERIODS}
