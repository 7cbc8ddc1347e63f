# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which run a start of the playbook is: told over days, from what the clusters' journals say."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet import identity
from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import Asked, choose, run_id
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

NOW = datetime.datetime(2026, 11, 24, 23, 0, tzinfo=datetime.UTC)
BOTH = ("a", "b")


def header(run, state="stopped", ticket=None, clusters=BOTH, hours=1.0, **more):
    """What one cluster knows of a run that was begun so many hours ago."""
    began = NOW - datetime.timedelta(hours=hours)
    return {
        "run": run,
        "plan": "ca",
        "state": state,
        "ticket": ticket,
        "period": None,
        "clusters": list(clusters),
        "digest": "d",
        "started_at": began.isoformat(),
        "updated_at": (began + datetime.timedelta(minutes=10)).isoformat(),
        "stopped_by": None,
        "over": False,
        "done": 2,
        "total": 3,
        "changes": [],
        **more,
    }


def of(a=(), b=(), **others):
    """The runs of each cluster, the newest first."""
    return {"a": list(a), "b": list(b), **{host: list(runs) for host, runs in others.items()}}


def pick(runs, **asked):
    return choose(runs, Asked(**{"plan": "ca", "digest": "d", "now": NOW, "new_run": "new", **asked}))


def chosen(runs, **asked):
    return pick(runs, **asked)["run_id"]


CHG1 = run_id("ca", "ticket", "CHG1")
STOPPED = header(CHG1, "stopped", "CHG1")
FINISHED = header(CHG1, "finished", "CHG1")
OVER = header(CHG1, "finished", "CHG1", over=True)


def test_plan_and_ticket_are_the_run_wherever_and_whenever_it_is_started():
    assert CHG1.startswith("chg1-")
    assert chosen(of(), ticket="CHG1") == CHG1
    assert chosen(of(a=[STOPPED]), ticket="CHG1") == CHG1
    ids = {
        run_id(*key)
        for key in (("ca", "ticket", "1"), ("cb", "ticket", "1"), ("ca", "period", "1"), ("ca", "ticket", "2"))
    }
    assert len(ids) == 4
    assert run_id("ca", "ticket", "Change #7 / night shift of everybody").startswith("change-7-night-shift-")
    assert run_id("ca", "ticket", "\u2603").startswith("ticket-")


@pytest.mark.parametrize(
    "value, expected",
    [(4711, "4711"), ("4711", "4711"), (" 4711 ", "4711"), ("", None), (" ", None), (None, None), (0, "0")],
)
def test_tickets_are_compared_as_text(value, expected):
    assert identity.text(value) == expected


def test_a_ticket_that_an_earlier_version_wrote_as_a_number_is_known():
    assert chosen(of(a=[header("r1", ticket=4711)]), ticket="4711") == "r1"


@pytest.mark.parametrize(
    "runs, resumed",
    [
        (of(a=[STOPPED]), True),
        (of(a=[header(CHG1, "running", "CHG1")]), True),  # killed
        (of(a=[FINISHED]), True),  # the second cluster was never begun
        (of(a=[FINISHED], b=[STOPPED]), True),
        (of(a=[FINISHED], c=[]), True),  # a cluster is new
        (of(a=[header(CHG1, "finished", "CHG1", ["a"], over=True)]), True),  # --limit a, then all
        (of(), False),
        (of(a=[header("r9", "stopped", "CHG2")]), False),
        (of(a=[header("r9", "stopped")]), False),
    ],
)
def test_a_ticket_goes_on_until_it_is_done_on_every_cluster(runs, resumed):
    assert chosen(runs, ticket="CHG1") == CHG1
    assert pick(runs, ticket="CHG1")["resuming"] is resumed


@pytest.mark.parametrize(
    "runs",
    [
        of(a=[FINISHED], b=[FINISHED]),
        {"a": [FINISHED]},  # --limit a
        of(a=[OVER]),  # the second cluster was rebuilt, or does not answer
        of(a=[header("r9", "stopped", "CHG2", hours=0.5), OVER], b=[OVER]),  # a later run does not change it
        of(a=[header("r1", "finished", "CHG1", ["a"])], b=[header("r2", "finished", "CHG1", ["b"])]),  # parts apart
    ],
)
def test_a_ticket_that_is_done_is_not_run_again_by_accident(runs):
    with pytest.raises(RolloutError, match="ticket CHG1 was carried out already, by run .*restartx_run=new"):
        pick(runs, ticket="CHG1")
    anew = pick(runs, ticket="CHG1", requested="new")
    assert (anew["run_id"], anew["anew"], pick(runs, ticket="CHG2")["anew"]) == ("new", True, False)
    for more in ({"digest": "repaired"}, {"retry": frozenset({"failed", "undone"})}):
        assert pick(runs, ticket="CHG1", **more)["resuming"]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_run_that_was_begun_again_is_unfinished_though_another_cluster_still_says_that_it_is_over(state):
    # It was over, then restartx_retry=undone was given, and the first cluster failed.
    begun_again = {**STOPPED, "state": state}
    assert chosen(of(a=[begun_again], b=[OVER]), ticket="CHG1") == CHG1
    november = header(NOVEMBER, "finished", period="2026-11", over=True)
    again = {**november, "state": state, "over": False}
    assert pick(of(a=[again], b=[november]), period="2026-11")["complete"] is False


