# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of a run: what it tells, when it is written, and what a later start makes of it."""

from __future__ import annotations

import json

import calling
import pytest
from simulation import Executor, FakeCluster, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.record import journal, runs
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
ENTRIES = [{"id": "core", "name": ["cart", "catalog"]}, {"id": "web", "name": ["web"], "after": ["core"]}]
NAMES = ("cart", "catalog", "web")


def cluster_of(*names, **options):
    cluster = FakeCluster([deployment(name) for name in names or NAMES], **options)
    cluster.breaks_by = "CrashLoopBackOff"  # within the timeout, so that it failed and was not only slow
    return cluster


def call(
    cluster, run="r1", workloads=None, title=None, check_mode=False, defaults=None, budget=0, window=None, **options
):
    """One start of the playbook's module on the cluster: its result and its warnings."""
    plan = {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", **(defaults or {})},
        "workloads": workloads or ENTRIES,
        "failure_budget": budget,
        **({"window": window} if window else {}),
    }
    options = {"plan": plan, "run_id": run, "journal": {"clusters": ["eu", "us"], **(title or {})}, **options}
    verb, prepared = calling.prepare("k8s_rollout_restart", cluster, check_mode, **options)
    return calling.carry_out(verb, prepared), prepared.warnings


def start(cluster, **options):
    """As call(), without the warnings."""
    return call(cluster, **options)[0]


def held(cluster, run="r1"):
    """The journal that the cluster holds of a run."""
    where = journal.path("restartx-system", journal.name_of("ca", run))
    return json.loads(cluster.objects[where]["data"][journal.KEY])


def told(cluster, what, run="r1"):
    return {name.rpartition("/")[2]: entry[what] for name, entry in held(cluster, run)["workloads"].items()}


def outcomes(result):
    return {entry["name"]: entry["outcome"] for entry in result["results"]}


def attempt_on(cluster, name):
    template = cluster.objects[kinds.path("Deployment", "shop", name)]["spec"]["template"]
    return template["metadata"]["annotations"].get(restart.ATTEMPT, "1")


def writings(cluster):
    return [verb for verb, path in cluster.asked if "configmaps" in path and verb not in ("get", "list")]


# -- what it tells ---------------------------------------------------------------------------------------------------


def test_a_journal_tells_the_run_the_plan_the_clusters_and_every_workload():
    cluster = cluster_of()
    start(cluster, ticket="CHG1", operator="ada", title={"job": "42"})
    content = held(cluster)
    workloads, _start, digest = content.pop("workloads"), content.pop("start"), content.pop("digest")
    assert len(digest) == 64
    assert content == {
        "version": 2,
        "plan": "ca",
        "run": "r1",
        "ticket": "CHG1",
        "period": None,
        "clusters": ["eu", "us"],
        "job": "42",
        "operator": "ada",
        "break_circuit": None,
        "started_at": "2026-11-24T22:00:00Z",
        "state": "finished",
        "stopped_by": None,
        "over": False,
        "done": 3,
        "total": 3,
        "parts": 0,
        "counts": {"restarted": 3},
        "updated_at": "2026-11-24T22:00:20Z",
    }
    assert workloads["Deployment/shop/cart"] == {
        "uid": "uid-shop-cart",
        "entry": "core",
        "attempt": 1,
        "outcome": "restarted",
    }
    assert list(workloads) == [f"Deployment/shop/{name}" for name in NAMES]
    assert cluster.objects[PATH]["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "restartx",
        "restartx.io/plan": "ca",
        "restartx.io/run": "r1",
    }


def test_the_reason_that_broke_the_circuit_stays_with_the_run():
    cluster = cluster_of()
    seen = []
    for title in ({}, {"break_circuit": "the image is repaired"}, {}):
        start(cluster, title=title)
        seen.append(held(cluster)["break_circuit"])
    assert seen == [None, "the image is repaired", "the image is repaired"]


def test_who_started_a_run_last_is_told_and_stays_if_nobody_says_so():
    cluster = cluster_of(breaks={"cart"})
    seen = []
    for operator in ({"operator": "ada"}, {}, {"operator": "bob"}):
        start(cluster, **operator)
        seen.append(held(cluster)["operator"])
    assert seen == ["ada", "ada", "bob"]


def test_a_run_in_which_something_failed_is_stopped_not_finished():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    assert held(cluster)["state"] == "stopped"
    assert told(cluster, "outcome") == {"cart": "failed", "catalog": "restarted", "web": None}


