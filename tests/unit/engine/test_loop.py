# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the loop carries a restart out, on a simulated cluster and clock."""

from __future__ import annotations

import copy
import datetime
from collections import Counter

from simulation import RUN, START, FakeCluster, Mortal, Run, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window


def test_everything_is_restarted_once_and_waited_for():
    run = Run(("api", "web", "search")).carry_out()
    assert run.outcomes == {"api": "restarted", "web": "restarted", "search": "restarted"}
    assert Counter(run.patched) == {"api": 1, "web": 1, "search": 1}
    assert run.task("api").result()["message"] == 'deployment "api" successfully rolled out'
    assert run.executor.closed


def test_a_rollout_that_was_done_before_the_restart_does_not_count_as_its_end():
    run = Run(("api",)).carry_out()
    assert run.task("api").ended - run.task("api").started >= run.cluster.takes


def test_what_comes_after_something_starts_when_that_is_done():
    run = Run(("cache",), ("core",), ("web",)).carry_out()
    moments = {name: moment for moment, name in run.cluster.patches}
    assert moments["core"] >= moments["cache"] + run.cluster.takes
    assert moments["web"] >= moments["core"] + run.cluster.takes


def test_a_place_is_filled_as_soon_as_it_is_free():
    cluster = FakeCluster([deployment(name) for name in "abcde"])
    run = Run(tuple("abcde"), cluster=cluster, max_parallel=2).carry_out()
    moments = sorted(moment for moment, _name in run.cluster.patches)
    for earlier, later in zip(moments, moments[2:]):
        assert later >= earlier + cluster.takes
    assert moments[-1] < 3 * cluster.takes


def test_the_same_run_again_only_waits():
    cluster = FakeCluster([deployment("api", **{restart.RUN: RUN}), deployment("web")])
    run = Run(("api", "web"), cluster=cluster).carry_out()
    assert run.outcomes == {"api": "already_restarted", "web": "restarted"}
    assert run.patched == ["web"]
    assert not run.task("api").changed


def test_a_change_between_list_and_patch_is_judged_anew_and_kept():
    run = Run(("api",))
    run.workload("api")["spec"]["replicas"] = 2
    run.workload("api")["spec"]["template"]["spec"]["image"] = "deployed-meanwhile"
    run.cluster.touch(run.workload("api"))
    run.carry_out()
    assert run.outcome("api") == "restarted"
    assert run.task("api").conflicts == 1
    assert run.workload("api")["spec"]["template"]["spec"]["image"] == "deployed-meanwhile"


def test_another_process_with_the_same_run_leaves_nothing_to_do():
    run = Run(("api",))
    run.workload("api")["spec"]["template"]["metadata"]["annotations"] = {restart.RUN: RUN}
    run.cluster.touch(run.workload("api"))
    run.cluster.finish(run.workload("api"))
    run.carry_out()
    assert run.outcome("api") == "already_restarted"
    assert run.patched == []


def test_a_workload_that_changes_all_the_time_is_given_up():
    run = Run(("api",))
    run.cluster.before_patch = run.cluster.touch
    run.carry_out()
    assert run.outcome("api") == "failed"
    assert run.patched == []


def test_a_failure_stops_what_has_not_begun_and_says_so():
    cluster = FakeCluster([deployment(name) for name in ("cache", "core", "web")], breaks={"core"})
    run = Run(("cache",), ("core",), ("web",), cluster=cluster, timeout=30.0).carry_out()
    assert run.outcomes == {"cache": "restarted", "core": "unfinished", "web": "not_started"}
    assert run.task("core").message.startswith("not done after 30s: Waiting for deployment")
    assert "Deployment shop/core" in run.task("web").message


def test_what_is_under_way_when_another_fails_is_waited_for():
    cluster = FakeCluster([deployment(name) for name in "ab"], breaks={"a"}, takes=50)
    run = Run(("a", "b"), cluster=cluster, timeout=None)
    run.task("a").timeout = 20.0
    run.carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "restarted"}


def test_a_failure_within_the_budget_stops_nothing():
    cluster = FakeCluster([deployment(name) for name in "abc"], breaks={"a"})
    run = Run(tuple("abc"), cluster=cluster, max_parallel=1, failure_budget=1).carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "restarted", "c": "restarted"}


def test_fail_fast_does_not_wait_for_the_others():
    cluster = FakeCluster([deployment(name) for name in "ab"], breaks={"a"}, takes=1000)
    run = Run(("a", "b"), cluster=cluster, timeout=2000, options=RunOptions(fail_fast=True))
    run.task("a").timeout = 5.0
    run.carry_out()
    assert run.outcomes == {"a": "unfinished", "b": "in_progress"}
    assert run.executor.clock.passed < 10


