# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run over many clusters tells a person."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.report import outcome, summary
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome

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


@pytest.mark.parametrize("came", [*Outcome, "rebooted_by_hand"])
def test_every_outcome_is_counted_also_one_of_a_later_version(came):
    seen = outcome(result(entry("a", str(came)), entry("b", "restarted"), msg="x"))
    assert seen["counts"][came] == (2 if came == "restarted" else 1)
    assert str(came).replace("_", " ") in seen["text"]


@pytest.mark.parametrize(
    "check_mode, text",
    [
        (False, "1 restarted, 1 already restarted, 2 without pods to replace, 1 refused"),
        (True, "1 to be restarted, 1 already restarted, 2 without pods to replace, 1 refused"),
    ],
)
def test_what_has_no_pods_to_replace_is_counted_apart(check_mode, text):
    empty = {"nothing_to_replace": True}
    entries = [
        entry("a", "restarted") | empty,
        entry("b", "already_restarted") | empty,
        entry("c", "refused") | empty,
        entry("d", "restarted") | {"nothing_to_replace": False},
        entry("e", "already_restarted"),
    ]
    seen = outcome(result(*entries, msg="x", duration=0), check_mode)
    assert seen["text"] == text
    assert seen["counts"] == {"restarted": 1, "already_restarted": 1, "nothing_to_replace": 2, "refused": 1}


def test_counts_are_in_the_order_of_the_outcomes_and_what_is_not_known_is_last():
    mixed = ["not_started", "rebooted_by_hand", "failed", "restarted"]
    seen = outcome(result(*(entry(came, came) for came in mixed), msg="x"))
    assert list(seen["counts"]) == ["restarted", "failed", "not_started", "rebooted_by_hand"]
    assert any("rebooted_by_hand" in line for line in seen["lines"])


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
            "the module ended before it could report its progress (exit code 137: Killed); "
            "the same command resumes the run",
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
        'not started: Deployment shop/web (needs "core", of which pay failed)',
        "not started: Deployment shop/edge (stopped: pay failed, and failure_budget is 0)",
    ]


def test_the_pods_of_a_cause_and_further_causes_are_told():
    also = [{"code": "dns", "sentence": "container x cannot resolve names"}]
    cause = {"sentence": "it ends", "advice": "do it", "log": ["a"], "pods": "2 of 3 new pods", "also": also}
    assert outcome(result(entry("pay", "failed", cause=cause), msg="x"))["lines"] == [
        "Deployment shop/pay failed: it ends",
        "  2 of 3 new pods",
        "  also: container x cannot resolve names",
        "  | a",
        "  do it",
    ]


def test_each_reason_is_told_once_with_its_workloads():
    reasons = {"w1": "outside the window", "w2": "needs core", "w3": "outside the window"}
    seen = result(*(entry(name, "not_started", why) for name, why in reasons.items()), msg="x")
    assert outcome(seen)["lines"] == [
        "not started: Deployment shop/w1, Deployment shop/w3 (outside the window)",
        "not started: Deployment shop/w2 (needs core)",
    ]


def test_without_a_cause_the_message_is_told_and_one_reason_is_given_for_all_that_was_not_started():
    seen = result(entry("pay", "unfinished", "not done after 10m"), entry("web", "not_started", "why"), msg="x")
    assert outcome(seen)["lines"] == [
        "Deployment shop/pay unfinished: not done after 10m",
        "not started: Deployment shop/web (why)",
    ]


def test_a_gate_that_failed_is_told_once_and_with_its_log():
    gate = {"name": "up", "gate": "a door", "state": "failed", "message": "it is shut", "log": []}
    told = 'the gate "up" (a door) is closed: it is shut'
    seen = result(entry("pay", "restarted"), msg=told)
    assert outcome({**seen, "gates": [gate]})["lines"] == [told]
    waiting = result(entry("web", "not_started", told), msg=told)
    assert outcome({**waiting, "gates": [gate]})["lines"] == [f"not started: Deployment shop/web ({told})"]
    assert outcome({**seen, "gates": [{**gate, "log": ["no table"]}]})["lines"] == [told, "  | no table"]
    assert outcome({**seen, "gates": [{**gate, "state": "open"}]})["lines"] == [told]


