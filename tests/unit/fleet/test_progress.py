# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people see of the progress of all clusters, from the lines that modules write."""

from __future__ import annotations

import json

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.progress import REMIND_EVERY, Progress


class Lines:
    """The lines of one cluster's module, with counts that are right."""

    def __init__(self, total=3, host="eu-west"):
        self.host = host
        self.counts = {"total": total, "done": 0, "failed": 0, "active": 0}

    def line(self, event, **fields):
        return {"host": self.host, "event": event, **fields, **self.counts}

    def begin(self, doing="restarting", run="r1"):
        return self.line("begin", doing=doing, run=run)

    def start(self, name, text="0 of 3 new pods", before="acting", state="watching"):
        self.counts["active"] += 1
        return self.change(name, text, before, state)

    def change(self, name, text, before="watching", state="watching", **more):
        more = {"undoing": False, "earlier": False, **more}
        return self.line("task", name=name, before=before, state=state, text=text, **more)

    def end(self, name, outcome="restarted", good=True, text="", earlier=False, started=True):
        self.counts["active"] -= started
        self.counts["done" if good else "failed"] += 1
        return self.change(name, text, state="ended", outcome=outcome, good=good, earlier=earlier)

    def hold(self, text, seconds=None):
        return self.line("hold", text=text, seconds=seconds)


@pytest.fixture
def lines():
    return Lines()


def board_of(progress, host="eu-west"):
    return progress.boards[host]


def test_each_change_of_state_is_one_line_and_nothing_else_is(lines):
    progress = Progress()
    told = [
        progress.take(line, now)
        for now, line in enumerate(
            [
                lines.begin(),
                lines.start("shop/api", ""),
                lines.change("shop/api", "1 of 3 new pods"),
                lines.change("shop/api", "3 of 3 new pods, waiting for readiness"),
                lines.change("shop/api", "rolled out, and followed for 30s more", state="settling"),
                lines.end("shop/api"),
            ]
        )
    ]
    assert told == [
        "eu-west  restarting 3 workloads",
        "eu-west  shop/api  restarting  (0 of 3 done)",
        None,
        None,
        "eu-west  shop/api  rolled out, and followed for 30s more",
        "eu-west  shop/api  restarted in 4s  (1 of 3 done)",
    ]


def test_a_failure_says_why_and_is_counted_beside_what_is_done(lines):
    progress = Progress()
    for line in (lines.begin(), lines.start("shop/api"), lines.start("shop/web"), lines.end("shop/web")):
        progress.take(line, 0)
    told = progress.take(lines.end("shop/api", "failed", good=False, text="container main keeps ending"), 9)
    assert told == "eu-west  shop/api  failed: container main keeps ending  (1 of 3 done, 1 failed)"
    assert board_of(progress).counts() == "1 of 3 done, 1 failed, 1 waiting"


def test_what_only_waits_for_a_rollout_is_not_called_restarting(lines):
    progress = Progress()
    progress.take(lines.begin(), 0)
    told = progress.take(lines.start("shop/api", before="waiting"), 0)
    assert told == "eu-west  shop/api  waiting for its rollout  (0 of 3 done)"


def test_an_undo_is_told_once(lines):
    progress = Progress()
    progress.take(lines.begin(), 0)
    progress.take(lines.start("shop/api"), 0)
    told = [progress.take(lines.change("shop/api", text, undoing=True), 1) for text in ("", "1 of 3 new pods")]
    assert told == ["eu-west  shop/api  rolling back", None]
    assert board_of(progress).under_way["shop/api"].waiting(5).startswith("rolling back, 1 of 3 new pods")


def test_what_an_earlier_start_did_is_counted_and_not_told(lines):
    progress = Progress()
    progress.take(lines.begin(), 0)
    assert progress.take(lines.end("shop/api", "already_restarted", earlier=True, started=False), 0) is None
    assert board_of(progress).counts() == "1 of 3 done, 2 waiting"
    assert "left" not in board_of(progress).times(60)  # nothing says yet how long the others take


def test_the_expected_time_is_that_of_the_rate_so_far():
    lines, progress = Lines(total=4), Progress()
    progress.take(lines.begin(), 100)
    progress.take(lines.end("shop/old", "already_restarted", earlier=True, started=False), 100)
    progress.take(lines.start("shop/api"), 100)
    progress.take(lines.end("shop/api"), 130)
    assert board_of(progress).times(130) == "30s, about 1m left"
    progress.take(lines.hold("outside the window"), 130)
    assert board_of(progress).times(160) == "1m"  # a hold has an end of its own


def test_a_gate_after_everything_is_done_is_told_at_once():
    lines, progress = Lines(total=1), Progress()
    progress.take(lines.begin(), 0)
    progress.take(lines.start("web"), 0)
    progress.take(lines.end("web"), 2)
    assert progress.take(lines.hold("gate errors is closed"), 3) == "eu-west  held: gate errors is closed"


