# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An undo after a failure and k8s_rollout_undo have the same options. A new option of one is decided for the other."""

from __future__ import annotations

import dataclasses
from unittest import mock

import calling
import pytest
from simulation import FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline

RESTART, UNDO = (calling.of_module(f"k8s_rollout_{verb}")[1] for verb in ("restart", "undo"))
ONLY_RESTART = {
    **dict.fromkeys(("reason", "ticket", "operator", "change_cause", "annotations"), "is written by a restart"),
    **dict.fromkeys(("plan", "workloads"), "the journal names the workloads of a run, and their order"),
    **dict.fromkeys(("max_parallel", "stagger", "settle"), "of many workloads; an undo of a run has those of its plan"),
    "between_pods": "the plan in the journal says how the pods of a run are evicted",
    **dict.fromkeys(("failure_budget", "fail_fast", "on_failure", "undo_scope"), "is about failures of restarts"),
    **dict.fromkeys(
        ("window", "gate_auth", "bake", "wave_gates", "budgets"),
        "an undo repairs, and waits for no window, gate or budget",
    ),
}
ONLY_UNDO = {"to_revision": "after a failure, only the restart itself is undone"}
OF_ITS_OWN = {
    "kind": "by default, the undo of a run includes all kinds",
    "journal": "a restart writes it, and an undo reads it",
}


def test_an_option_of_one_is_an_option_of_the_other_or_there_is_a_reason():
    assert set(RESTART) - set(UNDO) == set(ONLY_RESTART)
    assert set(UNDO) - set(RESTART) == set(ONLY_UNDO)


@pytest.mark.parametrize("name", sorted((set(RESTART) & set(UNDO)) - set(OF_ITS_OWN)))
def test_an_option_that_both_have_is_the_same(name):
    assert RESTART[name] == UNDO[name]


def after_a_failure(**options):
    """The step and the options of the call with which a restart undoes what failed."""
    with mock.patch.object(pipeline, "Loop", side_effect=Seen) as loop, pytest.raises(Seen):
        call("k8s_rollout_restart", on_failure="undo", run_id="r1", **options)
    options = loop.call_args.args[3]
    return options.undo_failed, options, loop.call_args.args[0]


def of_undo(**options):
    """The same of k8s_rollout_undo."""
    with mock.patch.object(pipeline, "Loop", side_effect=Seen) as loop, pytest.raises(Seen):
        call("k8s_rollout_undo", run_id="r1", **options)
    tasks = loop.call_args.args[0]
    return tasks[0].step, loop.call_args.args[3], tasks


class Seen(Exception):
    """The loop would begin now."""


def call(module, **options):
    cluster = FakeCluster([deployment("api", **{"restartx.io/run": "r1"})])
    calling.run(module, cluster, namespace="shop", kind=["Deployment"], **options)


GIVEN = [
    {},
    {"allow_owned": True},
    {"delete_stuck_pods": True},
    {"field_manager": "team"},
    {"logs": False},
    {"timeout": "7m"},
    {"grace": "9s"},
    {"wait_timeout": "1h"},
    {"wait": False},
]


@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_both_carry_out_an_undo_in_the_same_way(given):
    (step, options, tasks), (undo, of_call, undone) = after_a_failure(**given), of_undo(**given)
    assert isinstance(undo, steps.UndoStep)
    assert step == undo
    for name in ("wait", "wait_timeout", "logs"):
        assert getattr(options, name) == getattr(of_call, name)
    for name in ("timeout", "grace"):
        assert [getattr(task, name) for task in tasks] == [getattr(task, name) for task in undone]


def test_every_field_of_the_step_that_an_option_sets_is_tried():
    set_by_options = {field.name for field in dataclasses.fields(steps.UndoStep)} - {
        "mode",  # field_manager, and check mode
        "to_revision",
        "run_id",
        "releases",  # from the journal
        "partition",
        "canaries",  # from the journal
        "kept",  # from the gates of the run, and journal.across_gates
    }
    assert set_by_options == {"allow_owned", "delete_stuck_pods"}
