# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of past and present runs."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.books import NEWEST, listing
from tests.unit.fleet.journals import answer, run


def table(answers, hosts=("a", "b"), **options):
    found = listing(answers, list(hosts), **options)
    assert found["error"] is None
    return found["lines"]


def test_a_line_for_each_run_and_cluster_the_newest_run_first():
    old, new = run("r1", day=20), run("r2", plan="db", day=24, ticket=None, operator=None)
    assert table({"a": answer(new, old), "b": answer(old, new)}) == [
        "BEGUN (UTC)       PLAN  RUN  CLUSTER  STATE     WHO  TICKET  WORKLOADS",
        "2026-11-24 22:15  db    r2   a        finished  -    -       3 restarted",
        "2026-11-24 22:15  db    r2   b        finished  -    -       3 restarted",
        "2026-11-20 22:15  ca    r1   a        finished  ada  CHG1    3 restarted",
        "2026-11-20 22:15  ca    r1   b        finished  ada  CHG1    3 restarted",
    ]


def test_lines_end_without_a_space():
    assert not [line for line in table({"a": answer(run("r1", ticket=None))}) if line != line.rstrip()]


def states(lines):
    return [line.split()[5:] for line in lines[1:]]


@pytest.mark.parametrize(
    "state, lock, shown",
    [
        ("running", {"plan": "ca", "run": "r1"}, "running"),
        ("running", {"plan": "ca", "run": None}, "running"),
        ("running", {"plan": "ca", "run": "r2"}, "interrupted"),
        ("running", {"plan": "db", "run": "r1"}, "interrupted"),
        ("running", None, "interrupted"),
        ("undoing", {"plan": "ca", "run": "r1"}, "undoing"),
        ("undoing", None, "undo interrupted"),
        ("stopped", None, "stopped"),
    ],
)
def test_a_run_that_nobody_carries_out_any_more_was_interrupted(state, lock, shown):
    locks = [lock] if lock else []
    (line,) = table({"a": answer(run("r1", state=state, over=True), locks=locks)}, hosts=["a"])[1:]
    assert f"a        {shown}  " in line


def test_a_run_that_waits_for_a_gate_says_so_below_the_table():
    closed = {"errors": 'the gate "errors" (a door) is closed: it is shut'}
    waiting, over = run("r1", state="stopped", waits_for=closed), run("r2", over=True, waits_for=closed)
    lines = table({"a": answer(waiting, over)}, hosts=["a"])
    assert lines[3:] == ['run r1 on a waits: the gate "errors" (a door) is closed: it is shut']


def test_a_cluster_on_which_the_run_has_not_begun_is_shown_as_such():
    lines = table({"a": answer(run("r1", state="stopped", counts={"failed": 1, "not_started": 2})), "b": answer()})
    assert lines[1].endswith("1 failed, 2 not started")
    assert lines[2].split()[:5] == ["-", "ca", "r1", "b", "not"]
    assert len(table({"a": answer(run("r1", over=True)), "b": answer()})) == 2


def test_who_undid_a_run_is_shown():
    (line,) = table(
        {"a": answer(run("r1", state="undone", undone_by="bob", over=True, counts={"undone": 3}))}, hosts=["a"]
    )[1:]
    assert "undone  bob (undone)  CHG1    3 undone" in line


def test_a_split_journal_of_an_earlier_version_tells_how_many_are_done():
    assert table({"a": answer(run("r1", counts={}, over=True, done=400, total=900))})[1].endswith("400 of 900 done")


def test_only_the_newest_lines_are_shown_and_how_to_see_more():
    runs = [run(f"r{number:02}", clusters=["a"], day=number) for number in range(1, 29)]
    lines = table({"a": answer(*runs)}, hosts=["a"])
    assert len(lines) == NEWEST + 2
    assert lines[-1] == "8 older lines are not shown; for more: -e newest=100, or -e plan=NAME for one plan"
    assert lines[1].split()[3] == "r28"
    assert len(table({"a": answer(*runs)}, hosts=["a"], newest="all")) == 29
    for two in (2, "2"):
        assert len(table({"a": answer(*runs)}, hosts=["a"], newest=two)) == 4
    for nothing in (None, "", " "):
        assert len(table({"a": answer(*runs)}, hosts=["a"], newest=nothing)) == NEWEST + 2


@pytest.mark.parametrize("newest", [0, -1, False, True, "many", [5]])
def test_a_number_of_lines_that_is_none_is_refused(newest):
    error = listing({"a": answer(run("r1"))}, ["a"], newest=newest)["error"]
    assert error.startswith("newest: ") and error.endswith("write a number of lines, or all")


def test_a_plan_narrows_the_table():
    answers = {"a": answer(run("r1"), run("r2", plan="db"))}
    assert [line.split()[2] for line in table(answers, hosts=["a"], plan="db")[1:]] == ["db"]
    assert len(table(answers, hosts=["a"], plan="")) == 3


@pytest.mark.parametrize(
    "plan, words",
    [
        (
            "rotate-internal-cas",
            "plan: no journal on these clusters is of plan rotate-internal-cas; leave plan out to see all; did you mean rotate-internal-ca?",
        ),
        ("x", "; known are db, rotate-internal-ca"),
        (True, "plan: true is not text"),
        (["db"], "is not text"),
        (0, "no journal on these clusters is of plan 0"),
    ],
)
def test_an_unknown_plan_is_refused_with_what_may_be_meant(plan, words):
    answers = {"a": answer(run("r1", plan="rotate-internal-ca"), run("r2", plan="db"))}
    assert words in listing(answers, ["a"], plan=plan)["error"]


def test_a_cluster_that_does_not_answer_is_named_and_fails():
    found = listing({"a": answer(run("r1")), "b": {"msg": "no route", "results": []}}, ["a", "b", "c"])
    assert found["failed"] == {"b": "no route", "c": "it could not be reached"}
    assert found["lines"][-2:] == ["could not be read: b: no route", "could not be read: c: it could not be reached"]
    assert not any("not started" in line for line in found["lines"])


def test_nothing_to_show_is_said():
    assert table({"a": answer(), "b": answer()}) == ["no journal of a run was found"]
