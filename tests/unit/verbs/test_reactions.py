# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run leaves after a failure, what its journal says of it, and what later starts and an undo make of it."""

from __future__ import annotations

import json

import calling
import pytest
from simulation import FakeCluster, deployment, status_of, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import hold, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

APPS = ("api", "pay", "web")
PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))
SHOP = {"namespace": "shop", "timeout": "30s"}


def plan(*workloads, **defaults):
    return {"version": 1, "name": "ca", "defaults": {**SHOP, **defaults}, "workloads": list(workloads)}


def entry(name, *after, **more):
    return {"id": name, "name": name, **({"after": list(after)} if after else {}), **more}


CHAIN = [entry("api"), entry("pay", "api"), entry("web", "pay")]


def cluster_of(*names, breaks=()):
    return FakeCluster([deployment(name) for name in names or APPS], breaks=set(breaks))


def start(cluster, plan, run="r1", check_mode=False, **journal_options):
    cluster.executor = None
    options = {"clusters": ["eu"], **journal_options}
    return calling.run("k8s_rollout_restart", cluster, check_mode, plan=plan, run_id=run, journal=options)


def undo(cluster, **options):
    cluster.executor = None
    return calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"}, **options)


def held(cluster):
    return json.loads(cluster.objects[PATH]["data"][journal.KEY])


def told(cluster):
    return {name.rpartition("/")[2]: one["outcome"] for name, one in held(cluster)["workloads"].items()}


def outcomes(result):
    return {one["name"]: one["outcome"] for one in result["results"]}


def message(result, name):
    return next(one["message"] for one in result["results"] if one["name"] == name)


def object_of(cluster, name, kind="Deployment"):
    return cluster.objects[kinds.path(kind, "shop", name)]


def carrying(cluster, *names):
    return [name for name in names or APPS if restart.run_of(object_of(cluster, name))]


PAUSING = plan(*CHAIN, on_failure="pause")


def test_a_start_that_finds_what_the_run_left_paused_says_so_and_how_to_go_on():
    cluster = cluster_of(breaks={"pay"})
    result = start(cluster, PAUSING)
    assert outcomes(result) == {"api": "restarted", "pay": "unfinished", "web": "not_started"}
    patches = len(cluster.patches)
    result = start(cluster, PAUSING)
    assert outcomes(result) == {"api": "already_restarted", "pay": "refused", "web": "not_started"}
    command = "kubectl --context simulated rollout resume deployment/pay --namespace shop"
    assert message(result, "pay").startswith(
        f'deployment "pay" in namespace "shop" is paused since it failed in run "r1", and is left for inspection; to go on with it: {command}'
    )
    assert hold.LEFTOVERS in message(result, "pay")
    assert len(cluster.patches) == patches


def test_a_new_run_refuses_what_an_earlier_one_left_paused():
    cluster = cluster_of(breaks={"pay"})
    start(cluster, PAUSING)
    result = start(cluster, PAUSING, run="r2")
    assert outcomes(result)["pay"] == "refused"
    assert 'since it failed in run "r1"' in message(result, "pay")


def test_the_check_of_a_plan_says_the_same():
    cluster = cluster_of(breaks={"pay"})
    start(cluster, PAUSING)
    cluster.executor = None
    result = calling.run("k8s_rollout_plan", cluster, plan=PAUSING)
    assert 'is paused since it failed in run "r1"' in message(result, "pay")
    (blocker,) = [one for one in result["findings"] if one["severity"] == "blocker"]
    assert blocker["code"] == "paused" and "since it failed in run" in blocker["sentence"]


def test_after_it_is_released_the_run_goes_on():
    cluster = cluster_of(breaks={"pay"})
    start(cluster, PAUSING)
    cluster.breaks = ()
    pay = object_of(cluster, "pay")
    del pay["spec"]["paused"]
    pay["status"] = status_of(pay, 2)
    assert set(outcomes(start(cluster, PAUSING)).values()) <= {"restarted", "already_restarted"}
    assert held(cluster)["state"] == "finished"


def test_what_somebody_else_paused_is_not_said_to_be_held():
    stopping = plan(*CHAIN)
    cluster = cluster_of(breaks={"pay"})
    cluster.breaks_by = "CrashLoopBackOff"
    start(cluster, stopping)
    object_of(cluster, "pay")["spec"]["paused"] = True
    result = start(cluster, stopping)
    assert "since it failed in run" not in message(result, "pay")


