# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Results as a table: each workload on one line of the terminal."""

from __future__ import annotations

import datetime

import pytest
from simulation import deployment

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.fleet import table
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds

NOW = datetime.datetime(2026, 11, 24, 22, 15, tzinfo=datetime.UTC)
CAUSE = {
    "code": "image_pull",
    "reason": "ImagePullBackOff",
    "sentence": "container main cannot get its image",
    "advice": "check its name: kubectl --context eu-west describe pod web-1 --namespace shop",
    "log": [],
}


def entry(name="api", outcome="rolled_out", **changes):
    """An entry of the results, as the modules make it."""
    one = deployment(name)
    task = Task(key=kinds.key(one), group="", object=one, step=steps.StatusStep())
    return {**task.result(), "outcome": outcome, "risks": [], "message": "words", **changes}


def result(*entries, **more):
    return {"results": list(entries), "summary": {}, "cluster": {"context": "eu-west"}, "run_id": None, **more}


def shown(*entries, width=80, **more):
    return table.lines(result(*entries, **more), width, NOW)


def test_a_workload_that_is_well_is_one_short_line():
    heading, row, blank, total = shown(entry(last_progress="2026-11-24T22:03:00Z"))
    assert heading.split() == ["KIND", "NAMESPACE/NAME", "OUTCOME", "NEW", "READY", "AGE"]
    assert row.split() == ["Deployment", "shop/api", "rolled_out", "2", "2/2", "12m"]
    assert (blank, total) == ("", "eu-west: 1 rolled out")


def test_columns_are_aligned():
    heading, first, second, *_rest = shown(entry("a"), entry("payment-service", "in_progress"))
    place = heading.index("OUTCOME")
    assert first[place:].startswith("rolled_out") and second[place:].startswith("in_progress")


@pytest.mark.parametrize(
    "times, age",
    [
        ({"finished_at": "2026-11-24T22:14:30Z", "started_at": "2026-11-24T21:00:00Z"}, "30s"),
        ({"started_at": "2026-11-24T21:00:00Z", "last_progress": "2026-11-01T21:00:00Z"}, "1h"),
        ({"last_progress": "2026-11-04T22:15:00Z"}, "20d"),
        ({"last_progress": "2026-11-24T23:15:00+01:00"}, "0s"),
        ({"last_progress": "2026-11-24T22:15:01Z"}, "0s"),  # a clock that is ahead of ours
    ],
)
def test_the_age_counts_from_the_end_of_the_rollout_or_from_what_is_known_of_it(times, age):
    _heading, row, *_rest = shown(entry(**times))
    assert row.split()[-1] == age


def test_the_cause_is_short_in_the_line_and_whole_below_with_its_command():
    lines = shown(entry("web", "failed", cause=CAUSE), entry("api"), msg="1 of 2 workloads not rolled out")
    assert lines[1].endswith("ImagePullBackOff")
    assert lines[-2:] == [
        "Deployment shop/web failed: container main cannot get its image",
        f"  {CAUSE['advice']}",
    ]


def test_a_cause_of_a_rollout_that_is_still_in_progress_is_told_too():
    assert "Deployment shop/web in_progress: container main cannot get its image" in shown(
        entry("web", "in_progress", cause=CAUSE)
    )


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"missing": "2 old pods are still terminating"}, "2 old pods are still terminating"),
        ({"outcome": "refused", "message": 'deployment "api" in namespace "shop" is\npaused'}, "  is paused"),
        ({"outcome": "reported_by_a_later_version", "message": "new words"}, "new words"),
    ],
)
def test_without_a_cause_the_line_says_what_is_missing_or_why_nothing_was_done(changes, words):
    assert shown(entry(**changes), width=200)[1].endswith(words)


def test_risks_are_short():
    risks = [
        "it is paused: no pod is replaced until it is resumed",
        "no container has a readiness probe: a new pod counts as ready as soon as it runs",
        "its only pod may be stopped before a successor is ready",
    ]
    row = shown(entry(risks=risks), width=200)[1]
    assert row.endswith("paused, no readiness probe, only pod may be stopped before a successor is ready")


def test_a_dry_run_is_told_as_one():
    lines = table.lines(result(entry(outcome="restarted"), run_id="r1"), 80, NOW, check_mode=True)
    assert lines[-1] == "eu-west, dry run: 1 to be restarted"


def test_a_long_cause_leaves_room_for_risks():
    risks = ["no container has a preStop hook: words"]
    _heading, row, *_rest = shown(entry(missing="m" * 100, risks=risks), width=100)
    assert row.endswith("m…  no preStop hook") and len(row) <= 100


def test_the_run_is_told_as_it_is_needed_to_undo():
    assert "eu-west, run r1: 1 restarted in 21s" in shown(entry(outcome="restarted"), run_id="r1", duration=21.2)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_200_workloads_are_200_lines_none_wider_than_the_terminal(width):
    risks = ["no container has a readiness probe: words", "no container has a preStop hook: words"]
    entries = [
        entry(f"service-with-a-long-name-{number:03}", "in_progress", cause=CAUSE, risks=risks, missing="words " * 20)
        for number in range(200)
    ]
    lines = shown(*entries, width=width)
    assert lines[201] == ""
    assert max(map(len, lines[:201])) <= width
    names = {line.split()[1] for line in lines[1:201] if len(line.split()) > 1}
    assert names == {f"shop/{one['name']}" for one in entries} or width < 80


def test_free_text_is_cut_before_names_are():
    name = "service-with-a-name-that-is-long"
    cut = shown(entry(name, cause=CAUSE, risks=["no container has a preStop hook: words"]), width=75)
    assert f"shop/{name}" in cut[1]
    assert "RISKS" not in cut[0]


def test_a_long_name_is_cut_only_if_nothing_else_is_left_to_cut():
    (_heading, row, *_rest) = shown(entry("n" * 100, last_progress="2026-11-24T22:03:00Z"), width=80)
    assert len(row) == 80 and "n…  rolled_out" in row and row.endswith("12m")


@pytest.mark.parametrize(
    "other",
    [
        {"results": []},
        {"results": [{"item": "a", "changed": False}]},  # of a loop
        {"results": ["installed"]},
        {"results": "text"},
        {"msg": "no results"},
        result({**entry(), "revisions": []}),
    ],
)
def test_what_is_no_list_of_workloads_is_no_table(other):
    assert not table.is_table(other)
    assert table.is_table(result(entry()))