@pytest.mark.parametrize(
    "workloads, hours, breaks, state, stopped_by",
    [
        (ENTRIES, "21:00-22:01", set(), "stopped", "window"),
        (ENTRIES, "21:00-22:01", {"cart"}, "stopped", None),
        (ENTRIES, "21:00-23:00", set(), "finished", None),
        # All that is here was restarted in time, but a cluster of a later wave comes too late.
        (ENTRIES[:1], "21:00-22:01", set(), "finished", "window"),
    ],
)
def test_what_only_the_end_of_the_window_stopped_is_told(workloads, hours, breaks, state, stopped_by):
    cluster = cluster_of(breaks=breaks)
    window = {"hours": hours, "timezone": "UTC"}
    start(cluster, workloads=workloads, defaults={"settle": "55s", "timeout": "5m", "grace": "30s"}, window=window)
    assert (held(cluster)["state"], held(cluster)["stopped_by"]) == (state, stopped_by)


def test_the_journal_says_that_the_run_has_begun_before_anything_is_touched():
    cluster = cluster_of()
    seen = []
    cluster.before_patch = lambda one: seen.append(held(cluster)["state"])
    start(cluster)
    assert set(seen) == {"running"}
    touched = next(place for place, (verb, path) in enumerate(cluster.asked) if "/deployments/" in path)
    assert cluster.asked[touched - 1] == ("create", journal.path("restartx-system"))


def test_each_outcome_is_in_the_journal_soon():
    cluster = cluster_of()
    seen = {}
    executor = Executor(cluster)
    for second in (5, 12):
        executor.later(second, lambda second=second: seen.update({second: told(cluster, "outcome")}))
    start(cluster)
    assert seen == {
        5: {"cart": None, "catalog": None, "web": None},
        12: {"cart": "restarted", "catalog": "restarted", "web": None},
    }


def test_outcomes_that_come_close_together_are_written_together():
    takes = {f"w{number:02}": 10 + number / 10 for number in range(40)}
    cluster = cluster_of(*takes, takes=takes)
    start(cluster, workloads=[{"id": "all", "name": list(takes)}])
    # At the beginning, about once a second for the four seconds in which they end, and at the end.
    assert 4 <= len(writings(cluster)) <= 7
    assert set(told(cluster, "outcome").values()) == {"restarted"}


def test_nothing_is_written_while_nothing_ends():
    cluster = cluster_of("cart", takes=20)
    start(cluster, workloads=[{"id": "core", "name": "cart"}])
    assert len(writings(cluster)) <= 3


def test_one_writing_follows_the_other_and_the_last_one_is_not_overtaken():
    cluster = cluster_of(takes={"cart": 10, "catalog": 11.5, "web": 0.5})
    patch, under_way, states = cluster.patch, [], []

    def slow(path, *args, **options):
        answer = patch(path, *args, **options)
        cluster.executor.late = 0
        if "configmaps" in path:
            states.append(held(cluster)["state"])
            assert not under_way, "two writings at once"
            if states[-1] == "running":  # the answer takes its time, and all has ended when it comes
                under_way.append(path)
                cluster.executor.late = 3
                cluster.executor.later(3, under_way.clear)
        return answer

    cluster.patch = slow
    start(cluster)
    assert cluster.executor.clock.passed > 13
    assert states == ["running", "finished"]
    assert held(cluster)["state"] == "finished"


# -- what a later start makes of it ----------------------------------------------------------------------------------


def test_a_resumed_run_tries_again_what_failed_as_its_next_attempt():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    cluster.breaks = set()
    result = start(cluster)
    assert outcomes(result) == {"cart": "restarted", "catalog": "already_restarted", "web": "restarted"}
    assert (attempt_on(cluster, "cart"), attempt_on(cluster, "catalog"), attempt_on(cluster, "web")) == ("2", "1", "1")
    assert held(cluster)["state"] == "finished"
    assert held(cluster)["started_at"] == "2026-11-24T22:00:00Z"
    assert told(cluster, "attempt") == {"cart": 2, "catalog": 1, "web": 1}


def test_what_had_taken_too_long_but_has_come_up_since_is_not_tried_again():
    cluster = cluster_of(takes={"cart": 60, "catalog": 10, "web": 10})
    assert outcomes(start(cluster))["cart"] == "unfinished"
    cluster.finish(cluster.objects[kinds.path("Deployment", "shop", "cart")])
    for _time in range(2):
        result = start(cluster)
        assert outcomes(result)["cart"] == "already_restarted"
    assert [name for _moment, name in cluster.patches].count("cart") == 1
    assert told(cluster, "attempt")["cart"] == 1


def test_each_try_is_another_attempt():
    cluster = cluster_of(breaks={"cart"})
    for number in ("1", "2", "3"):
        start(cluster)
        assert attempt_on(cluster, "cart") == number


