# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a start of a run knows when it begins its journal: the run itself, and the journals that are there."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.record import journal
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary, Pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True)
class Title:
    """The run of the journal. `clusters` are the inventory hosts of the run."""

    namespace: str
    plan: str
    digest: str
    run: str
    ticket: str | None = None
    period: str | None = None
    clusters: t.Sequence[str] = ()
    job: str | None = None
    operator: str | None = None
    plan_text: str | None = None  # the plan as it was written, as JSON
    expected_run: str | None = None  # the newest run when this run was chosen; empty: there was none, None: not checked
    retry: frozenset[str] = field(default_factory=lambda: frozenset({"failed"}))
    field_manager: str = "restartx"
    window: t.Any = None  # schedule.window.Window
    break_circuit: str | None = None  # why the run could start after too many failures
    pausing: frozenset[str] = frozenset()  # the entries whose failed workloads are held for inspection
    undoing: frozenset[str] = frozenset()  # the entries whose failed workloads are undone
    canaries: t.Mapping[str, Pods] = field(default_factory=dict)  # the pods of the canary of entries with one
    enforced: t.Mapping[Key, Canary] = field(default_factory=dict)  # what budgets ask for, by workload


@dataclass(frozen=True)
class Known:
    """The journals of a plan on the cluster: of its runs, the newest first, and of the run of this start."""

    runs: list[dict]
    run: dict | None  # None: no start of it has come this far
    held: list[dict]  # its ConfigMaps

    @classmethod
    def read(cls, cluster: t.Any, title: Title) -> Known:
        """Raises ClusterError, and RolloutError if another start has begun a run since this one was chosen."""
        runs = journal.read_runs(cluster, title.namespace, title.plan)
        newest = runs[0]["run"] if runs else ""
        if title.expected_run is not None and newest not in ("", title.run, title.expected_run):
            raise RolloutError(
                f'another start of plan "{title.plan}" has started run {newest} in the meantime; '
                "nothing was touched: start again"
            )
        known = journal.read_run(cluster, title.namespace, title.plan, title.run)
        return cls(with_held(cluster, title.namespace, runs, but=title.run), *known)


def with_held(cluster: t.Any, namespace: str, runs: t.Sequence[dict], but: str = "") -> list[dict]:
    """The same runs (`but` is the run that is known already). Split journals get their workloads if the run may still
    hold some of them. Raises ClusterError and RolloutError."""
    return [
        journal.read_run(cluster, namespace, run["plan"], run["run"])[0] or run
        if run["parts"] and run["run"] != but and run["state"] != "finished"
        else run
        for run in runs
    ]
