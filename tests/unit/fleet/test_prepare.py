# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is decided over all clusters before the first restart."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import run_id
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import StartRequest, prepare

OPEN = {"open": True, "message": "inside the window"}
CLOSED = {"open": False, "message": "outside the window tue; opens Tue"}


PERIODS = {"day": "2026-11-24", "week": "2026-W48", "month": "2026-11"}
NOW = "2026-11-24T23:00:00+00:00"


def check(host, window=None, runs=(), digest="d1", workloads=None, circuit=None, **more):
    """What k8s_rollout_plan returns for one cluster."""
    found = workloads or {"cache": ["StatefulSet shop/redis"], "core": ["Deployment shop/cart", "Deployment shop/pay"]}
    plan = {
        "name": "shop",
        "digest": digest,
        "order": [["cache"], ["core"]],
        "workloads": found,
        "window": window,
        "periods": PERIODS,
        "circuit": circuit,
    }
    return {
        "results": [{"name": title} for titles in found.values() for title in titles],
        "plan": plan,
        "runs": list(runs),
        "cluster": {"host": f"https://{host}", "uid": f"uid-{host}", "context": host},
        **more,
    }


def broken(msg="it does not answer", uid=None):
    return {"results": [], "msg": msg, "cluster": {"host": None, "uid": uid, "context": None}}


def fleet(*hosts, **more):
    return {host: check(host, **more) for host in hosts}


def decide(checks, waves=None, **start):
    return prepare(checks, waves or {}, StartRequest(**{"new_run": "r1", "now": NOW, **start}))


def known(run="r0", state="stopped", ticket="CHG1", clusters=("a", "b"), **more):
    return {
        "run": run,
        "state": state,
        "ticket": ticket,
        "period": None,
        "digest": "d1",
        "clusters": list(clusters),
        "started_at": "2026-11-24T22:00:00Z",
        "updated_at": "2026-11-24T22:10:00Z",
        "stopped_by": None,
        "over": False,
        "done": 1,
        "total": 3,
        "changes": [],
        "counts": {},
        "break_circuit": None,
        **more,
    }


@pytest.mark.parametrize(
    "waves, hosts, serial, words",
    [
        ({}, ["b", "a", "c"], [3], "clusters: b, a, c"),
        ({"a": 1, "b": 2, "c": 2}, ["a", "b", "c"], [1, 2], "clusters: a, then b and c"),
        ({"a": 1}, ["b", "c", "a"], [2, 1], "clusters: b and c, then a"),
        ({"c": "-1", "a": 10, "b": "9"}, ["c", "b", "a"], [1, 1, 1], "clusters: c, then b, then a"),
        ({"c": 0.5, "a": 1}, ["b", "c", "a"], [1, 1, 1], "clusters: b, then c, then a"),
    ],
)
def test_waves_go_by_number_and_keep_the_order_of_the_inventory(waves, hosts, serial, words):
    decided = decide(fleet("b", "a", "c"), waves)
    assert decided["error"] is None
    assert (decided["hosts"], decided["serial"]) == (hosts, serial)
    assert words in decided["lines"]


def test_a_new_run_says_what_it_will_do():
    decided = decide(fleet("a", "b", window=OPEN), ticket="CHG1")
    assert decided["lines"] == [
        f"new run {run_id('shop', 'ticket', 'CHG1')} of plan shop, ticket CHG1: 6 workloads",
        "clusters: a and b",
        "order: cache (1), then core (2)",
        "window: inside the window",
    ]


def test_counts_that_differ_between_clusters_are_a_range():
    checks = {"a": check("a"), "b": check("b", workloads={"cache": [], "core": ["Deployment shop/cart"]})}
    assert "order: cache (0-1), then core (1-2)" in decide(checks)["lines"]


def test_an_entry_that_is_a_gate_is_shown_as_one():
    checks = fleet("a")
    plan = checks["a"]["plan"]
    plan |= {"gates": {"schema": "a door"}, "order": [["cache"], ["schema"], ["core"]]}
    plan["workloads"]["schema"] = []
    assert "order: cache (1), then schema (gate), then core (2)" in decide(checks)["lines"]
    assert "  2. schema: the gate a door" in decide(checks, check_mode=True)["lines"]


