# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Maintenance windows: single cases that a person can check with a calendar."""

from __future__ import annotations

import sys
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

DESIGN = "days: [tue, thu], hours: '22:00-01:00', timezone: Europe/Berlin, freezes: [2026-12-20/2027-01-06]"
NIGHT = "days: fri, hours: '22:00-04:00', timezone: Europe/Berlin"
TWICE = "hours: ['06:00-07:30', '22:00-00:00'], timezone: Asia/Kolkata"
FROZEN = "timezone: America/New_York, freezes: [2026-12-24, 2026-12-31T12:00:00Z/2027-01-01T12:00:00-05:00]"


def window(text):
    return Window.from_dict(yaml.safe_load(f"{{{text}}}"))


def local(text, at, fold=0):
    """An instant by the clock of the window's zone."""
    return datetime.fromisoformat(at).replace(tzinfo=window(text).zone, fold=fold)


def instant(at):
    return datetime.fromisoformat(at).astimezone(UTC)


@pytest.mark.parametrize(
    "text, at, is_open",
    [
        # The day is that of the window's start; 2026-11-24 is a Tuesday, 2026-11-27 a Friday.
        (DESIGN, "2026-11-24T21:59:59", False),
        (DESIGN, "2026-11-24T22:00:00", True),
        (DESIGN, "2026-11-25T00:59:59", True),
        (DESIGN, "2026-11-25T01:00:00", False),
        (DESIGN, "2026-11-25T22:30:00", False),
        (DESIGN, "2026-11-24T00:30:00", False),
        (NIGHT, "2026-11-28T02:00:00", True),
        (NIGHT, "2026-11-27T02:00:00", False),
        (NIGHT, "2026-11-28T22:30:00", False),
        # Several hours, up to midnight, on every day, in a zone of half an hour.
        (TWICE, "2026-11-24T07:29:00", True),
        (TWICE, "2026-11-24T07:30:00", False),
        (TWICE, "2026-11-24T23:59:59", True),
        (TWICE, "2026-11-25T00:00:00", False),
        # Freezes: dates are whole days, both included; instants end before their end.
        (DESIGN, "2026-12-17T22:30:00", True),
        (DESIGN, "2026-12-22T22:30:00", False),
        (DESIGN, "2027-01-05T22:30:00", False),
        (DESIGN, "2027-01-07T22:30:00", True),
        (FROZEN, "2026-12-23T23:59:59", True),
        (FROZEN, "2026-12-24T00:00:00", False),
        (FROZEN, "2026-12-24T23:59:59", False),
        (FROZEN, "2026-12-25T00:00:00", True),
        (FROZEN, "2026-12-31T06:59:59", True),
        (FROZEN, "2026-12-31T07:00:00", False),
        (FROZEN, "2027-01-01T11:59:59", False),
        (FROZEN, "2027-01-01T12:00:00", True),
    ],
)
def test_is_open(text, at, is_open):
    assert window(text).is_open(local(text, at)) is is_open


CUT = "hours: 08:00-18:00, timezone: UTC, freezes: [2026-11-24T10:00:00Z/2026-11-24T12:00:00Z]"
SHORTENED = "hours: 22:00-02:00, timezone: UTC, freezes: [2026-11-24]"
FROZEN_LONG = "hours: 22:00-02:00, timezone: UTC, freezes: [2026-01-01/2028-06-01]"


@pytest.mark.parametrize(
    "text, at, verb, when",
    [
        (DESIGN, "2026-11-24T22:30:00", "closes", "2026-11-25T01:00:00"),
        (DESIGN, "2026-11-25T09:00:00", "opens", "2026-11-26T22:00:00"),
        (DESIGN, "2026-12-19T09:00:00", "opens", "2027-01-07T22:00:00"),
        (NIGHT, "2026-11-28T04:00:00", "opens", "2026-12-04T22:00:00"),
        (FROZEN, "2026-12-20T09:00:00", "closes", "2026-12-24T00:00:00"),
        (FROZEN, "2026-12-24T09:00:00", "opens", "2026-12-25T00:00:00"),
        # Hours that touch or overlap are one.
        ("hours: ['08:00-10:00', '10:00-12:00'], timezone: UTC", "2026-11-24T08:30", "closes", "2026-11-24T12:00"),
        ("hours: ['08:00-11:00', '09:00-10:00'], timezone: UTC", "2026-11-24T09:30", "closes", "2026-11-24T11:00"),
        ("days: [sat, sun], timezone: UTC", "2026-11-28T12:00", "closes", "2026-11-30T00:00"),
        # A freeze inside a window cuts it in two, one across its start or end shortens it.
        (CUT, "2026-11-24T09:00", "closes", "2026-11-24T10:00"),
        (CUT, "2026-11-24T11:00", "opens", "2026-11-24T12:00"),
        (CUT, "2026-11-24T12:00", "closes", "2026-11-24T18:00"),
        (SHORTENED, "2026-11-23T23:00", "closes", "2026-11-24T00:00"),
        (SHORTENED, "2026-11-24T23:00", "opens", "2026-11-25T00:00"),
        # Nothing within 400 days.
        (FROZEN, "2027-02-01T09:00:00", "closes", None),
        (FROZEN_LONG, "2026-11-24T23:00", "opens", None),
    ],
)
def test_opens_and_closes(text, at, verb, when):
    here = local(text, at)
    answers = {"opens": window(text).opens(here), "closes": window(text).closes(here)}
    assert answers.pop(verb) == (when and local(text, when))
    # What it is already it becomes at once.
    assert list(answers.values()) == [here]