def test_what_was_superseded_is_left_alone_and_tried_again_only_when_asked_for():
    cluster = cluster_of()
    executor = cluster.executor = Executor(cluster)

    def take_back():
        cart = cluster.objects[kinds.path("Deployment", "shop", "cart")]
        del cart["spec"]["template"]["metadata"]["annotations"][restart.RUN]
        cluster.touch(cart)
        cluster.show(cart)

    executor.later(5, take_back)
    start(cluster)
    assert told(cluster, "outcome")["cart"] == "superseded"
    result = start(cluster)
    assert outcomes(result) == {"cart": "superseded", "catalog": "already_restarted", "web": "not_started"}
    assert "to restart it again: -e restartx_retry=superseded" in result["msg"]
    assert [name for _moment, name in cluster.patches].count("cart") == 1
    assert outcomes(start(cluster, title={"retry": ["superseded"]}))["cart"] == "restarted"
    assert attempt_on(cluster, "cart") == "2"


def test_what_somebody_took_back_after_it_was_done_is_superseded_at_the_next_start():
    cluster = cluster_of()
    start(cluster)
    cart = cluster.objects[kinds.path("Deployment", "shop", "cart")]
    del cart["spec"]["template"]["metadata"]["annotations"]
    cluster.touch(cart)
    cart["status"]["observedGeneration"] = cart["metadata"]["generation"]
    assert outcomes(start(cluster))["cart"] == "superseded"
    assert [name for _moment, name in cluster.patches].count("cart") == 1
    assert told(cluster, "outcome")["cart"] == "superseded"


def test_a_workload_that_was_recreated_since_is_restarted():
    cluster = cluster_of()
    start(cluster)
    where = kinds.path("Deployment", "shop", "cart")
    cluster.objects[where] = deployment("cart")
    cluster.objects[where]["metadata"]["uid"] = "uid-of-another"
    cluster.revisions["uid-of-another"] = []
    cluster._note_revision(cluster.objects[where])
    result = start(cluster)
    assert outcomes(result) == {"cart": "restarted", "catalog": "already_restarted", "web": "already_restarted"}
    assert attempt_on(cluster, "cart") == "1"


def test_what_is_only_slow_is_waited_for_and_not_restarted_once_more():
    cluster = cluster_of(takes={"cart": 55, "catalog": 10, "web": 10})
    cluster.breaks_by = None
    assert outcomes(start(cluster))["cart"] == "unfinished"
    assert outcomes(start(cluster)) == {"cart": "already_restarted", "catalog": "already_restarted", "web": "restarted"}
    assert [name for _moment, name in cluster.patches].count("cart") == 1


def test_what_an_earlier_start_undid_spends_no_failure_budget_but_holds_back_what_depends_on_it():
    plan = [
        {"id": "core", "name": "cart"},
        {"id": "web", "name": "web", "after": ["core"]},
        {"id": "cat", "name": "catalog"},
    ]
    cluster = cluster_of(breaks={"cart"})
    start(cluster, workloads=plan, defaults={"on_failure": "undo", "max_parallel": 1})
    assert told(cluster, "outcome") == {"cart": "undone", "web": None, "catalog": None}
    cluster.breaks = set()
    result = start(cluster, workloads=plan, defaults={"on_failure": "undo", "max_parallel": 1})
    assert outcomes(result) == {"cart": "undone", "web": "not_started", "catalog": "restarted"}
    again = start(cluster, workloads=plan, title={"retry": ["undone"]})
    assert outcomes(again) == {"cart": "restarted", "web": "restarted", "catalog": "already_restarted"}
    assert attempt_on(cluster, "cart") == "2"


def test_what_was_on_its_way_when_the_call_ended_is_waited_for_and_not_restarted_once_more():
    cluster = cluster_of(takes=25)
    result = start(cluster, wait_timeout="10s")
    assert outcomes(result)["cart"] == "unfinished"
    assert told(cluster, "outcome")["cart"] == "in_progress"
    result = start(cluster)
    assert outcomes(result)["cart"] == "already_restarted"
    assert [name for _moment, name in cluster.patches].count("cart") == 1


def take_back(cluster, name):
    """Somebody brings back the template without the restart."""
    one = cluster.objects[kinds.path("Deployment", "shop", name)]
    del one["spec"]["template"]["metadata"]["annotations"]
    cluster.touch(one)
    cluster.finish(one)


