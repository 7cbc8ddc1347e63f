# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the loop makes of what watches show: in any order, late, of other scopes, or not at all."""

from __future__ import annotations

import copy

import pytest
from simulation import FakeCluster, Run, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, Forbidden, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.watching import FREE_STUCK_PODS_EVERY
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

FORBIDDEN = Forbidden("may not watch deployments.apps", status=403)


def cluster_with(*names, **options):
    return FakeCluster([deployment(name) for name in names], **options)


def removed(run, name):
    return watch.Removed(copy.deepcopy(run.workload(name)))


# -- a watch and an answer overtake each other -----------------------------------------------------------------------


def test_a_rollout_that_is_done_before_the_patch_is_answered_is_seen_as_done():
    run = Run(("api",), cluster=cluster_with("api", takes=2))
    run.executor.late = 5
    run.carry_out()
    assert run.outcome("api") == "restarted"
    assert run.executor.clock.passed < 6
    _before, after = run.task("api").diff
    assert "annotations" in after["spec"]["template"]["metadata"]


def test_a_workload_deleted_before_the_patch_is_answered_is_not_waited_for():
    run = Run(("api",), timeout=None)
    run.executor.late = 5
    run.executor.later(2, lambda: run.executor.see(removed(run, "api")))
    run.carry_out()
    assert (run.outcome("api"), run.task("api").message) == ("failed", "object has been deleted")
    assert run.task("api").changed
    assert run.executor.clock.passed < 6


def test_a_workload_made_anew_before_the_patch_is_answered_is_another_one():
    run = Run(("api",), timeout=None)
    run.executor.late = 5
    other = deployment("api")
    other["metadata"]["uid"] = "another"
    run.executor.later(2, lambda: run.executor.see(watch.Changed(other)))
    run.carry_out()
    assert (run.outcome("api"), run.task("api").message) == ("failed", "object has been deleted")


def test_a_new_list_while_the_patch_is_under_way_changes_nothing():
    run = Run(("api",))
    run.executor.late = 5
    before = copy.deepcopy(run.workload("api"))
    run.executor.later(2, lambda: run.executor.see(watch.Relisted([before])))
    run.carry_out()
    assert run.outcomes == {"api": "restarted"}
    assert run.patched == ["api"]


# -- before a workload's turn ----------------------------------------------------------------------------------------


def test_the_patch_is_made_from_what_the_watch_saw_last():
    run = Run(("cache",), ("core",))

    def deploy():
        run.workload("core")["spec"]["template"]["spec"]["image"] = "deployed-meanwhile"
        run.cluster.touch(run.workload("core"))
        run.cluster.finish(run.workload("core"))

    run.executor.later(5, deploy)
    run.carry_out()
    assert run.outcome("core") == "restarted"
    assert run.task("core").conflicts == 0
    assert run.workload("core")["spec"]["template"]["spec"]["image"] == "deployed-meanwhile"


def test_a_workload_deleted_before_its_turn_fails_then():
    run = Run(("cache",), ("core",))

    def delete():
        run.executor.see(removed(run, "core"))
        del run.cluster.objects[kinds.path("Deployment", "shop", "core")]

    run.executor.later(5, delete)
    run.carry_out()
    assert run.outcomes == {"cache": "restarted", "core": "failed"}
    assert run.task("core").message == 'deployment "core" in namespace "shop" was deleted in the meantime'


def test_a_workload_made_anew_before_its_turn_is_restarted():
    run = Run(("cache",), ("core",))

    def replace():
        path = kinds.path("Deployment", "shop", "core")
        run.executor.see(removed(run, "core"))
        run.cluster.objects[path] = deployment("core")
        run.cluster.objects[path]["metadata"]["uid"] = "another"
        run.cluster.show(run.cluster.objects[path])

    run.executor.later(5, replace)
    run.carry_out()
    assert run.outcome("core") == "restarted"
    assert run.task("core").result()["uid"] == "another"


def test_looking_only_does_not_wait_for_what_was_deleted():
    run = Run(("cache",), ("core",), step=steps.StatusStep(), timeout=None, cluster=cluster_with("cache", "core"))
    for name in ("cache", "core"):
        run.workload(name)["status"]["updatedReplicas"] = 1
        run.task(name).object = copy.deepcopy(run.workload(name))
    run.executor.later(5, lambda: run.executor.see(removed(run, "core")))
    run.executor.later(6, lambda: run.cluster.finish(run.workload("cache")))
    run.carry_out()
    assert run.outcomes == {"cache": "rolled_out", "core": "failed"}


