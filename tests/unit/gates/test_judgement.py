# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a gate is open, when it is asked again, and when it has failed."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Judgement, Limits, State
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Answer

OPEN = Answer(True, "errors are 0")
CLOSED = Answer(False, "errors are 7")
DEAD = Answer(False, "the job has failed", final=True)


def course(limits, *answers):
    """The state, the sentence and the next question, counted from the beginning, after each (instant, answer)."""
    judgement = Judgement(limits, 1000.0)
    verdicts = [judgement.take(answer, 1000.0 + at) for at, answer in answers]
    return [(one.state, one.said, None if one.again is None else one.again - 1000.0) for one in verdicts]


def test_an_open_gate_is_open_at_once():
    assert course(Limits(), (0, OPEN)) == [(State.OPEN, "errors are 0", None)]


def test_a_closed_gate_is_asked_again_after_the_interval():
    assert course(Limits(interval=7), (0, CLOSED), (7, CLOSED), (14, OPEN)) == [
        (State.CLOSED, "errors are 7", 7.0),
        (State.CLOSED, "errors are 7", 14.0),
        (State.OPEN, "errors are 0", None),
    ]


def test_it_must_be_open_for_as_long_as_is_wanted_without_a_break():
    limits = Limits(interval=10, hold=25)
    assert course(limits, (0, OPEN), (10, CLOSED), (20, OPEN), (30, OPEN), (40, OPEN), (45, OPEN)) == [
        (State.CLOSED, "errors are 0, for 0s of 25s", 10.0),
        (State.CLOSED, "errors are 7", 20.0),
        (State.CLOSED, "errors are 0, for 0s of 25s", 30.0),
        (State.CLOSED, "errors are 0, for 10s of 25s", 40.0),
        (State.CLOSED, "errors are 0, for 20s of 25s", 45.0),
        (State.OPEN, "errors are 0", None),
    ]


def test_a_gate_that_never_opens_fails_when_its_timeout_is_over_and_not_before():
    limits = Limits(timeout=25, interval=10)
    seen = course(limits, (20, CLOSED), (24.9, CLOSED), (25, CLOSED))
    assert seen[0] == (State.CLOSED, "errors are 7", 25.0)
    assert seen[1][0] is State.CLOSED and seen[1][2] == 25.0
    assert seen[2] == (State.FAILED, "it did not open within 25s: errors are 7", None)


def test_a_gate_that_opens_in_the_last_moment_is_open():
    assert course(Limits(timeout=25), (25, OPEN))[0][0] is State.OPEN


def test_an_open_gate_that_has_not_been_open_for_long_enough_fails_too():
    ((state, said, again),) = course(Limits(timeout=25, hold=20), (25, OPEN))
    assert (state, said, again) == (State.FAILED, "it did not open within 25s: errors are 0, for 0s of 20s", None)


def test_with_on_timeout_continue_it_passes_and_the_sentence_says_that_it_did_not_open():
    ((state, said, _again),) = course(Limits(timeout=25, on_timeout="continue"), (25, CLOSED))
    assert (state, said) == (State.PASSED, "it did not open within 25s: errors are 7")


@pytest.mark.parametrize("on_timeout", ["fail", "continue"])
def test_a_gate_that_can_never_open_fails_at_once(on_timeout):
    assert course(Limits(on_timeout=on_timeout), (3, DEAD)) == [(State.FAILED, "the job has failed", None)]