WAVES = {**RUN, "hosts": ["a", "b", "c"], "serial": [2, 1], "max_failed": 1}


@pytest.mark.parametrize(
    "a, b, halted",
    [
        ("good", "good", False),
        ("good", "", False),  # the restarts failed on b, which restartx_max_failed_clusters allows
        ("good", "waits", True),
        ("", "", True),
        ("", "waits", True),
    ],
)
def test_no_wave_begins_before_all_is_good_after_the_one_before(a, b, halted):
    results = {"a": done(), "b": {"msg": "cannot reach it"}}
    seen = summary(WAVES, results, after_wave={"a": a, "b": b, "c": ""})
    assert seen["halted"] is halted
    why = "it was not seen that all is good after the wave before (restartx_bake, restartx_gates)"
    assert (f"c: not started, because {why}" in seen["lines"]) is halted


def test_a_closed_gate_is_what_keeps_the_next_wave_from_starting_however_many_clusters_may_fail():
    run = {**WAVES, "serial": [1, 2], "max_failed": 0}
    told = 'the gate "errors" after the wave is closed: 0.9 is above 0.5'
    seen = summary(run, {"a": {**done(), "msg": told}}, after_wave={"a": "waits", "b": "", "c": ""})
    assert not any("restartx_max_failed_clusters" in line for line in seen["lines"])
    assert told in seen["failed"]["a"]


def test_what_has_not_begun_and_the_last_wave_halt_nothing():
    nothing = {"a": "", "b": "", "c": ""}
    assert not summary(WAVES, {}, after_wave=nothing)["halted"]
    assert not summary(WAVES, {"a": done(), "b": done()})["halted"]
    assert not summary({**WAVES, "serial": [3]}, {"a": done()}, after_wave=nothing)["halted"]
    good = {"a": "good", "b": "good", "c": ""}
    assert not summary(WAVES, {"a": done(), "b": done(), "c": done()}, after_wave=good)["halted"]


