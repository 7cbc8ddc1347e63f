# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run over many clusters tells a person."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.run.report import COUNTED, outcome, summary
from ansible_collections.restartx.core.plugins.module_utils.run.task import BAD

RUN = {"run_id": "r1", "plan": "shop", "clusters": ["a", "b", "c"], "excluded": {}, "max_failed": 0}


def entry(name, came, message="", cause=None):
    return {
        "kind": "Deployment",
        "namespace": "shop",
        "name": name,
        "outcome": came,
        "message": message,
        "cause": cause,
    }


def result(*entries, **more):
    """What k8s_rollout_restart returns."""
    return {"results": list(entries), "summary": {}, "changed": True, "duration": 61.2, **more}


def done(count=2):
    return result(*(entry(f"w{number}", "restarted") for number in range(count)))


STOPPED = result(
    entry("cart", "restarted"),
    entry(
        "pay", "failed", "words", {"sentence": "container x keeps ending", "advice": "read its log", "log": ["a", "b"]}
    ),
    entry("web", "not_started", 'needs "core", of which pay failed'),
    entry("edge", "not_started", "stopped: pay failed, and failure_budget is 0"),
    msg="3 of 4 workloads not restarted: ...",
)


def test_every_bad_outcome_is_counted():
    assert set(COUNTED) >= BAD


@pytest.mark.parametrize(
    "seen, check_mode, state, text",
    [
        (done(), False, "done", "2 restarted in 1m 1s"),
        (done(), True, "done", "2 to be restarted"),
        (
            result(entry("a", "already_restarted"), entry("b", "restarted"), duration=0.2),
            False,
            "done",
            "1 restarted, 1 already restarted",
        ),
        (result(), False, "done", "nothing to restart"),
        (STOPPED, False, "stopped", "1 restarted, 1 failed, 2 not started in 1m 1s"),
        (result(msg="User may not list"), False, "failed", "User may not list"),
        ({"unreachable": True}, False, "failed", "it could not be reached"),
        ({"changed": False}, False, "failed", "it could not be reached"),  # a module that crashed tells nothing
        ({"failed": True, "msg": "Task failed: no route"}, False, "failed", "no route"),
        (
            {"failed": True, "rc": 137, "module_stderr": "Killed\n", "msg": "Module result deserialization failed"},
            False,
            "failed",
            "the module ended before it could say how far it came (exit code 137: Killed); "
            "the same command goes on from there",
        ),
        ({"failed": True, "msg": "outside the window\n"}, False, "failed", "outside the window"),
    ],
)
def test_what_came_of_one_cluster(seen, check_mode, state, text):
    came = outcome(seen, check_mode)
    assert (came["state"], came["text"]) == (state, text)
    assert bool(came["lines"]) == (state == "stopped")


def test_what_broke_is_told_with_cause_and_advice_and_what_was_not_started():
    assert outcome(STOPPED)["lines"] == [
        "Deployment shop/pay failed: container x keeps ending",
        "  | a",
        "  | b",
        "  read its log",
        "not started: Deployment shop/web, Deployment shop/edge",
    ]


def test_without_a_cause_the_message_is_told_and_one_reason_is_given_for_all_that_was_not_started():
    seen = result(entry("pay", "unfinished", "not done after 10m"), entry("web", "not_started", "why"), msg="x")
    assert outcome(seen)["lines"] == [
        "Deployment shop/pay unfinished: not done after 10m",
        "not started: Deployment shop/web (why)",
    ]


def test_many_broken_workloads_are_not_all_told():
    lines = outcome(result(*(entry(f"w{number}", "failed", "m") for number in range(9)), msg="x"))["lines"]
    assert len(lines) == 6
    assert lines[-1] == "and 4 more"


def test_a_finished_run():
    seen = summary(RUN, {host: done() for host in "abc"})
    assert seen["good"] and not seen["failed"]
    assert seen["lines"][0] == "run r1 finished"
    assert seen["data"]["state"] == "finished"
    assert seen["data"]["clusters"]["a"] == {"state": "done", "counts": {"restarted": 2}}


def test_a_stopped_run_says_what_broke_what_was_not_begun_and_how_to_go_on():
    seen = summary({**RUN, "excluded": {"b": "it does not answer"}, "max_failed": 1}, {"a": STOPPED})
    assert not seen["good"]
    assert seen["failed"] == {
        "a": "1 restarted, 1 failed, 2 not started in 1m 1s",
        "b": "left out, for its check failed: it does not answer",
    }
    assert seen["lines"] == [
        "run r1 stopped",
        "a: 1 restarted, 1 failed, 2 not started in 1m 1s",
        "  Deployment shop/pay failed: container x keeps ending",
        "    | a",
        "    | b",
        "    read its log",
        "  not started: Deployment shop/web, Deployment shop/edge",
        "b: left out, for its check failed: it does not answer",
        "c: not started, because of b, a (restartx_max_failed_clusters is 1)",
        seen["lines"][-1],
    ]
    assert seen["lines"][-1].startswith("next: ") and "the same command again" in seen["lines"][-1]
    assert [seen["data"]["clusters"][host]["state"] for host in "abc"] == ["stopped", "left out", "not started"]


def test_clusters_that_were_not_started_share_a_line():
    run = {**RUN, "clusters": [f"c{number}" for number in range(12)]}
    seen = summary(run, {"c0": STOPPED})
    (line,) = [line for line in seen["lines"] if "not started, because" in line]
    assert line.startswith("c1, c2, c3, c4, c5, c6, c7, c8 and 3 more: not started, because of c0")


def test_without_anything_broken_the_reason_is_told():
    seen = result(entry("cart", "restarted"), msg="the wait_timeout is over")
    assert outcome(seen)["lines"] == ["the wait_timeout is over"]


def test_a_run_that_finished_where_it_could_is_not_good_while_a_cluster_was_left_out():
    seen = summary({**RUN, "excluded": {"b": "it does not answer"}}, {"a": done(), "c": done()})
    assert (seen["good"], list(seen["failed"])) == (False, ["b"])


def test_a_dry_run_does_not_speak_of_resuming():
    seen = summary(RUN, {"a": done(), "b": STOPPED, "c": done()}, check_mode=True)
    assert seen["lines"][0] == "dry run, nothing was changed"
    assert not any(line.startswith("next:") for line in seen["lines"])
