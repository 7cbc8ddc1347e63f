# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in progress at once, against a reading of small plans that tries all that may be."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.preflight.limits import Limits, only_by_surge, surge
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule import graph
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from tests.unit.preflight.scenes import FREEING, made


class Case:
    """Entries with weights of their workloads, and what waits for what."""

    def __init__(self, weights, after, max_parallel=None, of_entry=None):
        self.workloads, self.weights, entry_of = [], {}, {}
        for entry, members in weights.items():
            for place, weight in enumerate(members):
                one = made(name=f"{entry}{place}")
                self.workloads.append(one)
                self.weights[one["metadata"]["name"]] = weight
                entry_of[kinds.key(one)] = entry
        self.by_entry = weights
        self.before = graph.before([Entry(entry, after=tuple(after.get(entry, ()))) for entry in weights])
        self.limits = Limits(max_parallel, entry_of, of_entry or {}, self.before)

    def weight(self, workload):
        return Decimal(self.weights[workload["metadata"]["name"]])

    def reckoned(self):
        return sum(map(self.weight, self.limits.at_once(self.workloads, self.weight)), Decimal(0))

    def tried(self):
        """The heaviest of all sets of entries of which none waits for another."""
        best = 0
        for size in range(len(self.by_entry) + 1):
            for chosen in itertools.combinations(self.by_entry, size):
                if any(one in self.before[other] for one in chosen for other in chosen):
                    continue
                members = []
                for entry in chosen:
                    ordered = sorted(self.by_entry[entry], reverse=True)
                    members += ordered[: self.limits.of_entry.get(entry)]
                best = max(best, sum(sorted(members, reverse=True)[: self.limits.max_parallel]))
        return best


@st.composite
def cases(draw, shape="any"):
    names = "abcdef"[: draw(st.integers(1, 6))]
    weights = {name: draw(st.lists(st.integers(0, 9), max_size=4)) for name in names}
    after = {}
    for place, name in enumerate(names):
        earlier = names[:place]
        if shape == "chain":
            after[name] = earlier[-1:]
        elif shape == "any":
            after[name] = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
    limit = st.none() | st.integers(1, 5)
    of_entry = {name: found for name in names if (found := draw(limit))}
    return Case(weights, after, draw(limit), of_entry)


@given(cases())
def test_never_less_than_what_may_be_in_progress_at_once(case):
    assert case.reckoned() >= case.tried()


@given(cases("chain"))
def test_exactly_that_where_entries_wait_for_each_other(case):
    assert case.reckoned() == case.tried()


@given(cases("independent"))
def test_exactly_that_where_none_waits(case):
    assert case.reckoned() == case.tried()


def test_one_heavy_workload_counts_more_than_many_light_ones_that_are_not_let_in():
    assert Case({"a": [1] * 10, "b": [5]}, {"b": "a"}, max_parallel=1).reckoned() == 5


def test_workloads_of_no_entry_are_all_at_once():
    workloads = [made(name="a"), made(name="b")]
    assert len(Limits().at_once(workloads, lambda one: Decimal(1))) == 2


@pytest.mark.parametrize(
    "workload, extra, only",
    [
        (made(), 1, True),
        (made(pods=3, strategy={"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}), 2, True),
        (made(strategy={"rollingUpdate": {"maxSurge": "300%", "maxUnavailable": 0}}), 2, True),
        (made(strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}), 1, False),
        (made(strategy=FREEING), 0, False),
        (made(pods=0), 0, False),
        (made(strategy={"type": "Recreate"}), 0, False),
        (made("StatefulSet"), 0, False),
        (made("DaemonSet"), 0, False),
        (made("DaemonSet", strategy={"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}), 2, True),
    ],
)
def test_what_a_rollout_creates_beside_the_old_pods(workload, extra, only):
    assert (surge(workload), only_by_surge(workload)) == (extra, only)
