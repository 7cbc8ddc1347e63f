# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may start now: single cases, one rule each."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace


def groups(*rows):
    return [Group(*row) for row in rows]


def start(pace, now=0.0):
    """Starts what is due, and says what that was."""
    due = pace.due(now)
    for member in due:
        pace.started(member, now)
    return due


def test_everything_without_order_and_limit_starts_at_once_in_the_written_order():
    pace = Pace(groups(("web", ("w2", "w1")), ("core", ("c1",))))
    assert pace.due(0) == ["w2", "w1", "c1"]
    assert pace.due(0) == ["w2", "w1", "c1"]  # asking changes nothing
    assert start(pace) == ["w2", "w1", "c1"]
    assert pace.due(0) == []
    assert pace.running == {"w2", "w1", "c1"}


def test_a_group_waits_for_all_members_of_what_it_needs():
    pace = Pace(groups(("web", ("w1",), ("core", "cache")), ("core", ("c1", "c2")), ("cache", ("r1",))))
    assert start(pace) == ["c1", "c2", "r1"]
    for member in ("c1", "r1"):
        pace.ended(member, 1, good=True)
        assert pace.due(1) == []
    assert pace.waiting_for() == {"w1": 'needs "core", which is not complete yet'}
    pace.ended("c2", 2, good=True)
    assert start(pace, 2) == ["w1"]
    assert not pace.finished
    pace.ended("w1", 3, good=True)
    assert pace.finished


def test_a_group_without_members_is_complete_as_soon_as_what_it_needs_is():
    pace = Pace(
        groups(("log", ()), ("cache", ("r1",), ("log",)), ("core", (), ("cache",)), ("web", ("w1",), ("core",)))
    )
    assert start(pace) == ["r1"]
    assert pace.waiting_for() == {"w1": 'needs "cache", which is not complete yet'}
    pace.ended("r1", 1, good=True)
    assert pace.due(1) == ["w1"]


def test_without_hold_back_a_failure_only_delays_what_depends_on_it():
    pace = Pace(groups(("web", ("w1",), ("core",)), ("core", ("c1", "c2"))), stop_on_failure=False, hold_back=False)
    assert start(pace) == ["c1", "c2"]
    pace.ended("c1", 1, good=False)
    assert pace.due(1) == []
    pace.ended("c2", 2, good=True)
    assert start(pace, 2) == ["w1"]
    pace.ended("w1", 3, good=False)
    assert pace.finished


def test_a_failure_reaches_through_a_group_without_members():
    pace = Pace(groups(("cache", ("r1",)), ("core", (), ("cache",)), ("web", ("w1",), ("core",))), failure_budget=1)
    start(pace)
    pace.ended("r1", 1, good=False)
    assert pace.finished
    assert pace.waiting_for() == {"w1": 'needs "cache", of which r1 failed'}


def test_a_run_without_members_is_finished_at_once():
    assert Pace([]).finished
    assert Pace(groups(("cache", ()))).finished


def test_the_next_starts_when_one_ends():
    pace = Pace(groups(("a", ("a1", "a2", "a3")), ("b", ("b1",))), max_parallel=2)
    assert start(pace) == ["a1", "a2"]
    assert start(pace, 1) == []
    pace.ended("a2", 1, good=True)
    assert start(pace, 1) == ["a3"]
    pace.ended("a1", 2, good=True)
    assert start(pace, 2) == ["b1"]


def test_a_groups_own_limit_leaves_places_to_others():
    pace = Pace(groups(("a", ("a1", "a2"), (), 1), ("b", ("b1", "b2", "b3"))), max_parallel=3)
    assert start(pace) == ["a1", "b1", "b2"]
    pace.ended("b1", 1, good=True)
    assert start(pace, 1) == ["b3"]
    pace.ended("a1", 2, good=True)
    assert start(pace, 2) == ["a2"]


def test_starts_are_staggered_over_the_run():
    pace = Pace(groups(("a", ("a1", "a2")), ("b", ("b1",))), stagger=10)
    assert start(pace, 5) == ["a1"]
    assert pace.next_due(5) == 15
    assert pace.due(14.999) == []
    assert start(pace, 15) == ["a2"]
    pace.ended("a1", 16, good=True)
    assert pace.due(16) == []
    assert start(pace, 30) == ["b1"]
    assert pace.next_due(30) is None


