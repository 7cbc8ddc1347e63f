# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is undone together (`undo_scope`): after a failure nothing new starts in an entry, or in the whole run."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import ENTRY, RUN, WORKLOAD


class UndoScope:
    """An observer that notes which entries must be undone, and a hold that keeps the rest of them from starting.

    `groups` are the entries whose failed workloads are undone. With `resumed`, the start before had the same scope, so a
    workload that was undone then shows that its scope must be undone, and that start may not have come to the end of it.
    """

    required = True
    needs_lock = False
    lasting = True
    next = None

    def __init__(self, scope: str, groups: frozenset[str], resumed: bool = False):
        self.scope = scope
        self.warnings: list[str] = []
        self._groups = groups
        self._resumed = resumed
        self._whys: dict[str, str] = {}  # by group

    @property
    def whole_run(self) -> bool:
        """Whether the whole run must be undone."""
        return self.scope == RUN and bool(self._whys)

    def why(self, group: str) -> str | None:
        """Why everything in this group must be undone, as the start of a sentence; None if it need not be."""
        return next(iter(self._whys.values()), None) if self.scope == RUN else self._whys.get(group)

    def see(self, event: Event) -> None:
        """A rollout has failed for good when its failure is looked into."""
        task = event.task
        if self.scope == WORKLOAD or task.group not in self._groups:
            return
        if event.after is State.EXPLAINING:
            self._whys.setdefault(task.group, f"{task.title} failed")
        elif self._resumed and task.earlier and event.outcome is Outcome.UNDONE:
            self._whys.setdefault(task.group, f"{task.title} was undone earlier in this run")

    def gate_failed(self, group: str, why: str) -> None:
        """A gate has failed that no workload waits for after its rollout, so only the whole run can be undone."""
        if self.scope == RUN:
            self._whys.setdefault(group, why)

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says what failed."""
        if task is None:
            return self._told(self.why("")) if self.scope == RUN else None
        return self._told(self.why(task.group)) if self.scope == ENTRY else None

    def _told(self, why: str | None) -> str | None:
        what = "the whole run" if self.scope == RUN else "its whole entry"
        return f"{why}, and undo_scope is {self.scope}, so {what} is undone" if why else None

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """It sends no requests."""
        return None

    def worked(self, error: BaseException | None) -> None:
        """Never called, because there is no work."""

    def close(self, tasks: t.Sequence[Task]) -> None:
        """The verb asks why() afterwards."""