# -- scopes ----------------------------------------------------------------------------------------------------------


def two_scopes(**options):
    """Workloads of two namespaces; the second one needs no other."""
    both = [deployment("api"), deployment("proxy", namespace="edge")]
    entries = Entry("shop", namespaces=("shop",)), Entry("edge", namespaces=("edge",))
    return Run(*entries, cluster=FakeCluster(both), **options)


def test_a_lost_watch_ends_its_own_workloads_only():
    run = two_scopes(stop_on_failure=False)
    run.executor.later(
        5, lambda: run.executor.see_in(run.found.scope_of["Deployment", "shop", "api"], watch.Lost(FORBIDDEN))
    )
    run.carry_out()
    assert run.outcomes == {"api": "unfinished", "proxy": "restarted"}
    assert run.task("api").message.startswith("may not watch deployments.apps; last seen: Waiting for deployment")


def test_what_cannot_be_watched_is_not_begun():
    both = [deployment("cache"), deployment("proxy", namespace="edge")]
    entries = Entry("shop", namespaces=("shop",)), Entry("edge", namespaces=("edge",), after=("shop",))
    run = Run(*entries, cluster=FakeCluster(both))
    run.executor.later(
        5, lambda: run.executor.see_in(run.found.scope_of["Deployment", "edge", "proxy"], watch.Lost(FORBIDDEN))
    )
    run.carry_out()
    assert run.outcomes == {"cache": "restarted", "proxy": "not_started"}
    assert run.task("proxy").message == "may not watch deployments.apps"
    assert run.patched == ["cache"]


def test_a_watch_lost_while_the_patch_is_under_way_ends_the_workload_once_that_is_answered():
    run = Run(("api",), timeout=None)
    run.executor.late = 5
    run.executor.later(2, lambda: run.executor.see(watch.Lost(FORBIDDEN)))
    run.carry_out()
    assert (run.outcome("api"), run.task("api").changed) == ("unfinished", True)
    assert "may not watch" in run.task("api").message


def test_an_error_in_a_watch_that_no_cluster_causes_is_not_hidden():
    run = Run(("api",))
    run.executor.later(5, lambda: run.executor.see(watch.Lost(ZeroDivisionError("a bug"))))
    with pytest.raises(ZeroDivisionError):
        run.carry_out()
    assert run.executor.closed


def overlapping():
    """web is in the scope of all that bear its label, and in that of the names beside it too."""
    web = workload("Deployment", "web", labels={"tier": "web"})
    entries = (
        Entry("named", names=("api", "cart"), namespaces=("shop",)),
        Entry("labelled", label_selectors=("tier=web",), namespaces=("shop",)),
    )
    return Run(*entries, cluster=FakeCluster([deployment("api"), deployment("cart"), web]))


def test_a_workload_is_followed_in_its_own_scope_only():
    run = overlapping()
    others = run.found.scope_of["Deployment", "shop", "api"]
    run.executor.later(5, lambda: run.executor.see_in(others, removed(run, "web")))
    run.carry_out()
    assert run.outcomes == {"api": "restarted", "cart": "restarted", "web": "restarted"}


def test_a_workload_that_leaves_its_scope_may_be_deleted_or_have_other_labels():
    run = overlapping()
    own = run.found.scope_of["Deployment", "shop", "web"]
    run.executor.later(5, lambda: run.executor.see_in(own, removed(run, "web")))
    run.carry_out()
    assert run.outcome("web") == "failed"
    assert run.task("web").message == "object has been deleted, or no longer has the labels tier=web"


def test_each_scope_is_watched_once_from_its_own_list_on():
    run = two_scopes()
    assert [str(scope) for scope in run.executor.followed] == [
        'Deployment in namespace "shop"',
        'Deployment in namespace "edge"',
    ]


def test_an_event_about_something_else_is_passed_over():
    run = Run(("api",))
    run.executor.later(5, lambda: run.executor.see(watch.Changed(deployment("stranger"))))
    run.carry_out()
    assert run.outcomes == {"api": "restarted"}