@pytest.mark.parametrize("cut", [{"wait_timeout": "5s"}, {"fail_fast": True}])
def test_what_was_on_its_way_when_the_call_ended_and_reverted_since_is_not_restarted_again(cut):
    cluster = cluster_of(takes=25, breaks={"catalog"})
    entries = [{"id": "core", "name": "cart"}, {"id": "cat", "name": "catalog", "timeout": "8s"}]
    start(cluster, workloads=entries, **cut)
    assert told(cluster, "outcome")["cart"] == "in_progress"
    cluster.breaks = set()
    take_back(cluster, "cart")
    result = start(cluster, workloads=entries)
    assert outcomes(result)["cart"] == "superseded"
    assert "to restart it again: -e restartx_retry=superseded" in result["msg"]
    assert [name for _moment, name in cluster.patches].count("cart") == 1
    assert outcomes(start(cluster, workloads=entries, title={"retry": ["superseded"]}))["cart"] == "restarted"


def test_what_was_only_slow_and_reverted_since_is_not_restarted_again():
    cluster = cluster_of(takes={"cart": 95, "catalog": 5, "web": 5})
    cluster.breaks_by = None
    assert outcomes(start(cluster))["cart"] == "unfinished"
    start(cluster, wait_timeout="1s")  # it is followed, and the call is over
    take_back(cluster, "cart")
    result = start(cluster)
    assert outcomes(result)["cart"] == "superseded"
    assert [name for _moment, name in cluster.patches].count("cart") == 1


def test_a_start_that_dies_at_its_beginning_knows_still_what_was_only_slow():
    cluster = cluster_of(takes={"cart": 95, "catalog": 5, "web": 5})
    cluster.breaks_by = None
    start(cluster)
    assert told(cluster, "outcome")["cart"] == "unfinished"
    seen, patch = [], cluster.patch

    def look(path, *args, **options):
        answer = patch(path, *args, **options)
        seen.extend([told(cluster, "outcome")["cart"]] if "/configmaps/" in path else [])
        return answer

    cluster.patch = look
    start(cluster)
    assert seen[0] == "in_progress"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_restart_that_got_no_answer_is_not_sent_twice_and_not_forgotten(arrived):
    cluster = cluster_of(takes={"cart": 60, "catalog": 5, "web": 5})
    patch, get = cluster.patch, cluster.get

    def lost(path, *args, **options):
        if not path.endswith("/cart"):
            return patch(path, *args, **options)
        if arrived:
            patch(path, *args, **options)
        cluster.get = lambda path, *args, **options: (
            silence() if path.endswith("/cart") else get(path, *args, **options)
        )
        raise Unreachable("no answer in time", ambiguous=True)

    def silence():
        raise Unreachable("no answer in time", ambiguous=True)

    cluster.patch = lost
    result = start(cluster)
    assert outcomes(result)["cart"] == "failed"
    assert "it is not known whether the change was carried out" in result["msg"]
    assert told(cluster, "outcome")["cart"] is None
    cluster.patch, cluster.get = patch, get
    start(cluster)
    assert [name for _moment, name in cluster.patches].count("cart") == 1
    assert attempt_on(cluster, "cart") == "1"


def test_what_is_on_its_way_is_in_the_journal_before_the_start_may_die():
    cluster = cluster_of(takes={"cart": 40, "catalog": 5, "web": 5})
    seen = {}
    Executor(cluster).later(7, lambda: seen.update(told(cluster, "outcome")))
    start(cluster)
    assert seen == {"cart": "in_progress", "catalog": "restarted", "web": None}


def test_a_start_that_dies_right_at_its_beginning_forgets_no_restart_that_was_reverted():
    cluster = cluster_of()
    start(cluster)
    take_back(cluster, "cart")
    written = []

    def dies_at_the_second_writing(verb, path):
        written.extend([path] if verb == "patch" and "/configmaps/" in path else [])
        return ZeroDivisionError("killed") if len(written) == 2 else None

    cluster.fail = dies_at_the_second_writing
    with pytest.raises(ZeroDivisionError):
        start(cluster)
    assert told(cluster, "outcome")["cart"] == "superseded"
    cluster.fail = lambda verb, path: None
    assert outcomes(start(cluster))["cart"] == "superseded"


def test_what_was_undone_in_a_run_is_not_restarted_by_it_again():
    cluster = cluster_of(breaks={"cart"})
    assert outcomes(start(cluster, defaults={"on_failure": "undo"}))["cart"] == "undone"
    cluster.breaks = set()
    result = start(cluster)
    assert outcomes(result) == {"cart": "undone", "catalog": "already_restarted", "web": "not_started"}
    assert "was undone earlier in this run; to restart it again: -e restartx_retry=undone" in result["msg"]
    assert told(cluster, "outcome") == {"cart": "undone", "catalog": "already_restarted", "web": None}
    assert outcomes(start(cluster, run="r2"))["cart"] == "restarted"


