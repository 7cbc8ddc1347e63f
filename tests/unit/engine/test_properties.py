# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random plans over random workloads, carried out by the whole loop in the simulation, and what holds of every one.

Judged is what the cluster saw and when each task began and ended, against the plan; never what the loop thinks.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

from hypothesis import event, given, settings
from hypothesis import strategies as st
from simulation import LATENCY, RUN, FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

TIMEOUT = 40.0
SLACK = 1e-6
UNDO = steps.UndoStep(steps.Mode(), run_id=RUN)

# What a workload is or becomes, and with which outcomes that may end where its turn comes.
FATES = {
    "well": {"restarted"},
    "restless": {"restarted"},  # changes a few times just before it is patched
    "carrying": {"already_restarted"},
    "broken": {"unfinished", "undone"},
    "denied": {"failed"},
    "paused": {"refused"},
}
PATCHES = {"restarted": 1, "unfinished": 1, "undone": 2}  # that the cluster saw, by outcome; none for the others


@dataclass
class Case:
    """A plan, the fate of each workload, and how long its rollouts take."""

    entries: list[Entry]
    fates: dict[str, str]
    takes: dict[str, float]
    settle: float
    limits: dict
    undo: bool

    def carry_out(self, **options) -> Run:
        cluster = FakeCluster(
            [self._workload(name) for name in self.fates],
            takes=self.takes,
            breaks={name for name, fate in self.fates.items() if fate == "broken"},
        )
        restless = Counter({name: 3 for name, fate in self.fates.items() if fate == "restless"})

        def stir(one):
            if restless[one["metadata"]["name"]]:
                restless[one["metadata"]["name"]] -= 1
                cluster.touch(one)

        cluster.before_patch = stir
        denied = {kinds.path("Deployment", "shop", name) for name, fate in self.fates.items() if fate == "denied"}
        cluster.fail = lambda verb, path: Forbidden("no", status=403) if verb == "patch" and path in denied else None
        options = RunOptions(undo_failed=UNDO if self.undo else None, **options)
        run = Run(*self.entries, cluster=cluster, options=options, timeout=TIMEOUT, settle=self.settle, **self.limits)
        return run.carry_out()

    def _workload(self, name: str) -> dict:
        one = deployment(name, **({restart.RUN: RUN} if self.fates[name] == "carrying" else {}))
        if self.fates[name] == "paused":
            one["spec"]["paused"] = True
        return one

    def needed(self, entry: Entry) -> set[str]:
        """The entries with workloads that must be complete before this one; an empty one hands on what it needs."""
        by_id = {other.id: other for other in self.entries}
        found = set()
        for name in entry.after:
            found |= {name} if self.members(by_id[name]) else self.needed(by_id[name])
        return found

    def members(self, entry: Entry) -> list[str]:
        return [name for name in entry.names if name in self.fates]


@st.composite
def cases(draw, fates=tuple(FATES), limits=True):
    limit = st.none() | st.integers(1, 3) if limits else st.none()
    stagger = st.sampled_from([0.0, 0.0, 1.5, 7.0]) if limits else st.just(0.0)
    entries, names = [], []
    for number in range(draw(st.integers(1, 5))):
        members = [f"w{number}-{place}" for place in range(draw(st.integers(0, 4)))]
        names += members
        after = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        entries.append(
            Entry(
                f"e{number}",
                names=tuple(members or ["absent"]),
                namespaces=("shop",),
                after=tuple(f"e{n}" for n in after),
                optional=True,
                max_parallel=draw(limit),
                stagger=draw(stagger),
            )
        )
    return Case(
        entries=draw(st.permutations(entries)),
        fates={name: draw(st.sampled_from(fates)) for name in names},
        takes={name: draw(st.sampled_from([0.5, 2.0, 5.0, 11.0, 30.0])) for name in names},
        settle=draw(st.sampled_from([0.0, 0.0, 4.0])),
        limits={
            "max_parallel": draw(limit),
            "stagger": draw(stagger),
            "failure_budget": draw(st.integers(0, 3)),
            "stop_on_failure": draw(st.booleans()),
        },
        undo=draw(st.booleans()),
    )


