# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gates in a run: nothing starts while one is closed, it is asked only if something waits for it, and again for each start."""

from __future__ import annotations

import pytest
from simulation import FakeClock, FakeCluster, Run, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.gating import AfterGate, GateHold
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Limits
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Answer, GateError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry


class Door:
    """A provider that is open in some spans of seconds, and notes when it is asked."""

    def __init__(self, *spans, dead_at=None, error=None):
        self.spans, self.dead_at, self.error = spans, dead_at, error
        self.asked = []
        self.hold = None

    def about(self):
        return "a door"

    def ask(self, asking):
        now = self.hold.clock.passed
        self.asked.append(round(now))
        if self.error:
            raise self.error
        if self.dead_at is not None and now >= self.dead_at:
            return Answer(False, "it is walled up", final=True)
        is_open = any(start <= now < end for start, end in self.spans)
        return Answer(is_open, "it is open" if is_open else "it is shut")


def gate(door, *groups, **limits):
    """The hold of a gate on these groups; without any, on all."""
    door.hold = GateHold("door", Gate(door, Limits(**limits)), frozenset(groups) or None, None, None)
    return door.hold


def run(*entries, hold, **more):
    return Run(*entries, holds=[hold], observers=[hold], **more)


def started(done):
    """The second in which each restart was sent."""
    return [int(moment) for moment, _name in done.cluster.patches]


ALWAYS = (0, 1e9)


def test_nothing_starts_while_the_gate_is_closed():
    door = Door((15, 1e9))
    done = run(("api", "web"), hold=gate(door)).carry_out()
    assert done.outcomes == {"api": "restarted", "web": "restarted"}
    assert door.asked == [0, 10, 20]
    assert started(done) == [20, 20]


def test_the_gate_of_an_entry_is_asked_when_its_turn_comes_and_holds_no_other():
    door = Door((0, 30), (80, 1e9))
    cluster = FakeCluster([deployment(name) for name in ("api", "web")], takes=35)
    done = run(("api",), ("web",), cluster=cluster, hold=gate(door, "1")).carry_out()
    assert done.outcomes == {"api": "restarted", "web": "restarted"}
    first, second = started(done)
    assert first == 0 and min(door.asked) >= 35 and 80 <= second <= 90


def test_an_open_gate_is_asked_again_before_a_later_start():
    door = Door((0, 5), (70, 1e9))
    done = run(("a", "b"), hold=gate(door, interval=10.0), stagger=30.0).carry_out()
    assert started(done) == [0, 70]
    assert door.asked == [0, 30, 40, 50, 60, 70]  # not in the pause, in which nothing may start


def test_gates_that_must_stay_open_for_a_while_are_open_together():
    first, second = Door(ALWAYS), Door((45, 1e9))
    holds = [gate(one, interval=10.0, hold=60.0, timeout=90.0) for one in (first, second)]
    done = Run(("a", "b"), holds=holds, observers=holds, max_parallel=1).carry_out()
    assert done.outcomes == {"a": "restarted", "b": "restarted"}
    began, again = started(done)
    assert 120 <= began <= 130 and again <= 145 + 2 * 60


def test_what_waits_on_for_an_open_gate_does_not_wait_for_it_anew():
    door = Door(ALWAYS)
    done = run(tuple("abc"), hold=gate(door, interval=10.0, hold=60.0), stagger=15.0).carry_out()
    assert started(done) == [60, 75, 90]


def test_a_gate_that_closes_again_has_its_whole_time_anew():
    door = Door((0, 65), (100, 1e9))
    holds = [gate(door, interval=10.0, hold=30.0, timeout=70.0), gate(Door((200, 1e9)), timeout=300.0)]
    done = Run(("api",), holds=holds, observers=holds).carry_out()
    assert started(done) == [200]
    assert door.asked[:14] == [*range(0, 140, 10)]


def test_an_open_gate_counts_as_long_as_it_takes_to_ask_it_again():
    door, clock = Door(ALWAYS), FakeClock()
    hold = gate(door, interval=1.0)
    hold.clock = clock
    assert hold.reason(None, 0) == 'the gate "door" (a door) is closed: it was not asked yet'
    answer(hold, clock, 4)
    assert [hold.reason(None, now) for now in (4, 8.9)] == [None, None] and hold.next == 9
    clock.passed = 9
    assert hold.reason(None, 9) == 'the gate "door" (a door) is asked again' and not hold.waited_for
    answer(hold, clock, 0)
    assert hold.reason(None, 9) is None and door.asked == [4, 9]


def answer(hold, clock, seconds):
    """Asks the gate, which takes some seconds."""
    work = hold.work(())
    clock.passed += seconds
    work.call()
    hold.worked(None)
    assert hold.work(()) is None


def test_showing_what_is_waited_for_asks_no_gate_while_nothing_could_start():
    door = Door((0, 5), (38, 1e9))
    cluster = FakeCluster([deployment(name) for name in "ab"], takes=40)
    one = run(("a", "b"), cluster=cluster, hold=gate(door, timeout=20.0), max_parallel=1)
    told = []
    for second in range(1, 80):
        one.executor.later(second, lambda second=second: told.append(one.loop.hold(float(second))))
    one.carry_out()
    assert one.outcomes == {"a": "restarted", "b": "restarted"} and min(door.asked[1:]) >= 40