def test_a_dry_run_shows_the_workloads_of_each_cluster_once():
    checks = {**fleet("a", "b"), "c": check("c", workloads={"cache": [], "core": ["Deployment shop/cart"]})}
    lines = decide(checks, check_mode=True)["lines"]
    assert lines[0] == "dry run, nothing will be changed: new run r1 of plan shop: 7 workloads"
    assert lines[3:] == [
        "on a, b:",
        "  1. cache: StatefulSet shop/redis",
        "  2. core: Deployment shop/cart, Deployment shop/pay",
        "on c:",
        "  1. cache: nothing",
        "  2. core: Deployment shop/cart",
    ]


def test_an_unfinished_run_is_resumed_and_counts_over_all_clusters():
    decided = decide({"a": check("a", runs=[known()]), "b": check("b")}, ticket="CHG1")
    assert (decided["run_id"], decided["ticket"]) == ("r0", "CHG1")
    assert (
        decided["lines"][0]
        == "resuming run r0 of plan shop, ticket CHG1, begun 2026-11-24T22:00:00Z: 1 of 6 workloads done"
    )


def test_a_resumed_run_keeps_its_ticket_when_none_is_given():
    assert decide({"a": check("a", runs=[known()]), "b": check("b")})["ticket"] == "CHG1"


def test_clusters_that_failed_the_check_are_left_out_where_that_many_may_fail():
    decided = decide({"a": broken(), "b": check("b"), "c": broken()}, max_failed="2")
    assert decided["hosts"] == ["b"]
    assert decided["clusters"] == ["a", "b", "c"]
    assert decided["excluded"] == {"a": "it does not answer", "c": "it does not answer"}
    assert "left out: a, c: it does not answer" in decided["lines"]


@pytest.mark.parametrize(
    "checks, start, words",
    [
        ({"a": broken(), "b": check("b")}, {}, "nothing was touched, because the check failed\na: it does not answer"),
        ({"a": broken("x"), "b": broken("x"), "c": broken("y")}, {}, "failed\na, b: x\nc: y"),
        ({"a": broken("x\ny"), "b": broken("x\ny")}, {}, "failed\na, b:\n  x\n  y"),
        ({"a": broken()}, {"max_failed": 5}, "nothing was touched, because the check failed\na: it does not answer"),
        ({"a": {"results": [], "unreachable": True}}, {}, "a: it was not checked"),
        ({"a": {}}, {}, "a: it was not checked"),
        (
            {"a": check("a"), "b": check("a")},
            {"max_failed": 1},
            "the inventory hosts a and b are the same cluster",
        ),
        (
            {"a": check("a"), "b": check("b", cluster={"host": "https://a", "uid": "uid-a"})},
            {},
            "the same cluster (https://a, uid uid-a)",
        ),
        (
            {host: check(host, cluster={"host": "https://a", "uid": None}) for host in "ab"},
            {},
            "the same cluster (https://a, uid not readable)",
        ),
        ({"a": check("a"), "b": broken(uid="uid-a")}, {"max_failed": 1}, "the same cluster"),
        ({"a": check("a"), "b": check("b", digest="d2")}, {}, "restart_plan of b differs from that of a"),
        (fleet("a", window=CLOSED), {}, "nothing was touched: outside the window tue; opens Tue"),
        (
            fleet("a", runs=[known(state="finished", clusters=["a"])]),
            {"ticket": "CHG1"},
            "ticket CHG1 was carried out",
        ),
        (fleet("a"), {"max_failed": "many"}, "restartx_max_failed_clusters: many is not a number"),
        (fleet("a"), {"max_failed": True}, "restartx_max_failed_clusters: True is not a number"),
        (fleet("a"), {"max_failed": 1.9}, "restartx_max_failed_clusters: 1.9 is not a number"),
        (fleet("a"), {"max_failed": -1}, "restartx_max_failed_clusters: -1 is not a number"),
        (fleet("a"), {"outside": "ignore"}, "restartx_outside_window: ignore is unknown"),
        (fleet("a"), {"outside": "wiat"}, 'restartx_outside_window: wiat is unknown; did you mean "wait"?'),
        (fleet("a"), {"period": "monthly"}, 'restartx_period: monthly is unknown; did you mean "month"?'),
        (fleet("a"), {"resume_within": "a day"}, 'restartx_resume_within: "a day" is not a duration'),
        (fleet("a"), {"retry": "undnoe"}, 'restartx_retry: undnoe is unknown; did you mean "undone"?'),
        (fleet("a"), {"retry": ["all", 7]}, "restartx_retry: 7 is unknown"),
        (fleet("a"), {"requested": "r7"}, "restartx_run: r7 is unknown"),
        (fleet("a"), {"requested": True}, "restartx_run: true is not text"),
        (fleet("a"), {"requested": ["new"]}, 'restartx_run: ["new"] is not text'),
        (fleet("a"), {"ticket": True}, "ticket: true is not text"),
        (fleet("a"), {"ticket": {"id": 1}}, 'ticket: {"id": 1} is not text'),
        (fleet("a"), {"period": ["day"]}, 'restartx_period: ["day"] is not text'),
    ],
)
def test_nothing_is_touched_where(checks, start, words):
    decided = decide(checks, **start)
    assert set(decided) == {"error"}
    assert words in decided["error"]


