# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Durations: how people write them, and how they are written for people."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show


@pytest.mark.parametrize(
    "written, seconds",
    [
        ("90s", 90),
        ("15m", 900),
        ("3h", 10800),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1d 2h 3m 4s", 93784),
        (" 10m ", 600),
        ("1.5h", 5400),
        ("0.25s", 0.25),
        ("0s", 0),
        ("90", 90),
        ("1.5", 1.5),
        (90, 90),
        (0.5, 0.5),
        (0, 0),
        ("366d", 31622400),
    ],
)
def test_a_duration_is_read_as_seconds(written, seconds):
    parsed = duration.parse(written)
    assert parsed == seconds
    assert isinstance(parsed, float)


@pytest.mark.parametrize(
    "written",
    ["", " ", "-1", "-5m", "5 minutes", "m", "10x", "30m1h", "1h1h", "1:30", "1e3", "٣s", "s5", "5m\n5s", "367d"]
    + [-1, -0.5, True, False, None, [], {}, float("nan"), float("inf"), 10**400],
    ids=repr,
)
def test_anything_else_is_refused_and_shown(written):
    with pytest.raises(ScheduleError) as failure:
        duration.parse(written)
    assert str(failure.value) == (
        f'{show(written)} is not a duration; write "90s", "15m", "3h", "1h30m" or a number of seconds'
    )


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0, "0s"),
        (0.04, "0s"),
        (0.25, "0.2s"),
        (9.5, "9.5s"),
        (9.96, "10s"),
        (10.4, "10s"),
        (59.7, "1m"),
        (90, "1m 30s"),
        (3600, "1h"),
        (3605, "1h 5s"),
        (140400, "1d 15h"),
        (93784, "1d 2h 3m 4s"),
    ],
)
def test_seconds_are_written_for_people(seconds, words):
    assert duration.text(seconds) == words


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=int(duration.LONGEST)))
def test_what_is_written_for_people_can_be_read_again(seconds):
    assert duration.parse(duration.text(seconds)) == seconds
