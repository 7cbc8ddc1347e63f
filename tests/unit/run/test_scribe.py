# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of a run: what it tells, when it is written, and what a later start makes of it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import journal

import calling
from simulation import FakeCluster, World, deployment

PATH = journal.path("restartx-system", "ca")
ENTRIES = [{"id": "core", "name": ["cart", "catalog"]}, {"id": "web", "name": ["web"], "after": ["core"]}]
NAMES = ("cart", "catalog", "web")


def cluster_of(*names, **options):
    return FakeCluster([deployment(name) for name in names or NAMES], **options)


def call(cluster, run="r1", workloads=None, title=None, check_mode=False, **options):
    """One start of the playbook's module on the cluster: its result and its warnings."""
    title = {"plan": "ca", "digest": "d1", "clusters": ["eu", "us"], **(title or {})}
    options = {"namespace": "shop", "timeout": "30s", "run_id": run, "journal": title, **options}
    verb, prepared = calling.prepare(
        "k8s_rollout_restart", cluster, check_mode, workloads=workloads or ENTRIES, **options
    )
    return calling.carry_out(verb, prepared), prepared.warnings


def start(cluster, **options):
    """As call(), without the warnings."""
    return call(cluster, **options)[0]


def held(cluster):
    """The journal that the cluster holds."""
    return json.loads(cluster.objects[PATH]["data"][journal.KEY])


def told(cluster, what):
    return {name.rpartition("/")[2]: entry[what] for name, entry in held(cluster)["workloads"].items()}


def outcomes(result):
    return {entry["name"]: entry["outcome"] for entry in result["results"]}


def attempt_on(cluster, name):
    template = cluster.objects[kinds.path("Deployment", "shop", name)]["spec"]["template"]
    return template["metadata"]["annotations"].get(restart.ATTEMPT, "1")


def writings(cluster):
    return [verb for verb, path in cluster.asked if "configmaps" in path and verb != "get"]


# -- what it tells ---------------------------------------------------------------------------------------------------


