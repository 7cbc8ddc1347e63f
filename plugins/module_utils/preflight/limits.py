# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many workloads of a run are in progress at once, and what that creates beside the old pods."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from decimal import Decimal

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Key
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object


@dataclass(frozen=True)
class Limits:
    """How many workloads of a run are in progress at once. None means no limit.

    `entry_of` is the entry of each workload, `of_entry` the limits of entries that have one of their own, and `before`
    the entries that are complete before an entry starts.
    """

    max_parallel: int | None = None
    entry_of: t.Mapping[Key, str] = field(default_factory=dict)
    of_entry: t.Mapping[str, int] = field(default_factory=dict)
    before: t.Mapping[str, frozenset[str]] = field(default_factory=dict)

    def at_once(self, workloads: t.Sequence[Object], weight: t.Callable[[Object], Decimal]) -> list[Object]:
        """The heaviest workloads that may be in progress at the same time, or more than those: an upper bound.

        Entries that wait for each other are never in progress together, so each chain of such entries counts with its
        heaviest one. Without regard to the order, the heaviest ones of all that the limit lets in are a bound, too.
        """

        def heaviest_first(some: t.Iterable[Object]) -> list[Object]:
            return sorted(some, key=weight, reverse=True)

        def total(some: t.Iterable[Object]) -> Decimal:
            return sum(map(weight, some), Decimal(0))

        by_entry: dict[str, list[Object]] = {}
        for workload in heaviest_first(workloads):
            by_entry.setdefault(self.entry_of.get(kinds.key(workload), ""), []).append(workload)
        for entry, members in by_entry.items():
            del members[min(self.of_entry.get(entry, len(members)), self.max_parallel or len(members)) :]
        chosen = [max((by_entry[entry] for entry in chain), key=total) for chain in self._chains(list(by_entry))]
        of_chains = heaviest_first(one for members in chosen for one in members)
        if self.max_parallel is None:
            return of_chains
        of_all = heaviest_first(one for members in by_entry.values() for one in members)[: self.max_parallel]
        return min(of_all, of_chains, key=total)

    def _chains(self, entries: t.Sequence[str]) -> list[list[str]]:
        chains: list[list[str]] = []
        for entry in sorted(entries, key=lambda one: len(self.before.get(one, frozenset()))):
            chain = next((one for one in chains if one[-1] in self.before.get(entry, frozenset())), None)
            if chain is None:
                chains.append([entry])
            else:
                chain.append(entry)
        return chains


def surge(workload: Object) -> int:
    """How many pods a rollout has at once beyond those wanted: new ones, of which there are never more than wanted."""
    kind = kinds.kind_of(workload)
    return min(kind.surge_at_once(workload), kind.wanted(workload))


def only_by_surge(workload: Object) -> bool:
    """Whether a rollout cannot start before a new pod runs beside the old ones."""
    kind = kinds.kind_of(workload)
    return surge(workload) > 0 and kind.missing_at_once(workload) == 0