def test_what_is_being_undone_when_the_call_ends_is_not_restarted_by_the_next_start():
    cluster = cluster_of(breaks={"cart"})
    result = start(cluster, defaults={"on_failure": "undo"}, wait_timeout="35s")
    assert outcomes(result)["cart"] == "failed"
    assert told(cluster, "outcome")["cart"] == "undone"
    cluster.breaks = set()
    assert outcomes(start(cluster))["cart"] == "undone"


def test_an_undo_is_in_the_journal_before_it_is_done():
    # A start that is killed during an undo has still undone the restart.
    cluster = cluster_of(breaks={"cart"})
    executor, seen = Executor(cluster), {}
    for second in (29, 34):
        executor.later(second, lambda second=second: seen.update({second: told(cluster, "outcome")["cart"]}))
    start(cluster, defaults={"on_failure": "undo"})
    assert [seen[second] == "undone" for second in (29, 34)] == [False, True]
    assert told(cluster, "outcome")["cart"] == "undone"


def test_a_start_that_dies_right_at_its_beginning_forgets_nothing():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, defaults={"on_failure": "undo"})
    cluster.fail = lambda verb, path: (
        ZeroDivisionError("killed") if verb == "patch" and "/deployments/" in path else None
    )
    before = told(cluster, "outcome")
    with pytest.raises(ZeroDivisionError):
        start(
            cluster,
            workloads=[{"id": "core", "name": ["cart", "catalog"]}, {"id": "web", "name": "web"}],
            budget=9,
        )
    assert before == {"cart": "undone", "catalog": "restarted", "web": None}
    assert told(cluster, "outcome") == before
    assert held(cluster)["state"] == "running"


def test_a_failure_is_tried_again_once_by_a_start_that_dies_right_at_its_beginning():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    cluster.fail = lambda verb, path: (
        ZeroDivisionError("killed") if verb == "patch" and "/deployments/" in path else None
    )
    with pytest.raises(ZeroDivisionError):
        start(cluster)
    cluster.fail = lambda verb, path: None
    start(cluster)
    assert attempt_on(cluster, "cart") == "2"


@pytest.mark.parametrize("seen, good", [("", False), ("r0", False), ("r1", True), (None, True)])
def test_a_start_that_was_overtaken_since_it_looked_at_the_journal_touches_nothing(seen, good):
    cluster = cluster_of()
    start(cluster)  # r1
    began = len(cluster.patches)
    if good:
        start(cluster, run="r2", title={"expected_run": seen})
    else:
        with pytest.raises(RolloutError, match='another start of plan "ca" has started run r1 in the meantime'):
            start(cluster, run="r2", title={"expected_run": seen})
    assert (len(cluster.patches) > began) is good


def test_whoever_resumes_a_run_need_not_have_seen_it_begin():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    cluster.breaks = set()
    assert outcomes(start(cluster, title={"expected_run": ""}))["cart"] == "restarted"


def test_no_part_of_a_journal_is_larger_than_an_object_may_be():
    namespace = "n" * 63
    names = [f"{number:04}{'x' * 249}" for number in range(journal.IN_PART + 1)]
    cluster = FakeCluster([workload("StatefulSet", name, namespace) for name in names])
    for one in cluster.objects.values():
        one["metadata"]["uid"] = f"3edb2d6c-1227-4fff-ba68-{one['metadata']['name'][:4]:0>12}"
    entry = {"id": "e" * 63, "kind": "StatefulSet", "namespace": namespace, "name": names}
    result = start(cluster, workloads=[entry])
    assert result["summary"] == {"restarted": len(names)}
    parts = [one["data"][journal.KEY] for path, one in cluster.objects.items() if "/configmaps/" in path]
    assert len(parts) == 3
    assert max(map(len, parts)) < 2**20


def test_each_run_has_a_journal_of_its_own():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    cluster.breaks = set()
    before = held(cluster)
    result = start(cluster, run="r2", title={"clusters": ["eu"]}, ticket="CHG2")
    assert outcomes(result) == dict.fromkeys(NAMES, "restarted")
    content = held(cluster, "r2")
    assert {name: content[name] for name in ("run", "ticket", "clusters", "state", "over")} == {
        "run": "r2",
        "ticket": "CHG2",
        "clusters": ["eu"],
        "state": "finished",
        "over": True,  # there is no other cluster
    }
    assert content["started_at"] > "2026-11-24T22:00:20Z"
    assert set(told(cluster, "attempt", "r2").values()) == {1}
    assert held(cluster) == before


