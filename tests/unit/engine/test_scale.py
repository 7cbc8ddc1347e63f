# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run costs, counted and not timed: twice as many workloads are twice the work."""

from __future__ import annotations

import sys

import calling
import pytest
from simulation import DEFAULTS, Executor, FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

FEW, MANY = 60, 240


def one_entry(names):
    return [Entry("all", names=names, namespaces=("shop",))]


def a_chain_of_tens(names):
    tens = [names[start : start + 10] for start in range(0, len(names), 10)]
    after = [(), *((str(place),) for place in range(len(tens) - 1))]
    return [Entry(str(place), names=ten, namespaces=("shop",), after=after[place]) for place, ten in enumerate(tens)]


def an_entry_each(names):
    return [
        Entry(name, names=(name,), namespaces=("shop",), after=(names[place // 2],) if place else ())
        for place, name in enumerate(names)
    ]


def steps_of(count, entries_of, options=DEFAULTS, **limits):
    """How many lines of the product's code run for so many workloads, from selection to results."""
    names = tuple(f"w{number:04}" for number in range(count))
    cluster = FakeCluster([deployment(name) for name in names])
    lines = 0

    def trace(frame, event, _argument):
        nonlocal lines
        if "module_utils" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run = Run(*entries_of(names), cluster=cluster, options=options, **limits).carry_out()
        [task.result() for task in run.loop.tasks.values()]
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize(
    "limits",
    [{}, {"max_parallel": 7}, {"max_parallel": 7, "stagger": 0.1}],
    ids=["no limits", "a limit", "a limit and staggering"],
)
@pytest.mark.parametrize("entries_of", [one_entry, a_chain_of_tens, an_entry_each])
def test_work_grows_with_the_number_of_workloads_and_not_faster(entries_of, limits):
    few, many = (steps_of(count, entries_of, **limits) for count in (FEW, MANY))
    assert many <= few * (MANY / FEW) * 1.25


def test_a_call_cut_short_is_no_more_work():
    options = RunOptions(deadline=25.0, wait_timeout=25.0)
    few, many = (steps_of(count, a_chain_of_tens, options=options) for count in (FEW, MANY))
    assert many <= few * (MANY / FEW) * 1.25


def test_two_hundred_workloads_are_restarted_with_two_hundred_and_a_few_requests():
    cluster = FakeCluster([deployment(f"w{number}") for number in range(200)])
    Executor(cluster)
    result = calling.run("k8s_rollout_restart", cluster, namespace="shop", max_parallel=20)
    assert result["summary"] == {"restarted": 200}
    # One for the cluster's identity and one list; the watch comes on top.
    assert cluster.requests == 202