def test_an_entry_may_pause_while_the_others_continue():
    cluster = cluster_of(breaks={"api", "pay"})
    entries = [entry("api", on_failure="pause"), entry("pay"), entry("web")]
    start(cluster, plan(*entries, on_failure="continue"))
    assert [name for name in APPS if object_of(cluster, name)["spec"].get("paused")] == ["api"]


def test_the_module_pauses_without_a_plan_and_a_dry_run_pauses_nothing():
    for check_mode, expected in ((True, None), (False, True)):
        cluster = cluster_of("api", breaks={"api"})
        options = {**SHOP, "name": ["api"], "on_failure": "pause"}
        calling.run("k8s_rollout_restart", cluster, check_mode, **options)
        assert object_of(cluster, "api")["spec"].get("paused") is expected


def test_without_a_journal_another_call_of_the_run_finds_what_is_paused():
    cluster = cluster_of("api", breaks={"api"})
    options = {**SHOP, "name": ["api"], "on_failure": "pause", "run_id": "r1"}
    calling.run("k8s_rollout_restart", cluster, **options)
    cluster.executor = None
    result = calling.run("k8s_rollout_restart", cluster, **options)
    assert outcomes(result) == {"api": "refused"}
    assert 'is paused since it failed in run "r1"' in message(result, "api")


def test_what_the_run_holds_is_released_with_its_undo():
    cluster = cluster_of(breaks={"pay"})
    start(cluster, PAUSING)
    cluster.patches.clear()
    assert outcomes(undo(cluster)) == {"web": "unchanged", "pay": "undone", "api": "undone"}
    assert not object_of(cluster, "pay")["spec"]["paused"]
    assert [name for _moment, name in cluster.patches] == ["pay", "api"]
    assert carrying(cluster) == []


def test_what_somebody_else_paused_is_not_released_by_an_undo():
    cluster = cluster_of()
    start(cluster, PAUSING)
    object_of(cluster, "pay")["spec"]["paused"] = True
    assert outcomes(undo(cluster))["pay"] == "refused"
    assert object_of(cluster, "pay")["spec"]["paused"]


# StatefulSets

DB = plan({"id": "db", "kind": ["StatefulSet"], "name": "db"}, on_failure="pause")


def database(partition=None, breaks=("db",)):
    db = workload("StatefulSet", "db")
    if partition is not None:
        db["spec"]["updateStrategy"]["rollingUpdate"] = {"partition": partition}
    cluster = FakeCluster([db], breaks=set(breaks))
    template = json.loads(json.dumps(db["spec"]["template"]))
    note_revision(cluster, 1, template)
    return cluster


def note_revision(cluster, number, template):
    """A ControllerRevision of the StatefulSet."""
    name = f"db-{number}"
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "uid-shop-db", "controller": True}
    cluster.objects[f"/apis/apps/v1/namespaces/shop/controllerrevisions/{name}"] = {
        "kind": "ControllerRevision",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "db"}, "ownerReferences": [owner]},
        "revision": number,
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
    }


def partition_now(cluster):
    return object_of(cluster, "db", "StatefulSet")["spec"]["updateStrategy"]["rollingUpdate"].get("partition")


def entry_of_db(cluster):
    return held(cluster)["workloads"]["StatefulSet/shop/db"]


@pytest.mark.parametrize("before", [None, 0, 1])
def test_the_journal_has_the_partition_from_its_first_write_on(before):
    cluster = database(before)
    seen = []
    cluster.before_patch = lambda one: seen.append(entry_of_db(cluster).get("partition"))
    start(cluster, DB)
    assert partition_now(cluster) == 2  # no pod has the new revision
    assert seen == [before or 0] * 2
    assert entry_of_db(cluster)["partition"] == (before or 0)


def test_a_resumed_run_keeps_the_partition_and_refuses_what_is_held():
    cluster = database(1)
    start(cluster, DB)
    result = start(cluster, DB)
    assert outcomes(result) == {"db": "refused"}
    assert 'is held by its partition 2 since it failed in run "r1"' in message(result, "db")
    assert '"partition": 1' in message(result, "db")
    assert entry_of_db(cluster)["partition"] == 1


def test_only_stateful_sets_of_entries_that_pause_have_a_partition_in_the_journal():
    cluster = FakeCluster([workload("StatefulSet", "db"), workload("DaemonSet", "agent"), deployment("api")])
    every = {"kind": ["StatefulSet", "DaemonSet", "Deployment"]}
    start(cluster, plan({"id": "all", **every}, on_failure="stop"))
    assert not [one for one in held(cluster)["workloads"].values() if "partition" in one]
    start(cluster, plan({"id": "all", **every}, on_failure="pause"), run="r2")
    other = json.loads(cluster.objects[PATH.replace("r1", "r2")]["data"][journal.KEY])["workloads"]
    assert [name for name, one in other.items() if "partition" in one] == ["StatefulSet/shop/db"]