def test_the_last_ten_runs_are_kept_and_none_that_may_still_go_on():
    cluster = cluster_of("cart")
    entries = [{"id": "core", "name": "cart"}]
    cluster.breaks = {"cart"}
    start(cluster, run="r00", workloads=entries)  # stopped
    cluster.breaks = set()
    for number in range(1, 13):
        start(cluster, run=f"r{number:02}", workloads=entries, title={"clusters": ["eu"]})
    left = sorted(path.rpartition(".")[2] for path in cluster.objects if "/configmaps/" in path)
    assert left == ["r00", *(f"r{number:02}" for number in range(3, 13))]


def test_what_the_plan_names_no_longer_stays_in_the_journal():
    cluster = cluster_of()
    start(cluster)
    result = start(cluster, workloads=[{"id": "core", "name": "cart"}])
    assert outcomes(result) == {"cart": "already_restarted"}
    assert set(told(cluster, "outcome")) == set(NAMES)
    assert (held(cluster)["done"], held(cluster)["total"]) == (1, 1)


def test_a_journal_of_many_workloads_is_split_and_read_as_one():
    names = [f"w{number:04}" for number in range(journal.INLINE + 1)]
    cluster = cluster_of(*names)
    entries = [{"id": "all", "name": names}]
    start(cluster, workloads=entries)
    assert held(cluster)["workloads"] == {}
    assert (held(cluster)["parts"], held(cluster)["done"], held(cluster)["total"]) == (1, len(names), len(names))
    read, objects = journal.read_run(cluster, "restartx-system", "ca", "r1")
    assert len(read["workloads"]) == len(names)
    assert {entry["outcome"] for entry in read["workloads"].values()} == {"restarted"}
    assert [one["metadata"]["name"] for one in objects] == ["restartx.ca.r1", "restartx.ca.r1.1"]
    assert len(journal.read_runs(cluster, "restartx-system", "ca")) == 1
    before = len(cluster.patches)
    assert set(outcomes(start(cluster, workloads=entries)).values()) == {"already_restarted"}
    assert len(cluster.patches) == before


def test_a_journal_of_the_first_version_is_gone_on_with():
    cluster = cluster_of()
    start(cluster, workloads=ENTRIES[:1])
    old = held(cluster)
    del cluster.objects[PATH]
    first = {name: old[name] for name in ("plan", "digest", "run", "ticket", "clusters", "job", "started_at", "state")}
    text = json.dumps({**first, "version": 1, "updated_at": old["updated_at"], "workloads": old["workloads"]})
    place = journal.path("restartx-system", "restartx-ca")
    cluster.objects[place] = journal.config_map("restartx-system", "restartx-ca", {}, {journal.KEY: text})
    cluster.objects[place]["metadata"]["resourceVersion"] = "1"
    (known,) = journal.read_runs(cluster, "restartx-system", "ca")
    assert (known["run"], known["done"], known["total"], known["over"]) == ("r1", 2, 2, False)
    result = start(cluster)
    assert outcomes(result) == {"cart": "already_restarted", "catalog": "already_restarted", "web": "restarted"}
    assert held(cluster)["started_at"] == old["started_at"]


def test_a_workload_without_a_place_in_the_old_journal_is_new():
    cluster = cluster_of()
    start(cluster, workloads=ENTRIES[:1])
    assert outcomes(start(cluster)) == {"cart": "already_restarted", "catalog": "already_restarted", "web": "restarted"}


def test_what_was_taken_back_is_superseded_also_where_its_turn_does_not_come():
    cluster = cluster_of()
    start(cluster)
    cart = cluster.objects[kinds.path("Deployment", "shop", "cart")]
    cart["spec"]["paused"] = True
    for name in ("cart", "web"):
        one = cluster.objects[kinds.path("Deployment", "shop", name)]
        del one["spec"]["template"]["metadata"]["annotations"]
    assert outcomes(start(cluster))["web"] == "superseded"
    assert told(cluster, "outcome")["web"] == "superseded"


def test_what_cannot_be_watched_any_more_keeps_the_outcome_of_an_earlier_start():
    cluster = cluster_of()
    start(cluster)
    cluster.objects[kinds.path("Deployment", "shop", "cart")]["status"]["updatedReplicas"] = 1
    del cluster.objects[kinds.path("Deployment", "shop", "web")]["spec"]["template"]["metadata"]["annotations"]
    cluster.executor.later(5, lambda: cluster.executor.see(watch.Lost(Forbidden("may not watch", status=403))))
    assert outcomes(start(cluster)) == {"cart": "unfinished", "catalog": "already_restarted", "web": "superseded"}
    assert told(cluster, "outcome") == {"cart": "unfinished", "catalog": "already_restarted", "web": "superseded"}