def test_a_wave_that_is_no_number_is_refused():
    assert decide(fleet("a"), {"a": "first"})["error"] == "restartx_wave of a: first is not a number"


@pytest.mark.parametrize(
    "start, words",
    [
        ({"outside": "wait"}, "window: outside the window tue; opens Tue; the restarts wait for it"),
        ({"check_mode": True}, "window: outside the window tue; opens Tue"),
    ],
)
def test_a_closed_window_is_waited_for_or_only_shown(start, words):
    assert words in decide(fleet("a", window=CLOSED), **start)["lines"]


def test_a_wave_larger_than_the_number_of_forks_is_pointed_out():
    hosts = [f"c{number}" for number in range(12)]
    lines = decide(fleet(*hosts), forks=5)["lines"]
    assert lines[1] == "clusters: c0, c1, c2, c3, c4, c5, c6, c7 and 4 more"
    assert lines[2].startswith("only 5 of them at once")
    assert not any("at once" in line for line in decide(fleet(*hosts), forks=12)["lines"])


@pytest.mark.parametrize("empty", [None, "", " "])
def test_what_a_survey_leaves_empty_is_not_given(empty):
    given = dict.fromkeys(("ticket", "period", "requested", "retry", "resume_within", "outside"), empty)
    decided = decide(fleet("a"), max_failed="" if empty == " " else empty, **given)
    assert (decided["error"], decided["run_id"], decided["ticket"], decided["retry"]) == (None, "r1", None, ["failed"])


def test_a_number_is_the_ticket_that_its_text_is():
    by_text = decide(fleet("a"), ticket="4711")
    by_number = decide(fleet("a"), ticket=4711)
    assert by_text["run_id"] == by_number["run_id"] and by_number["ticket"] == "4711"


def test_a_run_by_month_says_so():
    decided = decide(fleet("a"), period="month")
    assert decided["lines"][0] == f"new run {run_id('shop', 'period', '2026-11')} of plan shop, 2026-11: 3 workloads"


def test_the_result_of_an_earlier_job_names_a_new_run_of_its_plan_only():
    left = {"plan": "shop", "run_id": "checked", "state": "finished"}
    assert decide(fleet("a"), requested=left)["run_id"] == "checked"
    assert decide(fleet("a"), requested={**left, "plan": "other"})["run_id"] == "r1"


def test_a_host_that_could_not_be_checked_is_known_to_the_run():
    decided = decide({"a": check("a"), "b": {}}, max_failed=1, ticket="CHG1")
    assert (decided["hosts"], decided["clusters"]) == (["a"], ["a", "b"])


def found(code, severity, accepted=None):
    sentence = f'deployment "cart" has {code}'
    about = {"object": 'deployment "cart"', "sentence": sentence, "advice": "correct it", "accepted": accepted}
    return {"code": code, "severity": severity, **about}


PAUSED, RISKY = found("paused", "blocker"), found("recreate", "risk")
REFUSED = {
    "results": [{"name": "cart", "outcome": "refused", "message": f"{PAUSED['sentence']}; resume it"}],
    "msg": "1 of 1 workloads not fit for a restart: cart is paused",
}