def test_a_groups_own_stagger_does_not_hold_up_others():
    pace = Pace(groups(("a", ("a1", "a2"), (), None, 10), ("b", ("b1", "b2"))))
    assert start(pace) == ["a1", "b1", "b2"]
    assert pace.next_due(0) == 10
    assert start(pace, 10) == ["a2"]


def test_next_due_is_now_while_something_is_due_and_none_when_only_an_end_can_help():
    pace = Pace(groups(("a", ("a1", "a2"))), max_parallel=1, stagger=5)
    assert pace.next_due(3) == 3
    assert start(pace, 3) == ["a1"]
    assert pace.next_due(3) is None  # after five seconds there is still no place
    pace.ended("a1", 4, good=True)
    assert pace.next_due(4) == 8


def test_the_first_failure_stops_the_run_and_what_runs_goes_on():
    pace = Pace(
        groups(("core", ("orders", "cart", "pay")), ("web", ("w1",), ("core",)), ("edge", ("e1",))), max_parallel=2
    )
    assert start(pace) == ["orders", "cart"]
    pace.ended("orders", 1, good=False)
    assert pace.due(1) == []
    assert pace.next_due(1) is None
    assert not pace.finished
    pace.ended("cart", 2, good=True)
    assert pace.finished
    assert pace.waiting_for() == {
        "pay": "stopped: orders failed, and failure_budget is 0",
        "w1": 'needs "core", of which orders failed',
        "e1": "stopped: orders failed, and failure_budget is 0",
    }


def test_within_the_budget_all_starts_but_what_depends_on_the_failure():
    rows = groups(
        ("core", ("orders", "cart")), ("web", ("w1",), ("core",)), ("edge", ("e1",), ("web",)), ("log", ("l1", "l2"))
    )
    pace = Pace(rows, max_parallel=1, failure_budget=1)
    assert start(pace) == ["orders"]
    pace.ended("orders", 1, good=False)
    assert start(pace, 1) == ["cart"]
    pace.ended("cart", 2, good=True)
    assert start(pace, 2) == ["l1"]
    assert pace.waiting_for() == {
        "w1": 'needs "core", of which orders failed',
        "e1": 'needs "web", held back by "core", of which orders failed',
        "l2": "waits for its turn",
    }
    pace.ended("l1", 3, good=False)
    assert pace.finished
    assert pace.waiting_for()["l2"] == "stopped: orders, l1 failed, and failure_budget is 1"


@pytest.mark.parametrize(
    "given, members, allowed",
    [("10%", 9, 0), ("10%", 10, 1), ("25%", 10, 2), ("0%", 10, 0), ("100%", 3, 3), ("50%", 1, 0), (2, 10, 2)],
)
def test_a_budget_may_be_a_share_of_all_members_rounded_down(given, members, allowed):
    names = tuple(f"m{number}" for number in range(members))
    pace = Pace(groups(("all", names)), max_parallel=1, failure_budget=given)
    failed = 0
    while begun := start(pace, failed):
        pace.ended(begun[0], failed, good=False)
        failed += 1
    assert failed == min(members, allowed + 1)


def test_a_share_is_named_with_its_number():
    pace = Pace(groups(("all", ("a", "b", "c"))), max_parallel=1, failure_budget="33%")
    pace.ended(start(pace)[0], 1, good=False)
    assert pace.waiting_for()["b"] == "stopped: a failed, and failure_budget is 33%, which is 0 of 3"


@pytest.mark.parametrize("of_all, of_group, stops", [(True, False, False), (False, True, True), (True, None, True)])
def test_a_group_may_differ_in_whether_its_failures_stop_the_others(of_all, of_group, stops):
    rows = [Group("first", ("a",), stop_on_failure=of_group), Group("second", ("b",))]
    pace = Pace(rows, max_parallel=1, stop_on_failure=of_all)
    start(pace)
    pace.ended("a", 1, good=False)
    assert start(pace, 1) == ([] if stops else ["b"])


def test_without_stop_on_failure_only_what_depends_on_failures_is_held_back():
    pace = Pace(
        groups(("core", ("orders",)), ("web", ("w1",), ("core",)), ("log", ("l1",))),
        max_parallel=1,
        stop_on_failure=False,
    )
    start(pace)
    pace.ended("orders", 1, good=False)
    assert start(pace, 1) == ["l1"]
    pace.ended("l1", 2, good=True)
    assert pace.finished
    assert pace.waiting_for() == {"w1": 'needs "core", of which orders failed'}


