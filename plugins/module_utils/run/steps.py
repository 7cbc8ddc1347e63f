# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the loop does to a workload when its turn comes: one step for each verb.

A step judges a workload (pure), acts on it (requests, in one of the world's hands), and says afterwards whether what
it did still stands. The loop knows no verb; a new behaviour is a new step here.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    history,
    kinds,
    owner,
    pause,
    restart,
    status,
    undo,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import requests
from ansible_collections.restartx.core.plugins.module_utils.run.requests import Mode


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


@dataclass(frozen=True)
class Explain:
    """Settled without doing anything, but its cause is worth asking for."""

    outcome: str
    message: str


Decision = t.Union[Act, Follow, End, Explain]


@dataclass(frozen=True)
class Acted:
    """The workload as the server answered it, and what the user should know about it."""

    workload: dict
    warnings: tuple[str, ...] = ()


class Step:
    """What steps have in common. `outcome` is what a workload has when the step went well."""

    outcome: str

    def judge(self, workload: dict) -> Decision:
        """What to do with a workload as it now is."""
        raise NotImplementedError

    def act(self, cluster, workload: dict, deadline: float | None) -> Acted:
        """Does it, for this very state of the workload; `deadline` is an instant of the cluster's clock.

        Raises Conflict when the workload has changed, ClusterError and RolloutError.
        """
        raise NotImplementedError

    def undoing(self, workload: dict) -> str | None:
        """Who took back what this step did, or None while it stands."""
        return None

    def nudges(self, workload: dict) -> bool:
        """Whether nudge() is to be called from time to time while the workload's rollout is under way."""
        return False


@dataclass(frozen=True)
class RestartStep(Step):
    """A rolling restart, once for each run, workload and attempt."""

    stamp: restart.Stamp
    mode: Mode
    now: t.Callable[[], datetime.datetime]  # each workload is stamped with the time of its own patch
    allow_owned: bool = False
    already_undone: bool = False  # earlier in this run; that is final for the run
    outcome = "restarted"

    def judge(self, workload: dict) -> Decision:
        if self.already_undone:
            return End("undone", "was undone earlier in this run; start a new run to restart it again")
        if restart.carries(workload, self.stamp):
            return Follow("already_restarted")
        refusal = restart.refusal(workload, allow_owned=self.allow_owned)
        return End("refused", refusal) if refusal else Act()

    def act(self, cluster, workload: dict, deadline: float | None) -> Acted:
        stamp = replace(self.stamp, at=self.now())
        body = restart.patch(workload, stamp)
        sent = (body, "strategic", self.mode, deadline)
        return Acted(requests.patch(cluster, workload, *sent, lambda now: restart.made_by(now, stamp)))

    def undoing(self, workload: dict) -> str | None:
        if restart.carries(workload, self.stamp):
            return None
        return restart.taken_back(workload, self.stamp.run, self.mode.field_manager, since=self.stamp.at)


@dataclass(frozen=True)
class StatusStep(Step):
    """Only looks: until the rollout is done, or once."""

    once: bool = False
    outcome = "rolled_out"

    def judge(self, workload: dict) -> Decision:
        if not self.once:
            return Follow("rolled_out")
        seen = status.judge(workload)
        if seen.state == status.DONE:
            return End("rolled_out", seen.message)
        return Explain("failed" if seen.state == status.FAILED else "in_progress", seen.message)


@dataclass(frozen=True)
class UndoStep(Step):
    """Back to an earlier revision: the previous one, a given one, or the one below a run's."""

    mode: Mode
    to_revision: int = 0
    run_id: str | None = None
    allow_owned: bool = False
    delete_stuck_pods: bool = False
    outcome = "undone"

    def judge(self, workload: dict) -> Decision:
        refusal = owner.refusal(workload, self.allow_owned)
        if refusal:
            return End("refused", refusal)
        if self.run_id and restart.run_of(workload) != self.run_id:
            return End("unchanged", f"{kinds.label(workload)} does not carry run {self.run_id}; nothing to undo")
        return Act()

    def act(self, cluster, workload: dict, deadline: float | None) -> Acted:
        revisions = requests.revisions(cluster, workload, deadline)
        target = undo.choose(workload, revisions, to_revision=self.to_revision, run_id=self.run_id)
        content, body = undo.patch(workload, target)
        sent = (body, content, self.mode, deadline)
        after = requests.patch(cluster, workload, *sent, lambda now: history.same_template(now, target))
        return Acted(after, tuple(_undo_warnings(workload, target)))

    def nudges(self, workload: dict) -> bool:
        return self.delete_stuck_pods and workload["kind"] == "StatefulSet"

    def nudge(self, cluster, workload: dict, deadline: float | None) -> list[str]:
        """Frees a StatefulSet whose broken pod keeps the old revision from coming back; the deleted pods' names."""
        return requests.delete_stuck_pods(cluster, workload, deadline)


@dataclass(frozen=True)
class PauseStep(Step):
    """Pauses or resumes a Deployment."""

    mode: Mode
    paused: bool
    allow_owned: bool = False

    @property
    def outcome(self) -> str:
        return "paused" if self.paused else "resumed"

    def judge(self, workload: dict) -> Decision:
        try:
            body = pause.patch(workload, self.paused)
        except RolloutError as error:
            return End("refused", str(error))
        if body is None:
            return End("unchanged", pause.ALREADY[self.paused])
        refusal = owner.refusal(workload, self.allow_owned)
        return End("refused", refusal) if refusal else Act()

    def act(self, cluster, workload: dict, deadline: float | None) -> Acted:
        body = pause.patch(workload, self.paused)
        return Acted(requests.patch(cluster, workload, body, "strategic", self.mode, deadline))


def _undo_warnings(workload: dict, target: history.Revision) -> list[str]:
    stale = undo.stale_last_applied(workload)
    found = [stale] if stale else []
    lost = ", ".join(sorted(undo.lost_annotations(workload, target)))
    if lost:
        found.append(
            f"{kinds.label(workload)} got back the annotations of revision {target.number}; gone or set back: {lost}"
        )
    return found