def test_a_hold_says_why_until_it_is_over(lines):
    progress = Progress()
    progress.take(lines.begin(), 0)
    assert progress.take(lines.hold("outside the window"), 0) == "eu-west  held: outside the window"
    assert board_of(progress).held(60) == "held: outside the window"
    assert board_of(progress).counts() == "0 of 3 done, 3 held"
    assert progress.take(lines.hold(""), 61) is None
    assert board_of(progress).held(62) == ""


def test_the_pause_between_two_starts_is_counted_down_and_not_told_each_time(lines):
    progress = Progress()
    progress.take(lines.begin(), 0)
    assert progress.take(lines.hold("stagger", 300), 0) is None
    assert board_of(progress).held(60) == "next start in 4m (stagger)"
    assert board_of(progress).counts() == "0 of 3 done, 3 waiting"


def test_nothing_is_held_when_nothing_waits():
    lines, progress = Lines(total=1), Progress()
    progress.take(lines.begin(), 0)
    progress.take(lines.start("shop/api"), 0)
    assert progress.take(lines.hold("outside the window"), 1) is None
    assert board_of(progress).held(2) == ""


def test_waiting_before_the_beginning_is_told_once_for_each_reason():
    progress = Progress()
    wait = {"host": "eu-west", "event": "wait", "text": 'the lock of "shop", which run r0 of ada holds'}
    assert [progress.take(wait, now) for now in range(3)] == [f"eu-west  waiting: {wait['text']}", None, None]
    assert board_of(progress).held(5) == f"waiting for 5s: {wait['text']}"
    progress.take({**wait, "text": ""}, 6)
    assert board_of(progress).held(7) == ""


def test_a_reminder_says_what_is_waited_for_when_nothing_was_said_for_a_while(lines):
    progress = Progress()
    for now, line in (
        (0, lines.begin()),
        (1, lines.start("shop/api", "1 of 3 new pods")),
        (2, lines.start("shop/web", "")),
    ):
        progress.take(line, now)
    assert progress.reminders(REMIND_EVERY + 1.9) == []
    (told,) = progress.reminders(REMIND_EVERY + 2)
    assert told == "eu-west  shop/api 1 of 3 new pods 31s; shop/web 30s  (0 of 3 done, 2 under way, 1 waiting)"
    assert progress.reminders(REMIND_EVERY + 3) == []
    assert len(progress.reminders(2 * REMIND_EVERY + 2)) == 1


def test_a_reminder_names_three_and_counts_the_others():
    lines, progress = Lines(total=9), Progress()
    progress.take(lines.begin(), 0)
    for number in range(9):
        progress.take(lines.start(f"shop/w{number}", "x"), number)
    (told,) = progress.reminders(100)
    assert "w0" in told and "w2" in told and "w3" not in told and "and 6 more" in told


def test_a_cluster_that_has_ended_is_not_shown_and_its_next_module_begins_anew(lines):
    progress = Progress()
    progress.take(lines.begin(), 0)
    progress.take(lines.start("shop/api"), 0)
    progress.end("eu-west")
    progress.end("eu-west")
    assert progress.boards == {} and progress.reminders(1000) == []
    progress.take(Lines(total=1).begin("rolling back", None), 2000)
    assert board_of(progress).under_way == {} and progress.run is None


def test_after_an_interruption_everything_has_its_place(lines):
    progress = Progress()
    for line in (lines.begin(), lines.start("shop/api"), lines.end("shop/api"), lines.start("shop/web")):
        progress.take(line, 0)
    progress.take({"host": "us-east", "event": "wait", "text": "the window"}, 0)
    assert progress.interruption() == [
        "eu-west: shop/api restarted",
        "eu-west: under way, and goes on by itself: shop/web",
        "eu-west: 1 of 3 not started",
    ]
    assert progress.run == "r1"


def test_a_long_list_after_an_interruption_is_cut():
    lines, progress = Lines(total=200), Progress()
    progress.take(lines.begin(), 0)
    for number in range(200):
        progress.take(lines.start(f"shop/w{number:03}"), 0)
    (told,) = progress.interruption()
    assert told.endswith("shop/w009, and 190 more")


def test_two_runs_at_once_have_no_common_id():
    progress = Progress()
    progress.take(Lines().begin(run="r1"), 0)
    progress.take(Lines(host="us-east").begin(run="r2"), 0)
    assert progress.run is None


GOOD = Lines().begin()


@pytest.mark.parametrize(
    "line",
    [
        [],
        "text",
        None,
        7,
        {},
        {"host": "a"},
        {"event": "begin"},
        {**GOOD, "event": "later"},
        {**GOOD, "total": "many"},
        {**GOOD, "total": None},
        {name: value for name, value in GOOD.items() if name != "doing"},
        {"host": "a", "event": "hold", "text": "x", "seconds": "soon", **Lines().counts},
    ],
    ids=json.dumps,
)
def test_a_line_that_is_not_understood_changes_nothing(line):
    progress = Progress()
    assert progress.take(line, 0) is None
    assert progress.boards == {} and progress.reminders(1000) == []
