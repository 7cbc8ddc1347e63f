# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The turn of a task: its step is judged and carried out, its rollout followed, and its failure explained and undone."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, history, kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.undo import Unchanged
from ansible_collections.restartx.core.plugins.module_utils.run import explain, steps
from ansible_collections.restartx.core.plugins.module_utils.run.alarms import Alarms
from ansible_collections.restartx.core.plugins.module_utils.run.mandate import Mandate
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Key
from ansible_collections.restartx.core.plugins.module_utils.run.rollouts import Rollouts
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task
from ansible_collections.restartx.core.plugins.module_utils.run.world import Answer

MAX_CONFLICTS = 10  # someone who changes a workload ten times while we look at it is a controller at war with us


class NotBegun(Exception):
    """A request was not sent, for nobody wants it any more."""


class Turns:
    """Takes tasks from their beginning to their end, which is told by `ended`; the caller says when one begins.

    What the world answers comes back through take(), what its watches see through `rollouts`.
    """

    def __init__(
        self, tasks: dict[Key, Task], world, mandate: Mandate, alarms: Alarms, ended: t.Callable[[Task], None]
    ):
        self.warnings: list[str] = []
        self.rollouts = Rollouts(tasks, world, alarms, self.end, self.fail)
        self._tasks = tasks
        self._world = world
        self._clock = world.clock
        self._mandate = mandate
        self._ended = ended
        self._deaf = False  # logs may not be read
        self._answers: dict[str, t.Callable[[Task, Answer], None]] = {
            "act": self._acted,
            "read": self._read,
            "explain": self._explained,
            "nudge": self.rollouts.nudged,
        }

    def settle_early(self, task: Task) -> None:
        """Ends a task for which there is nothing to do, or nothing that may be done, before its turn comes."""
        decision = task.step.judge(task.object)
        if isinstance(decision, steps.End):
            self.end(task, decision.outcome, decision.message)

    def begin(self, task: Task) -> None:
        """The task's turn has come."""
        task.started = self._clock.monotonic()
        task.started_at = self._clock.now()
        task.revision_before = history.revision_shown(task.object)
        self._judge(task)

    def take(self, answer: Answer) -> None:
        """What came of a piece of work that the world was given."""
        if answer.error is not None and not isinstance(answer.error, (ClusterError, RolloutError, NotBegun)):
            raise answer.error  # a bug of ours, not a state of the cluster
        what, key = answer.token
        self._answers[what](self._tasks[key], answer)

    def leave(self, task: Task) -> None:
        """The call is cut short while the task's rollout is under way."""
        cut = self._mandate.cut
        task.left = True
        message = f"{cut.why}; last seen: {task.message}" if task.message else cut.why
        if cut.outcome == "unfinished" and task.state != "settling":
            self.fail(task, cut.outcome, message)
        else:
            self.end(task, cut.outcome, message)

    def fail(self, task: Task, outcome: str, message: str) -> None:
        """Its rollout failed: the cause is asked for, and an undo follows where that is wanted."""
        if task.failure or self._mandate.refusal(undoing=True):
            self.end(task, outcome, message)
            return
        task.state = "explaining"
        task.failure = outcome, message
        cluster, now = self._world.cluster, self._clock.now()
        self._world.do(("explain", task.key), explain.find_cause, cluster, task.object, now, self._mandate.until)

    def end(self, task: Task, outcome: str, message: str) -> None:
        """The task has its outcome; one that was to be undone keeps the outcome of its failure unless it was."""
        if task.undoing and outcome == task.step.outcome:
            message = f"{task.failure[1]}; undone: {message}"
        elif task.undoing:
            undo = outcome.replace("_", " ")
            outcome, message = task.failure[0], f"{task.failure[1]}; its undo {undo}: {message}"
        task.state = "ended"
        task.outcome, task.message = outcome, message
        task.ended = self._clock.monotonic()
        task.finished_at = self._clock.now() if task.started_at else None
        self._ended(task)

    def _judge(self, task: Task) -> None:
        decision = task.step.judge(task.object)
        if isinstance(decision, steps.End):
            self.end(task, decision.outcome, decision.message)
        elif isinstance(decision, steps.Explain):
            self.fail(task, decision.outcome, decision.message)
        elif isinstance(decision, steps.Follow):
            self._await_rollout(task, decision.outcome, task.object)
        else:
            task.state = "acting"
            if task.before is None or not task.undoing:  # what failed and is undone shows the difference of both
                task.before = task.object
            self._world.do(("act", task.key), self._act, task.step, task.object, task.undoing)

    def _act(self, step: steps.Step, workload: dict, undoing: bool) -> steps.Acted:
        """Runs in a hand: looks once more whether anyone still wants it."""
        refusal = self._mandate.refusal(undoing)
        if refusal:
            raise NotBegun(refusal)
        return step.act(self._world.cluster, workload, self._mandate.until)

    def _acted(self, task: Task, answer: Answer) -> None:
        error = answer.error
        if error is None:
            after = answer.value.workload
            self.warnings += answer.value.warnings
            task.changed = True
            task.diff = diff.changed_fields(task.before, after)
            self._await_rollout(task, task.step.outcome, after)
        elif isinstance(error, NotBegun):
            self.end(task, "not_started", str(error))
        elif isinstance(error, Conflict) and task.conflicts < MAX_CONFLICTS:
            # Someone changed it between our view and our patch: read it anew and judge again.
            task.conflicts += 1
            self._world.do(("read", task.key), self._look_again, task.key)
        elif isinstance(error, NotFound):
            self.end(task, "failed", f"{kinds.label(task.object)} was deleted in the meantime")
        elif isinstance(error, Unchanged) and self._mandate.terms.wait and task.step.nudges(task.object):
            self._await_rollout(task, "unchanged", task.object)  # the template is as wanted, but a pod may be stuck
        elif isinstance(error, Unchanged):
            self.end(task, "unchanged", str(error))
        else:
            self.end(task, "refused" if isinstance(error, RolloutError) else "failed", _sentence(error))

    def _look_again(self, key: Key) -> dict:
        """Runs in a hand."""
        return self._world.cluster.get(kinds.path(*key), deadline=self._mandate.until)

    def _read(self, task: Task, answer: Answer) -> None:
        if answer.error is not None:
            self._acted(task, answer)
        else:
            task.object, task.gone = answer.value, False
            self._judge(task)

    def _await_rollout(self, task: Task, outcome: str, workload: dict) -> None:
        """`workload` is as it was since the step; a watch may have shown a later state before the answer came."""
        metadata, seen = workload["metadata"], task.object["metadata"]
        task.generation = metadata.get("generation")
        task.gone = task.gone or seen["uid"] != metadata["uid"]
        if seen.get("generation", 0) < metadata.get("generation", 0):
            task.object = workload
        if not self._mandate.terms.wait:
            self.end(task, outcome, outcome.replace("_", " "))
        elif self._mandate.cut and task.undoing:
            self.end(task, outcome, "sent, but not waited for")
        elif self._mandate.cut:
            task.outcome, task.message, task.state = outcome, "", "watching"
            self.leave(task)
        else:
            self.rollouts.begin(task, outcome)

    def _explained(self, task: Task, answer: Answer) -> None:
        if answer.error is not None:
            self.warnings.append(f"no cause for {task.title}: {answer.error}")
        else:
            task.cause = answer.value.cause
            if answer.value.deaf and not self._deaf:  # once: it is so for others too
                self._deaf = True
                self.warnings.append(f"no log lines with the cause for {task.title}: {answer.value.deaf}")
        if self._mandate.terms.undo_failed is None:
            self.end(task, *task.failure)
        else:
            task.step, task.undoing = self._mandate.terms.undo_failed, True
            self._judge(task)


def _sentence(error: Exception) -> str:
    if isinstance(error, Conflict):
        return (
            f"{error}; that happened {MAX_CONFLICTS} times in a row: somebody else keeps changing it, stop that first"
        )
    if getattr(error, "ambiguous", False):
        return f"{error}; whether it was carried out all the same is not known"
    return str(error)
