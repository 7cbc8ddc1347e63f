# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a restart that changes the strategy for a while.

With a canary, these are the restart of the first pods, their trial, and the rest of the rollout. With `budgets: enforce`,
the restart is followed until it is rolled out, and the strategy is given back then. After a failure before that, the
workload keeps the changed strategy, unless a step for failures gives it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.engine import hold_requests, requests
from ansible_collections.restartx.core.plugins.module_utils.engine.give_back import (
    AwaitUndoneStep,
    GiveBackStep,
    release,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.step import (
    Act,
    Acted,
    Decision,
    End,
    Follow,
    PodByPod,
    Step,
    Trial,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import RestartStep
from ansible_collections.restartx.core.plugins.module_utils.rollout import (
    budget_hold,
    canary,
    canary_fit,
    enforce,
    exact_patch,
    hold,
    kinds,
    marks,
    pod_order,
    restart,
    status,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome


class Held(Step):
    """A step during which a workload has the strategy that the run has set."""

    stamp: restart.Stamp
    mode: Mode
    its: Canary

    def replaced(self, workload: dict) -> str | None:
        its = canary.stage(workload, self.its, self.stamp.run)
        if its.enforced is not None and not budget_hold.is_held(workload, its):
            return None  # what somebody deploys is not held, and rolled out as the restart is
        return _replaced(workload, its, self.stamp, self.mode)

    def released(self, workload: dict) -> dict:
        found = enforce.after_canary(workload, self.its, self.stamp.run)
        return canary.some_at_a_time(found, self.its) if self.its.lowers else found

    def gives_back(self, outcome: Outcome, workload: dict) -> Step | None:
        if outcome is Outcome.SUPERSEDED and canary.release(workload, self.its, self.stamp.run):
            return GiveBackStep(self.stamp.run, self.mode, self.its)
        if outcome is Outcome.UNDONE and self.its.budgets is not None:  # by an earlier start, which was killed then
            return AwaitUndoneStep(self.stamp.run, self.mode, self.its).needed(workload)
        return None

    def left(self, workload: dict) -> str:
        return "" if self.mode.dry_run else canary.left(workload, self.its, self.stamp.run)


class Holdable(Held):
    """A step whose rollout may be held while budgets leave no room for it."""

    def may_hold(self, workload: dict) -> bool:
        return budget_hold.can_hold(workload) and not canary.owner_of_strategy(workload, self.mode.field_manager)

    def is_held(self, workload: dict) -> bool:
        return budget_hold.is_held(workload, self.its)

    def evident(self, workload: dict) -> dict:
        return budget_hold.freed(workload, self.its)

    def hold(self, cluster: Cluster, workload: dict, deadline: float | None) -> dict | None:
        return hold_requests.hold(cluster, workload, self.its, self.stamp.run, self.mode, deadline)

    def go_on(self, cluster: Cluster, workload: dict, deadline: float | None) -> dict | None:
        return hold_requests.go_on(cluster, workload, self.its, self.mode, deadline)


@dataclass(frozen=True)
class CanaryStep(Held, RestartStep):
    """A restart whose rollout is held after the first pods. It is over when these pods are there. Those of a DaemonSet are
    evicted."""

    its: Canary = canary.NONE
    settles = False

    def judge(self, workload: dict) -> Decision:
        if self.settled:
            return self.settled
        if restart.carries(workload, self.stamp):
            return Follow(Outcome.ALREADY_RESTARTED)
        run = self.stamp.run
        own = canary.released(workload, self.its, run)
        refusal = self.unfit(own) or restart.refusal(own, allow_owned=self.allow_owned)
        refusal = refusal or canary.refusal(workload, self.its, run, self.mode.field_manager)
        return End(Outcome.REFUSED, refusal) if refusal else Act()

    def unfit(self, own: dict) -> str | None:
        """Why the workload with its own strategy cannot be restarted so; None if it can."""
        if self.its.moves:
            return None
        return canary_fit.refusal(own) or canary_fit.refusal_by_budgets(own, self.its)

    def request(self, workload: dict, stamp: restart.Stamp) -> Patch:
        return canary.with_canary(super().request(workload, stamp), workload, self.its)

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        seen = super().progress(self.released(workload), generation, found)
        if seen.state == status.FAILED or not canary.present(workload, self.its, self.stamp.run):
            return seen
        there = canary.arrived(workload, self.its, generation)
        return status.Progress(there.state, there.message)

    def pod_by_pod(self, workload: dict) -> PodByPod | None:
        if not (self.its.evicts and canary.tightened(workload, self.its, self.stamp.run)):
            return None
        spare = kinds.kind_of(workload).missing_at_once(self.released(workload)) - 1
        return PodByPod(pod_order.CANARY, first=self.its.pods, spare=max(spare, 0))


@dataclass(frozen=True)
class EnforceStep(Holdable, RestartStep):
    """A restart that sets a strategy which undercuts no budget. It is over when everything is rolled out."""

    its: Canary = canary.NONE
    settles = False

    def judge(self, workload: dict) -> Decision:
        decision = super().judge(budget_hold.freed(workload, self.its))
        if not isinstance(decision, Act):
            return decision
        refusal = enforce.refusal(workload, self.its, self.stamp.run, self.mode.field_manager)
        return End(Outcome.REFUSED, refusal) if refusal else decision

    def request(self, workload: dict, stamp: restart.Stamp) -> Patch:
        made, free = super().request(workload, stamp), budget_hold.freed(workload, self.its)
        if free is workload:
            return canary.with_canary(made, workload, self.its)
        return exact_patch.with_spec(made, workload["spec"], enforce.tightened(free, self.its)["spec"])

    def released(self, workload: dict) -> dict:
        free = budget_hold.freed(workload, self.its)  # it is held only for a while
        if restart.carries(workload, self.stamp):
            return free  # what is set already, or what somebody has set since
        return enforce.tightened(free, self.its)


class Following(Held):
    """A step after the first one of a restart: the same rollout goes on."""

    goes_on = True
    outcome = Outcome.RESTARTED

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        return status.follow(workload, generation, before=found, since=marks.written_at(workload))

    def undoing(self, workload: dict) -> str | None:
        return _taken_back(workload, self.stamp, self.mode)


@dataclass(frozen=True)
class TrialStep(Following):
    """Holds the rollout after the canary, until its pods have been ready for long enough and its gates are open."""

    stamp: restart.Stamp
    mode: Mode
    its: Canary
    trial: Trial

    def judge(self, workload: dict) -> Decision:
        lost = _superseded(workload, self.stamp, self.mode)
        if lost:
            return lost
        if not canary.present(workload, self.its, self.stamp.run):
            return End(Outcome.ALREADY_RESTARTED, "")  # given back already
        return Act() if canary.pauses(workload) else Follow(Outcome.ALREADY_RESTARTED)

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        # Without a resourceVersion: the status changes all the time while pods start, and the pause is urgent.
        body = {"metadata": {"uid": workload["metadata"]["uid"]}, "spec": {"paused": True}}
        sent = (body, "strategic", self.mode, deadline)
        return Acted(requests.patch(cluster, workload, *sent, lambda now: not canary.pauses(now)))

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        """Its pods decide (engine/trials.py)."""
        return status.Progress(status.WAITING, f"{self.its.words}: {canary.words(workload)}")

    def evident(self, workload: dict) -> dict:
        return hold.released(workload, None)


@dataclass(frozen=True)
class AfterCanaryStep(Following, Holdable):
    """Sets what budgets ask for in place of what has held the canary, and follows the rest of the rollout. Until that is
    set, the canary holds the workload."""

    stamp: restart.Stamp
    mode: Mode
    its: Canary
    settles = False

    def judge(self, workload: dict) -> Decision:
        lost = _superseded(workload, self.stamp, self.mode)
        if lost:
            return lost
        return Act() if self._patch(workload) else Follow(Outcome.ALREADY_RESTARTED)

    def _patch(self, workload: dict) -> Patch | None:
        if not canary.present(workload, self.its, self.stamp.run):
            return None
        return exact_patch.exactly(workload, enforce.after_canary(workload, self.its, self.stamp.run))

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        patch = self._patch(workload)
        if patch is None:
            return Acted(workload)
        sent = (patch.body, patch.content, self.mode, deadline)
        return Acted(requests.patch(cluster, workload, *sent, lambda now: self._patch(now) is None))

    def released(self, workload: dict) -> dict:
        if canary.present(workload, self.its, self.stamp.run):
            return enforce.after_canary(workload, self.its, self.stamp.run)
        return budget_hold.freed(workload, self.its)


@dataclass(frozen=True)
class ReleaseStep(Following):
    """Gives back the strategy, and follows the rest of the rollout."""

    stamp: restart.Stamp
    mode: Mode
    its: Canary

    def judge(self, workload: dict) -> Decision:
        lost = _superseded(workload, self.stamp, self.mode)
        if lost:
            return lost
        released = canary.release(workload, self.its, self.stamp.run)
        return Act() if released else Follow(Outcome.ALREADY_RESTARTED)

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        return release(cluster, workload, self.its, self.stamp.run, self.mode, deadline)


def of_enforced(first: CanaryStep | EnforceStep) -> ReleaseStep:
    """The step that follows the rollout of a restart whose strategy undercuts no budget."""
    return ReleaseStep(first.stamp, first.mode, first.its)


def of(first: CanaryStep | EnforceStep, trial: Trial) -> list[Step]:
    """The steps that follow the restart of the first pods."""
    stamp, mode, its = first.stamp, first.mode, first.its
    rest = [] if its.afterwards is None else [AfterCanaryStep(stamp, mode, its)]
    return [TrialStep(stamp, mode, its, trial), *rest, ReleaseStep(stamp, mode, its.enforcing)]


def _taken_back(workload: dict, stamp: restart.Stamp, mode: Mode) -> str | None:
    if restart.carries(workload, stamp):
        return None
    return restart.taken_back(workload, stamp.run, mode.field_manager, since=stamp.at)


def _replaced(workload: dict, its: Canary, stamp: restart.Stamp, mode: Mode) -> str | None:
    """Who changed the template while the canary held it. What they deployed is neither judged nor held."""
    if not canary.release(workload, its, stamp.run):
        return None
    return marks.changed(workload, stamp.run, mode.field_manager, since=stamp.at)


def _superseded(workload: dict, stamp: restart.Stamp, mode: Mode) -> End | None:
    lost = _taken_back(workload, stamp, mode)
    return End(Outcome.SUPERSEDED, lost) if lost else None
