# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""10,000 instants against a slow reading of the same rule.

The slow reading never lifecycle a local time into an instant. It writes down what the clock on the wall shows in each quarter
of an hour of two years, looks local times up in that table, and paints a strip with one cell a minute.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

# Havana's clocks change at midnight, so that a date may begin at 01:00 or twice.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/Havana",
]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
QUARTERS = 4 * 24 * 731  # two years
QUARTER = timedelta(minutes=15)  # all offsets of today's zones are whole quarters, and change on them
MINUTE = timedelta(minutes=1)
WINDOWS_A_ZONE, INSTANTS_A_WINDOW = 42, 40


@cache
def clock(zone):
    """What the clock shows at the beginning of each quarter of an hour; and when it shows that."""
    shown = [(BEGIN + index * QUARTER).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for index in range(QUARTERS)]
    when: dict[datetime, list[int]] = {}
    for index, local in enumerate(shown):
        when.setdefault(local, []).append(index)
    return shown, when


def minute_of(zone, local, last):
    """The minute, from BEGIN, at which the clock shows `local` for the first or the last time.

    If it never does, it is counted on from the last quarter that it showed before, as if nobody had touched it.
    """
    when = clock(zone)[1]
    quarter = local - timedelta(minutes=local.minute % 15)
    untouched = 0
    while quarter not in when:
        quarter -= QUARTER
        untouched += 1
    return (when[quarter][-1 if last or untouched else 0] + untouched) * 15 + local.minute % 15


def strip(zone, plan):
    """One byte for each minute from BEGIN: 1 where the window is open."""
    minutes = bytearray(QUARTERS * 15)
    day = date(2026, 1, 4)
    while day < date(2027, 12, 28):
        if DAYS[day.weekday()] in plan.get("days", DAYS):
            for hours in plan.get("hours", ["00:00-24:00"]):
                start, end = hours.split("-")
                first = minute_of(zone, at(day, start), last=False)
                overnight = end != "24:00" and end <= start
                after = minute_of(zone, at(day + timedelta(days=1) if overnight else day, end), last=True)
                paint(minutes, first, after, 1)
        day += timedelta(days=1)
    for freeze in plan.get("freezes", []):
        start, end = freeze.split("/")
        if "T" in freeze:
            first, after = ((datetime.fromisoformat(side) - BEGIN) // MINUTE for side in (start, end))
        else:
            first = minute_of(zone, at(date.fromisoformat(start), "00:00"), last=False)
            after = minute_of(zone, at(date.fromisoformat(end), "24:00"), last=True)
        paint(minutes, first, after, 0)
    return minutes


def paint(minutes, first, after, colour):
    if first < after:
        minutes[first:after] = bytes([colour]) * (after - first)


def at(day, written):
    hour, minute = map(int, written.split(":"))
    return datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute)


def any_window(zone, chance):
    """A random window; half of the hours lie about where clocks change, or across midnight."""
    plan = {"timezone": zone}
    if chance.random() < 0.7:
        plan["days"] = chance.sample(DAYS, chance.randint(1, 6))
    if chance.random() < 0.9:
        plan["hours"] = list({any_hours(chance) for _unused in range(chance.randint(1, 3))})
    if chance.random() < 0.5 or len(plan) == 1:
        plan["freezes"] = list({any_freeze(chance) for _unused in range(chance.randint(1, 3))})
    return plan


def any_hours(chance):
    start = chance.choice([chance.randrange(0, 4 * 60), chance.randrange(20 * 60, 24 * 60), chance.randrange(24 * 60)])
    start -= start % chance.choice([1, 5, 15, 60])
    length = chance.choice([chance.randint(1, 90), chance.randint(1, 24 * 60 - 1)])
    end = (start + length) % (24 * 60)
    return (
        f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
        if end
        else f"{start // 60:02}:{start % 60:02}-24:00"
    )


def any_freeze(chance):
    start = date(2026, 1, 20) + timedelta(days=chance.randrange(600))
    length = timedelta(days=chance.choice([0, 0, 1, 6, 30, 420]))
    if chance.random() < 0.5:
        return f"{start}/{start + length}"
    begins = datetime(start.year, start.month, start.day, chance.randrange(24), chance.randrange(60))
    return f"{begins.isoformat()}Z/{(begins + length + timedelta(minutes=chance.randint(1, 600))).isoformat()}+00:00"


@cache
def changes(zone):
    """The minutes at which clocks change in the zone."""
    shown = clock(zone)[0]
    return [index * 15 for index in range(1, QUARTERS) if shown[index] - shown[index - 1] != QUARTER]


def any_minute(zone, minutes, chance):
    """A minute within the first ten months; often near a change of the clocks, or where the window opens or closes."""
    latest = 300 * 24 * 60
    minute = chance.randrange(20 * 24 * 60, latest)
    near = [change for change in changes(zone) if change < latest]
    where = chance.random()
    if where < 0.3 and near:
        minute = chance.choice(near) + chance.randint(-36 * 60, 36 * 60)
    elif where < 0.7:
        edge = minutes.find(1 - minutes[minute], minute)
        minute = edge + chance.choice([-1, 0, 1]) if 0 < edge < latest else minute
    return minute


def expected(minutes, minute, seconds, wanted):
    """When the strip shows `wanted` next; None when not within 400 days."""
    if minutes[minute] == wanted:
        return BEGIN + minute * MINUTE + seconds
    found = minutes.find(wanted, minute)
    limit = BEGIN + minute * MINUTE + seconds + timedelta(days=400)
    return BEGIN + found * MINUTE if found >= 0 and BEGIN + found * MINUTE <= limit else None


@pytest.mark.parametrize("zone", ZONES)
def test_instants_agree_with_a_slow_reading(zone):
    chance = random.Random(f"{zone} 2026")
    open_ones = 0
    for _unused in range(WINDOWS_A_ZONE):
        plan = any_window(zone, chance)
        window, minutes = Window.from_dict(plan), strip(zone, plan)
        for _unused in range(INSTANTS_A_WINDOW):
            minute = any_minute(zone, minutes, chance)
            seconds = timedelta(seconds=chance.choice([0, 0, 1, 59.999999]))
            instant = BEGIN + minute * MINUTE + seconds
            shown = f"{plan} at {instant}"
            assert window.is_open(instant) == bool(minutes[minute]), shown
            assert window.opens(instant) == expected(minutes, minute, seconds, 1), shown
            assert window.closes(instant) == expected(minutes, minute, seconds, 0), shown
            open_ones += minutes[minute]
    # The instants are a fair sample: neither side is rare.
    assert 0.2 < open_ones / (WINDOWS_A_ZONE * INSTANTS_A_WINDOW) < 0.8


def test_they_are_ten_thousand():
    assert len(ZONES) * WINDOWS_A_ZONE * INSTANTS_A_WINDOW >= 10_000


def test_the_clocks_change_where_they_should():
    """The table that all this rests on."""
    assert {zone: len(changes(zone)) for zone in ZONES} == {
        "Europe/Berlin": 4,
        "America/New_York": 4,
        "Australia/Lord_Howe": 4,
        "Asia/Kolkata": 0,
        "Asia/Kathmandu": 0,
        "America/Havana": 4,
    }
    first = changes("Australia/Lord_Howe")[0] // 15
    shown = clock("Australia/Lord_Howe")[0]
    assert shown[first - 1 : first + 1] == [datetime(2026, 4, 5, 1, 45), datetime(2026, 4, 5, 1, 30)]