# Clocks go forward on 2026-03-29 in Berlin and back on 2026-10-25; in New York on 2026-03-08 and 2026-11-01; on Lord
# Howe Island, by half an hour, on 2026-10-04 and back on 2026-04-05.
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


@pytest.mark.parametrize(
    "zone, hours, day, opens, closes",
    [
        # Across the hour that is left out: shorter by the clock's jump.
        (BERLIN, "01:00-04:00", "2026-03-29", "2026-03-29T00:00Z", "2026-03-29T02:00Z"),
        # A start that does not exist is taken by the clock before: 02:30 CET is 03:30 CEST.
        (BERLIN, "02:30-04:00", "2026-03-29", "2026-03-29T01:30Z", "2026-03-29T02:00Z"),
        # So is an end.
        (BERLIN, "01:00-02:30", "2026-03-29", "2026-03-29T00:00Z", "2026-03-29T01:30Z"),
        (BERLIN, "02:10-02:50", "2026-03-29", "2026-03-29T01:10Z", "2026-03-29T01:50Z"),
        # Nothing is left of 03:30 to 03:00; the next one is a day later.
        (BERLIN, "02:30-03:00", "2026-03-29", "2026-03-30T00:30Z", "2026-03-30T01:00Z"),
        # Across the hour that comes twice: both are open.
        (BERLIN, "01:00-04:00", "2026-10-25", "2026-10-24T23:00Z", "2026-10-25T03:00Z"),
        (BERLIN, "02:30-04:00", "2026-10-25", "2026-10-25T00:30Z", "2026-10-25T03:00Z"),
        (BERLIN, "01:00-02:30", "2026-10-25", "2026-10-24T23:00Z", "2026-10-25T01:30Z"),
        (BERLIN, "02:10-02:20", "2026-10-25", "2026-10-25T00:10Z", "2026-10-25T01:20Z"),
        (BERLIN, "01:00-02:00", "2026-10-25", "2026-10-24T23:00Z", "2026-10-25T01:00Z"),
        (BERLIN, "03:00-04:00", "2026-10-25", "2026-10-25T02:00Z", "2026-10-25T03:00Z"),
        (NEW_YORK, "02:30-04:00", "2026-03-08", "2026-03-08T07:30Z", "2026-03-08T08:00Z"),
        (NEW_YORK, "22:00-01:30", "2026-10-31", "2026-11-01T02:00Z", "2026-11-01T06:30Z"),
        (LORD_HOWE, "02:10-04:00", "2026-10-04", "2026-10-03T15:40Z", "2026-10-03T17:00Z"),
        (LORD_HOWE, "01:40-01:50", "2026-04-05", "2026-04-04T14:40Z", "2026-04-04T15:20Z"),
        # A date that never was: Samoa went from 2011-12-29 to 2011-12-31.
        ("Pacific/Apia", "22:00-02:00", "2011-12-29", "2011-12-30T08:00Z", "2011-12-30T12:00Z"),
    ],
)
def test_when_clocks_change(zone, hours, day, opens, closes):
    text = f"hours: '{hours}', timezone: {zone}"
    before = local(text, f"{day}T00:00" if hours < "20" else f"{day}T12:00")
    assert window(text).opens(before) == instant(opens)
    assert window(text).closes(instant(opens)) == instant(closes)
    assert window(text).is_open(instant(closes) - timedelta(seconds=1))


@pytest.mark.parametrize(
    "text, at, sentence",
    [
        (
            DESIGN,
            "2026-11-25T07:00:00",
            "outside the window tue, thu 22:00-01:00 Europe/Berlin; opens Thu 2026-11-26 22:00 CET (in 1d 15h)",
        ),
        (
            DESIGN,
            "2026-11-24T22:30:00",
            "inside the window tue, thu 22:00-01:00 Europe/Berlin; closes Wed 2026-11-25 01:00 CET (in 2h 30m)",
        ),
        (
            DESIGN,
            "2026-11-26T21:59:15",
            "outside the window tue, thu 22:00-01:00 Europe/Berlin; opens Thu 2026-11-26 22:00 CET (in 45s)",
        ),
        (
            DESIGN,
            "2026-12-22T22:30:15",
            "frozen (2026-12-20/2027-01-06) in the window tue, thu 22:00-01:00 Europe/Berlin; "
            "opens Thu 2027-01-07 22:00 CET (in 15d 23h 29m)",
        ),
        (
            FROZEN,
            "2026-12-24T12:00:00",
            "frozen (2026-12-24) in the window every day 00:00-24:00 America/New_York; "
            "opens Fri 2026-12-25 00:00 EST (in 12h)",
        ),
        (
            FROZEN,
            "2027-02-01T12:00:00",
            "inside the window every day 00:00-24:00 America/New_York, and does not close within 400 days",
        ),
        (
            FROZEN_LONG,
            "2026-11-24T23:00:00",
            "frozen (2026-01-01/2028-06-01) in the window every day 22:00-02:00 UTC, and does not open within 400 days",
        ),
        (
            TWICE,
            "2026-11-24T12:00:00",
            "outside the window every day 06:00-07:30, 22:00-24:00 Asia/Kolkata; "
            "opens Tue 2026-11-24 22:00 IST (in 10h)",
        ),
    ],
)
def test_explain(text, at, sentence):
    assert window(text).explain(local(text, at)) == sentence


