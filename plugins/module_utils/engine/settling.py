# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long a workload is watched after its rollout: `settle` counts from the end of that rollout."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.rollout import settled


class Settling:
    """Sets when a task has settled. `look` is called if that time may have passed already."""

    def __init__(self, executor: Executor, timers: Timers, look: t.Callable[[Task], None]):
        self._executor = executor
        self._timers = timers
        self._look = look

    def begin(self, task: Task) -> None:
        """Its rollout is done. If it was done before this call, the time since then counts too."""
        now = self._executor.clock.monotonic()
        task.settled_at = now + task.settle
        task.to(State.SETTLING, self._executor.clock)
        if task.changed or task.broke:
            self._timers.set(task, task.settled_at)
        elif task.key[0] == "Deployment":
            self._count_from(task, settled.since(task.object))
        else:
            self._timers.set(task, task.settled_at)
            cluster, deadline = self._executor.cluster, now + task.settle
            self._executor.do(("settled", task.key), requests.ready_since, cluster, task.object, deadline)

    def told_by_pods(self, task: Task, answer: Answer) -> None:
        """Handles since when the pods of a settling task have been ready. If that is unknown, `settle` counts from
        now."""
        if answer.value is not None and task.state is State.SETTLING and not task.broke:
            self._count_from(task, answer.value)

    def _count_from(self, task: Task, since: datetime.datetime | None) -> None:
        clock = self._executor.clock
        age = 0.0 if since is None else max(0.0, (clock.now() - since).total_seconds())
        task.settled_at = self._timers.set(task, clock.monotonic() + task.settle - age)
        self._look(task)
