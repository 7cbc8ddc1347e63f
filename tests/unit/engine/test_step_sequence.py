# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a task follow one another: each after one that went well, and after a failure only those meant for it."""

from __future__ import annotations

from simulation import RUN, FakeCluster, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart

RESUME = steps.PauseStep(steps.Mode(), paused=False)
PAUSE = steps.PauseStep(steps.Mode(), paused=True)
UNDO = RunOptions(undo_failed=steps.UndoStep(steps.Mode(), run_id=RUN))


def paused(name):
    one = deployment(name)
    one["spec"]["paused"] = True
    return one


def generations(run, name):
    return run.workload(name)["metadata"]["generation"]


def test_the_second_step_follows_the_first_that_went_well():
    run = Run(("api",), then=[PAUSE]).carry_out()
    assert run.outcome("api") == "paused"
    assert run.workload("api")["spec"]["paused"] is True
    assert restart.run_of(run.workload("api")) == RUN
    assert run.patched == ["api", "api"]
    assert run.cluster.patches[1][0] >= run.cluster.takes  # after the rollout of the first


def test_a_step_with_nothing_to_do_is_followed_by_the_next_in_its_turn():
    cluster = FakeCluster([deployment("a"), deployment("b")])
    run = Run(("a",), ("b",), cluster=cluster, step=RESUME, then=[PAUSE], options=RunOptions(wait=False)).carry_out()
    assert run.outcomes == {"a": "paused", "b": "paused"}
    assert run.patched == ["a", "b"]


def test_nothing_follows_a_step_that_was_refused():
    run = Run(("api",), cluster=FakeCluster([paused("api")]), then=[RESUME]).carry_out()
    assert run.outcome("api") == "refused"
    assert run.patched == []


def test_after_a_failure_only_what_is_meant_for_it_follows():
    cluster = FakeCluster([deployment("api")], breaks={"api"})
    run = Run(("api",), cluster=cluster, timeout=30.0, then=[PAUSE], options=UNDO).carry_out()
    assert run.outcome("api") == "undone"
    assert run.workload("api")["spec"].get("paused") is None
    assert run.patched == ["api", "api"]


def test_where_all_went_well_what_is_meant_for_a_failure_is_left_out():
    run = Run(("api",), options=UNDO).carry_out()
    assert (run.outcome("api"), run.patched) == ("restarted", ["api"])


def test_a_call_that_is_cut_short_begins_no_further_step():
    options = RunOptions(deadline=5.0, wait_timeout=5.0)
    run = Run(("api",), then=[PAUSE], options=options).carry_out()
    assert (run.outcome("api"), run.patched) == ("unfinished", ["api"])


def test_the_difference_that_is_shown_is_that_of_all_steps_together():
    run = Run(("api",), cluster=FakeCluster([paused("api")]), step=RESUME, then=[PAUSE], options=RunOptions(wait=False))
    run.carry_out()
    before, after = run.task("api").diff
    assert "spec" not in before and "spec" not in after
