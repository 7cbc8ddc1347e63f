# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the undo of a run is decided for all its clusters, and what is said of it."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.undo import UndoRequest, prepare, summary
from tests.unit.fleet.journals import answer, run

WAVES = {"a": 1, "b": 2, "c": 2}
JOURNALS = {
    "a": answer(run("chg1-12b8b775"), run("old", day=3)),
    "b": answer(run("chg1-12b8b775")),
    "c": answer(run("other", plan="db", ticket="CHG2")),
}
for number, one in enumerate(JOURNALS.values()):
    one["cluster"] = {"uid": f"uid-{number}", "host": "https://x"}


def decide(journals=None, previews=None, waves=None, hosts="abc", **request):
    given = {"run": "chg1-12b8b775", "now": "2026-11-24T23:00:00+00:00", **request}
    return prepare(
        JOURNALS if journals is None else journals, list(hosts), waves or WAVES, UndoRequest(**given), previews
    )


def entry(name, outcome="undone", message=""):
    return {
        "kind": "Deployment",
        "namespace": "shop",
        "name": name,
        "outcome": outcome,
        "message": message,
        "cause": None,
    }


def result(*entries, **more):
    return {"results": list(entries), "summary": {}, "duration": 5.2, **more}


BOTH = {"a": result(entry("web"), entry("cart")), "b": result(entry("web"), entry("cart"))}
CHANGED = entry("web", "unchanged", 'deployment "web" carries run r9; nothing to undo')
REFUSED = result(entry("web", "refused", "somebody deployed"), entry("cart"), msg="1 of 2 workloads not rolled back")


def test_the_clusters_of_the_run_are_undone_with_the_last_wave_first():
    found = decide(previews=BOTH)
    assert (found["error"], found["run_id"], found["plan"]) == (None, "chg1-12b8b775", "ca")
    assert (found["hosts"], found["serial"]) == (["b", "a"], [1, 1])
    assert found["lines"] == [
        "undo of run chg1-12b8b775 of plan ca, ticket CHG1, begun 2026-11-24T22:15:03Z",
        "clusters: b, then a",
        "on b, a:",
        "  to be undone, in this order: Deployment shop/web, Deployment shop/cart",
    ]


def test_hosts_of_one_wave_stay_together_in_the_order_of_the_inventory():
    journals = {host: {**answer(run("r1")), "cluster": {"uid": host}} for host in "abc"}
    found = decide(journals, run="r1")
    assert (found["hosts"], found["serial"]) == (["b", "c", "a"], [2, 1])


def test_a_dry_run_names_what_is_left_alone_and_why():
    found = decide(previews={"a": result(CHANGED, entry("cart")), "b": REFUSED}, check_mode=True)
    assert found["lines"][0].startswith("dry run, nothing will be changed: undo of run")
    assert found["lines"][2:] == [
        "on b:",
        "  to be undone, in this order: Deployment shop/cart",
        "  refused: Deployment shop/web (somebody deployed)",
        "on a:",
        "  to be undone, in this order: Deployment shop/cart",
        '  left alone: deployment "web" carries run r9; nothing to undo',
    ]


@pytest.mark.parametrize(
    "given, words",
    [
        (
            "chg1-12b8b776",
            "is unknown, no journal on these clusters knows it; did you mean chg1-12b8b775?\nnothing was touched",
        ),
        ("CHG2", "; it is the ticket of run other\nnothing was touched"),
        ("zzz", "; known are "),
        (0, "run: 0 is unknown"),
        (False, "run: false is not text"),
        (["old"], "is not text"),
        (None, "run is missing: give the id of the run"),
        ("", "run is missing"),
        (" ", "run is missing"),
    ],
)
def test_a_run_that_no_journal_knows_is_refused_with_what_may_be_meant(given, words):
    assert words in decide(run=given)["error"]


def test_a_run_of_two_plans_needs_the_plan():
    journals = {"a": {**answer(run("r1"), run("r1", plan="db")), "cluster": {"uid": "1"}}}
    assert (
        "is a run of the plans ca, db; nothing was touched: add -e plan=NAME"
        in decide(journals, run="r1", hosts="a")["error"]
    )
    assert decide(journals, run="r1", plan="db", hosts="a")["plan"] == "db"
    assert "no journal of plan dc" in decide(journals, run="r1", plan="dc", hosts="a")["error"]


def test_a_cluster_that_cannot_be_read_stops_everything_unless_it_may_fail():
    journals = {**JOURNALS, "b": {"msg": "no route", "results": []}}
    assert decide(journals)["error"] == "nothing was touched, because the check failed\nb: no route"
    found = decide(journals, max_failed="1")
    assert (found["hosts"], found["excluded"]) == (["a"], {"b": "no route"})
    assert "left out: b: no route" in found["lines"]


def test_a_cluster_that_fails_its_dry_run_stops_everything_unless_it_may_fail():
    previews = {**BOTH, "b": {"msg": "permission is missing", "results": [], "summary": {}}}
    assert "b: permission is missing" in decide(previews=previews)["error"]
    assert decide(previews=previews, max_failed=1)["hosts"] == ["a"]


def test_one_cluster_twice_is_refused():
    journals = {**JOURNALS, "b": {**JOURNALS["b"], "cluster": JOURNALS["a"]["cluster"]}}
    assert "are the same cluster" in decide(journals)["error"]


def test_clusters_that_the_run_has_not_begun_on_and_an_earlier_undo_are_told_of():
    taken_back = run("r1", state="undone", undone_by="bob", clusters=["a", "b"])
    journals = {"a": {**answer(taken_back), "cluster": {"uid": "1"}}, "b": answer(), "c": answer()}
    lines = decide(journals, run="r1")["lines"]
    assert "it was undone before by bob, at 2026-11-24T22:25:03Z; only what still carries the run is undone" in lines
    assert "without a journal of the run, so nothing to undo: b" in lines


def sum_up(results, **run_more):
    return summary({**decide(previews=BOTH), **run_more}, results)


def test_the_summary_has_a_line_for_each_cluster():
    told = sum_up({"b": result(entry("web"), entry("cart")), "a": result(CHANGED, entry("cart"))})
    assert (told["good"], told["failed"], told["broken"]) == (True, {}, [])
    assert told["lines"] == [
        "run chg1-12b8b775 undone",
        "b: 2 undone in 5s",
        "a: 1 undone, 1 unchanged in 5s",
        '  left alone: deployment "web" carries run r9; nothing to undo',
    ]


def test_what_somebody_deployed_is_told_of_and_does_not_stop_the_next_cluster():
    told = sum_up({"b": REFUSED, "a": result(entry("web"))})
    assert told["broken"] == []
    assert told["failed"] == {"b": "1 undone, 1 refused in 5s"}
    assert "  Deployment shop/web refused: somebody deployed" in told["lines"]
    assert not any("shop/cart" in line for line in told["lines"])
    assert told["lines"][-1].startswith("next: see above")


@pytest.mark.parametrize(
    "broken",
    [result(entry("web", "unfinished", "1 of 2 updated"), msg="x"), {"msg": "no route", "results": [], "summary": {}}],
)
def test_a_cluster_that_is_broken_stops_the_next_one(broken):
    told = sum_up({"b": broken})
    assert told["broken"] == ["b"]
    assert "a: not undone, because of b (restartx_max_failed_clusters is 0)" in told["lines"]


def test_a_lock_that_somebody_holds_comes_with_what_to_do():
    told = sum_up({"b": {"msg": "held by x", "results": [], "summary": {}, "locked": True}})
    assert "-e restartx_break_lock=REASON" in told["lines"][-1]
