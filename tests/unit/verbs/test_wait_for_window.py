# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for a maintenance window: on a clock that moves only by waiting. The simulation starts on Tuesday at 22:00 UTC."""

from __future__ import annotations

import pytest
from simulation import FakeClock, Mortal

from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Abandoned, Controller
from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.verbs.maintenance_window import maintenance_window

NIGHT = {"hours": "22:05-01:00", "timezone": "UTC"}
NOW = {"hours": "21:00-23:30", "timezone": "UTC"}
FROZEN = {**NIGHT, "freezes": ["2026-11-01/2028-12-31"]}


def wait_for(window, outside="wait", wait_timeout=None, controller=None):
    """The module's result, and the clock afterwards."""
    clock = FakeClock()
    if isinstance(controller, Mortal):
        controller.clock = clock
    params = {"window": window, "outside_window": outside, "wait_timeout": wait_timeout}
    return maintenance_window(params, clock, controller or Controller(None), ProgressWriter(None, clock)), clock


@pytest.mark.parametrize("outside", ["fail", "wait"])
def test_an_open_window_is_not_waited_for(outside):
    result, clock = wait_for(NOW, outside)
    assert (result["open"], result["waited"], clock.passed) == (True, 0, 0)
    assert (result["opens"], result["closes"]) == ("2026-11-24T22:00:00+00:00", "2026-11-24T23:30:00+00:00")
    assert "msg" not in result and result["changed"] is False


def test_outside_the_window_it_fails_at_once():
    result, clock = wait_for(NIGHT, "fail")
    assert (result["open"], clock.passed) == (False, 0)
    assert result["msg"] == result["message"]
    assert result["msg"].startswith("outside the window")
    assert result["opens"] == "2026-11-24T22:05:00+00:00"


@pytest.mark.parametrize("wait_timeout", [None, "5m", "2h", 300])
def test_it_waits_until_the_window_opens_and_no_longer(wait_timeout):
    result, clock = wait_for(NIGHT, wait_timeout=wait_timeout)
    assert result["open"]
    assert "msg" not in result
    assert result["waited"] == clock.passed == 300


def test_a_window_that_opens_too_late_is_not_waited_for():
    result, clock = wait_for(NIGHT, wait_timeout="4m")
    assert (result["open"], clock.passed) == (False, 0)
    assert result["msg"].endswith("and wait_timeout is 4m")


@pytest.mark.parametrize("wait_timeout", [None, "300d"])
def test_a_window_that_does_not_open_is_not_waited_for(wait_timeout):
    result, clock = wait_for(FROZEN, wait_timeout=wait_timeout)
    assert (result["open"], result["opens"], clock.passed) == (False, None, 0)
    assert "msg" in result


def test_nobody_waits_for_a_controller_that_is_gone():
    controller = Mortal(100)
    with pytest.raises(Abandoned, match="is gone"):
        wait_for(NIGHT, controller=controller)
    assert 100 <= controller.clock.passed < 102


@pytest.mark.parametrize(
    "bad, words",
    [
        ({"wait_timeout": "soon"}, 'wait_timeout: "soon" is not a duration'),
        ({"window": {"hours": "23:00-01:00"}}, "window.timezone: is required"),
    ],
)
def test_bad_options_are_errors(bad, words):
    with pytest.raises(ScheduleError, match=words):
        wait_for(**{"window": NIGHT, **bad})


def test_a_zone_that_may_not_be_what_is_meant_comes_with_a_warning():
    result, _clock = wait_for({**NOW, "timezone": "Etc/GMT+0"})
    assert [text.partition(" all year")[0] for text in result["warnings"]] == [
        'window.timezone: "Etc/GMT+0" is UTC+00:00'
    ]
    assert wait_for(NOW)[0]["warnings"] == []