def test_a_refused_workload_is_known_before_anything_is_touched():
    cluster = FakeCluster([deployment("cache"), deployment("core")])
    cluster.objects[kinds.path("Deployment", "shop", "core")]["spec"]["paused"] = True
    run = Run(("cache",), ("core",), cluster=cluster).carry_out()
    assert run.outcomes == {"cache": "not_started", "core": "refused"}
    assert run.patched == []
    assert run.task("core").message.startswith("can't restart paused deployment")
    refused = run.task("core").result()
    assert (refused["started_at"], refused["finished_at"], refused["duration"]) == (None, None, None)


def test_a_restart_taken_back_by_someone_else_is_named():
    run = Run(("api",))

    def take_back():
        workload = run.workload("api")
        del workload["spec"]["template"]["metadata"]["annotations"][restart.RUN]
        run.cluster.touch(workload)
        workload["metadata"]["managedFields"] = [
            {
                "manager": "argocd-controller",
                "operation": "Apply",
                "time": "2026-11-24T22:00:05Z",
                "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}},
            }
        ]
        run.cluster.show(workload)

    run.executor.later(5, take_back)
    run.carry_out()
    assert run.outcome("api") == "superseded"
    assert "argocd-controller" in run.task("api").message


def test_a_workload_deleted_while_it_is_waited_for_fails():
    run = Run(("api",))
    run.executor.later(5, lambda: run.executor.see(watch.Removed(copy.deepcopy(run.workload("api")))))
    run.carry_out()
    assert (run.outcome("api"), run.task("api").message) == ("failed", "object has been deleted")


def test_a_workload_missing_after_a_new_list_was_deleted():
    run = Run(("api", "web"))

    def relist():
        run.executor.see(watch.Relisted([copy.deepcopy(run.workload("web"))]))

    run.executor.later(5, relist)
    run.carry_out()
    assert run.outcomes == {"api": "failed", "web": "restarted"}


def test_an_event_from_before_the_restart_is_not_taken_for_a_state_after_it():
    run = Run(("api",))
    before = copy.deepcopy(run.workload("api"))
    run.executor.later(5, lambda: run.executor.see(watch.Changed(before)))
    run.carry_out()
    assert run.outcome("api") == "restarted"


def test_a_workload_that_breaks_while_it_settles_is_not_done():
    run = Run(("api",), settle=20.0, timeout=40.0)

    def crash():
        run.workload("api")["status"]["availableReplicas"] = 1
        run.cluster.show(run.workload("api"))

    run.executor.later(run.cluster.takes + 10, crash)
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert "1 of 2 updated replicas are available" in run.task("api").message


def test_settling_counts_from_the_end_of_the_rollout():
    run = Run(("api",), settle=20.0).carry_out()
    assert run.outcome("api") == "restarted"
    assert run.task("api").ended - run.task("api").started >= run.cluster.takes + 20


def test_nothing_begins_once_the_controller_is_gone():
    run = Run(("cache",), ("core",), controller=Mortal(5)).carry_out()
    assert run.patched == ["cache"]
    assert run.outcomes == {"cache": "unfinished", "core": "not_started"}
    assert "the Ansible process that started this module is gone" in run.task("cache").message
    assert run.executor.clock.passed < 6.5
    assert run.executor.closed


def test_nothing_begins_after_the_window_closed():
    closes = (START + datetime.timedelta(minutes=1)).strftime("%H:%M")
    window = Window.from_dict({"hours": f"21:00-{closes}", "timezone": "UTC"})
    cluster = FakeCluster([deployment(name) for name in ("cache", "core")], takes=90)
    run = Run(("cache",), ("core",), cluster=cluster, timeout=200, options=RunOptions(window=window)).carry_out()
    assert run.outcomes == {"cache": "restarted", "core": "not_started"}
    assert "outside the window" in run.task("core").message


def test_the_deadline_of_the_call_ends_it_and_names_what_was_last_seen():
    cluster = FakeCluster([deployment(name) for name in ("cache", "core")], takes=90)
    options = RunOptions(deadline=30.0, wait_timeout=30.0)
    run = Run(("cache",), ("core",), cluster=cluster, timeout=None, options=options).carry_out()
    assert run.outcomes == {"cache": "unfinished", "core": "not_started"}
    assert "wait_timeout of 30s" in run.task("cache").message
    assert "1 out of 2 new replicas" in run.task("cache").message
    assert run.task("cache").changed


def test_without_waiting_order_is_the_order_of_the_patches():
    run = Run(("cache",), ("core",), options=RunOptions(wait=False)).carry_out()
    assert run.patched == ["cache", "core"]
    assert run.outcomes == {"cache": "restarted", "core": "restarted"}
    assert run.executor.clock.passed < run.cluster.takes


def test_a_watch_that_is_lost_ends_the_call_with_its_words():
    run = Run(("api",), ("web",))
    error = Forbidden("may not watch deployments.apps in namespace shop", status=403)
    run.executor.later(5, lambda: run.executor.see(watch.Lost(error)))
    run.carry_out()
    assert run.outcomes == {"api": "unfinished", "web": "not_started"}
    assert "may not watch" in run.task("api").message
