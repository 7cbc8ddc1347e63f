# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of rollouts, locks and runs under way."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.rollouts import report
from tests.unit.fleet.journals import run


def entry(name, outcome="rolled_out", message="", cause=None, missing=None, new=2):
    return {
        "kind": "Deployment",
        "namespace": "shop",
        "name": name,
        "outcome": outcome,
        "message": message,
        "cause": cause,
        "missing": missing,
        "pods": {"new": new, "available": 2, "total": 2},
    }


def status(*entries, **more):
    return {"results": list(entries), "summary": {}, **more}


QUIET = {"runs": [], "locks": [], "results": []}
CRASHES = {"code": "crash_loop", "reason": "CrashLoopBackOff", "pod": "pay-6f7d-x2", "sentence": "long " * 60}
BROKEN = entry("pay", "failed", cause=CRASHES, new=1)


def lines_of(statuses, journals=None, hosts=("a",), **options):
    found = report(statuses, journals or {"a": QUIET}, list(hosts), **options)
    assert found["error"] is None
    return found["lines"]


def test_each_workload_has_a_line():
    lines = lines_of({"a": status(entry("cart"), BROKEN, entry("web", "in_progress", "Waiting for 1 pod", new=1))})
    assert lines[:5] == [
        "a: 1 rolled out, 1 failed, 1 in progress",
        "  KIND        NAME       OUTCOME      NEW  AVAILABLE  WANTED  CAUSE",
        "  Deployment  shop/cart  rolled out   2    2          2       -",
        "  Deployment  shop/pay   failed       1    2          2       pay-6f7d-x2 keeps ending (CrashLoopBackOff)",
        "  Deployment  shop/web   in progress  1    2          2       Waiting for 1 pod",
    ]
    assert lines[5] == "  no lock is held, and no run is under way"


def test_what_kubectl_does_not_check_is_shown_with_a_rollout_that_is_done():
    assert lines_of({"a": status(entry("cart", missing="there are no pods"))})[2].endswith("there are no pods")


def test_locks_and_runs_under_way_are_shown():
    lock = {
        "plan": "ca",
        "holder": "bastion-1",
        "run": "r1",
        "operator": "ada",
        "since": "2026-11-24T22:00:00Z",
        "renewed_at": "2026-11-24T22:01:00Z",
    }
    runs = [run("r1", state="running"), run("r2", plan="db", state="running", ticket=None), run("r3")]
    assert lines_of({"a": status(entry("cart"))}, {"a": {"runs": runs, "locks": [lock]}})[3:] == [
        "  lock of plan ca: held by ada (bastion-1) for run r1 since 2026-11-24T22:00:00Z, last renewed 2026-11-24T22:01:00Z",
        "  run r1 of plan ca (ticket CHG1, ada): running, 3 restarted",
        "  run r2 of plan db (no ticket, ada): interrupted, 3 restarted",
    ]


def test_a_cluster_that_cannot_be_read_is_named_and_fails():
    found = report({"a": status(entry("cart")), "b": {"msg": "no route", "results": []}}, {"a": QUIET}, ["a", "b", "c"])
    assert found["failed"] == {"b": "no route", "c": "it could not be reached"}
    assert "b: no route" in found["lines"]


def test_journals_that_cannot_be_read_are_told_of_and_do_not_fail():
    found = report({"a": status(entry("cart"))}, {"a": {"msg": "forbidden", "results": []}}, ["a"])
    assert found["lines"][-1] == "  the journals and locks could not be read: forbidden"
    assert found["failed"] == {}


def test_workloads_of_the_plan_that_are_missing_are_shown_beside_the_others():
    some = status(entry("cart"), plan="ca", absent='nothing found named "web"', msg='nothing found named "web"')
    lines = lines_of({"a": some})
    assert lines[0] == "a: plan ca: 1 rolled out"
    assert '  missing: nothing found named "web"' in lines


@pytest.mark.parametrize(
    "fail, failed",
    [
        (None, {}),
        ("", {}),
        (False, {}),
        ("false", {}),
        (True, {"a": "Deployment shop/pay failed"}),
        ("true", {"a": "Deployment shop/pay failed"}),
    ],
)
def test_a_broken_rollout_fails_only_when_asked_for(fail, failed):
    assert report({"a": status(BROKEN, msg="x")}, {"a": QUIET}, ["a"], fail=fail)["failed"] == failed


@pytest.mark.parametrize(
    "cause, failed",
    [
        (CRASHES, True),
        ({**CRASHES, "code": "quota"}, True),
        ({**CRASHES, "code": "never_ready"}, False),
        ({**CRASHES, "code": "startup_probe", "exit_code": None}, False),
        ({**CRASHES, "code": "startup_probe", "exit_code": 137}, True),
        ({**CRASHES, "code": "of_a_later_version"}, False),
        (None, False),
    ],
)
def test_a_rollout_in_progress_is_broken_if_it_has_a_problem_and_is_not_only_slow(cause, failed):
    some = status(entry("pay", "in_progress", "Waiting", cause=cause))
    assert bool(report({"a": some}, {"a": QUIET}, ["a"], fail=True)["failed"]) == failed


def test_what_is_missing_fails_too_when_asked_for():
    some = status(entry("cart"), plan="ca", absent="no web", msg="no web")
    assert report({"a": some}, {"a": QUIET}, ["a"], fail="true")["failed"] == {"a": "no web"}


@pytest.mark.parametrize("fail", ["maybe", 1, []])
def test_a_value_that_is_neither_true_nor_false_is_refused(fail):
    assert report({}, {}, ["a"], fail=fail)["error"].startswith("fail: ")
