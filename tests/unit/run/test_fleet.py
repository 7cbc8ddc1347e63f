# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is decided over all clusters before the first restart."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.run.fleet import Wishes, prepare

OPEN = {"open": True, "message": "inside the window"}
CLOSED = {"open": False, "message": "outside the window tue; opens Tue"}


def check(host, window=None, journal=None, digest="d1", workloads=None, **more):
    """What k8s_rollout_plan returns for one cluster."""
    found = workloads or {"cache": ["StatefulSet shop/redis"], "core": ["Deployment shop/cart", "Deployment shop/pay"]}
    plan = {"name": "shop", "digest": digest, "order": [["cache"], ["core"]], "workloads": found, "window": window}
    return {
        "results": [{"name": title} for titles in found.values() for title in titles],
        "plan": plan,
        "journal": journal,
        "cluster": {"host": f"https://{host}", "uid": f"uid-{host}", "context": host},
        **more,
    }


def broken(msg="it does not answer", uid=None):
    return {"results": [], "msg": msg, "cluster": {"host": None, "uid": uid, "context": None}}


def fleet(*hosts, **more):
    return {host: check(host, **more) for host in hosts}


def decide(checks, waves=None, **wishes):
    return prepare(checks, waves or {}, Wishes(**{"new_run": "r1", **wishes}))


def journal(run="r0", state="stopped", ticket="CHG1", clusters=("a", "b"), outcomes=("restarted", "failed", None)):
    return {
        "run": run,
        "state": state,
        "ticket": ticket,
        "digest": "d1",
        "clusters": list(clusters),
        "started_at": "2026-11-24T22:00:00Z",
        "updated_at": "2026-11-24T22:10:00Z",
        "workloads": {str(number): {"outcome": outcome} for number, outcome in enumerate(outcomes)},
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
        "new run r1 of plan shop, ticket CHG1: 6 workloads",
        "clusters: a and b",
        "order: cache (1), then core (2)",
        "window: inside the window",
    ]


def test_counts_that_differ_between_clusters_are_a_range():
    checks = {"a": check("a"), "b": check("b", workloads={"cache": [], "core": ["Deployment shop/cart"]})}
    assert "order: cache (0-1), then core (1-2)" in decide(checks)["lines"]


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
    decided = decide({"a": check("a", journal=journal()), "b": check("b")}, ticket="CHG1")
    assert (decided["run_id"], decided["ticket"]) == ("r0", "CHG1")
    assert (
        decided["lines"][0]
        == "resuming run r0 of plan shop, ticket CHG1, begun 2026-11-24T22:00:00Z: 1 of 6 workloads done"
    )


def test_a_resumed_run_keeps_its_ticket_when_none_is_given():
    assert decide({"a": check("a", journal=journal()), "b": check("b")})["ticket"] == "CHG1"


def test_clusters_that_failed_the_check_are_left_out_where_that_many_may_fail():
    decided = decide({"a": broken(), "b": check("b"), "c": broken()}, max_failed="2")
    assert decided["hosts"] == ["b"]
    assert decided["clusters"] == ["a", "b", "c"]
    assert decided["excluded"] == {"a": "it does not answer", "c": "it does not answer"}
    assert "left out: a, c: it does not answer" in decided["lines"]


@pytest.mark.parametrize(
    "checks, wishes, words",
    [
        ({"a": broken(), "b": check("b")}, {}, "nothing was touched, for the check failed\na: it does not answer"),
        ({"a": broken("x"), "b": broken("x"), "c": broken("y")}, {}, "failed\na, b: x\nc: y"),
        ({"a": broken("x\ny"), "b": broken("x\ny")}, {}, "failed\na, b:\n  x\n  y"),
        ({"a": broken()}, {"max_failed": 5}, "nothing was touched, for the check failed\na: it does not answer"),
        ({"a": {"results": [], "unreachable": True}}, {}, "a: it was not checked"),
        ({"a": {}}, {}, "a: it was not checked"),
        (
            {"a": check("a"), "b": check("a")},
            {"max_failed": 1},
            "the inventory hosts a and b are one and the same cluster",
        ),
        (
            {"a": check("a"), "b": check("b", cluster={"host": "https://a", "uid": "uid-a"})},
            {},
            "one and the same cluster (https://a, uid uid-a)",
        ),
        (
            {host: check(host, cluster={"host": "https://a", "uid": None}) for host in "ab"},
            {},
            "one and the same cluster (https://a, uid not readable)",
        ),
        ({"a": check("a"), "b": broken(uid="uid-a")}, {"max_failed": 1}, "one and the same cluster"),
        ({"a": check("a"), "b": check("b", digest="d2")}, {}, "restart_plan of b differs from that of a"),
        (fleet("a", window=CLOSED), {}, "nothing was touched: outside the window tue; opens Tue"),
        (
            fleet("a", journal=journal(state="finished", clusters=["a"])),
            {"ticket": "CHG1"},
            "ticket CHG1 was carried out",
        ),
        (fleet("a"), {"max_failed": "many"}, "restartx_max_failed_clusters: many is no number"),
        (fleet("a"), {"max_failed": -1}, "restartx_max_failed_clusters: -1 is no number"),
        (fleet("a"), {"outside": "ignore"}, "restartx_outside_window: ignore is unknown"),
    ],
)
def test_nothing_is_touched_where(checks, wishes, words):
    decided = decide(checks, **wishes)
    assert set(decided) == {"error"}
    assert words in decided["error"]


def test_a_wave_that_is_no_number_is_refused():
    assert decide(fleet("a"), {"a": "first"})["error"] == "restartx_wave of a: first is no number"


@pytest.mark.parametrize(
    "wishes, words",
    [
        ({"outside": "wait"}, "window: outside the window tue; opens Tue; the restarts wait for it"),
        ({"check_mode": True}, "window: outside the window tue; opens Tue"),
    ],
)
def test_a_closed_window_is_waited_for_or_only_shown(wishes, words):
    assert words in decide(fleet("a", window=CLOSED), **wishes)["lines"]


def test_a_wave_larger_than_the_number_of_forks_is_pointed_out():
    hosts = [f"c{number}" for number in range(12)]
    lines = decide(fleet(*hosts), forks=5)["lines"]
    assert lines[1] == "clusters: c0, c1, c2, c3, c4, c5, c6, c7 and 4 more"
    assert lines[2].startswith("only 5 of them at once")
    assert not any("at once" in line for line in decide(fleet(*hosts), forks=12)["lines"])