def most_at_once(tasks) -> int:
    """How many of the tasks were under way at the same time at most; one may begin in the instant another ends."""
    changes = sorted([(task.started + SLACK, 1) for task in tasks] + [(task.ended, -1) for task in tasks])
    most = now = 0
    for _moment, change in changes:
        now += change
        most = max(most, now)
    return most


@given(cases())
@settings(max_examples=300, deadline=None)
def test_order_limits_and_budget_hold_and_every_workload_ends_with_an_outcome(case):
    run = case.carry_out()
    tasks = {name: run.task(name) for name in case.fates}
    began = {name: task for name, task in tasks.items() if task.started is not None}
    event(f"{Counter(task.outcome for task in tasks.values())}")

    for name, task in tasks.items():
        assert task.state in ("ended", "waiting") and task.message
        assert task.outcome in (FATES[case.fates[name]] if name in began else {"not_started", "refused"})
        assert (task.outcome == "not_started") == (task.state == "waiting")
        assert task.outcome != "undone" or case.undo

    patches = Counter(name for _moment, name in run.cluster.patches)
    for name, task in tasks.items():
        assert patches[name] == PATCHES.get(task.outcome, 0)
        assert task.changed == (patches[name] > 0)

    # What carries the run already is only followed: at once, whatever it needs, and nobody waits for a turn after it.
    paced = {name: task for name, task in began.items() if case.fates[name] != "carrying"}
    assert all(began[name].started == 0 for name in began if name not in paced)
    of = {entry.id: case.members(entry) for entry in case.entries}
    for entry in case.entries:
        here = [paced[name] for name in of[entry.id] if name in paced]
        for task in here:
            for needed in case.needed(entry):
                for name in of[needed]:
                    assert tasks[name].good and tasks[name].ended <= task.started + SLACK
        assert entry.max_parallel is None or most_at_once(here) <= entry.max_parallel
        starts = sorted(task.started for task in here)
        assert all(later - earlier >= entry.stagger - SLACK for earlier, later in itertools.pairwise(starts))

    limits = case.limits
    assert limits["max_parallel"] is None or most_at_once(paced.values()) <= limits["max_parallel"]
    starts = sorted(task.started for task in paced.values())
    assert all(later - earlier >= limits["stagger"] - SLACK for earlier, later in itertools.pairwise(starts))
    bad = sorted(task.ended for task in tasks.values() if task.state == "ended" and not task.good)
    if limits["stop_on_failure"] and len(bad) > limits["failure_budget"]:
        assert all(start <= bad[limits["failure_budget"]] + SLACK for start in starts)


@given(cases(fates=("well", "carrying"), limits=False))
@settings(max_examples=150, deadline=None)
def test_without_limits_a_run_takes_as_long_as_its_longest_chain(case):
    run = case.carry_out()
    assert set(run.outcomes.values()) <= {"restarted", "already_restarted"}
    by_id = {entry.id: entry for entry in case.entries}

    def span(name):
        return LATENCY + case.takes[name] + case.settle

    def end_of(entry):
        """When an entry is complete: its longest workload after the latest of what it needs."""
        begin = max((end_of(by_id[name]) for name in entry.after), default=0.0)
        members = case.members(entry)
        ends = [begin + span(name) for name in members if case.fates[name] == "well"]
        ends += [case.settle for name in members if case.fates[name] == "carrying"]  # followed from the beginning on
        return max(ends, default=begin)

    expected = max(map(end_of, case.entries))
    assert abs(max((task.ended for task in run.loop.tasks.values()), default=0.0) - expected) < SLACK
    assert abs(run.executor.clock.passed - expected) < SLACK


@given(cases(), st.floats(0.5, 60.0))
@settings(max_examples=150, deadline=None)
def test_a_deadline_ends_any_run_soon_after_it_and_leaves_nothing_without_an_outcome(case, deadline):
    run = case.carry_out(deadline=deadline, wait_timeout=deadline)
    assert run.executor.clock.passed <= deadline + 1.0
    for task in run.loop.tasks.values():
        assert task.state in ("ended", "waiting") and task.message
        assert task.started is None or task.started <= deadline
    # Nothing is restarted after the deadline; an undo of what failed then may be sent.
    late = [name for moment, name in run.cluster.patches if moment > deadline + LATENCY + SLACK]
    assert case.undo or not late
    assert all(run.outcome(name) == "undone" for name in late)