def test_a_rebuilt_cluster_is_done_where_a_cluster_joined_the_run_when_it_was_over():
    joined = header(CHG1, "finished", "CHG1", ["c"], over=True)  # --limit c
    with pytest.raises(RolloutError, match="was carried out already"):
        pick(of(a=[OVER], c=[joined]), ticket="CHG1")


def test_a_second_run_of_a_ticket_is_gone_on_with_once_it_was_begun():
    second = header("20261124-220000-abcdef", "stopped", "CHG1", hours=0.5)
    assert chosen(of(a=[second, OVER], b=[OVER]), ticket="CHG1") == second["run"]
    finished = {**second, "state": "finished", "over": True}
    with pytest.raises(RolloutError, match=f"by run {second['run']}"):
        pick(of(a=[finished, OVER], b=[finished, OVER]), ticket="CHG1")


def test_a_cluster_that_another_run_of_the_ticket_has_finished_is_done():
    apart = of(a=[header("r1", "stopped", "CHG1", ["a"])], b=[header("r2", "finished", "CHG1", ["b"], done=3)])
    picked = pick(apart, ticket="CHG1")
    assert (picked["run_id"], picked["others"], picked["done"], picked["total"]) == ("r1", {"b": "r2"}, 5, 6)
    assert pick(apart, ticket="CHG2")["others"] == pick(apart, ticket="CHG1", requested="new")["others"] == {}


def test_a_repaired_plan_goes_on_where_one_cluster_has_finished_the_plan_as_it_was():
    # The first cluster alone was restarted anew since, with the plan as it is now.
    anew = header("r2", "finished", "CHG1", ["a"], over=True, digest="repaired")
    picked = pick(of(a=[anew, {**OVER, "hours": 2}], b=[OVER]), ticket="CHG1", digest="repaired")
    assert (picked["run_id"], picked["others"]) == ("r2", {"b": CHG1})
    assert picked["notes"] == ["the plan has changed since: its journal does not say how"]


def test_a_cluster_goes_on_with_its_own_run_where_starts_apart_had_a_run_each():
    # The slices of a job with restartx_run=new, each of which failed.
    apart = of(
        a=[header("r1", ticket="CHG1", clusters=["a"])], b=[header("r2", ticket="CHG1", clusters=["b"], hours=2)]
    )
    picked = pick(apart, ticket="CHG1")
    assert (picked["run_id"], picked["others"], picked["total"]) == ("r1", {"b": "r2"}, 6)
    third = of(a=apart["a"], b=apart["b"], c=[])
    assert (chosen(third, ticket="CHG1"), pick(third, ticket="CHG1")["others"]) == ("r1", {"b": "r2"})


@pytest.mark.parametrize(
    "changes, words",
    [
        (["workload web added"], "the plan has changed since: workload web added"),
        ([], "the plan has changed since: its journal does not say how"),
    ],
)
def test_a_repaired_plan_goes_on_and_says_what_has_changed(changes, words):
    stopped = header(CHG1, "stopped", "CHG1", digest="before", changes=changes)
    picked = pick(of(a=[stopped]), ticket="CHG1")
    assert (picked["run_id"], picked["notes"]) == (CHG1, [words])


NOVEMBER = run_id("ca", "period", "2026-11")


def test_the_same_period_resumes_and_the_next_one_is_a_new_run():
    stopped = header(NOVEMBER, "stopped", period="2026-11", hours=200)
    assert chosen(of(a=[stopped]), period="2026-11") == NOVEMBER == chosen(of(), period="2026-11")
    december = pick(of(a=[stopped]), period="2026-12")
    assert (december["run_id"], december["resuming"]) == (run_id("ca", "period", "2026-12"), False)
    assert december["notes"] == [
        f"still unfinished: run {NOVEMBER} (no ticket); to resume it instead: -e restartx_run=ID"
    ]


