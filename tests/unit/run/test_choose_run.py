# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which run a start of the playbook is."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run.journal import choose_run


def journal(run, state, ticket=None, clusters=("a", "b"), digest="d", started_at="2026-11-24T22:00:00Z"):
    return {
        "run": run,
        "state": state,
        "ticket": ticket,
        "clusters": list(clusters),
        "digest": digest,
        "started_at": started_at,
        "updated_at": "2026-11-24T22:10:00Z",
        "workloads": {"x": {"outcome": "restarted"}, "y": {"outcome": "already_restarted"}, "z": {"outcome": "failed"}},
    }


def choose(journals, ticket=None, requested=None):
    return choose_run(journals, "d", ticket, requested, "new")


STOPPED, FINISHED = journal("r1", "stopped", "CHG1"), journal("r1", "finished", "CHG1")


@pytest.mark.parametrize(
    "journals, ticket, run",
    [
        ({"a": None, "b": None}, "CHG1", "new"),
        ({"a": STOPPED, "b": None}, "CHG1", "r1"),
        ({"a": STOPPED, "b": None}, None, "r1"),
        ({"a": STOPPED, "b": None}, "CHG2", "new"),  # another reason: all is to be restarted
        ({"a": journal("r1", "running", "CHG1"), "b": None}, "CHG1", "r1"),
        ({"a": FINISHED, "b": None}, "CHG1", "r1"),  # the second cluster was never begun
        ({"a": FINISHED, "b": STOPPED}, "CHG1", "r1"),
        ({"a": FINISHED, "b": FINISHED}, None, "new"),
        ({"a": FINISHED, "b": FINISHED}, "CHG2", "new"),
        ({"a": FINISHED}, None, "new"),  # the other cluster is not asked now
        ({"a": FINISHED, "b": journal("r0", "finished", "CHG1")}, "CHG1", "r1"),
        ({"a": journal("r1", "stopped", "CHG1", digest="other"), "b": None}, "CHG1", "new"),
        ({"a": journal("r1", "stopped"), "b": journal("r2", "stopped", started_at="2026-11-25T22:00:00Z")}, None, "r2"),
    ],
)
def test_an_unfinished_run_of_the_same_plan_and_ticket_is_resumed_else_a_new_one_begins(journals, ticket, run):
    assert choose(journals, ticket)["run_id"] == run


@pytest.mark.parametrize("requested, run", [("new", "new"), ("r1", "r1"), ("r7", "r7"), ("", "r1")])
def test_what_is_requested_counts(requested, run):
    assert choose({"a": STOPPED, "b": None}, "CHG1", requested)["run_id"] == run


def test_a_ticket_whose_run_is_finished_is_not_run_again_by_accident():
    done = {"a": FINISHED, "b": FINISHED}
    with pytest.raises(RolloutError, match="ticket CHG1 was carried out already, by run r1.*restartx_run=new"):
        choose(done, "CHG1")
    assert choose(done, "CHG1", "new")["run_id"] == "new"
    assert choose(done, "CHG1", "r1")["run_id"] == "r1"


def test_progress_is_counted_over_the_clusters_of_the_run():
    chosen = choose({"a": STOPPED, "b": FINISHED})
    assert {name: chosen[name] for name in ("resuming", "done", "total", "ticket", "warning")} == {
        "resuming": True,
        "done": 4,
        "total": 6,
        "ticket": "CHG1",
        "warning": None,
    }


def test_a_cluster_that_another_run_of_the_ticket_has_finished_is_done():
    apart = {"a": journal("r1", "stopped", "CHG1", ["a"]), "b": journal("r2", "finished", "CHG1", ["b"])}
    chosen = choose(apart, "CHG1")
    assert (chosen["run_id"], chosen["others"], chosen["done"], chosen["total"]) == ("r1", {"b": "r2"}, 4, 6)
    assert choose(apart, "CHG2")["others"] == {}
    assert choose(apart, "CHG1", "new")["others"] == {}
    assert choose(apart, "CHG1", "r1")["others"] == {}
    assert choose(apart)["others"] == {}


def test_a_ticket_that_was_carried_out_on_a_part_of_the_clusters_is_begun_on_the_others():
    chosen = choose({"a": None, "b": journal("r2", "finished", "CHG1", ["b"])}, "CHG1")
    assert (chosen["run_id"], chosen["others"]) == ("new", {"b": "r2"})
    with pytest.raises(RolloutError, match="was carried out already"):
        choose({"a": None, "b": journal("r2", "finished", "CHG1", ["b"], digest="other")}, "CHG1")


def test_a_run_that_is_left_behind_is_named():
    assert choose({"a": STOPPED, "b": None}, "CHG2")["warning"] == "unfinished and now left behind: run r1 (CHG1)"