# -- settling --------------------------------------------------------------------------------------------------------


def flicker(run, at, back):
    """A pod of api fails at an instant, and is fine again at another."""

    def crash():
        run.workload("api")["status"]["availableReplicas"] = 1
        run.cluster.show(run.workload("api"))

    run.executor.later(at, crash)
    run.executor.later(back, lambda: run.cluster.finish(run.workload("api")))


def test_settling_starts_anew_after_a_relapse():
    run = Run(("api",), settle=20.0)
    flicker(run, at=20, back=25)
    run.carry_out()
    assert run.outcome("api") == "restarted"
    assert 45 <= run.task("api").ended - run.task("api").started < 46


def test_a_relapse_after_the_timeout_is_not_waited_for_again():
    run = Run(("api",), settle=40.0, timeout=15.0)
    flicker(run, at=30, back=35)
    run.carry_out()
    assert run.outcome("api") == "unfinished"
    assert 30 <= run.executor.clock.passed < 31


# -- stuck pods ------------------------------------------------------------------------------------------------------


def stuck(number):
    """A pod of the StatefulSet redis that is broken and of an old revision."""
    name = f"redis-{number}"
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "labels": {"app": "redis", "controller-revision-hash": "redis-0"},
            "ownerReferences": [{"kind": "StatefulSet", "name": "redis", "uid": "uid-shop-redis", "controller": True}],
        },
        "status": {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}]},
    }


class Undoing(steps.UndoStep):
    """An undo of a StatefulSet whose old revision needs no history in the simulation."""

    def act(self, cluster, workload, deadline):
        template = {"metadata": {"annotations": {"undone": "yes"}}}
        body = {
            "metadata": {"resourceVersion": workload["metadata"]["resourceVersion"]},
            "spec": {"template": template},
        }
        return steps.Acted(cluster.patch(kinds.path(*kinds.key(workload)), body, "strategic"))


def undo_redis(**options):
    cluster = FakeCluster([workload("StatefulSet", "redis")], **options)
    cluster.pods = [stuck(0)]
    entry = Entry("0", kinds=("StatefulSet",), names=("redis",), namespaces=("shop",))
    return Run(entry, cluster=cluster, step=Undoing(steps.Mode(), delete_stuck_pods=True))


def test_stuck_pods_are_deleted_while_an_undo_is_waited_for():
    run = undo_redis().carry_out()
    assert run.outcome("redis") == "undone"
    assert run.cluster.pods == []
    assert run.loop.warnings == ["StatefulSet shop/redis: deleted the stuck pod redis-0"]


def test_one_look_for_stuck_pods_follows_the_other():
    run = undo_redis(takes=11)
    run.executor.late = 3
    run.carry_out()
    looks = [path for verb, path in run.cluster.asked if path.endswith("/pods") and verb == "list"]
    assert len(looks) == 2 == 11 // int(FREE_STUCK_PODS_EVERY + 3)


@pytest.mark.parametrize("error", [NotFound("gone", status=404), Conflict("changed", status=409)])
def test_a_stuck_pod_that_changed_in_between_is_looked_at_again_without_a_word(error):
    run = undo_redis()
    run.cluster.fail = lambda verb, path: error if verb == "delete" and run.executor.clock.passed < 4 else None
    run.carry_out()
    assert run.cluster.pods == []
    assert run.loop.warnings == ["StatefulSet shop/redis: deleted the stuck pod redis-0"]


def test_stuck_pods_that_may_not_be_deleted_are_told_of():
    run = undo_redis()
    run.cluster.fail = lambda verb, path: Forbidden("may not delete pods", status=403) if verb == "delete" else None
    run.carry_out()
    assert run.outcome("redis") == "undone"
    assert set(run.loop.warnings) == {"stuck pods of StatefulSet shop/redis could not be freed: may not delete pods"}


def test_only_a_statefulset_can_have_stuck_pods():
    step = steps.UndoStep(steps.Mode(), delete_stuck_pods=True)
    assert step.frees_stuck_pods(workload("StatefulSet", "redis"))
    assert not step.frees_stuck_pods(deployment("api"))
    assert not steps.UndoStep(steps.Mode()).frees_stuck_pods(workload("StatefulSet", "redis"))
