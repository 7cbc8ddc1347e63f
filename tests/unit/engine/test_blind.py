# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing is changed before what comes of it can be seen."""

from __future__ import annotations

from simulation import Executor, FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Opened
from ansible_collections.restartx.core.plugins.module_utils.engine.loop import Loop
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import find

AFTER = 5.0  # seconds until a watch tells anything


class SlowWorld(Executor):
    """Its watches are asked for, and tell only a while later whether they may see."""

    told: object = Opened()

    def follow(self, scope, resource_version):
        super().follow(scope, resource_version)
        self.later(AFTER, lambda: self.see(self.told))
        return True


def carry_out(told, wait_timeout=None):
    """The task of one Deployment that is to be paused, in a executor whose watch at first tells this; and the patches."""
    executor = SlowWorld(FakeCluster([deployment("api")]))
    executor.told = told
    found = find(executor.cluster, [Entry("all", namespaces=("shop",))])
    key, workload = next(iter(found.objects.items()))
    task = Task(key, "all", workload, steps.PauseStep(steps.Mode(), paused=True))
    deadline = executor.clock.monotonic() + wait_timeout if wait_timeout else None
    options = RunOptions(wait=False, deadline=deadline, wait_timeout=wait_timeout)
    loop = Loop([task], Pace([Group("all", (task.title,))]), executor, options, Controller(None))
    loop.follow(found)
    loop.run()
    return task, executor.cluster.patches


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