def test_a_journal_tells_the_run_the_plan_the_clusters_and_every_workload():
    cluster = cluster_of()
    start(cluster, ticket="CHG1", title={"job": "42"})
    content = held(cluster)
    workloads, _start = content.pop("workloads"), content.pop("start")
    assert content == {
        "version": 1,
        "plan": "ca",
        "digest": "d1",
        "run": "r1",
        "ticket": "CHG1",
        "clusters": ["eu", "us"],
        "job": "42",
        "started_at": "2026-11-24T22:00:00Z",
        "state": "finished",
        "updated_at": "2026-11-24T22:00:20Z",
    }
    assert workloads["Deployment/shop/cart"] == {
        "uid": "uid-shop-cart",
        "entry": "core",
        "attempt": 1,
        "outcome": "restarted",
    }
    assert list(workloads) == [f"Deployment/shop/{name}" for name in NAMES]
    assert cluster.objects[PATH]["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "restartx"}


def test_a_run_in_which_something_failed_is_stopped_not_finished():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    assert held(cluster)["state"] == "stopped"
    assert told(cluster, "outcome") == {"cart": "unfinished", "catalog": "restarted", "web": None}


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
    world = World(cluster)
    for second in (5, 12):
        world.later(second, lambda second=second: seen.update({second: told(cluster, "outcome")}))
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
        cluster.world.late = 0
        if "configmaps" in path:
            states.append(held(cluster)["state"])
            assert not under_way, "two writings at once"
            if states[-1] == "running":  # the answer takes its time, and all has ended when it comes
                under_way.append(path)
                cluster.world.late = 3
                cluster.world.later(3, under_way.clear)
        return answer

    cluster.patch = slow
    start(cluster)
    assert cluster.world.clock.passed > 13
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


def test_what_was_superseded_is_tried_again_as_another_attempt():
    cluster = cluster_of()
    world = cluster.world = World(cluster)

    def take_back():
        cart = cluster.objects[kinds.path("Deployment", "shop", "cart")]
        del cart["spec"]["template"]["metadata"]["annotations"][restart.RUN]
        cluster.touch(cart)
        cluster.show(cart)

    world.later(5, take_back)
    start(cluster)
    assert told(cluster, "outcome")["cart"] == "superseded"
    assert outcomes(start(cluster))["cart"] == "restarted"
    assert attempt_on(cluster, "cart") == "2"


def test_what_was_on_its_way_when_the_call_ended_is_waited_for_and_not_restarted_once_more():
    cluster = cluster_of(takes=25)
    result = start(cluster, wait_timeout="10s")
    assert outcomes(result)["cart"] == "unfinished"
    assert told(cluster, "outcome")["cart"] is None
    result = start(cluster)
    assert outcomes(result)["cart"] == "already_restarted"
    assert [name for _moment, name in cluster.patches].count("cart") == 1


def test_what_was_undone_in_a_run_is_not_restarted_by_it_again():
    cluster = cluster_of(breaks={"cart"})
    assert outcomes(start(cluster, on_failure="undo"))["cart"] == "undone"
    cluster.breaks = set()
    result = start(cluster)
    assert outcomes(result) == {"cart": "undone", "catalog": "not_started", "web": "not_started"}
    assert "start a new run to restart it again" in result["msg"]
    assert told(cluster, "outcome") == {"cart": "undone", "catalog": "restarted", "web": None}
    assert outcomes(start(cluster, run="r2"))["cart"] == "restarted"


def test_a_start_that_dies_right_at_its_beginning_forgets_nothing():
    cluster = cluster_of(breaks={"cart"})
    start(cluster, on_failure="undo")
    cluster.fail = lambda verb, path: (
        ZeroDivisionError("killed") if verb == "patch" and "/deployments/" in path else None
    )
    before = told(cluster, "outcome")
    with pytest.raises(ZeroDivisionError):
        start(
            cluster,
            workloads=[{"id": "core", "name": ["cart", "catalog"]}, {"id": "web", "name": "web"}],
            failure_budget=9,
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
        start(cluster, run="r2", title={"seen_run": seen})
    else:
        with pytest.raises(RolloutError, match='another start of plan "ca" has begun run r1 since'):
            start(cluster, run="r2", title={"seen_run": seen})
    assert (len(cluster.patches) > began) is good


def test_whoever_resumes_a_run_need_not_have_seen_it_begin():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    cluster.breaks = set()
    assert outcomes(start(cluster, title={"seen_run": ""}))["cart"] == "restarted"


def test_another_run_begins_its_own_journal():
    cluster = cluster_of(breaks={"cart"})
    start(cluster)
    cluster.breaks = set()
    result = start(cluster, run="r2", title={"digest": "d2", "clusters": ["eu"]}, ticket="CHG2")
    assert outcomes(result) == dict.fromkeys(NAMES, "restarted")
    content = held(cluster)
    assert {name: content[name] for name in ("run", "digest", "ticket", "clusters", "state")} == {
        "run": "r2",
        "digest": "d2",
        "ticket": "CHG2",
        "clusters": ["eu"],
        "state": "finished",
    }
    assert content["started_at"] > "2026-11-24T22:00:20Z"
    assert set(told(cluster, "attempt").values()) == {1}


def test_a_workload_without_a_place_in_the_old_journal_is_new():
    cluster = cluster_of()
    start(cluster, workloads=ENTRIES[:1])
    assert outcomes(start(cluster)) == {"cart": "already_restarted", "catalog": "already_restarted", "web": "restarted"}


def test_what_was_never_started_keeps_the_outcome_of_an_earlier_start():
    cluster = cluster_of()
    start(cluster)
    cart = cluster.objects[kinds.path("Deployment", "shop", "cart")]
    cart["spec"]["paused"] = True
    del cart["spec"]["template"]["metadata"]["annotations"]
    assert outcomes(start(cluster))["web"] == "not_started"
    assert told(cluster, "outcome")["web"] == "restarted"


def test_what_cannot_be_watched_any_more_keeps_the_outcome_of_an_earlier_start():
    cluster = cluster_of()
    start(cluster)
    cluster.objects[kinds.path("Deployment", "shop", "cart")]["status"]["updatedReplicas"] = 1
    cluster.world.later(5, lambda: cluster.world.see(watch.Lost(Forbidden("may not watch", status=403))))
    assert outcomes(start(cluster)) == {"cart": "unfinished", "catalog": "already_restarted", "web": "not_started"}
    assert told(cluster, "outcome") == {"cart": "unfinished", "catalog": "already_restarted", "web": "restarted"}


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
                text = json.dumps({"version": 1, "run": "r9"})
                cluster.objects[PATH] = journal.config_map("restartx-system", "ca", text)
                cluster.objects[PATH].update(taken=True)
                cluster.objects[PATH]["metadata"]["resourceVersion"] = "77"

    cluster.get = slow
    with pytest.raises(RolloutError, match='journal of plan "ca" is being written by another start of it'):
        start(cluster, run="r2")
    assert len(cluster.patches) == before
    assert held(cluster)["run"] == "r9"


@pytest.mark.parametrize(
    "data, version",
    [
        ({"journal.json": '{"version": 2}'}, 2),
        ({"journal.json": "no json"}, None),
        ({"journal.json": "[]"}, None),
        ({"other": "{}"}, None),
        (None, None),
    ],
)
def test_a_configmap_that_is_no_journal_is_left_alone_and_named(data, version):
    cluster = cluster_of()
    cluster.objects[PATH] = {"metadata": {"name": "restartx-ca", "resourceVersion": "1"}, "data": data}
    with pytest.raises(RolloutError, match=rf'"restartx-ca" in namespace "restartx-system" .* \(version {version}\)'):
        start(cluster)
    assert not cluster.patches
    assert cluster.objects[PATH]["data"] == data


def on_journal(cluster, error, since=0.0, until=float("inf")):
    """Writings of the journal fail for a while."""

    def fail(verb, path):
        concerned = "configmaps" in path and verb == "patch" and since <= cluster.world.clock.passed < until
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
    World(cluster).later(14, lambda: seen.append(told(cluster, "outcome")["cart"]))
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
    World(cluster).later(5, lambda: cluster.touch(cluster.objects[PATH]))
    result, warnings = call(cluster)
    assert ("msg" in result, warnings) == (False, [])
    assert held(cluster)["state"] == "finished"


def test_a_writing_whose_answer_was_lost_is_recognized():
    cluster = cluster_of()
    World(cluster)
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
    World(cluster)
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

    World(cluster).later(5, take_over)
    result, warnings = call(cluster)
    assert outcomes(result) == dict.fromkeys(NAMES, "restarted")
    assert warnings == [
        "the journal could not be written: another start of the plan writes it now; this one goes on without"
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
