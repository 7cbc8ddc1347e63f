# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the turn of a task does to the pods of its workload, for PodDisruptionBudgets, and what they answer."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.budget_reads import NOTHING, Look
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Act, Step
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds


def may_stop_pods(task: Task) -> bool:
    """Whether a restart would change the workload of a task and may stop pods of it."""
    workload = task.step.released(task.object)
    return bool(kinds.kind_of(workload).stops_at_once(workload)) and isinstance(task.step.judge(task.object), Act)


@dataclass(frozen=True)
class Start:
    """What the turn of a task comes to: the workload as budgets see it from then on. None if no pods are stopped. If it `evicts`
    pods, each eviction asks the budgets, but Kubernetes does not know what rolling updates are about to stop."""

    seen: dict
    step: Step
    workload: dict | None
    evicts: bool = False

    @classmethod
    def of(cls, task: Task) -> Start:
        """For the present state of a task."""
        evicting = task.step.evicting(task.object)
        if evicting is not None and (task.evicts or isinstance(task.step.judge(task.object), Act)):
            return cls(task.object, task.step, evicting, evicts=True)
        return cls(task.object, task.step, task.step.released(task.object) if may_stop_pods(task) else None)


@dataclass(frozen=True)
class Answer:
    """Why a workload may not start, from what was known. Hundreds of workloads are asked about after each event."""

    known: Look = NOTHING
    pending: t.Sequence[tuple[int, bool]] = ()
    workload: dict | None = None
    state: State | None = None
    reason: str | None = None

    def holds(self, known: Look, pending: t.Sequence[tuple[int, bool]], task: Task) -> bool:
        """Whether nothing has changed since."""
        same = self.known is known and self.workload is task.object and self.state is task.state
        return same and self.pending == pending
