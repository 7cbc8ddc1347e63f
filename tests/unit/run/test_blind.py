# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing is changed before what comes of it can be seen."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.run import steps
from ansible_collections.restartx.core.plugins.module_utils.run.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.run.loop import Loop
from ansible_collections.restartx.core.plugins.module_utils.run.mandate import Terms
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import find
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task
from ansible_collections.restartx.core.plugins.module_utils.run.world import Opened
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

from simulation import FakeCluster, World, deployment

AFTER = 5.0  # seconds until a watch tells anything


class SlowWorld(World):
    """Its watches are asked for, and tell only a while later whether they may see."""

    told: object = Opened()

    def follow(self, scope, resource_version):
        super().follow(scope, resource_version)
        self.later(AFTER, lambda: self.see(self.told))
        return True


def carry_out(told, wait_timeout=None):
    """The task of one Deployment that is to be paused, in a world whose watch at first tells this; and the patches."""
    world = SlowWorld(FakeCluster([deployment("api")]))
    world.told = told
    found = find(world.cluster, [Entry("all", namespaces=("shop",))])
    key, workload = next(iter(found.objects.items()))
    task = Task(key, "all", workload, steps.PauseStep(steps.Mode(), paused=True))
    deadline = world.clock.monotonic() + wait_timeout if wait_timeout else None
    terms = Terms(wait=False, deadline=deadline, wait_timeout=wait_timeout)
    loop = Loop([task], Pace([Group("all", (task.title,))]), world, terms, Controller(None))
    loop.follow(found)
    loop.run()
    return task, world.cluster.patches


def test_a_change_waits_until_the_watch_is_open():
    _task, patches = carry_out(Opened())
    assert [name for _moment, name in patches] == ["api"]
    assert patches[0][0] >= AFTER


def test_who_may_not_watch_changes_nothing():
    task, patches = carry_out(watch.Lost(Forbidden("may not watch", status=403)))
    assert (task.outcome, task.message, patches) == ("not_started", "may not watch", [])


def test_a_deadline_holds_also_while_the_watch_is_awaited():
    task, patches = carry_out(Opened(), wait_timeout=AFTER - 2)
    assert (task.outcome, patches) == ("not_started", [])
    assert "wait_timeout of 3s" in task.message