# -- what cannot be written ------------------------------------------------------------------------------------------


def test_a_missing_namespace_is_said_with_the_way_out_and_nothing_is_touched():
    cluster = cluster_of()
    with pytest.raises(RolloutError, match='"journals".*does not exist.*kubectl apply -f rbac/cluster.yml'):
        start(cluster, title={"namespace": "journals"})
    assert not cluster.patches


def test_who_may_not_write_the_journal_restarts_nothing():
    cluster = cluster_of()
    cluster.fail = lambda verb, path: Forbidden("may not create configmaps", status=403) if verb == "create" else None
    with pytest.raises(Forbidden):
        start(cluster)
    assert not cluster.patches


@pytest.mark.parametrize("known", [False, True])
def test_two_starts_at_once_are_told_apart(known):
    cluster = cluster_of()
    if known:
        start(cluster)
    before = len(cluster.patches)
    get = cluster.get

    def slow(path, *args, **options):
        """Between our look at the journal and our writing, somebody else begins."""
        try:
            return get(path, *args, **options)
        finally:
            if path == PATH and not cluster.objects.get(PATH, {}).get("taken"):
                text = json.dumps({"version": 2, "job": "9"})
                cluster.objects[PATH] = journal.config_map("restartx-system", "ca", {}, {journal.KEY: text})
                cluster.objects[PATH].update(taken=True)
                cluster.objects[PATH]["metadata"]["resourceVersion"] = "77"

    cluster.get = slow
    with pytest.raises(RolloutError, match='journal of plan "ca" is being written by another start right now'):
        start(cluster)
    assert len(cluster.patches) == before
    assert held(cluster)["job"] == "9"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "data, why",
    [
        ({"journal.json": '{"version": 3}'}, "its version is 3"),
        ({"journal.json": '{"version": 1}'}, "a value is missing: 'state'"),
        ({"journal.json": '{"version": 1, "state": 7}'}, "7 is not text"),
        ({"journal.json": '{"version": 2, "workloads": {"a": null}}'}, "a value is missing"),
        ({"journal.json": '{"version": 2, "workloads": []}'}, "a value is missing"),
        ({"journal.json": "no json"}, "its version is None"),
        ({"journal.json": "[]"}, "its version is None"),
        ({"journal.json": "null"}, "its version is None"),
        ({"other": "{}"}, "its version is None"),
        (None, "its version is None"),
    ],
)
def test_a_configmap_that_holds_no_journal_is_left_alone_and_named(data, why, first):
    cluster = cluster_of()
    name = "restartx-ca" if first else "restartx.ca.r0"
    place = journal.path("restartx-system", name)
    labels = {} if first else journal.labels_of("ca", "r0")
    cluster.objects[place] = {"metadata": {"name": name, "resourceVersion": "1", "labels": labels}, "data": data}
    with pytest.raises(RolloutError, match=rf'"{name}" in namespace "restartx-system" holds no journal .*{why}'):
        start(cluster)
    assert not cluster.patches
    assert cluster.objects[place]["data"] == data


@pytest.mark.parametrize(
    "wrong",
    [
        {"started_at": "yesterday"},
        {"started_at": "2026-11-24T22:00:00"},  # in which zone?
        {"updated_at": "2026-11-24"},
        {"clusters": "eu"},
    ],
)
def test_a_journal_with_a_value_of_another_kind_is_left_alone_and_named(wrong):
    cluster = cluster_of()
    start(cluster)
    before = len(cluster.patches)
    cluster.objects[PATH]["data"][journal.KEY] = json.dumps({**held(cluster), **wrong})
    with pytest.raises(RolloutError, match='"restartx.ca.r1" in namespace "restartx-system" holds no journal'):
        start(cluster, run="r2")
    with pytest.raises(RolloutError, match="holds no journal"):
        runs.mark_over(cluster, "restartx-system", "ca", "r1", ["eu"])
    assert len(cluster.patches) == before


@pytest.mark.parametrize("text", ['{"version": 2, "workloads": [1]}', '{"version": 2, "workloads": {"a": {}}}', "[]"])
def test_a_part_of_a_journal_that_holds_no_workloads_is_left_alone_and_named(text):
    cluster = cluster_of(*(f"w{number:04}" for number in range(journal.INLINE + 1)))
    entries = [{"id": "all", "select": "`true`"}]
    start(cluster, workloads=entries)
    before = len(cluster.patches)
    cluster.objects[f"{PATH}.1"]["data"][journal.KEY] = text
    with pytest.raises(RolloutError, match='"restartx.ca.r1.1" in namespace "restartx-system" holds no journal'):
        start(cluster, workloads=entries)
    assert len(cluster.patches) == before


