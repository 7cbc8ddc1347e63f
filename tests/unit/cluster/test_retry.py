# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pauses grow, are jittered, keep to what the server asks, and never outlast the deadline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry, repeatable


def error(**facts):
    return ClusterError("failed", **{"transient": True, **facts})


class Failing:
    """A call that fails so many times, then succeeds."""

    def __init__(self, times, failure=None):
        self.calls = 0
        self._times = times
        self._failure = failure or error()

    def __call__(self):
        self.calls += 1
        if self.calls <= self._times:
            raise self._failure
        return "done"


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_somewhere_between_nothing_and_a_limit_that_doubles(failures, dice):
    policy = Retry(first=0.5, longest=15.0, random=lambda: dice)
    limit = min(15.0, 0.5 * 2.0 ** min(failures - 1, 100))
    assert policy.pause(failures) == pytest.approx(dice * limit)


@given(st.floats(0, 1000), st.floats(0, 1, exclude_max=True))
def test_a_pause_the_server_asks_for_is_kept_and_spread(asked, dice):
    pause = Retry(first=0.5, random=lambda: dice).pause(7, error(retry_after=asked))
    assert asked <= pause <= asked + 0.5


@pytest.mark.parametrize(
    ("facts", "resend", "again"),
    [
        ({"transient": False}, True, False),
        ({"transient": True}, False, True),
        ({"transient": True, "ambiguous": True}, True, True),
        ({"transient": True, "ambiguous": True}, False, False),
    ],
)
def test_what_may_have_been_done_is_done_again_only_where_that_is_harmless(facts, resend, again):
    assert repeatable(error(**facts), resend) is again


@pytest.mark.parametrize(("failing", "attempts", "calls"), [(0, 5, 1), (3, 5, 4), (4, 5, 5), (9, 5, 5)])
def test_it_is_tried_until_it_succeeds_or_the_attempts_are_used_up(time, failing, attempts, calls):
    call = Failing(failing)
    policy = time.retry(attempts=attempts)
    if failing < attempts:
        assert policy.run(call, resend=True) == "done"
    else:
        with pytest.raises(ClusterError):
            policy.run(call, resend=True)
    assert (call.calls, len(time.slept)) == (calls, calls - 1)


def test_the_number_of_attempts_may_depend_on_the_error(time):
    call = Failing(99)
    with pytest.raises(ClusterError):
        time.retry(attempts=9).run(call, resend=True, limit=lambda _error: 2)
    assert call.calls == 2


@pytest.mark.parametrize(("seconds", "slept"), [(0.2, []), (0.5, [0.25]), (10, [0.25, 0.5, 1.0, 2.0, 4.0])])
def test_no_pause_is_begun_that_would_end_after_the_deadline(time, seconds, slept):
    with pytest.raises(ClusterError):
        time.retry().run(Failing(99), resend=True, deadline=time.now + seconds)
    assert time.slept == slept


def test_a_pause_too_long_for_anybody_is_not_begun(time):
    call = Failing(1, error(retry_after=3600.0))
    with pytest.raises(ClusterError):
        time.retry().run(call, resend=True)
    assert (call.calls, time.slept) == (1, [])


def test_other_errors_go_through(time):
    call = Failing(1, KeyError("a bug"))
    with pytest.raises(KeyError):
        time.retry().run(call, resend=True)
    assert call.calls == 1


@pytest.mark.parametrize("first", [True, False])
def test_a_conflict_after_an_answer_was_lost_may_be_one_with_ourselves(time, first):
    answers = [error(ambiguous=first), Conflict("changed in between", status=409)]

    def call():
        raise answers.pop(0)

    with pytest.raises(Conflict) as conflict:
        time.retry().run(call, resend=True)
    assert conflict.value.ambiguous is first