def test_many_failures_are_counted_not_listed():
    pace = Pace(groups(("core", tuple("abcde")), ("web", ("w1",), ("core",))), failure_budget=9)
    start(pace)
    for member in "abcde":
        pace.ended(member, 1, good=False)
    assert pace.waiting_for() == {"w1": 'needs "core", of which a, b, c and 2 more failed'}


def test_the_nearest_failure_is_named():
    rows = groups(("far", ("f",)), ("near", ("n",)), ("mid", ("m",), ("far",)), ("web", ("w",), ("mid", "near")))
    pace = Pace(rows, failure_budget=9)
    start(pace)
    pace.ended("f", 1, good=False)
    assert pace.waiting_for()["w"] == 'needs "mid", held back by "far", of which f failed'
    pace.ended("n", 1, good=False)
    assert pace.waiting_for()["w"] == 'needs "near", of which n failed'


def test_a_run_can_be_stopped_from_outside_and_the_first_reason_stays():
    pace = Pace(groups(("a", ("a1", "a2"))), max_parallel=1)
    start(pace)
    pace.stop("the window has closed")
    pace.stop("something else")
    pace.ended("a1", 1, good=False)
    assert pace.due(1) == []
    assert pace.finished
    assert pace.waiting_for() == {"a2": "the window has closed"}


@pytest.mark.parametrize("good, due", [(True, ["w1"]), (False, [])])
def test_what_ended_without_a_start_counts_as_well(good, due):
    """Done by an earlier attempt, or refused before anything was touched; it takes neither place nor stagger."""
    pace = Pace(groups(("core", ("c1",)), ("web", ("w1",), ("core",))), stagger=10)
    pace.ended("c1", 0, good=good)
    assert pace.due(0) == due


def test_a_long_chain_of_held_back_groups_is_no_problem():
    chain = [("g0", ("m0",), ())] + [(f"g{n}", (f"m{n}",), (f"g{n - 1}",)) for n in range(1, 1100)]
    pace = Pace(groups(*chain), failure_budget=1)
    start(pace)
    pace.ended("m0", 1, good=False)
    assert pace.finished


def test_mistakes_of_the_caller_are_told():
    with pytest.raises(ValueError, match="belongs to two groups"):
        Pace(groups(("a", ("x",)), ("b", ("x",))))
    pace = Pace(groups(("a", ("x",))))
    start(pace)
    pace.ended("x", 1, good=True)
    with pytest.raises(ValueError, match="x has ended already"):
        pace.ended("x", 2, good=True)
    with pytest.raises(KeyError):
        pace.started("x", 2)


def test_a_group_that_may_start_later_keeps_its_place_in_the_written_order():
    pace = Pace(groups(("core", ("c1",)), ("web", ("w1",), ("core",)), ("edge", ("e1",))), max_parallel=1)
    assert start(pace) == ["c1"]
    pace.ended("c1", 1, good=True)
    assert start(pace, 1) == ["w1"]
    pace.ended("w1", 2, good=True)
    assert start(pace, 2) == ["e1"]


def test_what_was_held_back_may_start_when_all_that_it_needs_itself_had_ended_well_before():
    pace = Pace(groups(("a", ("a1",)), ("b", ("b1",), ("a",)), ("c", ("c1",), ("b",))), stop_on_failure=False)
    pace.ended("a1", 0, good=False)
    assert pace.finished
    pace.ended("b1", 0, good=True)  # done by an earlier attempt
    assert not pace.finished
    assert start(pace) == ["c1"]


def test_a_member_of_a_free_group_waits_for_its_needs_only_and_takes_no_place():
    groups = [Group("a", ("a",)), Group("gate", ("g",), free=True), Group("late", ("h",), ("a",), free=True)]
    pace = Pace([*groups, Group("b", ("b",), ("gate",))], max_parallel=1, stagger=60, failure_budget="50%")
    assert pace.due(0) == ["a"] and pace.free_due() == ["g"]
    pace.started("g", 0, paced=False)
    assert pace.due(0) == ["a"] and pace.free_due() == []
    pace.started("a", 0)
    pace.ended("g", 1, good=True)
    pace.ended("a", 2, good=True)
    assert pace.due(2) == [] and pace.due(60) == ["b"] and pace.free_due() == ["h"]
    pace.started("h", 2, paced=False)
    pace.put_back("h")
    assert pace.free_due() == ["h"] and not pace.finished
    pace.stop("it is over")
    assert pace.free_due() == [] and pace.finished
