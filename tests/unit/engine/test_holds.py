# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps tasks from beginning for a while: nothing spins, nothing behind it is blocked, and the reason is told."""

from __future__ import annotations

import itertools

import pytest
from simulation import FakeClock, FakeCluster, Lock, Run, Until, deployment, window

from ansible_collections.restartx.core.plugins.module_utils.engine.holds import WindowHold
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry


def test_what_is_held_begins_when_it_is_held_no_longer_and_what_is_behind_it_goes_first():
    run = Run(("a", "b", "c"), max_parallel=1, holds=[Until(35.0, {"a"})]).carry_out()
    moments = {name: moment for moment, name in run.cluster.patches}
    assert run.patched == ["b", "c", "a"]
    assert moments["b"] < 1 and 35 <= moments["a"] < 35.1


@pytest.mark.parametrize("tells_next", [True, False])
@pytest.mark.parametrize("names", [{"api"}, None])
def test_a_hold_is_not_asked_over_and_over(names, tells_next):
    hold = Until(500.0, names, next=tells_next)
    run = Run(("api",), holds=[hold]).carry_out()
    assert run.outcome("api") == "restarted"
    assert 500 <= run.cluster.patches[0][0] <= 501
    assert hold.asked < 5000


def test_a_hold_that_stays_overdue_after_the_lock_is_lost_does_not_keep_the_loop_busy():
    class Overdue:
        """As what waits for work of its own, which is not done without the lock."""

        lasting, times = False, 0

        @property
        def next(self):
            self.times += 1
            assert self.times < 500
            return min(4.0, self.clock.passed + 1)

        def reason(self, task, now):
            return "its work is not done yet" if task and task.key[2] == "web" else None

    class Since(Lock):
        """The lock is lost at an instant, while a request is on its way."""

        def work(self, tasks):
            return None

    hold = Overdue()
    run = Run(("api",), ("web",), holds=[hold], guards=[Since(until=3.5)])
    run.executor.late = 30.0
    run.carry_out()
    assert run.outcomes["web"] == "not_started" and run.executor.clock.passed >= 30


def test_what_a_hold_says_of_one_task_is_asked_again_when_another_has_begun():
    class OneInEachNamespace:
        lasting, next = False, None

        def __init__(self):
            self.run = None

        def reason(self, task, now):
            if task is None:
                return None
            others = [other for other in self.run.loop.tasks.values() if other.running]
            return "another one is under way" if others else None

    hold = OneInEachNamespace()
    run = Run(("a", "b", "c"), holds=[hold])
    hold.run = run
    run.carry_out()
    moments = sorted(moment for moment, _name in run.cluster.patches)
    assert all(later >= earlier + run.cluster.takes for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("names", [{"web"}, None])
def test_a_call_in_which_all_that_is_left_is_held_for_long_ends_with_the_reason(names):
    run = Run(("web",), holds=[Until(1e6, names, lasting=True)]).carry_out()
    assert (run.outcome("web"), run.task("web").message) == ("not_started", "held until later")
    assert run.executor.clock.passed < 2


def test_such_a_hold_does_not_end_what_is_under_way_or_may_still_begin():
    run = Run(("a", "b", "c"), max_parallel=1, holds=[Until(1e6, {"b"}, lasting=True)]).carry_out()
    assert run.outcomes == {"a": "restarted", "b": "not_started", "c": "restarted"}


@pytest.mark.parametrize("names", [{"api"}, None])
def test_a_hold_that_fails_holds(names):
    run = Run(("api",), holds=[Until(20.0, names, error=OSError("no route"))]).carry_out()
    assert run.outcome("api") == "restarted"
    assert run.cluster.patches[0][0] >= 20


def test_the_error_of_a_hold_is_its_reason():
    hold = Until(1e6, error=OSError("no route"), lasting=True)
    run = Run(("api",), holds=[hold]).carry_out()
    assert run.task("api").message == "whether it may begin could not be found out: no route"


def test_when_the_window_closes_while_the_next_start_is_awaited_the_call_ends_at_once():
    run = Run(("a", "b", "c"), stagger=300.0, options=RunOptions(window=window(6))).carry_out()
    assert run.outcomes == {"a": "restarted", "b": "restarted", "c": "not_started"}
    assert run.task("c").message.startswith("outside the window")
    assert 360 <= run.executor.clock.passed <= 361


def test_the_reason_of_a_closed_window_is_given_to_what_waits_for_others_too():
    cluster = FakeCluster([deployment(name) for name in "abc"], takes=90)
    run = Run(("a",), ("b",), ("c",), cluster=cluster, timeout=200, options=RunOptions(window=window(1))).carry_out()
    assert [run.task(name).message.partition(";")[0] for name in "bc"] == [
        "outside the window every day 21:00-22:01 UTC"
    ] * 2


def test_what_failed_is_told_before_the_window():
    cluster = FakeCluster([deployment(name) for name in "ab"], breaks={"a"})
    run = Run(("a",), ("b",), cluster=cluster, timeout=90, options=RunOptions(window=window(1))).carry_out()
    assert run.task("b").message == 'needs "0", of which Deployment shop/a failed'


def test_the_hold_of_a_window_tells_the_instant_at_which_it_changes():
    clock = FakeClock()
    hold = WindowHold(window(10), clock)
    assert hold.next == 600
    assert hold.reason(None, 599) is None and hold.reason(None, 600).startswith("outside the window")
    clock.passed = 600.0
    assert hold.next == 23 * 3600


def test_nothing_held_takes_the_place_of_another_in_its_entry():
    entries = [Entry("one", names=("a", "b"), namespaces=("shop",), max_parallel=1)]
    run = Run(*entries, holds=[Until(1e6, {"a"}, lasting=True)]).carry_out()
    assert run.outcomes == {"a": "not_started", "b": "restarted"}
