# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Time zones by their IANA names: which are accepted, which cause a warning, and messages for the others."""

from __future__ import annotations

import datetime
import re
import zoneinfo

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest, text

BY_PLACE = "write the zone of a place, such as Europe/Berlin"
# Files of the zone data that are not zones: the machine's own zone, and placeholders.
NOT_ZONES = ("localtime", "posixrules", "factory")
# Names for the zone of the machine, which differs in a container, on AWX or on another laptop.
LOCAL = ("local", "localtime", "system", "here", "tz")
COPIES = ("posix/", "right/")  # folders with copies of the zones; those in right/ count leap seconds
# Names of fixed offsets, although most places that use the name have daylight saving time.
FIXED = re.compile(r"Etc/GMT[+-]?[0-9]*|GMT[+-]?0?|(Etc/)?Greenwich|EST|MST|HST")
INSTEAD = {"EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu"}
OFFSET = re.compile(r"(?:UTC|GMT|Z)? *([+-]) *([0-9]{1,2})(?::?([0-5][0-9]))?", re.IGNORECASE | re.ASCII)
ABBREVIATION = re.compile(r"[A-Za-z]{2,5}", re.ASCII)
SOME_WINTER_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
MOST_EAST, MOST_WEST = 14, -12  # the hours of the zones Etc/GMT-14 and Etc/GMT+12


def zone(value: object) -> zoneinfo.ZoneInfo:
    """A time zone by its IANA name, such as Europe/Berlin; raises ScheduleError."""
    name = text(value)
    if name.lower() in LOCAL:
        raise ScheduleError(f"{show(name)} means a different time zone on each machine; {BY_PLACE}, or UTC")
    if name.lower() in NOT_ZONES or name.startswith(COPIES):
        raise ScheduleError(f"{show(name)} is a file of the zone data and not a time zone{_hint(name)}")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"{show(name)} is not a time zone known on this machine{_hint(name)}") from None


def warning(zone: zoneinfo.ZoneInfo) -> str | None:
    """A warning that this zone is a fixed offset, and which; None for other zones."""
    name = zone.key
    if not FIXED.fullmatch(name):
        return None
    sentence = (
        f'"{name}" is {_utc(SOME_WINTER_DAY.astimezone(zone).utcoffset())} all year, without daylight saving time'
    )
    if name.startswith("Etc/GMT") and name[7:].strip("0"):
        sentence += "; the sign in such a name is inverted"
    return (
        f"{sentence}; if the clocks of a place are meant, write its zone, such as {INSTEAD.get(name, 'Europe/Berlin')}"
    )


def _utc(offset: datetime.timedelta | None) -> str:
    """UTC-02:00"""
    minutes = int((offset or datetime.timedelta()).total_seconds() // 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _hint(name: str) -> str:
    """What to write instead, as the rest of a sentence."""
    offset = OFFSET.fullmatch(name)
    if offset:
        return f"; {BY_PLACE}{_same_offset(*offset.groups())}"
    known = {known for known in zoneinfo.available_timezones() if known.lower() not in NOT_ZONES}
    if name.startswith(COPIES) and name.partition("/")[2] in known:
        return f'; write "{name.partition("/")[2]}"'
    if not known:
        return "; IANA names come from the system's zone data or the Python package tzdata"
    places = {place.rpartition("/")[2].lower(): place for place in sorted(known, reverse=True) if "/" in place}
    place = places.get(name.replace(" ", "_").lower())
    if place:
        return f'; did you mean "{place}"?'
    # A name close to an abbreviation may be hours away: CEST is not EST.
    near = "" if ABBREVIATION.fullmatch(name) else closest(name.replace(" ", "_"), known)
    return near or f"; {BY_PLACE}; IANA names come from the system's zone data or the Python package tzdata"


def _same_offset(sign: str, hours: str, minutes: str | None) -> str:
    """`; UTC+02:00 all year ... is "Etc/GMT-2"`, if there is such a name. Its sign is inverted."""
    ahead = int(f"{sign}{hours}")
    if int(minutes or 0) or not MOST_WEST <= ahead <= MOST_EAST:
        return ""
    name = f"Etc/GMT{-ahead:+}" if ahead else "UTC"
    return f'; {_utc(datetime.timedelta(hours=ahead))} all year, without daylight saving time, is "{name}"'
