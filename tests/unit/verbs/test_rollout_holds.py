# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollouts under way are held while somebody else uses up the room of a budget (`budgets: enforce`)."""

from __future__ import annotations

import copy
import json

import budgets
import calling
import pytest
from paced import PacedCluster
from simulation import Executor, Killed, Noting
from starts import carry_out, end, ended, start

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart

KINDS = ("Deployment", "StatefulSet")
PATH = journal.path("restartx-system", journal.name_of("ca", "r1"))


def plan(kind="Deployment", **defaults):
    return {
        "version": 1,
        "name": "ca",
        "defaults": {"namespace": "shop", "timeout": "30s", "budgets": "enforce", **defaults},
        "workloads": [{"id": "api", "kind": kind, "name": "api"}],
    }


def broken(kind, broken_at=5.0, mended_at=60.0, **more):
    """A cluster in which a pod of somebody else is not ready for a while in the middle of the rollout."""
    cluster = PacedCluster(kind, **more)
    executor = Noting(cluster)
    executor.later(broken_at, cluster.break_one)
    if mended_at is not None:
        executor.later(mended_at, lambda: cluster.break_one(is_ready=True))
    return cluster


def held(cluster):
    """Whether the rollout is held."""
    spec = cluster.strategy
    return bool(spec.get("paused") or (spec.get("updateStrategy", {}).get("rollingUpdate") or {}).get("partition"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_is_held_while_somebody_else_uses_up_the_room_and_goes_on_when_there_is_some_again(kind):
    cluster = broken(kind)
    seen = []
    cluster.executor.later(40, lambda: seen.append((held(cluster), len(cluster.stopped))))
    result = carry_out(cluster, plan(kind))
    assert ended(result)[0] == "restarted", result
    (was_held, replaced), *_rest = seen
    assert was_held and 0 < replaced < 4
    assert all(healthy >= 7 for _at, healthy in cluster.stopped)
    assert len(cluster.stopped) == 4 and cluster.strategy == cluster.before
    assert cluster.executor.clock.passed > 60
    assert not any("revision" in warning for warning in result.get("warnings", []))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_held_while_there_is_room(kind):
    cluster = PacedCluster(kind)
    cluster.go_on(Executor(cluster))
    assert ended(carry_out(cluster, plan(kind)))[0] == "restarted"
    assert len(cluster.patches) == 1 and cluster.strategy == cluster.before


def test_the_reason_is_in_the_progress_and_in_the_journal_and_in_the_result():
    cluster, told = broken("Deployment", mended_at=None), []

    def look():
        told.append(json.loads(cluster.objects[PATH]["data"][journal.KEY])["waits_for"])

    cluster.executor.later(30, look)
    result = carry_out(cluster, plan(), wait_timeout="60s")
    said, message = ended(result)
    reason = "PodDisruptionBudget shop/all wants 7 healthy pods: {} are healthy, and this rollout would leave 6"
    assert said == "unfinished" and held(cluster)
    assert message == (
        f"the wait_timeout of 1m for the whole call is over; last seen: its rollout is paused, because {reason.format(7)}; it keeps the "
        "strategy that its restart has set for budgets (paused); to find and give back what is left: ansible-playbook "
        "restartx.core.leftovers -e repair=true"
    )
    # When it was held, the pod that it had stopped last was not ready yet. A new number is written once a minute.
    assert told == [{"budgets of Deployment shop/api": f"Deployment shop/api: {reason.format(6)}"}]


def test_the_time_for_which_it_is_held_counts_against_nothing():
    cluster = broken("Deployment", mended_at=400.0)
    assert ended(carry_out(cluster, plan(timeout="20s", grace="5s")))[0] == "restarted"


def test_what_was_left_of_the_timeout_is_left_when_it_goes_on():
    cluster = broken("Deployment", mended_at=60.0)
    cluster.executor.later(50, lambda: setattr(cluster, "_stop_one", lambda: None))
    assert ended(carry_out(cluster, plan(timeout="30s")))[0] == "unfinished"
    assert 86 < cluster.executor.clock.passed < 91


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_moment_leaves_it_held_and_a_resume_ends_as_if_there_was_none(kind):
    cluster = broken(kind, mended_at=30.0)
    executor = cluster.executor
    carry_out(cluster, plan(kind))
    moments = executor.moments
    assert len(moments) > 20
    for at in moments:
        cluster = broken(kind, mended_at=30.0)
        cluster.executor.later(at, end)
        with pytest.raises(Killed):
            carry_out(cluster, plan(kind))
        mended = at >= 30
        cluster.go_on(Executor(cluster))
        if not mended:
            cluster.executor.later(30, lambda cluster=cluster: cluster.break_one(is_ready=True))
        result = carry_out(cluster, plan(kind))
        assert ended(result)[0] in ("restarted", "already_restarted"), (at, result)
        assert cluster.strategy == cluster.before, at
        assert len(cluster.stopped) == 4, (at, cluster.stopped)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_stops_no_pod_before_there_is_room_again(kind):
    cluster = broken(kind, mended_at=None)
    cluster.executor.later(20, end)
    with pytest.raises(Killed):
        carry_out(cluster, plan(kind))
    stopped = len(cluster.stopped)
    assert held(cluster) and 0 < stopped < 4
    cluster.go_on(Executor(cluster))
    cluster.executor.later(50, lambda: cluster.break_one(is_ready=True))
    assert ended(carry_out(cluster, plan(kind)))[0] in ("restarted", "already_restarted")
    assert cluster.stopped[stopped][0] > 50 and len(cluster.stopped) == 4
    assert cluster.strategy == cluster.before


def killed_while_held(kind="Deployment", **defaults):
    cluster = broken(kind, mended_at=None)
    cluster.executor.later(20, end)
    with pytest.raises(Killed):
        carry_out(cluster, plan(kind, **defaults))
    assert held(cluster)
    return cluster


def undo(cluster):
    cluster.go_on(Executor(cluster))
    return calling.run("k8s_rollout_undo", cluster, run_id="r1", journal={"plan": "ca"})


@pytest.mark.parametrize("kind", KINDS)
def test_an_undo_of_the_run_releases_it_with_the_template(kind):
    cluster = killed_while_held(kind)
    assert ended(undo(cluster))[0] == "undone"
    assert restart.run_of(cluster.api) is None and cluster.strategy == cluster.before


@pytest.mark.parametrize("kind", KINDS)
def test_who_deploys_while_it_is_held_gets_the_strategy_back_at_once(kind):
    cluster = broken(kind, mended_at=None)

    def deploy(one):
        one["spec"]["template"]["metadata"]["annotations"] = {"version": "2"}

    cluster.executor.later(20, lambda: cluster.edit(cluster.api, deploy))
    said, message = ended(carry_out(cluster, plan(kind)))
    assert said == "superseded" and message.endswith("; its strategy was given back"), message
    assert cluster.strategy == cluster.before


def test_a_deploy_that_keeps_the_annotations_is_not_held_either():
    cluster = broken("Deployment", mended_at=None)

    def deploy(one):
        one["spec"]["template"]["spec"]["containers"] = [{"name": "main", "image": "shop/api:2"}]

    cluster.executor.later(20, lambda: cluster.edit(cluster.api, deploy))
    said, message = ended(carry_out(cluster, plan()))
    assert said == "superseded" and message.endswith("; its strategy was given back"), message
    assert cluster.strategy == cluster.before


def test_who_deploys_after_a_kill_gets_it_back_from_the_next_start_and_from_an_undo():
    for again in (lambda cluster: start(cluster, plan()), undo):
        cluster = killed_while_held()
        cluster.executor = Executor(cluster)
        cluster.edit(cluster.api, lambda one: one["spec"]["template"]["metadata"].update(annotations={"version": "2"}))
        assert held(cluster)
        again(cluster)
        assert cluster.strategy == cluster.before
        assert cluster.api["spec"]["template"]["metadata"]["annotations"] == {"version": "2"}


@pytest.mark.parametrize("kind", KINDS)
def test_who_lets_it_go_on_by_hand_is_not_held_up_again(kind):
    cluster = broken(kind, mended_at=None)

    def resume(one):
        one["spec"].pop("paused", None)
        if kind == "StatefulSet":
            one["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0

    cluster.executor.later(20, lambda: cluster.edit(cluster.api, resume))
    result = carry_out(cluster, plan(kind))
    assert ended(result)[0] == "restarted", result
    assert cluster.strategy == cluster.before and cluster.executor.clock.passed < 60


def test_what_a_person_has_paused_stays_paused():
    cluster = PacedCluster()
    cluster.go_on(Executor(cluster))
    cluster.executor.later(4, lambda: cluster.edit(cluster.api, lambda one: one["spec"].update(paused=True)))
    cluster.executor.later(6, cluster.break_one)
    cluster.executor.later(20, lambda: cluster.break_one(is_ready=True))
    assert ended(carry_out(cluster, plan()))[0] == "unfinished"
    assert cluster.strategy["paused"] is True
    start(cluster, plan(), wait_timeout="60s")
    undo(cluster)
    assert cluster.strategy["paused"] is True


def test_another_run_refuses_what_a_killed_one_holds():
    cluster = killed_while_held()
    said, message = ended(start(cluster, plan(), run="r2"))
    assert said == "refused" and 'has the strategy that run "r1" set for budgets (paused)' in message, message
    assert held(cluster)


@pytest.mark.parametrize("kind", KINDS)
def test_on_failure_pause_goes_on_with_what_was_only_held_for_budgets(kind):
    cluster = killed_while_held(kind, on_failure="pause")
    cluster.break_one(is_ready=True)
    assert ended(start(cluster, plan(kind, on_failure="pause")))[0] in ("restarted", "already_restarted")
    assert cluster.strategy == cluster.before


@pytest.mark.parametrize("kind", KINDS)
def test_leftovers_find_it_and_let_it_go_on_only_while_there_is_room(kind):
    cluster = killed_while_held(kind)
    assert ended(start(cluster, plan(kind), run="r2"))[0] == "refused"
    cluster.go_on(Executor(cluster))
    found = calling.run("k8s_rollout_leftovers", cluster)["leftovers"]
    assert [one["code"] for one in found if one["run"] == "r1"] == ["tightened"], found
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, repair=True, run_id="r1")
    assert "stays so, because PodDisruptionBudget shop/all wants 7 healthy pods" in result["msg"] and held(cluster)
    cluster.break_one(is_ready=True)
    cluster.go_on(Executor(cluster))
    calling.run("k8s_rollout_leftovers", cluster, repair=True, run_id="r1")
    assert not held(cluster) and cluster.strategy == cluster.before


def held_twice():
    """The run holds `web` just as `api`, and both share a budget that again leaves room for one pod."""
    cluster = killed_while_held()
    web = copy.deepcopy(cluster.api)
    web["metadata"] |= {"name": "web", "uid": "uid-web"}
    cluster.objects[kinds.path("Deployment", "shop", "web")] = web
    record = json.loads(cluster.objects[PATH]["data"][journal.KEY])
    entry = record["workloads"]["Deployment/shop/api"]
    record["workloads"]["Deployment/shop/web"] = {**entry, "uid": "uid-web"}
    cluster.objects[PATH]["data"][journal.KEY] = json.dumps(record)
    cluster.others += [budgets.pod(web, number) for number in range(4)]
    cluster.break_one(is_ready=True)
    cluster.spec = {"minAvailable": 11}
    return cluster, web


def test_a_repair_lets_only_so_many_go_on_as_there_is_room_for():
    cluster, web = held_twice()
    both = plan()
    both["workloads"].append({"id": "web", "kind": "Deployment", "name": "web"})
    refused = start(cluster, both, run="r2")["results"]
    assert [one["outcome"] for one in refused] == ["refused", "refused"]
    cluster.go_on(Executor(cluster))
    result = calling.run("k8s_rollout_leftovers", cluster, repair=True, run_id="r1")
    assert [one["spec"].get("paused") for one in (cluster.api, web)] == [None, True]
    assert '"web" in namespace "shop" is held (paused) and stays so, because' in result["msg"]
    assert "and other rollouts of the run may still stop 1" in result["msg"]


def test_a_plan_that_no_longer_enforces_lets_it_go_on():
    cluster = killed_while_held()
    assert ended(start(cluster, plan(budgets="report")))[0] in ("restarted", "already_restarted")
    assert cluster.strategy == cluster.before


def test_it_goes_on_although_the_window_has_closed():
    cluster = broken("Deployment", mended_at=200.0)
    windowed = {**plan(), "window": {"hours": "21:00-22:02", "timezone": "UTC"}}
    assert ended(carry_out(cluster, windowed))[0] == "restarted"
    assert cluster.executor.clock.passed > 200 and cluster.strategy == cluster.before


def test_pods_that_were_just_evicted_use_up_the_room_too():
    cluster = PacedCluster(minAvailable=7)
    cluster.go_on(Executor(cluster))
    cluster.executor.later(5, lambda: cluster.evicted.add("pod-1"))
    cluster.executor.later(50, cluster.evicted.clear)
    assert ended(carry_out(cluster, plan()))[0] == "restarted"
    assert cluster.executor.clock.passed > 50


def test_a_change_that_is_refused_is_told_and_tried_again():
    cluster = broken("Deployment", broken_at=6.0, mended_at=120.0, pace=4.0)
    patch, refused = cluster.patch, []

    def refusing(path, body, content, **options):
        if "paused" in str(body) and len(refused) < 2:
            refused.append(body)
            raise Forbidden("denied by a webhook", status=403)
        return patch(path, body, content, **options)

    cluster.patch = refusing
    journaled = {"plan": plan(timeout="10m"), "run_id": "r1", "journal": {"clusters": ["eu"]}}
    verb, call = calling.prepare("k8s_rollout_restart", cluster, **journaled)
    assert ended(calling.carry_out(verb, call))[0] == "restarted" and len(refused) == 2
    told = "the rollout of Deployment shop/api could not be held, and it is tried again: denied by a webhook"
    assert call.warnings == [told] and cluster.executor.clock.passed > 120


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_answer_about_budgets_nothing_changes(kind):
    cluster = broken(kind, mended_at=None)
    error = Forbidden("no", status=403)

    def blind():
        cluster.fail = lambda verb, path: error if path.endswith("/poddisruptionbudgets") else None

    cluster.executor.later(20, blind)
    assert ended(carry_out(cluster, plan(kind), wait_timeout="60s"))[0] == "unfinished"
    assert held(cluster)
