# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the loop does to a workload when its turn comes: one step for each verb.

A step judges a workload (pure), acts on it (requests, in one of the world's hands), and says afterwards whether what
it did still stands. The loop knows no verb; a new behaviour is a new step here.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    history,
    kinds,
    owner,
    pause,
    restart,
    undo,
)


@dataclass(frozen=True)
class Act:
    """Its turn: carry the step out."""


@dataclass(frozen=True)
class Follow:
    """Nothing to do any more: only watch the rollout, which then ends with this outcome."""

    outcome: str


@dataclass(frozen=True)
class End:
    """Settled without doing anything."""

    outcome: str
    message: str


Decision = t.Union[Act, Follow, End]


@dataclass(frozen=True)
class Mode:
    """How requests that change something are sent."""

    field_manager: str = "restartx"
    dry_run: bool = False


@dataclass(frozen=True)
class RestartStep:
    """A rolling restart, once for each run, workload and attempt."""

    stamp: restart.Stamp
    mode: Mode
    now: t.Callable[[], datetime.datetime]  # each workload is stamped with the time of its own patch
    allow_owned: bool = False
    already_undone: bool = False  # earlier in this run; that is final for the run
    outcome: str = "restarted"

    def judge(self, workload: dict) -> Decision:
        if self.already_undone:
            return End("undone", "was undone earlier in this run; start a new run to restart it again")
        if restart.carries(workload, self.stamp):
            return Follow("already_restarted")
        refusal = restart.refusal(workload, allow_owned=self.allow_owned)
        return End("refused", refusal) if refusal else Act()

    def act(self, cluster, workload: dict) -> dict:
        stamp = replace(self.stamp, at=self.now())
        return _patch(cluster, workload, restart.patch(workload, stamp), "strategic", self.mode)

    def undoing(self, workload: dict) -> str | None:
        """Who took our restart back, or None while it stands."""
        if restart.carries(workload, self.stamp):
            return None
        return restart.taken_back(workload, self.stamp.run, self.mode.field_manager, since=self.stamp.at)


@dataclass(frozen=True)
class StatusStep:
    """Only looks."""

    outcome: str = "rolled_out"

    def judge(self, workload: dict) -> Decision:
        return Follow("rolled_out")

    def undoing(self, workload: dict) -> str | None:
        return None


@dataclass(frozen=True)
class UndoStep:
    """Back to an earlier revision: the previous one, a given one, or the one below a run's."""

    mode: Mode
    to_revision: int = 0
    run_id: str | None = None
    allow_owned: bool = False
    delete_stuck_pods: bool = False
    outcome: str = "undone"
    warnings: list[str] = field(default_factory=list)

    def judge(self, workload: dict) -> Decision:
        refusal = owner.refusal(workload, self.allow_owned)
        if refusal:
            return End("refused", refusal)
        if self.run_id and restart.run_of(workload) != self.run_id:
            return End("unchanged", f"{kinds.label(workload)} does not carry run {self.run_id}; nothing to undo")
        return Act()

    def act(self, cluster, workload: dict) -> dict:
        revisions = past(cluster, workload)
        target = undo.choose(workload, revisions, to_revision=self.to_revision, run_id=self.run_id)
        content, body = undo.patch(workload, target)
        after = _patch(cluster, workload, body, content, self.mode)
        self.warnings.extend(_undo_warnings(workload, target))
        return after

    def undoing(self, workload: dict) -> str | None:
        return None

    def nudge(self, cluster, workload: dict) -> list[str]:
        """Frees a StatefulSet whose broken pod keeps the old revision from coming back; the deleted pods' names."""
        if workload["kind"] != "StatefulSet":
            return []
        namespace = workload["metadata"]["namespace"]
        pods = cluster.list(kinds.pods_path(namespace), {"labelSelector": history.selector(workload)}).items
        stuck = undo.stuck_pods(workload, pods)
        for pod in stuck:
            meta = pod["metadata"]
            body = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
            cluster.delete(f"{kinds.pods_path(namespace)}/{meta['name']}", body=body)
        return [pod["metadata"]["name"] for pod in stuck]


@dataclass(frozen=True)
class PauseStep:
    """Pauses or resumes a Deployment."""

    mode: Mode
    paused: bool
    allow_owned: bool = False

    @property
    def outcome(self) -> str:
        return "paused" if self.paused else "resumed"

    def judge(self, workload: dict) -> Decision:
        if pause.patch(workload, self.paused) is None:
            return End("unchanged", pause.ALREADY[self.paused])
        refusal = owner.refusal(workload, self.allow_owned)
        return End("refused", refusal) if refusal else Act()

    def act(self, cluster, workload: dict) -> dict:
        return _patch(cluster, workload, pause.patch(workload, self.paused), "strategic", self.mode)

    def undoing(self, workload: dict) -> str | None:
        return None


def _undo_warnings(workload: dict, target: history.Revision) -> list[str]:
    stale = undo.stale_last_applied(workload)
    found = [stale] if stale else []
    lost = sorted(undo.lost_annotations(workload, target))
    if lost:
        found.append(
            f"{kinds.label(workload)} got back the annotations of revision {target.number}; gone or set back: {', '.join(lost)}"
        )
    return found


def past(cluster, workload: dict) -> list[history.Revision]:
    """The revisions that the cluster still keeps of a workload, oldest first."""
    namespace = workload["metadata"]["namespace"]
    path = kinds.history_path(workload["kind"], namespace)
    return history.revisions(workload, cluster.list(path, {"labelSelector": history.selector(workload)}).items)


def _patch(cluster, workload: dict, body: t.Any, content: str, mode: Mode) -> dict:
    path = kinds.path(workload["kind"], workload["metadata"]["namespace"], workload["metadata"]["name"])
    return cluster.patch(path, body, content, field_manager=mode.field_manager, dry_run=mode.dry_run)
