# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an undo after a failure leaves alone: what was restarted before a gate on a Job, such as a migration, had opened."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from ansible_collections.restartx.core.plugins.module_utils.schedule import graph
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, Plan


class Before:
    """The gates on Jobs of a plan that have opened in a run. `opened` has the instants of all gates that have, by name.

    The order of the plan says what came before a gate and what after it. Of the rest, the time of the restart decides.
    """

    def __init__(self, plan: Plan, opened: Mapping[str, str]):
        jobs = [name for name, gate in plan.gates if "job" in gate and name in opened]
        self._opened = {} if plan.undo_across_gates else {name: _instant(opened[name]) for name in jobs}
        self._sides = {name: _sides(plan, name) for name in self._opened}

    def gate(self, entry: str | None, restarted_at: datetime.datetime | None) -> str | None:
        """The gate before which a workload of this entry was restarted; None if there is none, and it may be undone.

        What is not known keeps the workload as it is.
        """
        for name, opened in self._opened.items():
            before, after = self._sides[name]
            if entry in before or (entry not in after and (restarted_at is None or restarted_at <= opened)):
                return name
        return None


def _sides(plan: Plan, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The entries that come before a gate in the plan, and those that come after it."""
    needed = graph.before(plan.entries)
    before, after = set[str](), set[str]()
    for entry in plan.entries:
        followers = {other for other, ids in needed.items() if entry.id in ids}
        if entry.gate == name or name in (*entry.gates.before, *entry.gates.after):
            before |= needed[entry.id]
            after |= followers
        if name in entry.gates.before:
            after.add(entry.id)
        if name in entry.gates.after:
            before.add(entry.id)
    everything = _ids(plan.entries)
    before |= everything if name in plan.asked.after else set()
    after |= everything if name in plan.asked.before else set()
    return frozenset(before - after), frozenset(after)


def _ids(entries: Sequence[Entry]) -> set[str]:
    return {entry.id for entry in entries}


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
