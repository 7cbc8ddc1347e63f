# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random plans carried out on a fake clock, and what must hold of every one of them.

The simulator keeps its own record of what started and ended; everything is judged from that record and the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace

FOREVER = 10**9
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # also on a busy machine


@dataclass
class Case:
    """A plan, and what each member will do: how long it takes, and whether it ends well."""

    groups: list[Group]
    takes: dict[str, int]
    bad: set[str]
    options: dict = field(default_factory=dict)

    @cached_property
    def group_of(self):
        return {member: group for group in self.groups for member in group.members}

    @cached_property
    def by_id(self):
        return {group.id: group for group in self.groups}

    def needed(self, group):
        """All groups that this one needs, near or far."""
        near = [self.by_id[name] for name in group.after]
        return near + [far for other in near for far in self.needed(other)]


@dataclass
class Record:
    """What happened: instants of start and end, in the order in which they came."""

    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def running(self):
        return [member for member in self.started if member not in self.ended]


@st.composite
def cases(draw, limits=True, failures=True):
    count = draw(st.integers(1, 6))
    size = st.integers(0, 4)
    own_limit = st.none() | st.integers(1, 3) if limits else st.none()
    stagger = st.sampled_from([0, 0, 1, 2.5, 7]) if limits else st.just(0)
    groups = []
    for number in range(count):
        members = tuple(f"{number}.{index}" for index in range(draw(size)))
        after = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        groups.append(Group(f"g{number}", members, tuple(f"g{n}" for n in after), draw(own_limit), draw(stagger)))
    members = [member for group in groups for member in group.members]
    return Case(
        groups=draw(st.permutations(groups)),
        takes={member: draw(st.integers(0, 20)) for member in members},
        bad={member for member in members if draw(st.integers(0, 5)) == 0} if failures else set(),
        options={
            "max_parallel": draw(own_limit),
            "stagger": draw(stagger),
            "failure_budget": draw(st.integers(0, 3)),
            "stop_on_failure": draw(st.booleans()),
        },
    )


def carry_out(case, watch):
    """Runs the case to its end; `watch` sees the record before each start and each time nothing more is due."""
    pace, record, now = Pace(case.groups, **case.options), Record(), 0.0
    while True:
        while due := pace.due(now):
            for member in due:
                watch(case, record, now, member)
                record.started[member] = now
                pace.started(member, now)
        watch(case, record, now, None)
        assert pace.running == set(record.running())
        ends = [record.started[member] + case.takes[member] for member in record.running()]
        by_time = pace.next_due(now)
        if by_time is None:
            assert pace.due(FOREVER) == []
        else:
            assert by_time > now
        instants = [instant for instant in [*ends, by_time] if instant is not None]
        assert pace.finished == (not instants)
        if not instants:
            return pace, record, now
        now = min(instants)
        ending = [member for member in record.running() if record.started[member] + case.takes[member] == now]
        for member in ending:
            record.ended[member] = now
            pace.ended(member, now, good=member not in case.bad)
        if not ending:
            assert pace.due(now), "next_due named an instant at which nothing is due"


def obstacle(case, record, now, member):
    """Why a member may not start now, read from the plan and the record alone; None when it may."""
    group = case.group_of[member]
    failed = [other for other in record.ended if other in case.bad]
    if case.options["stop_on_failure"] and len(failed) > case.options["failure_budget"]:
        return "budget"
    before = [other for needed in case.needed(group) for other in needed.members]
    if not all(other in record.ended and other not in case.bad for other in before):
        return "order"
    fellows = [other for other in record.running() if case.group_of[other] is group]
    if case.options["max_parallel"] is not None and len(record.running()) >= case.options["max_parallel"]:
        return "limit"
    if group.max_parallel is not None and len(fellows) >= group.max_parallel:
        return "limit"
    starts = list(record.started.values())
    own_starts = [at for other, at in record.started.items() if case.group_of[other] is group]
    if starts and case.options["stagger"] and now < max(starts) + case.options["stagger"]:
        return "stagger"
    if own_starts and group.stagger and now < max(own_starts) + group.stagger:
        return "stagger"
    return None


def every_start_is_allowed_and_no_start_is_put_off(case, record, now, member):
    if member is not None:
        assert obstacle(case, record, now, member) is None
        return
    for other in case.group_of:
        if other not in record.started:
            assert obstacle(case, record, now, other) is not None, other


@settings(STEADY, max_examples=400)
@given(cases())
def test_order_limits_staggering_and_budget_hold_and_nothing_waits_without_a_reason(case):
    carry_out(case, every_start_is_allowed_and_no_start_is_put_off)


def critical_path(case):
    """The longest way through the plan: of each group the longest member."""

    def end(group):
        start = max((end(case.by_id[name]) for name in group.after), default=0)
        return start + max((case.takes[member] for member in group.members), default=0)

    return max(end(group) for group in case.groups)


def look_away(case, record, now, member):
    pass


@settings(STEADY, max_examples=200)
@given(cases(limits=False, failures=False))
def test_without_limits_the_run_takes_as_long_as_its_critical_path(case):
    _pace, record, now = carry_out(case, look_away)
    assert now == critical_path(case)
    assert set(record.ended) == set(case.group_of)


@settings(STEADY, max_examples=200)
@given(cases(limits=False, failures=False), st.integers(1, 4))
def test_with_a_limit_the_run_takes_no_longer_than_the_bound_for_lists(case, limit):
    """Graham's bound holds for whatever never leaves a place empty that could be taken: with the limit m, the critical
    path c and the sum s of all work, the run takes at most s / m + c * (m - 1) / m.
    """
    case.options["max_parallel"] = limit
    _pace, _record, now = carry_out(case, look_away)
    total, longest = sum(case.takes.values()), critical_path(case)
    assert max(longest, total / limit) - 1e-9 <= now <= total / limit + longest * (limit - 1) / limit + 1e-9


@settings(STEADY, max_examples=400)
@given(cases())
def test_every_member_has_run_or_is_explained(case):
    pace, record, _now = carry_out(case, look_away)
    reasons = pace.waiting_for()
    assert set(reasons) | set(record.ended) == set(case.group_of)
    assert not set(reasons) & set(record.started)
    failed = [member for member in record.ended if member in case.bad]
    stopped = case.options["stop_on_failure"] and len(failed) > case.options["failure_budget"]
    for member, reason in reasons.items():
        culprits = [
            other for needed in case.needed(case.group_of[member]) for other in needed.members if other in failed
        ]
        event("held back" if culprits else "stopped")
        if culprits:
            assert reason.startswith("needs ")
            assert any(culprit in reason for culprit in culprits)
        else:
            assert stopped
            assert reason.startswith("stopped: ")


@settings(STEADY, max_examples=200)
@given(cases(), st.floats(0, 40))
def test_after_a_stop_from_outside_nothing_starts(case, moment):
    pace, now = Pace(case.groups, **case.options), 0.0
    first = pace.due(now)
    for member in first:
        pace.started(member, now)
    pace.stop("the window has closed")
    assert pace.due(moment) == [] and pace.next_due(moment) is None
    for member in first:
        pace.ended(member, moment, good=member not in case.bad)
    assert pace.finished
    assert set(pace.waiting_for()) == set(case.group_of) - set(first)
