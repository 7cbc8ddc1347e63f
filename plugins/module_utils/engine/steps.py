# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the loop does to a workload when its turn comes: one step for each verb. A new behaviour is a new step here."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden
from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.give_back import (
    GiveBackStep,
    freed_by_undo,
    holds_all,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.step import (
    Act,
    Acted,
    Decision,
    End,
    Explain,
    Follow,
    Step,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    blocked,
    canary,
    canary_fit,
    exact_patch,
    history,
    hold,
    kinds,
    marks,
    owner,
    pause,
    restart,
    status,
    undo,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key


@dataclass(frozen=True)
class RestartStep(Step):
    """A rolling restart, once for each run, workload and attempt."""

    stamp: restart.Stamp
    mode: Mode
    now: t.Callable[[], datetime.datetime]  # each workload is stamped with the time of its own patch
    allow_owned: bool = False
    settled: End | None = None  # the outcome of an earlier start of the run, if this one leaves the workload alone
    under_way: bool = False  # of a dry run: the restart is there already, and would only be waited for
    outcome = Outcome.RESTARTED

    def judge(self, workload: dict) -> Decision:
        if self.settled:
            return self.settled
        if restart.carries(workload, self.stamp):
            return Follow(Outcome.ALREADY_RESTARTED)
        refusal = restart.refusal(workload, allow_owned=self.allow_owned)
        return End(Outcome.REFUSED, refusal) if refusal else Act()

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        if not self.under_way:
            self._refuse_blocked(cluster, workload, deadline)
        stamp = replace(self.stamp, at=self.now())
        content, body = self.request(workload, stamp)
        sent = (body, content, self.mode, deadline)
        return Acted(requests.patch(cluster, workload, *sent, lambda now: restart.made_by(now, stamp)))

    def request(self, workload: dict, stamp: restart.Stamp) -> Patch:
        """The patch with this stamp."""
        return restart.request(workload, stamp)

    def _refuse_blocked(self, cluster: Cluster, workload: dict, deadline: float | None) -> None:
        """Raises RolloutError if the restart could not start. Pods are read only if one may block it."""
        if not kinds.kind_of(workload).may_stick(workload) or status.judge(workload).state == status.DONE:
            return
        try:
            pods = requests.pods(cluster, workload, deadline)
        except Forbidden:
            return  # without permission to read pods, restart as kubectl does
        tried = marks.run_of(workload) == self.stamp.run
        refusal = blocked.refusal(workload, pods, self.now(), tried)
        if refusal:
            raise RolloutError(refusal)

    def said(self, outcome: Outcome, workload: dict) -> str:
        return outcome.words + self.mode.note

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        # After a change by an earlier start, the object itself shows when it was made.
        return status.follow(workload, generation, before=found, since=marks.written_at(workload))

    def undoing(self, workload: dict) -> str | None:
        if restart.carries(workload, self.stamp):
            return None
        return restart.taken_back(workload, self.stamp.run, self.mode.field_manager, since=self.stamp.at)


@dataclass(frozen=True)
class StatusStep(Step):
    """Only follows the rollout until it is done, or reads the status once."""

    once: bool = False
    outcome = Outcome.ROLLED_OUT

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        raise NotImplementedError("a status changes nothing")

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        seen = canary.judge(workload, generation)
        return status.Progress(seen.state, seen.message)

    def judge(self, workload: dict) -> Decision:
        if not self.once:
            return Follow(Outcome.ROLLED_OUT)
        seen = canary.judge(workload)
        if seen.state == status.DONE:
            return End(Outcome.ROLLED_OUT, seen.message)
        return Explain(Outcome.FAILED if seen.state == status.FAILED else Outcome.IN_PROGRESS, seen.message)


@dataclass(frozen=True)
class UndoStep(Step):
    """Back to an earlier revision: the previous one, a given one, or the one below a run's."""

    mode: Mode
    to_revision: int = 0
    run_id: str | None = None
    allow_owned: bool = False
    delete_stuck_pods: bool = False
    releases: bool = False  # the run holds the workload for inspection: the undo releases it as well
    partition: int | None = None  # of a StatefulSet before the run held it
    kept: str = ""  # why the workload is left alone; empty if it is not
    canaries: t.Mapping[Key, canary.Canary] = field(default_factory=dict)  # of the run: it gives back the strategy
    outcome = Outcome.UNDONE

    def judge(self, workload: dict) -> Decision:
        if self.kept:
            return End(Outcome.UNCHANGED, self.kept)
        its = self.canaries.get(kinds.key(workload))
        refusal = owner.refusal(workload, self.allow_owned) or canary_fit.refusal_of_undo(workload, self.run_id, its)
        if refusal:
            return End(Outcome.REFUSED, refusal)
        if self.run_id and restart.run_of(workload) != self.run_id and not self._gives_back(workload):
            words = f"{kinds.label(workload)} does not carry run {self.run_id} but {marks.carried(workload)}"
            return End(Outcome.UNCHANGED, f"{words}; nothing to undo")
        if self._awaits_undone(workload):
            return Follow(Outcome.UNDONE)
        return Act()

    def _awaits_undone(self, workload: dict) -> bool:
        """Whether what budgets ask for is given back only when the rollout is over that took the place of the run's."""
        its = self.canaries.get(kinds.key(workload))
        over = restart.run_of(workload) == self.run_id or status.judge(workload).state == status.DONE
        held = bool(self.run_id and its and holds_all(workload, its, self.run_id))  # what somebody has deployed, too
        return its is not None and its.budgets is not None and not (over or held)

    def _gives_back(self, workload: dict) -> Patch | None:
        """What gives back the strategy of a workload that no longer carries the run."""
        its = self.canaries.get(kinds.key(workload))
        return canary.release(workload, its, self.run_id) if its and self.run_id else None

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        alone = self._gives_back(workload) if restart.run_of(workload) != self.run_id else None
        if alone:
            sent = (alone.body, alone.content, self.mode, deadline)
            words = f"{kinds.label(workload)} does not carry run {self.run_id}, so only its strategy was given back"
            return Acted(requests.patch(cluster, workload, *sent, lambda now: not self._gives_back(now)), (words,))
        revisions = requests.revisions(cluster, workload, deadline)
        held = self.releases and self.run_id is not None and hold.held(workload, self.run_id, self.partition)
        free = hold.released(workload, self.partition) if held else workload
        its, held_only = self.canaries.get(kinds.key(workload)), free
        if its and self.run_id is not None:
            free = freed_by_undo(free, its, self.run_id)
        target = undo.choose(free, revisions, to_revision=self.to_revision, run_id=self.run_id)
        # The undo of a run reverts only the changes of that run, which are on the template.
        made = undo.patch(workload, target, template_only=self.run_id is not None)
        content, body = hold.with_release(made, workload, self.partition) if held else made
        content, body = exact_patch.with_spec(Patch(content, body), held_only["spec"], free["spec"])
        sent = (body, content, self.mode, deadline)
        after = requests.patch(cluster, workload, *sent, lambda now: history.same_template(now, target))
        return Acted(after, tuple(self._warnings(workload, target)))

    def _warnings(self, workload: dict, target: history.Revision) -> t.Iterator[str]:
        stale = undo.stale_last_applied(workload)
        if stale:
            yield stale
        lost = ", ".join(sorted(undo.lost_annotations(workload, target)))
        if lost and self.run_id is None:
            yield f"{kinds.label(workload)} got back the annotations of revision {target.number}; gone or set back: {lost}"

    def said(self, outcome: Outcome, workload: dict) -> str:
        words = "rolled back" if outcome is Outcome.UNDONE else outcome.words
        return words + self.mode.note

    def gives_back(self, outcome: Outcome, workload: dict) -> Step | None:
        its = self.canaries.get(kinds.key(workload))
        if outcome is not Outcome.UNDONE or its is None or its.budgets is None or self.run_id is None:
            return None
        left = canary.release(workload, its, self.run_id)
        return GiveBackStep(self.run_id, self.mode, its, Outcome.UNDONE) if left else None

    def followed(self, failed: Outcome, outcome: Outcome, message: str) -> tuple[Outcome, str]:
        """A workload whose undo did not succeed keeps the outcome of its failure."""
        if outcome == self.outcome:
            return outcome, f"undone: {message}"
        return failed, f"its undo {outcome.words}: {message}"

    def left(self, workload: dict) -> str:
        its = self.canaries.get(kinds.key(workload))
        return canary.left(workload, its, self.run_id) if its and self.run_id and not self.mode.dry_run else ""

    def frees_stuck_pods(self, workload: dict) -> bool:
        return self.delete_stuck_pods and kinds.kind_of(workload).may_stick(workload)

    def free_stuck_pods(self, cluster: Cluster, workload: dict, deadline: float | None) -> list[str]:
        """Deletes the broken pods of a StatefulSet that block the return to the old revision. Returns their names."""
        return requests.delete_stuck_pods(cluster, workload, deadline)


@dataclass(frozen=True)
class HoldStep(Step):
    """Keeps a workload that failed as it is, for inspection: no further pod is replaced."""

    mode: Mode
    run_id: str
    partition: int | None = None  # of a StatefulSet before
    context: str | None = None  # for the command in the message
    its: canary.Canary = canary.NONE  # that may hold it too
    outcome = Outcome.PAUSED
    waits = False

    def judge(self, workload: dict) -> Decision:
        if not hold.can_be_held(workload):
            return End(Outcome.UNCHANGED, hold.STOPPED if self.left(workload) else hold.NOT_HELD)
        if marks.run_of(workload) != self.run_id:
            words = f"{kinds.label(workload)} does not carry run {self.run_id} but {marks.carried(workload)}"
            return End(Outcome.UNCHANGED, f"{words}, so it was not held for inspection")
        return Act()

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        pods = [] if kinds.kind_of(workload).pausable else requests.pods(cluster, workload, deadline)
        body = hold.hold(workload, pods)
        if body is None:
            return Acted(workload)
        sent = (body, "strategic", self.mode, deadline)
        return Acted(requests.patch(cluster, workload, *sent, lambda now: hold.held(now, self.run_id, self.partition)))

    def said(self, outcome: Outcome, workload: dict) -> str:
        told = f"it is {hold.words(workload)} for inspection"
        if self.left(workload):  # it says how to go on
            return told
        return f"{told}; to go on with it: {hold.how_to_go_on(workload, self.partition, self.context)}"

    def followed(self, failed: Outcome, outcome: Outcome, message: str) -> tuple[Outcome, str]:
        """The workload keeps the outcome of its failure."""
        return failed, message if outcome.good else f"it could not be held for inspection: {message}"

    def left(self, workload: dict) -> str:
        return canary.left(workload, self.its, self.run_id)


@dataclass(frozen=True)
class PauseStep(Step):
    """Pauses or resumes a Deployment."""

    mode: Mode
    paused: bool
    allow_owned: bool = False

    @property
    def outcome(self) -> Outcome:
        return Outcome.PAUSED if self.paused else Outcome.RESUMED

    def judge(self, workload: dict) -> Decision:
        try:
            body = pause.patch(workload, self.paused)
        except RolloutError as error:
            return End(Outcome.REFUSED, str(error))
        if body is None:
            return End(Outcome.UNCHANGED, pause.ALREADY[self.paused])
        refusal = owner.refusal(workload, self.allow_owned)
        return End(Outcome.REFUSED, refusal) if refusal else Act()

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        body = pause.patch(workload, self.paused)
        sent = (body, "strategic", self.mode, deadline)
        return Acted(requests.patch(cluster, workload, *sent, lambda now: pause.patch(now, self.paused) is None))

    def said(self, outcome: Outcome, workload: dict) -> str:
        return outcome.words + self.mode.note