def test_a_plan_that_no_longer_pauses_keeps_the_partition_of_what_is_held():
    cluster = database(1)
    start(cluster, DB)
    stopping = {**DB, "defaults": SHOP}
    assert outcomes(start(cluster, stopping)) == {"db": "refused"}
    assert outcomes(start(cluster, stopping)) == {"db": "refused"}
    assert entry_of_db(cluster)["partition"] == 1


def test_the_undo_of_a_held_stateful_set_gives_back_its_partition():
    cluster = database(1)
    start(cluster, DB)
    template = object_of(cluster, "db", "StatefulSet")["spec"]["template"]
    note_revision(cluster, 2, json.loads(json.dumps(template)))
    result = undo(cluster)
    assert outcomes(result) == {"db": "undone"}, result
    assert partition_now(cluster) == 1
    assert restart.run_of(object_of(cluster, "db", "StatefulSet")) is None


# Kills

WRITES = {"patch", "create", "replace", "delete"}


class Killed(BaseException):
    """kill -9: nothing of the start is left, and nothing it does reaches the cluster any more."""


def killed_start(cluster, plan, at, before):
    """A start of the run that is killed at its `at`th write, before or after the server carried it out. Returns whether
    it came that far."""
    writes = []

    def fail(verb, path):
        if len(writes) > at or (writes and len(writes) == at and not before and verb):
            raise Killed
        if verb in WRITES:
            writes.append((verb, path))
            if len(writes) == at and before:
                writes.append(None)
                raise Killed
        return

    cluster.fail = fail
    try:
        start(cluster, plan)
    except Killed:
        return True
    finally:
        cluster.fail = lambda verb, path: None
    return False


@pytest.mark.parametrize("before", [True, False], ids=["before the server has it", "after"])
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_after_a_kill_at_any_write_the_next_start_knows_what_is_held(kind, before):
    for at in range(1, 40):
        cluster = database() if kind == "StatefulSet" else cluster_of("db", breaks={"db"})
        both = plan({"id": "db", "kind": [kind], "name": "db"}, on_failure="pause")
        killed = killed_start(cluster, both, at, before)
        db = object_of(cluster, "db", kind)
        is_held = restart.run_of(db) == "r1" and kinds.kind_of(db).is_held(db, 0)
        restarts = [name for _moment, name in cluster.patches].count("db")
        result = start(cluster, both)
        if is_held:
            assert outcomes(result) == {"db": "refused"}, at
            assert "since it failed in run" in message(result, "db")
            assert len(cluster.patches) == restarts
        else:
            assert outcomes(result) == {"db": "unfinished"}, at
            assert "for inspection; to go on with it" in message(result, "db")
        assert restart.run_of(object_of(cluster, "db", kind)) == "r1"
        assert restart.attempt_of(object_of(cluster, "db", kind), "r1") == 1
        if not killed:
            break
    else:
        raise AssertionError("never came to its end")
    assert at > 5


# undo_scope

ONE_ENTRY = plan({"id": "core", "name": ["api", "pay"]}, entry("web", "core"), on_failure="undo", undo_scope="entry")
WHOLE_RUN = plan(*CHAIN, on_failure="undo", undo_scope="run")


def test_the_other_workloads_of_the_entry_are_undone_too_and_no_others():
    cluster = cluster_of("cache", *APPS, breaks={"pay"})
    scope = plan(
        entry("cache"),
        {"id": "core", "name": ["api", "pay"], "after": ["cache"]},
        on_failure="undo",
        undo_scope="entry",
    )
    result = start(cluster, scope)
    assert outcomes(result) == {"cache": "restarted", "api": "undone", "pay": "undone"}
    assert carrying(cluster, "cache", *APPS) == ["cache"]
    assert message(result, "api").startswith("Deployment shop/pay failed, and undo_scope is entry; undone: deployment")
    assert result["undo_scope"] == "entry"
    assert "Deployment shop/pay undone" in result["msg"]
    assert (held(cluster)["state"], told(cluster)) == (
        "stopped",
        {"cache": "restarted", "api": "undone", "pay": "undone"},
    )
    assert held(cluster)["done"] == 1


