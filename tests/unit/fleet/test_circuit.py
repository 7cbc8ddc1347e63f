# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the circuit breaker of a plan refuses a new run, and which restarts count."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet import circuit
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.fleet.journals import run


def of_day(day, name, counts, **more):
    return run(name, day=day, counts=counts, **more)


def refusal(*clusters, rate="20%", least=10, resuming=False, complete=False):
    """Why a run does not start without a reason; None if it does. Each argument has the journals of one cluster."""
    limit = {"max_failure_rate": rate, "last_restarts": least} if rate else None
    of = {"resuming": resuming, "complete": complete}
    runs = {f"c{number}": held for number, held in enumerate(clusters)}
    try:
        assert circuit.check(runs, of, {"name": "shop", "circuit": limit}, None) is None
    except RolloutError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "counts, refused",
    [
        ({"restarted": 8, "failed": 2}, False),
        ({"restarted": 7, "failed": 2, "already_restarted": 1}, False),
        ({"restarted": 7, "failed": 3}, True),
        ({"restarted": 7, "unfinished": 3}, True),
        ({"restarted": 7, "undone": 3}, True),
        ({"restarted": 7, "failed": 1, "unfinished": 1, "undone": 1}, True),
        ({"restarted": 7, "superseded": 3}, False),
        ({"restarted": 7, "refused": 3}, False),
        ({"restarted": 7, "not_started": 3}, False),
        ({"restarted": 7, "in_progress": 3}, False),
        ({"not_started": 10}, False),
        ({"failed": 1}, True),
        ({}, False),
    ],
)
def test_a_new_run_is_refused_if_more_than_the_allowed_share_of_the_last_restarts_failed(counts, refused):
    assert (refusal([of_day(20, "r1", counts)]) is not None) == refused


def test_the_refusal_names_the_figures_the_runs_and_what_to_do():
    error = refusal([of_day(20, "r2", {"failed": 1}), of_day(19, "r1", {"restarted": 3})])
    assert error.startswith(
        "the circuit breaker of plan shop refuses a new run: 1 of the last 4 restarts failed, in run r2,"
    )
    assert "max_failure_rate is 20%; nothing was touched" in error and "-e restartx_break_circuit=REASON" in error


def test_restarts_of_all_clusters_count():
    quiet, troubled = of_day(20, "r1", {"restarted": 3}), of_day(20, "r1", {"failed": 1, "restarted": 2})
    assert refusal([quiet], [quiet]) is None
    assert refusal([quiet], [troubled]) is None  # 1 of 6
    assert "2 of the last 6" in refusal([troubled], [troubled])


def test_only_the_last_restarts_count_in_whole_runs():
    old = of_day(1, "r1", {"failed": 9})
    assert refusal([of_day(20, "r3", {"restarted": 10}), old]) is None
    error = refusal([of_day(20, "r3", {"restarted": 9}), old])
    assert "9 of the last 18 restarts failed, in run r1," in error
    assert refusal([of_day(20, "r3", {"restarted": 9}), old], least=9) is None


def test_what_failed_before_a_run_that_was_started_with_a_reason_no_longer_counts():
    old = of_day(1, "r1", {"failed": 9})
    for counts, refused in [({"restarted": 1}, False), ({"failed": 1}, True)]:
        broken = of_day(20, "r2", counts, break_circuit="the image is fixed")
        assert (refusal([broken, old]) is not None) == refused


def test_without_a_limit_no_run_is_refused():
    assert refusal([of_day(20, "r1", {"failed": 9})], rate=None) is None


def test_with_a_limit_of_nothing_one_failure_is_enough():
    assert refusal([of_day(20, "r1", {"restarted": 99})], rate="0%") is None
    assert "1 of the last 100" in refusal([of_day(20, "r1", {"restarted": 99, "failed": 1})], rate="0%")


def test_a_run_that_goes_on_is_not_refused():
    """Its failures are what it is resumed for."""
    bad = [of_day(20, "r1", {"failed": 1})]
    assert refusal(bad, resuming=False) is not None
    assert refusal(bad, resuming=True) is None
    assert refusal(bad, complete=True) is None
