# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step is: the interface between the loop, which knows no verb, and the verbs' steps in engine/steps.py."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.leader import LeaderRule
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.pod_batch import rolling
from ansible_collections.restartx.core.plugins.module_utils.rollout.status import Progress, follow


@dataclass(frozen=True)
class Act:
    """Its turn: carry the step out."""


@dataclass(frozen=True)
class Follow:
    """Nothing to do but to follow the rollout, which then ends with this outcome."""

    outcome: Outcome


@dataclass(frozen=True)
class End:
    """Ends without any change. `earlier` says that an earlier start of the run made it."""

    outcome: Outcome
    message: str
    earlier: bool = False


@dataclass(frozen=True)
class Explain:
    """Ends without any change, but its cause should be read."""

    outcome: Outcome
    message: str


Decision = t.Union[Act, Follow, End, Explain]  # noqa: UP007  ansible-test's pylint takes the other form for an operation


@dataclass(frozen=True)
class Acted:
    """The workload in the answer of the server, and what the user should know about it."""

    workload: dict
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """How the pods of a canary are judged: so many must be ready for `hold` seconds, and then the gates must open.

    `compare` is a gate on an expression of Prometheus with patterns for the pods.
    """

    pods: int
    hold: float
    gates: tuple[tuple[str, Gate], ...] = ()  # by name
    compare: Gate | None = None
    words: str = "canary"  # what is judged
    unopened: Outcome = Outcome.FAILED  # the outcome if a gate does not open in time
    all_ready: bool = False  # whether the other pods of the workload must be ready too at its end


@dataclass(frozen=True)
class PodByPod:
    """How the pods of a workload are replaced one by one: in which order, and before each of them the new ones must have been
    ready for `settle` seconds, and the gates must open. With a `run`, only pods of that run are: it is undone. `most` is how
    many are replaced at a time: a number, or a percentage. With `first`, only so many are in all, and `spare` others need not be
    ready: a controller replaces the others later."""

    order: str
    settle: float = 0.0
    gates: tuple[tuple[str, Gate], ...] = ()  # by name
    run: str | None = None
    leader: LeaderRule | None = None  # which pod goes last
    most: int | str = 1
    first: int | None = None
    spare: int = 0


@dataclass(frozen=True)
class Room:
    """Whether budgets leave room for the rest of a rollout: the `reason` says which does not. While that is not `known`, it
    says why. `until` is the instant (of the monotonic clock) from which on it may be asked again."""

    reason: str = ""
    known: bool = True
    until: float = 0.0


class Step(t.Protocol):
    """One thing that is done to a workload.

    A step judges a workload (pure), acts on it (requests, in one of the executor's workers), and then tells whether its
    change is still in place.
    """

    trial: Trial | None = None  # of a canary: it decides when the step is over
    settles: bool = True  # whether its rollout is followed for the `settle` of the task
    goes_on: bool = False  # whether it goes on with a rollout that has begun, so that no window keeps it from that

    @property
    def outcome(self) -> Outcome:
        """The outcome of a workload after the step succeeded."""

    def judge(self, workload: dict) -> Decision:
        """What to do with a workload in its current state."""

    def act(self, cluster: Cluster, workload: dict, deadline: float | None) -> Acted:
        """Carries out the step for exactly this version of the workload. `deadline` is an instant of the cluster's
        clock.

        Raises Conflict if the workload has changed, ClusterError and RolloutError.
        """

    @property
    def waits(self) -> bool:
        """Whether its rollout is waited for, if the call waits."""
        return True

    def said(self, outcome: Outcome, workload: dict) -> str:
        """The message for a workload whose rollout is not waited for, in the words of kubectl where it has any.
        `workload` is the state after the step."""
        return outcome.words

    def followed(self, failed: Outcome, outcome: Outcome, message: str) -> tuple[Outcome, str]:
        """The outcome of a workload after the step followed its failure, and what is told of the step."""
        return failed, message

    def progress(self, workload: dict, generation: int | None, found: dict | None) -> Progress:
        """The progress of the workload's rollout. `generation` is the one after the change, and `found` is the workload
        before it. Both are None if nothing was changed."""
        return follow(workload, generation, before=found)

    def pod_by_pod(self, workload: dict) -> PodByPod | None:
        """How pods are replaced after the change, if no controller does that."""
        return None

    def unwaited(self, outcome: Outcome, workload: dict, message: str) -> tuple[Outcome, str]:
        """The outcome and the message of a workload whose rollout is not waited for; those that are given if its controller
        does the rest."""
        return outcome, message

    def gives_back(self, outcome: Outcome, workload: dict) -> Step | None:
        """The step that gives back what the run has set, after this one ended with this outcome; None if nothing must be
        given back then."""
        return None

    def evident(self, workload: dict) -> dict:
        """The workload in which causes are looked for: what holds it on purpose is none."""
        return workload

    def evicting(self, workload: dict) -> dict | None:
        """The workload as budgets see it while its pods are evicted: as if its controller stopped as many at once. None if no
        pods are evicted, or only the first ones of a canary, whose controller stops the others."""
        its = self.pod_by_pod(workload)
        return rolling(workload, its.most) if its and its.first is None else None

    def released(self, workload: dict) -> dict:
        """The workload with the strategy that its rollout goes on with."""
        return workload

    def may_hold(self, workload: dict) -> bool:
        """Whether its rollout may have to be held while budgets leave no room for it."""
        return False

    def is_held(self, workload: dict) -> bool:
        """Whether the run holds it for that reason."""
        return False

    def hold(self, cluster: Cluster, workload: dict, deadline: float | None) -> dict | None:
        """Holds it, and returns the workload; None if there is nothing to hold. Raises ClusterError."""
        return None

    def go_on(self, cluster: Cluster, workload: dict, deadline: float | None) -> dict | None:
        """Lets it go on, and returns the workload; None if nothing holds it. Raises ClusterError."""
        return None

    def left(self, workload: dict) -> str:
        """What the step leaves behind if it is the last one, as a clause; empty if it leaves nothing."""
        return ""

    def undoing(self, workload: dict) -> str | None:
        """Who reverted the change of this step; None while it is in place."""
        return None

    def replaced(self, workload: dict) -> str | None:
        """Who changed the template since the restart, if that ends the step. It is asked only if it was changed."""
        return None

    def frees_stuck_pods(self, workload: dict) -> bool:
        """Whether free_stuck_pods() should be called from time to time while the rollout is in progress."""
        return False

    def free_stuck_pods(self, cluster: Cluster, workload: dict, deadline: float | None) -> list[str]:
        """Deletes the pods that block the rollout. Returns their names."""
        return []