@pytest.mark.parametrize(
    "findings, stop_on, stops",
    [
        ([PAUSED], "blocker", True),
        ([PAUSED], "risk", True),
        ([PAUSED], "never", False),
        ([RISKY], "blocker", False),
        ([RISKY], "risk", True),
        ([RISKY], "never", False),
        ([found("one_replica", "note")], "risk", False),
        ([found("paused", "blocker", "resumed by hand")], "blocker", False),
        ([found("recreate", "risk", "at night"), found("paused", "blocker", "by hand")], "risk", False),
        ([found("recreate", "risk", "at night"), RISKY], "risk", True),
        ([PAUSED], None, True),
        ([PAUSED], "", True),
        ([PAUSED], " ", True),
        ([RISKY], "", False),
        (None, "risk", False),
    ],
)
def test_which_findings_stop_a_run(findings, stop_on, stops):
    decided = decide({"a": check("a", findings=findings), "b": check("b")}, stop_on=stop_on)
    assert bool(decided["error"]) == stops
    if stops:
        assert decided["error"].startswith("nothing was touched, because the check failed\na: ")
        assert "correct it" in decided["error"]


def test_a_cluster_that_findings_stop_may_be_left_out():
    decided = decide({"a": check("a", findings=[PAUSED]), "b": check("b")}, max_failed=1)
    assert decided["hosts"] == ["b"] and "blocker paused: " in decided["excluded"]["a"]


def test_never_stops_nothing_also_not_for_workloads_that_are_refused():
    checks = {"a": {**check("a", findings=[PAUSED]), **REFUSED}}
    assert decide(checks, stop_on="never")["error"] is None
    assert "cart is paused" in decide(checks)["error"]


def test_what_is_refused_is_named_once():
    checks = {"a": {**check("a", findings=[PAUSED, found("on_delete", "blocker")]), **REFUSED}}
    error = decide(checks)["error"]
    assert "blocker on_delete: " in error and "blocker paused: " not in error
    assert error.count("cart is paused") == 1


def test_never_does_not_go_on_without_a_check():
    assert "it does not answer" in decide({"a": broken()}, stop_on="never")["error"]


@pytest.mark.parametrize(
    "stop_on, words",
    [("blockers", "blockers is unknown; did you mean"), ("risks", "did you mean"), (True, "True is unknown")],
)
def test_an_unknown_value_of_what_stops_a_run_is_refused(stop_on, words):
    error = decide(fleet("a"), stop_on=stop_on)["error"]
    assert error.startswith("restartx_stop_on: ") and words in error
    assert error.endswith("write one of blocker, risk, never")


def test_what_was_found_is_shown_and_clusters_with_the_same_share_a_line():
    checks = {host: check(host, findings=[RISKY]) for host in "ab"} | {"c": check("c")}
    lines = decide(checks)["lines"]
    assert 'a, b: risk recreate: deployment "cart" has recreate' in lines
    assert not any(line.startswith("c:") for line in lines)


# -- the circuit breaker: which restarts count is in test_circuit.py ------------------------------------------------------


CIRCUIT = {"max_failure_rate": "20%", "last_restarts": 10}
REASON = "the image is repaired"


def with_failures(state="finished", **counts):
    """Checks of a cluster on which a run of the plan had these outcomes."""
    return fleet("a", runs=[known("r0", state, clusters=("a",), counts=counts)], circuit=CIRCUIT)


@pytest.mark.parametrize("more", [{}, {"requested": "new"}, {"check_mode": True}, {"break_circuit": " "}])
def test_a_new_run_needs_a_reason_after_too_many_failures(more):
    checks = with_failures(restarted=3, failed=1)
    error = decide(checks, ticket="CHG2", **more)["error"]
    assert error.startswith(
        "the circuit breaker of plan shop refuses a new run: 1 of the last 4 restarts failed, in run r0,"
    )
    decided = decide(checks, ticket="CHG2", **{**more, "break_circuit": REASON})
    assert decided["error"] is None and decided["break_circuit"] == REASON
    assert any(REASON in line for line in decided["lines"])


def test_a_reason_that_is_not_needed_is_not_kept():
    decided = decide(with_failures(restarted=4), ticket="CHG2", break_circuit=REASON)
    assert decided["error"] is None and decided["break_circuit"] is None
    assert not any(REASON in line for line in decided["lines"])


@pytest.mark.parametrize("reason", [True, [REASON], {"because": REASON}])
def test_what_is_no_text_is_no_reason(reason):
    error = decide(with_failures(failed=1), ticket="CHG2", break_circuit=reason)["error"]
    assert error.startswith("restartx_break_circuit: ") and "is not text" in error


@pytest.mark.parametrize("more", [{"ticket": "CHG1"}, {}, {"requested": "r0"}])
def test_a_run_that_is_resumed_needs_no_reason(more):
    decided = decide(with_failures("stopped", failed=1), **more)
    assert decided["error"] is None and decided["resuming"]