def test_a_finished_period_has_nothing_left_and_is_no_mistake():
    over = header(NOVEMBER, "finished", period="2026-11", over=True)
    picked = pick(of(a=[over], b=[over]), period="2026-11")
    assert (picked["run_id"], picked["complete"]) == (NOVEMBER, True)
    (note,) = picked["notes"]
    assert note.startswith(f"period 2026-11 was carried out already, by run {NOVEMBER}, finished ")


@pytest.mark.parametrize(
    "more",
    [{"digest": "repaired"}, {"retry": frozenset({"failed", "undone"})}, {"requested": NOVEMBER}],
    ids=["repaired", "retry", "requested"],
)
def test_a_finished_period_goes_on_where_there_is_more_to_do(more):
    over = header(NOVEMBER, "finished", period="2026-11", over=True)
    picked = pick(of(a=[over], b=[over]), period="2026-11", **more)
    assert (picked["run_id"], picked["complete"]) == (NOVEMBER, False)


def test_a_rebuilt_cluster_leaves_a_finished_period_finished():
    over = header(NOVEMBER, "finished", period="2026-11", over=True)
    assert pick(of(a=[over]), period="2026-11")["complete"]


def test_a_ticket_given_beside_a_period_is_a_run_of_its_own():
    stopped = header(NOVEMBER, "stopped", period="2026-11")
    assert chosen(of(a=[stopped]), ticket="CHG1", period="2026-11") == CHG1
    ticketed = header(CHG1, "stopped", "CHG1", period="2026-11")
    assert chosen(of(a=[ticketed]), period="2026-11") == NOVEMBER


@pytest.mark.parametrize(
    "hours, more, within, taken_up",
    [
        (3, {}, None, True),
        (23, {}, None, True),
        (25, {}, None, False),
        (25, {}, 48 * 3600.0, True),
        (1, {}, 0.0, False),
        (24 * 7, {"stopped_by": "window"}, None, True),
        (24 * 9, {"stopped_by": "window"}, None, False),
        (24 * 7, {"state": "running"}, None, False),
    ],
)
def test_without_ticket_and_period_an_unfinished_run_is_taken_up_for_a_while(hours, more, within, taken_up):
    runs = of(a=[header("r1", hours=hours, **more)])
    asked = {} if within is None else {"within": within}
    picked = pick(runs, **asked)
    assert picked["run_id"] == ("r1" if taken_up else "new")
    (note,) = picked["notes"]
    assert ("this start resumes run r1" in note and "-e restartx_run=new" in note) is taken_up
    assert ("still unfinished: run r1 (no ticket)" in note) is not taken_up


def test_one_cluster_that_failed_keeps_a_run_from_waiting_for_the_next_window():
    mixed = of(a=[header("r1", hours=48, stopped_by="window")], b=[header("r1", hours=48)])
    assert chosen(mixed) == "new"


@pytest.mark.parametrize(
    "hours, stopped_by, taken_up", [(24 * 7, "window", True), (24 * 9, "window", False), (24 * 7, None, False)]
)
def test_a_wave_that_the_end_of_the_window_kept_from_beginning_waits_for_the_next_one(hours, stopped_by, taken_up):
    # The first cluster finished after the end of the window, so that the second one was never begun.
    waited = of(a=[header("r1", "finished", hours=hours, stopped_by=stopped_by)])
    assert chosen(waited) == ("r1" if taken_up else "new")


def test_a_run_that_a_later_one_has_overtaken_is_not_taken_up_unasked():
    first, second = header("r1", hours=20), header("r2", "finished", "CHG1", hours=2)
    picked = pick(of(a=[second, first], b=[second]))
    assert (picked["run_id"], picked["resuming"]) == ("new", False)
    assert picked["notes"] == ["still unfinished: run r1 (no ticket); to resume it instead: -e restartx_run=ID"]
    only_a = header("r2", "finished", clusters=["a"], hours=2)
    assert chosen(of(a=[only_a, first])) == "r1"
    assert chosen(of(a=[second, first], b=[header("r2", hours=2)])) == "r2"


def test_without_ticket_a_finished_run_is_followed_by_a_new_one():
    finished = header("r1", "finished")
    for runs in (of(a=[finished], b=[finished]), {"a": [finished]}, of(a=[{**finished, "over": True}])):
        picked = pick(runs)
        assert (picked["run_id"], picked["notes"]) == ("new", [])


def test_the_newest_unfinished_run_is_taken_up():
    assert chosen(of(a=[header("r1", hours=5)], b=[header("r2", hours=2)])) == "r2"


def test_a_run_keeps_its_ticket_when_none_is_given():
    picked = pick(of(a=[STOPPED]))
    assert (picked["run_id"], picked["ticket"]) == (CHG1, "CHG1")