def test_a_journal_without_clusters_is_marked_as_over_all_the_same():
    cluster = cluster_of()
    start(cluster)
    content = held(cluster)
    del content["clusters"]
    cluster.objects[PATH]["data"][journal.KEY] = json.dumps(content)
    assert runs.mark_over(cluster, "restartx-system", "ca", "r1", ["eu"])
    assert (held(cluster)["over"], held(cluster)["clusters"]) == (True, ["eu"])


def on_journal(cluster, error, since=0.0, until=float("inf")):
    """Writings of the journal fail for a while."""

    def fail(verb, path):
        concerned = "configmaps" in path and verb == "patch" and since <= cluster.executor.clock.passed < until
        return error if concerned else None

    cluster.fail = fail


def test_a_journal_that_cannot_be_written_for_a_while_stops_nothing():
    cluster = cluster_of()
    on_journal(cluster, Unreachable("connection refused", transient=True), until=15)
    result, warnings = call(cluster)
    assert outcomes(result) == dict.fromkeys(NAMES, "restarted")
    assert warnings == ["the journal could not be written: connection refused"]
    assert held(cluster)["state"] == "finished"


def test_a_writing_that_failed_is_tried_again_though_nothing_else_happens():
    cluster = cluster_of()
    on_journal(cluster, Unreachable("connection refused", transient=True), until=12)
    Executor(cluster).later(14, lambda: seen.append(told(cluster, "outcome")["cart"]))
    seen = []
    call(cluster)
    assert seen == ["restarted"]


def test_a_journal_that_cannot_be_closed_is_a_warning():
    cluster = cluster_of()
    on_journal(cluster, Forbidden("may not patch configmaps", status=403), since=20)
    result, warnings = call(cluster)
    assert "msg" not in result
    assert "the journal could not be closed: may not patch configmaps" in warnings


def test_a_journal_that_somebody_only_labelled_is_still_ours():
    cluster = cluster_of()
    Executor(cluster).later(5, lambda: cluster.touch(cluster.objects[PATH]))
    result, warnings = call(cluster)
    assert ("msg" in result, warnings) == (False, [])
    assert held(cluster)["state"] == "finished"


def test_a_writing_whose_answer_was_lost_is_recognized():
    cluster = cluster_of()
    Executor(cluster)
    patch = cluster.patch
    lost = []

    def lose_one(path, *args, **options):
        answer = patch(path, *args, **options)
        if "configmaps" in path and not lost:
            lost.append(path)
            raise Unreachable("the connection broke", transient=True, ambiguous=True)
        return answer

    cluster.patch = lose_one
    _result, warnings = call(cluster)
    assert warnings == ["the journal could not be written: the connection broke"]
    assert held(cluster)["state"] == "finished"


def test_a_repeated_writing_that_had_arrived_is_recognized():
    cluster = cluster_of()
    Executor(cluster)
    patch = cluster.patch
    repeated = []

    def repeat_one(path, *args, **options):
        answer = patch(path, *args, **options)
        if "configmaps" in path and not repeated:
            repeated.append(path)
            raise Conflict("changed", status=409)  # by the first copy of this very request
        return answer

    cluster.patch = repeat_one
    _result, warnings = call(cluster)
    assert warnings == []
    assert held(cluster)["state"] == "finished"


def test_two_starts_that_write_the_same_in_the_same_second_know_their_texts_apart():
    clusters = [cluster_of() for _start in range(2)]
    for cluster in clusters:
        start(cluster)
    one, other = map(held, clusters)
    assert one.pop("start") != other.pop("start")
    assert one == other


def test_a_journal_that_another_run_has_taken_over_is_not_written_any_more():
    cluster = cluster_of()

    def take_over():
        text = json.dumps({"version": 1, "run": "r2", "workloads": {}})
        cluster.objects[PATH]["data"] = {journal.KEY: text}
        cluster.touch(cluster.objects[PATH])

    Executor(cluster).later(5, take_over)
    result, warnings = call(cluster)
    assert outcomes(result) == dict.fromkeys(NAMES, "restarted")
    assert warnings == [
        "the journal could not be written: another start of the plan now writes it; this one continues without it"
    ]
    assert held(cluster)["run"] == "r2"


def test_check_mode_writes_no_journal():
    cluster = cluster_of()
    start(cluster, check_mode=True)
    assert PATH not in cluster.objects
    assert not writings(cluster)


def test_check_mode_tells_what_a_resumed_run_would_try_again():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    before = held(cluster)
    cluster.breaks = set()
    would = outcomes(start(cluster, check_mode=True))
    assert held(cluster) == before
    assert would == outcomes(start(cluster))