def test_nothing_new_of_the_entry_starts_after_the_failure_though_the_budget_allows_it():
    cluster = cluster_of("api", "pay", "web", "zoo", breaks={"api"})
    scope = plan(
        {"id": "core", "name": ["api", "pay"], "max_parallel": 1},
        {"id": "edge", "name": ["web", "zoo"], "max_parallel": 1},
        on_failure="undo",
        undo_scope="entry",
    )
    result = start(cluster, {**scope, "failure_budget": 1})
    assert outcomes(result) == {"api": "undone", "pay": "not_started", "web": "restarted", "zoo": "restarted"}
    assert message(result, "pay") == (
        "Deployment shop/api failed, and undo_scope is entry, so its whole entry is undone"
    )


def test_the_whole_run_is_undone_in_reverse_order_and_nothing_new_starts():
    cluster = cluster_of("zoo", *APPS, breaks={"web"})
    scope = plan(*CHAIN, entry("zoo", "pay"), on_failure="undo", undo_scope="run", max_parallel=1)
    result = start(cluster, {**scope, "failure_budget": 3})
    assert outcomes(result) == {"api": "undone", "pay": "undone", "web": "undone", "zoo": "not_started"}
    assert [name for _moment, name in cluster.patches] == ["api", "pay", "web", "web", "pay", "api"]
    assert cluster.patches[5][0] >= cluster.patches[4][0] + 10
    assert carrying(cluster, "zoo", *APPS) == []
    assert (held(cluster)["state"], held(cluster)["over"]) == ("undone", True)
    assert result["undo_scope"] == "run"


def test_rollouts_in_progress_are_waited_for_before_they_are_undone():
    cluster = cluster_of("api", "slow", breaks={"api"})
    cluster.takes = {"api": 10, "slow": 25}
    cluster.breaks_by = None
    both = plan({"id": "core", "name": ["api", "slow"]}, on_failure="undo", undo_scope="run", timeout="20s")
    both["workloads"][0]["timeout"] = "40s"
    start(cluster, both)
    undone_at = [moment for moment, name in cluster.patches if name == "slow"][1]
    assert undone_at >= 40


def test_a_start_afterwards_leaves_alone_what_was_undone_until_it_is_asked_for():
    cluster = cluster_of(breaks={"pay"})
    start(cluster, ONE_ENTRY)
    cluster.breaks = ()
    patches = len(cluster.patches)
    assert outcomes(start(cluster, ONE_ENTRY)) == {"api": "undone", "pay": "undone", "web": "not_started"}
    assert len(cluster.patches) == patches
    again = outcomes(start(cluster, ONE_ENTRY, retry=["undone"]))
    assert again == dict.fromkeys(APPS, "restarted")


@pytest.mark.parametrize("scope", ["entry", "run"])
def test_without_a_journal_it_is_undone_too(scope):
    cluster = cluster_of("api", "pay", breaks={"pay"})
    options = {**SHOP, "name": ["api", "pay"], "on_failure": "undo", "undo_scope": scope}
    result = calling.run("k8s_rollout_restart", cluster, run_id="r1", **options)
    assert outcomes(result) == dict.fromkeys(("api", "pay"), "undone")
    assert carrying(cluster, "api", "pay") == []


def test_what_earlier_starts_restarted_is_undone_with_the_run():
    cluster = cluster_of("cache", *APPS)
    start(cluster, plan(entry("cache")))
    cluster.breaks = {"api"}
    result = start(cluster, plan(entry("api"), on_failure="undo", undo_scope="run"))
    assert outcomes(result) == {"api": "undone", "cache": "undone"}
    assert carrying(cluster, "cache", "api") == []
    assert (held(cluster)["state"], told(cluster)) == ("undone", {"api": "undone", "cache": "undone"})


def test_what_the_run_held_is_undone_with_it():
    cluster = cluster_of("api", "pay", breaks={"api", "pay"})
    entries = [entry("api", on_failure="pause"), entry("pay")]
    both = {**plan(*entries, on_failure="undo", undo_scope="run"), "failure_budget": 5}
    result = start(cluster, both)
    assert outcomes(result) == {"api": "undone", "pay": "undone"}
    assert not object_of(cluster, "api")["spec"].get("paused")


def test_an_undo_of_another_workload_that_fails_is_told_with_its_own_cause():
    cluster = cluster_of("api", "pay", breaks={"pay"})
    takes = {"api": 10, "pay": 10}
    cluster.takes = takes
    cluster.before_patch = lambda one: takes.update(api=1000) if cluster.executor.clock.passed > 25 else None
    result = start(cluster, plan({"id": "core", "name": ["api", "pay"]}, on_failure="undo", undo_scope="run"))
    assert outcomes(result) == {"api": "unfinished", "pay": "undone"}
    assert "its undo unfinished: not done after 30s" in message(result, "api")
    assert "; not undone with it: Deployment shop/api unfinished: not done after 30s" in result["msg"]