def test_what_is_left_behind_for_a_month_is_not_told_of_any_longer():
    assert pick(of(a=[header("r1", hours=24 * 31)]))["notes"] == []


@pytest.mark.parametrize("requested", ["new", "r1", CHG1])
def test_what_is_requested_counts(requested):
    runs = of(a=[STOPPED, header("r1", "finished", hours=30)])
    assert chosen(runs, ticket="CHG2", requested=requested) == requested


@pytest.mark.parametrize(
    "requested, near",
    [
        ("20261124-220000-abcdee", 'did you mean "20261124-220000-abcdef"?'),
        ("NEW", 'did you mean "new"?'),
        ("new!", 'did you mean "new"?'),
        ("the-run-of-another-plan", "known are 20261124-220000-abcdef"),
    ],
)
def test_a_run_that_no_journal_knows_is_refused(requested, near):
    runs = of(a=[header("20261124-220000-abcdef")])
    for ticket in (None, "CHG1"):
        with pytest.raises(RolloutError, match="restartx_run: .* is unknown.*nothing was touched") as caught:
            pick(runs, ticket=ticket, requested=requested)
        assert near in str(caught.value)
    with pytest.raises(RolloutError, match="there is none yet"):
        pick(of(), requested="r1")


def test_an_id_that_a_dry_run_of_the_workflow_made_is_that_of_a_new_run():
    assert chosen(of(), proposed="checked") == "checked"
    assert chosen(of(), ticket="CHG1", proposed="checked") == "checked"
    assert chosen(of(a=[STOPPED]), ticket="CHG1", proposed="checked") == CHG1


def test_an_earlier_job_of_the_workflow_does_not_give_its_run_to_another_ticket():
    earlier = of(a=[OVER], b=[OVER])
    assert chosen(earlier, ticket="CHG2", proposed=CHG1) == run_id("ca", "ticket", "CHG2")
    picked = pick(earlier, proposed=CHG1)
    assert (picked["run_id"], picked["resuming"]) == (CHG1, True)


def test_progress_is_counted_over_the_clusters_of_the_run():
    picked = pick(of(a=[STOPPED], b=[{**FINISHED, "done": 3}]), ticket="CHG1")
    assert {name: picked[name] for name in ("resuming", "done", "total", "ticket")} == {
        "resuming": True,
        "done": 5,
        "total": 6,
        "ticket": "CHG1",
    }


# -- a run that was undone -------------------------------------------------------------------------------------------


def undone(run, state="undone", **more):
    return header(run, state, over=True, **{"undone_by": "bob", "operator": "ada", **more})


@pytest.mark.parametrize("state", ["undone", "undoing"])
def test_a_ticket_whose_run_was_undone_is_refused_also_on_clusters_that_it_had_not_begun_on(state):
    taken_back = undone(CHG1, state, ticket="CHG1")
    for runs in (of(a=[taken_back], b=[taken_back]), of(a=[taken_back], b=[FINISHED]), of(a=[taken_back])):
        with pytest.raises(
            RolloutError, match=f"ticket CHG1: its run {CHG1} was undone by bob, at .*; nothing was touched"
        ):
            pick(runs, ticket="CHG1")


def test_a_repaired_plan_does_not_bring_back_what_was_undone():
    with pytest.raises(RolloutError, match="was undone by bob"):
        pick(of(a=[undone(CHG1, ticket="CHG1")]), ticket="CHG1", digest="another")


def test_what_was_undone_is_taken_up_again_when_a_person_asks_for_it():
    runs = of(a=[undone(CHG1, ticket="CHG1")])
    assert chosen(runs, ticket="CHG1", retry=frozenset({"failed", "undone"})) == CHG1
    assert chosen(runs, ticket="CHG1", requested="new") == "new"
    assert chosen(runs, requested=CHG1) == CHG1


def test_a_schedule_touches_nothing_in_a_period_whose_run_was_undone():
    found = pick(of(a=[undone("nov", period="2026-11")]), period="2026-11")
    assert (found["run_id"], found["complete"]) == ("nov", True)
    assert "its run nov was undone by bob" in found["notes"][0]


def test_without_a_ticket_a_run_that_was_undone_is_neither_resumed_nor_listed_as_unfinished():
    found = pick(of(a=[undone("r1")]))
    assert (found["run_id"], found["notes"]) == ("new", [])


def test_a_part_that_was_not_undone_goes_on():
    found = pick(of(a=[undone(CHG1, ticket="CHG1")], b=[STOPPED]), ticket="CHG1")
    assert (found["run_id"], found["complete"]) == (CHG1, False)
