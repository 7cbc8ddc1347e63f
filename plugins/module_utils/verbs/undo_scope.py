# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undoes the rest of an entry, or of the run, after a failure: the last one first, after the restarts are over."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import CLEANUP_SECONDS
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import UndoStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.undo_scope import UndoScope
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Lease
from ansible_collections.restartx.core.plugins.module_utils.record.title import Title
from ansible_collections.restartx.core.plugins.module_utils.record.undo_writer import UndoWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import across, backwards
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key
from ansible_collections.restartx.core.plugins.module_utils.verbs import between_pods, pipeline, undo_run
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

SHOWN = 5  # workloads in a sentence


@dataclass(frozen=True)
class Undone:
    """What came of it: the tasks of workloads that only earlier starts of the run had, and what could not be undone."""

    others: t.Sequence[Task] = ()
    left: t.Sequence[Task] = ()
    kept: t.Sequence[Task] = ()  # left alone, because a gate has opened since their restart
    why: str = ""  # why nothing could be undone

    @property
    def words(self) -> str:
        """What is still to be done, as the end of a sentence; empty if everything is undone."""
        if self.why:
            return f"; the others could not be undone: {self.why}"
        return self._left_words + self._kept_words

    @property
    def _kept_words(self) -> str:
        if not self.kept:
            return ""
        told = some([task.title for task in self.kept], SHOWN)
        return f"; not undone, because a gate on a Job has opened since their restart: {told}; undo_across_gates: true undoes them too"

    @property
    def _left_words(self) -> str:
        if not self.left:
            return ""
        told = "; ".join(f"{task.title} {task.outcome.words}: {task.why}" for task in self.left[:SHOWN])
        more = f"; and {len(self.left) - SHOWN} more" if len(self.left) > SHOWN else ""
        return f"; not undone with it: {told}{more}"


@dataclass(frozen=True)
class Rest:
    """What is undone together with a workload that failed, and what that takes: the scope, the step of the undo, and the
    entries, tasks and limits of the restart. `title` and `lease` are None without a journal."""

    call: Call
    scope: UndoScope
    step: UndoStep
    entries: t.Sequence[Entry]
    tasks: t.Sequence[Task]
    limits: t.Mapping[str, t.Any]
    title: Title | None
    lease: Lease | None
    logs: bool
    before: across.Before | None = None  # what was restarted before a gate had opened

    def undo(self) -> Undone | None:
        """Undoes what the run has restarted in the scope of a failure. The tasks then have what came of their undo.

        None if nothing has to be undone. If it may not be done any more, the journal says that the run is being undone,
        and the undo of the run goes on with it.
        """
        whys = {task.key: why for task in self.tasks if (why := self.scope.why(task.group))}
        if not whys:
            return None
        controller = self.call.controller
        refusal = (self.lease.refusal() if self.lease else None) or (None if controller.alive() else controller.reason)
        if refusal:
            return Undone(why=refusal)
        try:
            return self._undo(whys)
        except (ClusterError, RolloutError) as error:
            return Undone(why=str(error))

    def _undo(self, whys: t.Mapping[Key, str]) -> Undone:
        title, scope = self.title, self.scope
        known, maps = (
            journal.read_run(self.call.cluster, title.namespace, title.plan, title.run) if title else (None, [])
        )
        concerned = [task for task in self.tasks if task.key in whys and not task.undoing and not task.gone]
        members: dict[str, list[backwards.Key]] = {}
        for task in concerned:
            if restart.run_of(task.object) == self.step.run_id:
                members.setdefault(task.group, []).append(task.key)
        if known and scope.whole_run:
            here = {task.key for task in self.tasks}
            for entry, keys in undo_run.members_of(known).items():
                members.setdefault(entry, []).extend(key for key in keys if key not in here)
        made = self._carry_out(members, known, maps)
        by_key = {task.key: task for task in made}
        for task in concerned:
            if task.key in by_key:
                task.undone_too(by_key[task.key], f"{whys[task.key]}, and undo_scope is {scope.scope}")
        others = [task for task in made if task.key not in whys]
        left = [task for task in made if task.outcome not in (Outcome.UNDONE, Outcome.UNCHANGED)]
        return Undone(others, left, [task for task in made if undo_run.is_kept(task)])

    def _carry_out(
        self, members: t.Mapping[str, t.Sequence[backwards.Key]], known: dict | None, maps: t.Sequence[dict]
    ) -> list[Task]:
        """The same loop once more, with the entries in reverse order."""
        call, title = self.call, self.title
        now, until = call.clock.monotonic(), call.deadline
        late = until is not None and now >= until
        if late:  # like the undo of a single workload: it is sent, and not waited for
            call.allow_until(now + CLEANUP_SECONDS)
        order = [entry for entry in backwards.entries(self.entries, members) if entry.names]
        found = pipeline.select(call, order, allow_empty=True)
        tasks = undo_run.tasks_of(found, order, self.step, known)
        between_pods.undo_of_run(self.entries, members, str(self.step.run_id), tasks)
        if self.before:
            undo_run.keep(tasks, self.before, members)
        options = pipeline.run_options(call, fail_fast=False, logs=self.logs, **({"wait": False} if late else {}))
        observers = []
        if title and known:
            whole, by = self.scope.whole_run, title.operator
            writer = UndoWriter.of_run(call.cluster, call.clock, title.namespace, known, maps, by, tasks, whole=whole)
            observers.append(writer)
        pace = {name: self.limits[name] for name in ("max_parallel", "stagger") if name in self.limits}
        pace |= undo_run.HOLDS_BACK_NOTHING
        guards = [self.lease] if self.lease else []
        run = self.step.run_id
        pipeline.carry_out(call, found, order, tasks, options, pace, observers, guards, doing="rolling back", run=run)
        return tasks
