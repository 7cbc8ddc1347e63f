# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a StatefulSet whose partition goes down by some pods at a time, between the restart and the release of a canary."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.engine import canary_steps, requests
from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import (
    CanaryStep,
    EnforceStep,
    Held,
    TrialStep,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.step import (
    Act,
    Acted,
    Decision,
    End,
    Follow,
    Step,
    Trial,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, kinds, restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome


@dataclass(frozen=True)
class LowerStep(Held):
    """Lets the controller replace the next pods. It is over when these are there; the trial that follows waits until they are
    ready."""

    stamp: restart.Stamp
    mode: Mode
    its: Canary
    partition: int
    settles = False
    outcome = Outcome.RESTARTED

    def judge(self, workload: dict) -> Decision:
        lost = self.undoing(workload)
        if lost:
            return End(Outcome.SUPERSEDED, lost)
        if not canary.present(workload, self.its, self.stamp.run) or self._is_low(workload):
            return End(Outcome.ALREADY_RESTARTED, "")  # an earlier start has done it
        return Act()

    def _is_low(self, workload: dict) -> bool:
        return bool(kinds.field(workload, "spec.updateStrategy.rollingUpdate.partition", 0) <= self.partition)

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        meta = {"resourceVersion": workload["metadata"]["resourceVersion"]}
        body = {"metadata": meta, "spec": {"updateStrategy": {"rollingUpdate": {"partition": self.partition}}}}
        return Acted(requests.patch(cluster, workload, body, "strategic", self.mode, deadline, self._is_low))

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> status.Progress:
        pods = kinds.kind_of(workload).wanted(workload) - self.partition
        there = canary.arrived(workload, replace(self.its, pods=pods), generation)
        return status.Progress(there.state, there.message)

    def undoing(self, workload: dict) -> str | None:
        if restart.carries(workload, self.stamp):
            return None
        return restart.taken_back(workload, self.stamp.run, self.mode.field_manager, since=self.stamp.at)


@dataclass(frozen=True)
class LastStep(canary_steps.ReleaseStep):
    """Gives back the strategy, which lets the controller replace the last pods. So it is no part of what has begun."""

    goes_on = False

    def judge(self, workload: dict) -> Decision:
        decision = super().judge(workload)
        return Follow(Outcome.RESTARTED) if isinstance(decision, Follow) else decision


def of(first: CanaryStep | EnforceStep, workload: dict, trial: Trial) -> t.Iterator[Step]:
    """The steps that follow the restart of the first pods: for the next ones each time a trial of those that are new, and then
    a lower partition. An earlier start may have been through some of them."""
    stamp, mode, its = first.stamp, first.mode, first.its
    wanted, partition = kinds.kind_of(workload).wanted(workload), int(its.partition or 0)
    if restart.carries(workload, stamp):
        if not canary.tightened(workload, its, stamp.run):  # given back already
            yield canary_steps.ReleaseStep(stamp, mode, its)
            return
        partition = kinds.field(workload, "spec.updateStrategy.rollingUpdate.partition", 0)
    while partition > its.floor:
        yield TrialStep(stamp, mode, its, replace(trial, pods=wanted - partition))
        partition -= max(its.pods, 1)
        if partition > its.floor:
            yield LowerStep(stamp, mode, its, partition)
    following = LastStep if (its.partition or 0) > its.floor else canary_steps.ReleaseStep
    yield following(stamp, mode, its)