def test_starts_within_one_interval_share_an_answer():
    door = Door(ALWAYS)
    done = run(tuple("abcdef"), hold=gate(door), max_parallel=2).carry_out()
    assert set(done.outcomes.values()) == {"restarted"}
    assert len(door.asked) <= done.executor.clock.passed / 10 + 1


def test_a_gate_that_does_not_open_in_time_ends_the_call_when_nothing_else_is_left():
    door = Door()
    entries = [Entry(name, names=(name,), namespaces=("shop",)) for name in ("api", "web")]
    done = run(*entries, hold=gate(door, "web", timeout=60.0)).carry_out()
    assert done.outcomes == {"api": "restarted", "web": "not_started"}
    assert done.task("web").message == ('the gate "door" (a door) is closed: it did not open within 1m: it is shut')
    assert door.asked == [0, 10, 20, 30, 40, 50, 60]
    assert done.executor.clock.passed <= 61


def test_a_gate_that_can_never_open_ends_the_call_at_once():
    done = run(("api",), hold=gate(Door(dead_at=10))).carry_out()
    assert done.outcomes == {"api": "not_started"}
    assert done.task("api").message.endswith("is closed: it is walled up")
    assert done.executor.clock.passed <= 11


def test_with_on_timeout_continue_everything_starts_and_the_call_warns():
    door = Door()
    done = run(("api",), ("web",), hold=gate(door, timeout=20.0, on_timeout="continue")).carry_out()
    assert done.outcomes == {"api": "restarted", "web": "restarted"}
    assert door.asked == [0, 10, 20]
    assert done.loop.warnings == [
        'the gate "door" counts as open, because on_timeout is continue: it did not open within 20s: it is shut'
    ]


@pytest.mark.parametrize("error", [GateError("it makes no sense"), Unreachable("cannot reach it", path="/")])
def test_a_gate_that_cannot_be_asked_is_closed(error):
    done = run(("api",), hold=gate(Door(error=error), timeout=15.0)).carry_out()
    assert done.outcomes == {"api": "not_started"}
    assert done.task("api").message.endswith(f"it could not be asked: {error}")


def test_a_bug_in_a_gate_ends_the_call_with_it():
    with pytest.raises(ZeroDivisionError):
        run(("api",), hold=gate(Door(error=ZeroDivisionError()))).carry_out()


def test_a_gate_that_nothing_waits_for_is_not_asked():
    door = Door(ALWAYS)
    done = run(("api",), hold=gate(door, "another")).carry_out()
    assert done.outcomes == {"api": "restarted"} and door.asked == []


def test_what_carries_the_run_already_is_followed_without_the_gate():
    first = Run(("api", "web")).carry_out()
    door = Door()
    done = run(("api", "web"), cluster=first.cluster, hold=gate(door)).carry_out()
    assert set(done.outcomes.values()) == {"already_restarted"}
    assert door.asked == []


@pytest.mark.parametrize("groups", [(), ("0",)])
def test_what_waits_for_a_gate_is_told(groups):
    door = Door((15, 1e9))
    one = run(("api",), hold=gate(door, *groups))
    told = []
    one.executor.later(5, lambda: told.append(one.loop.hold(5.0)))
    one.carry_out()
    assert told == [('the gate "door" (a door) is closed: it is shut', None)]


def test_a_gate_holds_every_kind():
    cluster = FakeCluster([workload("StatefulSet", "db"), workload("DaemonSet", "agent")])
    kinds = ("StatefulSet", "DaemonSet")
    entry = Entry("all", kinds=kinds, names=("db", "agent"), namespaces=("shop",), optional=True)
    done = run(entry, cluster=cluster, hold=gate(Door((25, 1e9)))).carry_out()
    assert started(done) == [30, 30]


def test_an_answer_counts_only_for_what_has_waited_since_it_was_asked():
    door, clock, told = Door(ALWAYS), FakeClock(), []
    one = door.hold = AfterGate("door", Gate(door, Limits()), None, clock)
    one.wait("a", lambda verdict: told.append("a"))
    work = one.work(())
    clock.passed = 1
    one.wait("b", lambda verdict: told.append("b"))
    assert work is not None
    work.call()
    one.worked(None)
    assert told == ["a"] and one.next == 1
    one.work(()).call()
    one.worked(None)
    assert told == ["a", "b"] and one.next is None and not one.waited_for


def test_a_gate_that_nothing_waits_for_any_longer_is_not_asked():
    door, clock = Door(ALWAYS), FakeClock()
    one = AfterGate("door", Gate(door, Limits()), None, clock)
    one.wait("a", lambda verdict: None)
    one.leave("a")
    assert one.work(()) is None and one.next is None


def test_what_leaves_because_of_what_another_one_was_told_is_told_nothing():
    door, clock, told = Door(ALWAYS), FakeClock(), []
    one = door.hold = AfterGate("door", Gate(door, Limits()), None, clock)
    one.wait("a", lambda verdict: (told.append("a"), one.leave("b")))
    one.wait("b", lambda verdict: told.append("b"))
    one.work(()).call()
    one.worked(None)
    assert told == ["a"] and not one.waited_for
