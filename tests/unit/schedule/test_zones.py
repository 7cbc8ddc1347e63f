# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Time zones: which names are taken, which with a warning, and what is said about the others."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.restartx.core.plugins.module_utils.schedule import zones
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

PLACE = "write the zone of a place, such as Europe/Berlin"
UNKNOWN = "is not a time zone known on this machine"
DATA = f"{PLACE}; IANA names come from the system's zone data or the Python package tzdata"
ANOTHER = f"means a different time zone on each machine; {PLACE}, or UTC"
# Names of one country, where nothing is to be confused.
COUNTRIES = {"Hongkong", "Iceland", "Iran", "Jamaica", "Japan", "Kwajalein", "Libya", "PRC", "ROC", "ROK", "Singapore"}
COUNTRIES |= {"Turkey", "W-SU"}
UNIVERSAL = {"UTC", "UCT", "Universal", "Zulu", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu"}


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("localtime", ANOTHER),
        ("Local", ANOTHER),
        ("local", ANOTHER),
        ("system", ANOTHER),
        ("posixrules", f"is a file of the zone data and not a time zone; {DATA}"),
        ("Factory", f"is a file of the zone data and not a time zone; {DATA}"),
        ("posix/Europe/Berlin", 'is a file of the zone data and not a time zone; write "Europe/Berlin"'),
        ("right/Europe/Berlin", 'is a file of the zone data and not a time zone; write "Europe/Berlin"'),
        (
            "UTC+2",
            f'{UNKNOWN}; {PLACE}; UTC+02:00 all year, without daylight saving time, is "Etc/GMT-2"',
        ),
        ("UTC-5", f'{UNKNOWN}; {PLACE}; UTC-05:00 all year, without daylight saving time, is "Etc/GMT+5"'),
        ("GMT+1", f'{UNKNOWN}; {PLACE}; UTC+01:00 all year, without daylight saving time, is "Etc/GMT-1"'),
        ("+02:00", f'{UNKNOWN}; {PLACE}; UTC+02:00 all year, without daylight saving time, is "Etc/GMT-2"'),
        ("UTC+0", f'{UNKNOWN}; {PLACE}; UTC+00:00 all year, without daylight saving time, is "UTC"'),
        ("UTC+05:30", f"{UNKNOWN}; {PLACE}"),
        ("UTC+15", f"{UNKNOWN}; {PLACE}"),
        ("CEST", f"{UNKNOWN}; {DATA}"),
        ("PST", f"{UNKNOWN}; {DATA}"),
        ("Berlin", f'{UNKNOWN}; did you mean "Europe/Berlin"?'),
        ("New York", f'{UNKNOWN}; did you mean "America/New_York"?'),
        ("europe/berlin", f'{UNKNOWN}; did you mean "Europe/Berlin"?'),
        ("Europe/Berln", f'{UNKNOWN}; did you mean "Europe/Berlin"?'),
        ("Middle/Earth", f"{UNKNOWN}; {DATA}"),
        ("zone.tab", f"{UNKNOWN}; {DATA}"),
    ],
)
def test_what_is_no_zone_is_refused_with_what_to_write_instead(name, sentence):
    with pytest.raises(ScheduleError) as failure:
        zones.zone(name)
    assert str(failure.value) == f'"{name}" {sentence}'


@pytest.mark.parametrize("hours", range(-12, 15))
def test_the_zone_that_is_named_for_an_offset_has_that_offset(hours):
    with pytest.raises(ScheduleError) as failure:
        zones.zone(f"UTC{hours:+03}:00")
    named = zoneinfo.ZoneInfo(re.search(r'is "([^"]+)"$', str(failure.value))[1])
    assert datetime(2026, 7, 1, tzinfo=named).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name, sentence",
    [
        (
            "Etc/GMT+2",
            '"Etc/GMT+2" is UTC-02:00 all year, without daylight saving time; the sign in such a name is '
            "inverted; if the clocks of a place are meant, write its zone, such as Europe/Berlin",
        ),
        (
            "EST",
            '"EST" is UTC-05:00 all year, without daylight saving time; if the clocks of a place are meant, write its '
            "zone, such as America/New_York",
        ),
        (
            "GMT",
            '"GMT" is UTC+00:00 all year, without daylight saving time; if the clocks of a place are meant, write its '
            "zone, such as Europe/Berlin",
        ),
        ("UTC", None),
        ("Etc/UTC", None),
        ("Europe/Berlin", None),
        ("America/Phoenix", None),
        ("EST5EDT", None),
        ("CET", None),
    ],
)
def test_a_fixed_offset_is_taken_with_a_warning(name, sentence):
    assert zones.warning(zones.zone(name)) == sentence


def test_every_zone_that_is_no_place_has_a_warning_when_its_clock_never_changes():
    winter, summer = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    for name in zoneinfo.available_timezones() - {"localtime", "Factory"}:
        zone = zones.zone(name)
        fixed = winter.astimezone(zone).utcoffset() == summer.astimezone(zone).utcoffset()
        of_no_place = "/" not in name or name.startswith("Etc/")
        assert bool(zones.warning(zone)) == (fixed and of_no_place and name not in COUNTRIES | UNIVERSAL), name


def test_the_warning_comes_with_the_window_and_with_the_plan():
    written = {"timezone": "EST", "hours": "22:00-23:00"}
    plan = {"version": 1, "name": "rotate", "workloads": [{"id": "a", "namespace": "b"}], "window": written}
    (of_window,) = Window.from_dict(written).warnings()
    assert of_window.startswith('window.timezone: "EST" is UTC-05:00 all year')
    assert check(plan).warnings == (f"restart_plan.{of_window}",)
    assert check({**plan, "window": {**written, "timezone": "UTC"}}).warnings == ()