def test_an_undo_that_is_refused_leaves_the_outcome_and_is_told():
    cluster = cluster_of("api", "pay", breaks={"pay"})
    cluster.before_patch = lambda one: cluster.revisions["uid-shop-api"].__delitem__(slice(0, -1))
    result = start(cluster, plan({"id": "core", "name": ["api", "pay"]}, on_failure="undo", undo_scope="run"))
    assert outcomes(result) == {"api": "restarted", "pay": "undone"}
    assert "its undo refused" in message(result, "api")
    assert "not undone with it: Deployment shop/api refused" in result["msg"]


def test_a_cluster_that_does_not_answer_any_more_is_told_with_what_came_of_the_restarts():
    cluster = cluster_of("api", "pay", breaks={"pay"})
    gone = Unreachable("no answer")
    cluster.fail = lambda verb, path: gone if verb == "get" and path == PATH and len(cluster.patches) > 2 else None
    result = start(cluster, plan({"id": "core", "name": ["api", "pay"]}, on_failure="undo", undo_scope="run"))
    assert outcomes(result) == {"api": "restarted", "pay": "undone"}
    assert result["msg"].endswith("; the others could not be undone: no answer")
    assert (held(cluster)["state"], result["undo_scope"]) == ("undoing", "run")


def test_after_the_time_of_the_call_undos_are_sent_and_not_waited_for():
    cluster = cluster_of("api", "pay", breaks={"pay"})
    cluster.executor = None
    scope = plan({"id": "core", "name": ["api", "pay"]}, on_failure="undo", undo_scope="run")
    options = {"plan": scope, "run_id": "r1", "journal": {"clusters": ["eu"]}, "wait_timeout": "20s"}
    result = calling.run("k8s_rollout_restart", cluster, **options)
    assert carrying(cluster, "api", "pay") == []
    assert outcomes(result) == {"api": "undone", "pay": "undone"}
    assert cluster.executor.clock.passed < 25


def test_the_journal_says_that_the_run_is_being_undone_before_the_others_are_touched():
    cluster = cluster_of(breaks={"web"})
    seen = []
    cluster.before_patch = lambda one: seen.append((one["metadata"]["name"], held(cluster)["state"]))
    start(cluster, WHOLE_RUN)
    assert seen[-2:] == [("pay", "undoing"), ("api", "undoing")]


@pytest.mark.parametrize("scope", ["entry", "run"])
@pytest.mark.parametrize("before", [True, False], ids=["before the server has it", "after"])
def test_after_a_kill_at_any_write_the_undo_is_finished_by_the_next_command(scope, before):
    both = plan({"id": "core", "name": ["api", "pay"]}, on_failure="undo", undo_scope=scope)
    for at in range(1, 40):
        cluster = cluster_of("api", "pay", breaks={"pay"})
        killed = killed_start(cluster, both, at, before)
        state = held(cluster)["state"] if PATH in cluster.objects else None
        result = undo(cluster) if state in ("undoing", "undone") else start(cluster, both)
        if "superseded" in outcomes(result).values():
            # The first undo was sent less than a second before, and the journal did not say so yet.
            assert scope == "entry" and "pay" not in carrying(cluster, "pay")
            continue
        assert carrying(cluster, "api", "pay") == [], at
        assert scope == "entry" or held(cluster)["state"] == "undone"
        if not killed:
            break
    else:
        raise AssertionError("never came to its end")


@pytest.mark.parametrize("options", [{}, {"on_failure": "pause"}, {"on_failure": "continue"}])
def test_an_undo_scope_without_an_undo_is_refused_before_anything_is_asked(options):
    cluster = cluster_of("api")
    with pytest.raises(RolloutError, match="^undo_scope: has no effect, because on_failure is undo nowhere"):
        calling.run("k8s_rollout_restart", cluster, **SHOP, name=["api"], undo_scope="run", **options)
    assert cluster.asked == []


def test_an_entry_with_an_undo_of_its_own_is_enough():
    cluster = cluster_of("api", "pay", breaks={"pay"})
    workloads = [{"id": "core", "name": ["api", "pay"], "namespace": "shop", "on_failure": "undo"}]
    result = calling.run("k8s_rollout_restart", cluster, workloads=workloads, timeout="30s", undo_scope="entry")
    assert outcomes(result) == {"api": "undone", "pay": "undone"}
