# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes into the journal of a run what is undone, so that no later start of the run restarts it again."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.record.journal_writer import JournalWriter
from ansible_collections.restartx.core.plugins.module_utils.record.title import Title
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome


class UndoWriter(JournalWriter):
    """Writes the journal of a run while the run is undone; made by of_run()."""

    def __init__(self, cluster: t.Any, clock: t.Any, title: Title, old: dict, whole: bool = True):
        super().__init__(cluster, clock, title, old)
        self._whole = whole
        self._across_gates = False
        self.under_way = journal.UNDOING if whole else super().under_way

    @classmethod
    def of_run(
        cls,
        cluster: t.Any,
        clock: t.Any,
        namespace: str,
        old: dict,
        held: t.Sequence[dict],
        operator: str | None,
        tasks: t.Sequence[Task],
        whole: bool = True,
        across_gates: bool = False,
    ) -> UndoWriter:
        """Writes that the undo has begun. `old` and `held` are the journal and its ConfigMaps (journal.read_run()). If not
        the `whole` run is undone, its state stays what it was. `across_gates` is kept for the call that finishes the undo.

        Nothing may be undone before this returns. Raises ClusterError or RolloutError if the journal cannot be written.
        """
        fields = ("plan", "digest", "run", "ticket", "period", "clusters", "job")
        title = Title(namespace=namespace, operator=operator, **{name: old[name] for name in fields})
        writer = cls(cluster, clock, title, old, whole)
        writer._across_gates = across_gates
        writer._create(held, len(old["workloads"]), tasks)
        return writer

    def see(self, event: Event) -> None:
        """Each change of state may change what the journal says of a workload."""
        self._due = True

    def _header(self, named: t.Mapping[str, dict], state: str, stopped_by: str | None) -> dict:
        taken_back = state in (journal.UNDOING, journal.UNDONE)
        return {
            **super()._header(named, state, stopped_by),
            "operator": self._old["operator"],  # who restarted
            "undone_by": self._title.operator if taken_back else self._old["undone_by"],
            "across_gates": self._across_gates if taken_back else self._old["across_gates"],
            "done": sum(entry["outcome"] in DONE for entry in {**self._known, **named}.values()),
            "total": self._old["total"],
            # An undone run starts on no further cluster either.
            "over": taken_back or self._old["over"],
        }

    def _left_alone(self, entry: dict) -> dict:
        return entry

    def _entry(self, task: Task) -> dict:
        known = self._known[journal.entry_name(task.key)]
        return {**known, "outcome": str(Outcome.UNDONE)} if _is_undone(task) else known

    def _ending(self, tasks: t.Sequence[Task]) -> tuple[str, str | None]:
        if not self._whole:
            return self._old["state"], self._old["stopped_by"]
        if any(task.outcome is Outcome.NOT_STARTED for task in tasks):
            return journal.UNDOING, None
        undone = any(self._entry(task)["outcome"] == Outcome.UNDONE for task in tasks)
        if undone or self._old["state"] == journal.UNDOING:
            return journal.UNDONE, None
        return self._old["state"], self._old["stopped_by"]  # all were left alone


def _is_undone(task: Task) -> bool:
    """Whether the undo of a workload was sent, as far as is known. If it was not, the template carries the run, and a
    later start looks there first."""
    if task.state is State.ENDED:
        return task.outcome is Outcome.UNDONE or task.changed or task.unanswered or task.cut_short
    return task.running