def test_what_an_undo_has_left_alone_is_told_also_when_all_went_well():
    told = "not undone, because a gate on a Job has opened since their restart: Deployment shop/cart"
    one = {**result(entry("cart", "unchanged")), "kept": ["Deployment shop/cart"]}
    assert outcome(one, goal="undone")["lines"] == [told]


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
        "b": "left out, because its check failed: it does not answer",
    }
    assert seen["lines"] == [
        "run r1 stopped",
        "a: 1 restarted, 1 failed, 2 not started in 1m 1s",
        "  Deployment shop/pay failed: container x keeps ending",
        "    | a",
        "    | b",
        "    read its log",
        '  not started: Deployment shop/web (needs "core", of which pay failed)',
        "  not started: Deployment shop/edge (stopped: pay failed, and failure_budget is 0)",
        "b: left out, because its check failed: it does not answer",
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


AGAIN = "give the same command again; it resumes run r1"
LATER = " (after 24 hours, add -e restartx_run=r1)"


@pytest.mark.parametrize(
    "of_a, next_steps",
    [
        # Something broke.
        (
            STOPPED,
            [f"repair what failed, then {AGAIN}{LATER}, leaves restarted workloads alone, and retries failed ones"],
        ),
        (
            {"msg": "it does not answer"},
            [f"repair what failed, then {AGAIN}{LATER}, leaves restarted workloads alone, and retries failed ones"],
        ),
        # Nothing broke: the window closed.
        (result(entry("web", "not_started", "outside the window"), msg="x"), [f"nothing failed; {AGAIN}{LATER}"]),
        # What an earlier start undid or lost holds back what depends on it: the same command would not get further.
        (
            result(entry("api", "undone"), entry("web", "not_started", 'needs "core"'), msg="x"),
            ["undone workloads are not restarted again; to restart them anyway: -e restartx_retry=undone"],
        ),
        (
            result(entry("api", "superseded"), entry("web", "not_started", 'needs "core"'), msg="x"),
            ["superseded workloads are not restarted again; to restart them anyway: -e restartx_retry=superseded"],
        ),
        # Somebody else is at work.
        (
            {"msg": '"shop" is being restarted by run r9', "results": [], "locked": True},
            [
                f"another start of the plan is running on a: wait until it ends, then {AGAIN}{LATER}; to wait automatically: "
                "-e restartx_lock_timeout=30m; if it is certainly dead: -e restartx_break_lock=REASON"
            ],
        ),
    ],
)
def test_what_to_do_next_is_what_helps_in_this_case(of_a, next_steps):
    run = {**RUN, "clusters": ["a"]}
    said = [line for line in summary(run, {"a": of_a})["lines"] if line.startswith("next: ")]
    assert said == [f"next: {step}" for step in next_steps]


def test_a_run_with_a_ticket_needs_no_id_to_go_on():
    run = {**RUN, "clusters": ["a"], "ticket": "CHG1"}
    assert LATER not in summary(run, {"a": STOPPED})["lines"][-1]


def test_nothing_is_next_where_all_went_well():
    assert not [line for line in summary({**RUN, "clusters": ["a"]}, {"a": done()})["lines"] if "next: " in line]


def test_a_run_that_was_asked_for_anew_is_not_resumed_by_asking_for_it_once_more():
    lines = summary({**RUN, "anew": True}, {"a": STOPPED})["lines"]
    assert any("give the same command again without -e restartx_run=new; it resumes run r1" in line for line in lines)
    assert not any("restartx_run=new" in line for line in summary({**RUN, "anew": False}, {"a": STOPPED})["lines"])


def test_a_cluster_that_cannot_be_checked_does_not_make_a_finished_run_unfinished():
    seen = summary({**RUN, "complete": True, "excluded": {"b": "it does not answer"}, "max_failed": 1}, {})
    assert seen["good"] and seen["failed"] == {}
    assert seen["lines"] == [
        "run r1 finished",
        "a: finished earlier, nothing to restart",
        "b: finished earlier, nothing to restart (its check failed: it does not answer)",
        "c: finished earlier, nothing to restart",
    ]


def test_what_followed_a_failure_is_told_below_its_cause():
    cause = {"sentence": "container x keeps ending", "advice": "read its log"}
    of_undo = {"sentence": "container x ends again", "pods": "1 of 1 new pods", "advice": "read that log"}
    pay = entry("pay", "failed", "words", cause) | {"reaction": "its undo failed: gave up", "undo_cause": of_undo}
    assert outcome(result(pay, msg="x"))["lines"] == [
        "Deployment shop/pay failed: container x keeps ending",
        "  read its log",
        "  its undo failed: gave up",
        "  the undo did not come up: container x ends again",
        "  1 of 1 new pods",
        "  read that log",
    ]


def test_a_cause_that_both_keys_have_is_told_once():
    cause = {"sentence": "container x keeps ending"}
    pay = entry("pay", "failed", "words", cause) | {"undo_cause": cause}
    assert outcome(result(pay, msg="x"), goal="undone")["lines"] == [
        "Deployment shop/pay failed: container x keeps ending"
    ]


def undone(*names, **more):
    """What k8s_rollout_undo returns."""
    return result(*(entry(name, "undone") for name in names), duration=0, **more)


BACK = result(entry("pay", "undone", "words"), msg="1 of 1 workloads not restarted", undo_scope="run", duration=0)


def test_a_run_that_was_undone_after_a_failure_says_so_of_each_cluster():
    told = summary(
        RUN, {"a": done(), "b": BACK}, undone={"b": result(entry("pay", "unchanged")), "a": undone("w0", "w1")}
    )
    assert told["undo"] and not told["good"]
    assert "a: 2 restarted in 1m 1s; undone with the run: 2 undone" in told["lines"]
    assert "b: 1 undone" in told["lines"]
    assert told["lines"][-1].startswith("next: run r1 is undone on b, a, because undo_scope is run; repair what failed")
    assert told["data"]["clusters"]["a"]["state"] == "undone"
    assert set(told["failed"]) == {"a", "b"}


def test_an_undo_that_did_not_reach_everything_names_the_command_that_finishes_it():
    broken = undone("w0", msg="1 of 2 workloads not rolled back")
    told = summary(RUN, {"a": done(), "b": BACK}, undone={"a": broken})
    assert told["lines"][-1].endswith("then: ansible-playbook restartx.core.undo_run -e run=r1")


def test_without_such_a_failure_nothing_is_undone():
    assert not summary(RUN, {"a": done(), "b": STOPPED})["undo"]
