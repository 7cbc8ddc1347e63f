# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lifecycle of a task: its step is carried out and its rollout followed. A failure is explained, and the step
for failures follows."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Conflict,
    NotFound,
    NotPermitted,
)
from ansible_collections.restartx.core.plugins.module_utils.engine import diagnose, requests
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.gating import AfterGates
from ansible_collections.restartx.core.plugins.module_utils.engine.guarded import guarded
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import Permission
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Act, Acted, End, Explain, Follow, Step
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.engine.watching import Watching
from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, history, kinds, log
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.undo import Unchanged
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

FULL_LOGS = 10  # failures of a call with all lines of a log; those after them have few
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts; the second one follows at once


class Lifecycle:
    """Takes tasks from start to end. The caller says when one starts; events of the tasks tell it the rest.

    The caller passes answers of the executor to take(), and events of its watches to `rollouts`. `held` says why a task
    may not start now.
    """

    def __init__(
        self,
        tasks: dict[Key, Task],
        executor: Executor,
        permission: Permission,
        timers: Timers,
        held: t.Callable[[Task], str | None],
        gates: AfterGates,
    ):
        self.warnings: list[str] = []
        self.rollouts = Watching(tasks, executor, timers, permission, self.end, self.fail, gates)
        self._tasks = tasks
        self._executor = executor
        self._clock = executor.clock
        self._permission = permission
        self._timers = timers
        self._held = held
        self._explains = 0  # how many workloads have failed
        self._log_denied = False  # whether logs may not be read
        self._answers: dict[str, t.Callable[[Task, Answer], None]] = {
            "act": self._acted,
            "read": self._read,
            "explain": self._explained,
            "free_stuck_pods": self.rollouts.freed_stuck_pods,
            **self.rollouts.answers,
            "settled": self.rollouts.settling.told_by_pods,
        }

    def settle_early(self, task: Task) -> None:
        """Ends a task before its turn if there is nothing to do, or if it is refused."""
        decision = task.step.judge(task.object)
        if isinstance(decision, End) and not (decision.outcome.good and task.follows(failed=False)):
            task.earlier = decision.earlier
            self.end(task, decision.outcome, decision.message)

    def only_follows(self, task: Task) -> bool:
        """Whether a task only has to follow its rollout, and nothing is changed for that."""
        return task.state is State.WAITING and isinstance(task.step.judge(task.object), Follow) and not task.evicts

    def begin(self, task: Task) -> None:
        """The task's turn has come."""
        task.started = self._clock.monotonic()
        task.started_at = self._clock.now()
        task.revision_before = history.revision_shown(task.object)
        self._judge(task)

    def take(self, answer: Answer) -> None:
        """Handles an answer of the executor."""
        if answer.error is not None and not isinstance(answer.error, (ClusterError, RolloutError)):
            raise answer.error  # a bug, not a state of the cluster
        what, key = answer.token
        self._answers[what](self._tasks[key], answer)

    def leave(self, task: Task) -> None:
        """Ends a task whose rollout is in progress when the call is cut short."""
        cancelled = self._permission.cancelled
        if cancelled is None:
            raise AssertionError("only a call that was cut short leaves its tasks")
        task.cut_short = True
        why = self.rollouts.cut_off(task) + cancelled.why
        seen = "; ".join(filter(None, [task.message, task.gate]))
        message = f"{why}; last seen: {seen}" if seen else why
        if cancelled.outcome is Outcome.UNFINISHED and task.state is not State.SETTLING:
            self.fail(task, cancelled.outcome, message)
        else:  # no controller goes on with what is evicted, or held
            self.end(task, Outcome.UNFINISHED if task.evicts or task.held else cancelled.outcome, message)

    def fail(self, task: Task, outcome: Outcome, message: str) -> None:
        """Its rollout failed: finds the cause, and starts the step that follows a failure, if there is one."""
        again = task.undo_failure if task.undoing else task.failure
        if again or self._permission.refusal(undoing=True):
            self.end(task, outcome, message)
            return
        if task.undoing:
            task.undo_failure = outcome, message
        else:
            task.failure = outcome, message
        task.to(State.EXPLAINING, self._clock)
        cluster, now = self._executor.cluster, self._clock.now()
        self._explains += 1
        lines = log.LINES if self._explains <= FULL_LOGS else log.FEW_LINES
        lines = lines if self._permission.options.logs else 0
        until = self._permission.until
        evident = task.step.evident(task.object)
        self._executor.do(("explain", task.key), diagnose.find_cause, cluster, evident, now, until, lines)

    def end(self, task: Task, outcome: Outcome, message: str) -> None:
        """The step of the task has its outcome: the next step follows, or the task ends with it.

        After a failure, the step that followed it says what the outcome is.
        """
        well = outcome.good or (outcome == task.step.outcome and not task.after_failure)
        if well and not (task.failure or self._permission.cancelled) and task.advance(failed=False):
            self._judge(task)
            return
        may_give_back = self._permission.options.wait and not self._permission.cancelled
        give_back = task.step.gives_back(outcome, task.object) if may_give_back else None
        if task.after_failure and task.failure:
            outcome, told = task.step.followed(task.failure[0], outcome, message)
            task.reaction = f"{task.reaction}; {told}" if task.reaction else told
            message = f"{task.failure[1]}; {told}"
        if give_back:
            task.failure, task.held = (outcome, message), ""  # nothing of it is held from now on
            task.queue.clear()
            task.then(give_back, after_failure=True)
            task.advance(failed=True)
            self._judge(task)
            return
        left = task.step.left(task.object)
        message = f"{message}; {left}" if left else message
        task.to(State.ENDED, self._clock, outcome, message)

    def _judge(self, task: Task) -> None:
        lost = task.lost() if task.place else None
        decision = End(Outcome.SUPERSEDED, lost) if lost else task.step.judge(task.object)
        if isinstance(decision, End):
            task.earlier = decision.earlier
            self.end(task, decision.outcome, decision.message)
        elif isinstance(decision, Explain):
            self.fail(task, decision.outcome, decision.message)
        elif isinstance(decision, Follow):
            # What goes on with a rollout does not change whose restart it is.
            self._await_rollout(task, task.outcome if task.step.goes_on else decision.outcome, task.object)
        elif isinstance(decision, Act):
            task.found = task.object
            if task.place == 0 or task.before is None:  # --diff shows the difference of all steps together
                task.before = task.object
            task.judged = task.object["metadata"].get("generation")
            if task.state is not State.ACTING:  # as it is after a conflict
                task.to(State.ACTING, self._clock)
            self._executor.do(("act", task.key), self._act, task.step, task.object, task.after_failure)

    def _act(self, step: Step, workload: dict, after_failure: bool) -> Acted:
        """Runs in a worker. Right before each request, it is checked that it may still be sent."""
        cluster = guarded(self._executor.cluster, self._permission.permitted(after_failure, step.goes_on))
        return step.act(cluster, workload, self._permission.until)

    def _acted(self, task: Task, answer: Answer) -> None:
        error = answer.error
        if error is None:
            if task.before is None:
                raise AssertionError("a task that acts knows what was before")
            after = answer.value.workload
            self.warnings += answer.value.warnings
            task.changed = True
            task.diff = diff.changed_fields(task.before, after)
            self._await_rollout(task, task.step.outcome, after)
        elif isinstance(error, NotPermitted) and not error.ambiguous:
            self._not_sent(task, str(error))
        elif isinstance(error, Conflict) and requests.may_try_again(task.conflicts, task.tries):
            # It changed between our read and our patch: read it again and judge again.
            pause = min(FIRST_PAUSE * 2 ** (task.tries - 1), LONGEST_PAUSE) if task.tries else 0.0
            task.tries += 1
            task.retry_at = self._timers.set(task, self._clock.monotonic() + pause)
            if not pause:
                self.ring(task, task.retry_at)
        elif isinstance(error, NotFound):
            self.end(task, Outcome.FAILED, f"{kinds.label(task.object)} was deleted in the meantime")
        elif isinstance(error, Unchanged) and self._permission.options.wait and task.step.frees_stuck_pods(task.object):
            self._await_rollout(
                task, Outcome.UNCHANGED, task.object
            )  # the template is as requested, but a pod may be stuck
        elif isinstance(error, Unchanged):
            self.end(task, Outcome.UNCHANGED, str(error))
        else:
            outcome = Outcome.REFUSED if isinstance(error, RolloutError) else Outcome.FAILED
            task.unanswered = getattr(error, "ambiguous", False)
            # After its restart, the rollout goes on whatever becomes of the request: that is a failure of the workload.
            tell = self.fail if task.place and not task.after_failure else self.end
            tell(task, outcome, requests.sentence(error, task.conflicts, task.tries))

    def _not_sent(self, task: Task, why: str) -> None:
        """Its request was not sent, because that is no longer permitted."""
        if task.place == 0:
            task.to(State.WAITING, self._clock, Outcome.NOT_STARTED, why)
        else:
            self.end(task, Outcome.NOT_STARTED if task.after_failure else Outcome.UNFINISHED, why)

    def ring(self, task: Task, now: float) -> None:
        """Handles an instant of a task that has been reached."""
        if task.state is not State.ACTING:
            self.rollouts.ring(task, now)
        elif task.retry_at is not None and now >= task.retry_at:
            task.retry_at = None
            self._executor.do(("read", task.key), self._look_again, task.key)

    def stop_trying(self, task: Task, why: str) -> None:
        """The call is cut short while the task pauses between two attempts: it is not started, unless it follows a
        failure."""
        if task.retry_at is not None and not task.after_failure:
            task.retry_at = None
            self._not_sent(task, why)

    def _look_again(self, key: Key) -> dict:
        """Runs in a worker."""
        return self._executor.cluster.get(kinds.path(*key), deadline=self._permission.until)

    def _read(self, task: Task, answer: Answer) -> None:
        if answer.error is not None:
            self._acted(task, answer)
        else:
            # Controllers change the status all the time. Only a change of the spec is a conflict with somebody else.
            task.conflicts += answer.value["metadata"].get("generation") != task.judged
            task.object, task.gone = answer.value, False
            first = task.place == 0 and isinstance(task.step.judge(task.object), Act)
            held = self._held(task) if first else None
            if held:
                self._not_sent(task, held)
            else:
                self._judge(task)

    def _await_rollout(self, task: Task, outcome: Outcome, workload: dict) -> None:
        """`workload` is the state after the step. A watch may have shown a later state before the answer came."""
        metadata, seen = workload["metadata"], task.object["metadata"]
        task.generation = metadata.get("generation")
        task.gone = task.gone or seen["uid"] != metadata["uid"]
        if seen.get("generation", 0) < metadata.get("generation", 0):
            task.object = workload
        if task.template is None and (task.follows(failed=False) or task.step.pod_by_pod(workload)):
            task.template = workload["spec"]["template"]
        if not (self._permission.options.wait and task.step.waits):
            self.end(task, *task.step.unwaited(outcome, workload, task.step.said(outcome, workload)))
        elif self._permission.cancelled and task.after_failure:
            self.end(task, *task.step.unwaited(outcome, workload, "sent, but not waited for"))
        elif self._permission.cancelled:
            task.to(State.WATCHING, self._clock, outcome, "")
            self.leave(task)
        else:
            self.rollouts.begin(task, outcome)

    def _explained(self, task: Task, answer: Answer) -> None:
        if task.failure is None:
            raise AssertionError("only what failed is explained")
        if answer.error is not None:
            self.warnings.append(f"no cause for {task.title}: {answer.error}")
        else:
            if task.undo_failure:
                task.undo_cause = answer.value.cause or task.undo_cause
            else:
                task.cause = answer.value.cause or task.cause
                task.fail_if_broken()
            if answer.value.log_denied and not self._log_denied:  # only once, because it applies to all pods
                self._log_denied = True
                self.warnings.append(f"no log lines with the cause for {task.title}: {answer.value.log_denied}")
        lost = (
            task.lost() if task.template else None
        )  # the deploy may have been seen only after what it did to the pods
        if task.undo_failure:
            self.end(task, *task.undo_failure)
        elif lost:
            self.end(task, Outcome.SUPERSEDED, lost)
        elif task.advance(failed=True):
            self._judge(task)
        else:
            self.end(task, *task.failure)