def test_instants_are_instants_whatever_zone_they_come_in():
    text = "hours: 02:10-02:20, timezone: Europe/Berlin"
    # Between the two occurrences, and after the second, the clock shows the same.
    shown = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN))
    assert window(text).is_open(shown) and window(text).is_open(shown.astimezone(timezone(timedelta(hours=9))))
    assert not window(text).is_open(shown.replace(fold=1))


def test_what_comes_out_is_in_utc():
    here = instant("2026-11-25T06:00Z").astimezone(ZoneInfo(NEW_YORK))
    assert window(DESIGN).opens(here).isoformat() == "2026-11-26T21:00:00+00:00"
    assert window(DESIGN).closes(here).isoformat() == "2026-11-25T06:00:00+00:00"


def test_a_clock_without_a_zone_is_a_mistake_of_the_caller():
    for ask in (window(DESIGN).is_open, window(DESIGN).opens, window(DESIGN).closes, window(DESIGN).explain):
        with pytest.raises(ValueError, match="has no time zone"):
            ask(datetime(2026, 11, 24, 22, 30))


@pytest.mark.parametrize(
    "text, shown",
    [
        (DESIGN, "tue, thu 22:00-01:00 Europe/Berlin"),
        ("days: [Sunday, MON], timezone: UTC", "mon, sun 00:00-24:00 UTC"),
        ("hours: 9:00 - 17:30, timezone: UTC", "every day 09:00-17:30 UTC"),
    ],
)
def test_days_and_hours_may_be_written_in_several_ways(text, shown):
    assert str(window(text)) == shown


def test_errors_of_a_window_that_stands_alone_have_its_own_paths():
    with pytest.raises(PlanError) as failure:
        Window.from_dict({"days": "thr", "hour": 1}, root="maintenance_window")
    assert failure.value.errors == [
        'maintenance_window.days: "thr" is not a day of the week: mon, tue, wed, thu, fri, sat, sun',
        'maintenance_window.hour: unknown option; did you mean "hours"?',
        "maintenance_window.timezone: is required",
    ]


@pytest.fixture
def no_zone_data(monkeypatch):
    for module in [name for name in sys.modules if name.partition(".")[0] == "tzdata"] + ["tzdata"]:
        monkeypatch.setitem(sys.modules, module, None)
    known = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=known)


def test_without_any_zone_data_the_error_says_where_it_comes_from(no_zone_data):
    with pytest.raises(PlanError, match="known on this machine; IANA names come from .* the Python package tzdata"):
        window(DESIGN)


@pytest.mark.parametrize(
    "text, at, day",
    [
        # 2026-11-27 is a Friday.
        (NIGHT, "2026-11-28T02:00", "2026-11-27"),
        (
            "days: [fri, sat], hours: ['22:00-24:00', '00:00-04:00'], timezone: Europe/Berlin",
            "2026-11-27T23:00",
            "2026-11-27",
        ),
        (
            "days: [fri, sat], hours: ['22:00-24:00', '00:00-04:00'], timezone: Europe/Berlin",
            "2026-11-28T02:00",
            "2026-11-27",
        ),
        (
            "days: [fri, sat], hours: ['22:00-24:00', '00:00-04:00'], timezone: Europe/Berlin",
            "2026-11-28T22:00",
            "2026-11-28",
        ),
        # It opens at midnight, and nothing went before.
        ("days: sat, hours: ['00:00-04:00'], timezone: Europe/Berlin", "2026-11-28T02:00", "2026-11-28"),
        # Whole days, and hours that leave nothing out, are each a day for itself.
        ("days: [sat, sun], timezone: Europe/Berlin", "2026-11-29T02:00", "2026-11-29"),
        ("hours: ['06:00-18:00', '18:00-06:00'], timezone: Europe/Berlin", "2026-11-28T07:00", "2026-11-28"),
    ],
)
def test_a_window_that_goes_on_at_midnight_is_that_of_the_day_before(text, at, day):
    assert window(text).started(local(text, at)).isoformat() == day
