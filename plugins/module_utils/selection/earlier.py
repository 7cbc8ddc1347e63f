# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What earlier starts of a run have selected, so that the run means the same workloads when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True)
class Earlier:
    """The selection of earlier starts of the run.

    `uids` has all workloads of the run. `members` has those that an entry selected whose selection has not changed
    since, with the id of the entry. They stay selected. Nothing else joins the entries in `closed` unless they name it.
    The entries in `may_be_empty` need not find anything.
    """

    run: str | None = None
    uids: Mapping[Key, str | None] = field(default_factory=dict)
    members: Mapping[Key, str] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    may_be_empty: frozenset[str] = frozenset()

    def began(self, workload: dict) -> bool:
        """Whether the run has this workload. It may have replaced its old pods."""
        known = self._is_known(workload)
        return known or (self.run is not None and restart.run_of(workload) == self.run)

    def keeps(self, entry: Entry, workload: dict) -> bool:
        """Whether the entry has selected the workload before."""
        return self.members.get(kinds.key(workload)) == entry.id and self._is_known(workload)

    def joins(self, entry: Entry, workload: dict) -> bool:
        """Whether a workload that the entry matches belongs to the run."""
        named = workload["metadata"]["name"] in entry.names
        return named or entry.id not in self.closed or kinds.key(workload) in self.uids

    def _is_known(self, workload: dict) -> bool:
        """Whether it is the workload of the run, and no other one that was created with its name since."""
        key = kinds.key(workload)
        return key in self.uids and self.uids[key] in (None, workload["metadata"].get("uid"))


NOTHING = Earlier()
