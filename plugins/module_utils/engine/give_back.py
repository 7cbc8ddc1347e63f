# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives back the strategy that a restart has changed for a while."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Act, Acted, Decision, End, Follow, Step
from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold, canary, enforce, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome


@dataclass(frozen=True)
class GiveBackStep(Step):
    """The last step of a workload that somebody else has changed meanwhile, so that nothing of ours holds that, or of one
    that was undone."""

    run: str
    mode: Mode
    its: Canary
    outcome: Outcome = Outcome.RESUMED
    waits = False

    def judge(self, workload: dict) -> Decision:
        held = canary.release(workload, self.its, self.run)
        return Act() if held else End(Outcome.UNCHANGED, "nothing of what the run has set is left")

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        return release(cluster, workload, self.its, self.run, self.mode, deadline)

    def said(self, outcome: Outcome, workload: dict) -> str:
        return "its strategy was given back"

    def followed(self, failed: Outcome, outcome: Outcome, message: str) -> tuple[Outcome, str]:
        """The workload keeps its outcome."""
        well = outcome.good or outcome == self.outcome
        return failed, message if well else f"its strategy could not be given back: {message}"

    def left(self, workload: dict) -> str:
        return canary.left(workload, self.its, self.run)


@dataclass(frozen=True)
class AwaitUndoneStep(Step):
    """Follows an undo of an earlier start, which is rolled out with the strategy that budgets ask for. That is given back
    then."""

    run: str
    mode: Mode
    its: Canary
    outcome = Outcome.UNDONE

    def needed(self, workload: dict) -> AwaitUndoneStep | None:
        """The step itself; None if nothing is left of what the run has set."""
        return self if canary.release(workload, self.its, self.run) else None

    def judge(self, workload: dict) -> Decision:
        return Follow(Outcome.UNDONE)

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        raise NotImplementedError("it changes nothing")

    def gives_back(self, outcome: Outcome, workload: dict) -> Step | None:
        needed = outcome is Outcome.UNDONE and self.needed(workload)
        return GiveBackStep(self.run, self.mode, self.its, Outcome.UNDONE) if needed else None

    def left(self, workload: dict) -> str:
        return canary.left(workload, self.its, self.run)


def freed_by_undo(workload: dict, its: Canary, run: str) -> dict:
    """The workload as its undo finds it. An undo is rolled out with the strategy that budgets ask for, which is given back
    then."""
    if canary.stage(workload, its, run).enforced is not None:
        return budget_hold.freed(workload, its)
    return enforce.after_canary(workload, its, run)


def holds_all(workload: dict, its: Canary, run: str) -> bool:
    """Whether what the run has set keeps any rollout of the workload from going on."""
    if budget_hold.is_held(workload, its) or kinds.field(workload, "spec.paused"):
        return True
    return not kinds.kind_of(workload).pausable and canary.stage(workload, its, run).enforced is None


def release(cluster: Cluster, workload: dict, its: Canary, run: str, mode: Mode, deadline: float | None) -> Acted:
    """Gives back what the run has set, if anything of it is left. Raises Conflict and ClusterError."""
    patch = canary.release(workload, its, run)
    if patch is None:
        return Acted(workload)
    sent = (patch.body, patch.content, mode, deadline)
    return Acted(requests.patch(cluster, workload, *sent, lambda now: canary.release(now, its, run) is None))
