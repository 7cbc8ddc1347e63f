# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Examines the pods of slow rollouts, so that the wait ends early if a rollout cannot recover.

A fast rollout costs nothing. If a rollout takes longer, the pods of its namespace are listed and watched, once for all
workloads there, and every change is judged. If only events can explain a problem, they are read when it has lasted for
the grace.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine import diagnose
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer, Interrupted, Opened
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Executor
from ansible_collections.restartx.core.plugins.module_utils.engine.sightings import Look, Sighting, Which, goes_on, slim
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, owner, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import find, of_workload, which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.codes import Cause
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

LOOK_AFTER = 3.0  # seconds that a rollout may take before its pods are examined
FEW = 8  # rollouts at once that do not slow each other down; with more, LOOK_AFTER grows in proportion
MANY = 200  # rollouts at once of which some always make progress; with more, the pauses grow in proportion
PAUSE = 0.005  # seconds between two judgements for each pod that is not ready; a judgement takes a fraction of that
IDLE_AT_LEAST = 15.0  # seconds without any change that a busy control plane may take, however short the grace is
ASK_TIMEOUT = 30.0  # seconds after which a request for causes is given up; it is sent again after another grace

_IDLE = ("", "idle")


@dataclass(frozen=True)
class PodScope:
    """All pods of a namespace, as a watch asks for them."""

    namespace: str
    params: t.ClassVar[dict[str, str]] = {}

    @property
    def path(self) -> str:
        return kinds.pods_path(self.namespace)


class Pods:
    """Judges tasks whose rollouts are watched. Calls `failed` with each one for which waiting is useless, its outcome,
    and a sentence; the task then has the cause. Due timers are passed to ring(), and answers of the cluster to
    `answers`."""

    def __init__(
        self,
        tasks: dict[Key, Task],
        executor: Executor,
        timers: Timers,
        failed: t.Callable[[Task, Outcome, str], None],
    ):
        self.warnings: list[str] = []
        self.answers: dict[str, t.Callable[[Task, Answer], None]] = {"revisions": self._listed, "prove": self._proved}
        self._tasks = tasks
        self._executor = executor
        self._timers = timers
        self._failed = failed
        self._scopes: set[PodScope] = set()
        self._seen_all: set[str] = set()  # namespaces of which all pods are known
        self._unready: dict[Key, dict[str, dict]] = {}  # pods that are not ready or are terminating, by uid
        self._ready: dict[Key, dict[str, dict]] = {}  # the others, as far as they may be needed
        self._looks: dict[Key, Look] = {}

    def begin(self, task: Task) -> None:
        """A rollout of the task starts. Problems of an earlier one are forgotten."""
        task.trouble = ""
        self._looks[task.key] = Look(task.generation, self._executor.clock.monotonic())

    def attend(self, task: Task) -> None:
        """The rollout of the task is slow: examine its pods from now on."""
        look = self._look_of(task)
        look.attended = True
        self._wait_until_idle(task, look)
        scope = PodScope(task.key[1])
        if scope not in self._scopes:
            self._scopes.add(scope)
            self._executor.follow(scope, "")
        self._judge(task)

    def moved(self, task: Task) -> None:
        """The task's workload has changed."""
        look = self._look_of(task)
        look.moved_at = self._executor.clock.monotonic()
        if look.attended and task.state is State.WATCHING:
            self._judge_soon(task)

    def see(self, scope: PodScope, event: watch.Event | Opened | Interrupted) -> None:
        """Handles an event of the watch of the pods in a namespace."""
        if isinstance(event, watch.Lost):
            self._lose(scope, event.error)
        elif isinstance(event, watch.Relisted):
            self._seen_all.add(scope.namespace)
            for pods in (self._unready, self._ready):
                for key in [key for key in pods if key[1] == scope.namespace]:
                    del pods[key]
            self._judge_all(dict.fromkeys(self._note(pod, gone=False) for pod in event.items))
        elif isinstance(event, (watch.Changed, watch.Removed)):
            self._judge_all([self._note(event.object, gone=isinstance(event, watch.Removed))])

    def ring(self, task: Task, now: float) -> None:
        """A problem may have lasted for the grace of the task by now, or nothing may have changed for that long."""
        look = self._look_of(task)
        if look.judge_at is not None and now >= look.judge_at:
            look.judge_at = None
            self._judge(task)
            if task.state is not State.WATCHING:
                return
        due = [which for which, one in look.seen.items() if now >= one.since + one.allowed + task.grace]
        present = {(uid, cause.family): cause for uid, cause in self._causes(task, self._evidence(task))} if due else {}
        unproven = []
        for which in due:
            if look.seen[which].unproven:
                unproven.append(which)
            elif which not in present:
                del look.seen[which]  # it has recovered
            elif goes_on(look.seen[which], present[which]):
                self._give_up(task, present[which])
                return
            else:
                self._see_again(task, look, which, now, present[which].ends)
        if look.attended and now >= look.idle_at:
            if now >= look.moved_at + self._idle_span(task) and self._is_idle(task):
                unproven.append(_IDLE)
            self._wait_until_idle(task, look)
        if unproven and not look.proving:
            look.proving = tuple(unproven)
            cluster, clock = self._executor.cluster, self._executor.clock
            evident, until, lines = task.step.evident(task.object), now + ASK_TIMEOUT, 0
            self._executor.do(("prove", task.key), diagnose.find_cause, cluster, evident, clock.now(), until, lines)

    def _proved(self, task: Task, answer: Answer) -> None:
        """Handles the answer on problems that lasted for the grace: they are proved, or get another grace."""
        look, now = self._look_of(task), self._executor.clock.monotonic()
        asked, look.proving = look.proving, ()
        if task.state is not State.WATCHING or not asked:
            return
        found = answer.value.cause if answer.error is None else None
        if found and (found.permanent or (found.recoverable and found.code in find.STANDSTILLS)):
            self._give_up(task, found)
        elif not found and _IDLE in asked and self._is_idle(task) and answer.error is None:
            span = duration.text(self._idle_span(task))
            self._give_up(task, of_workload.no_progress(self._evidence(task), span))
        else:
            for which in asked:
                if which in look.seen:
                    self._see_again(task, look, which, now)

    def _listed(self, task: Task, answer: Answer) -> None:
        """Handles the revisions of the task, which show which pods are of the newest one."""
        if answer.error is None and answer.value is not None and task.state is State.WATCHING:
            newest = which_pods.newest_revision(task.object, answer.value)
            self._look_of(task).hash = kinds.kind_of(task.object).hash_of(newest) if newest else None
            self._judge(task)

    def _note(self, pod: dict, gone: bool) -> Key | None:
        """Stores a pod, or drops one that is gone or dead. Returns the workload that it belongs to."""
        key = owner.workload_of(pod)
        if key is None or key not in self._tasks:
            return None
        uid = pod["metadata"].get("uid", pod["metadata"]["name"])
        unready, ready = self._unready.setdefault(key, {}), self._ready.setdefault(key, {})
        unready.pop(uid, None)
        ready.pop(uid, None)
        going = which_pods.terminating(pod)
        if not gone and which_pods.ready(pod) and not going:
            ready[uid] = slim(pod)
        elif not gone and (going or which_pods.active(pod)):
            unready[uid] = pod
        if key in self._looks:
            self._looks[key].moved_at = self._executor.clock.monotonic()
        return key

    def _judge_all(self, keys: t.Iterable[Key | None]) -> None:
        for key in keys:
            if key is not None and self._tasks[key].state is State.WATCHING:
                self._judge_soon(self._tasks[key])

    def _judge_soon(self, task: Task) -> None:
        """Judges at once, or after a pause if many pods that change all the time have just been judged."""
        look, now = self._look_of(task), self._executor.clock.monotonic()
        soonest = look.judged_at + PAUSE * len(self._unready.get(task.key, ()))
        if now >= soonest:
            self._judge(task)
        elif look.judge_at is None:
            look.judge_at = self._timers.set(task, soonest)

    def _judge(self, task: Task) -> None:
        look, now = self._look_of(task), self._executor.clock.monotonic()
        look.judged_at = now
        self._ask_for_revisions(task, look, now)
        evidence = self._evidence(task)
        present: dict[Which, Sighting] = {}
        task.trouble = ""
        for uid, cause in self._causes(task, evidence):
            if cause.permanent:
                self._give_up(task, cause)
                return
            if cause.recoverable:
                present[uid, cause.family] = Sighting(now, ends=cause.ends)
                task.trouble = task.trouble or cause.sentence
        for still in find.standstills(evidence):
            present[still.uid, still.code] = Sighting(now, still.allowed, unproven=True)
        counts = status.counts(task.object)
        moves, look.counts = look.counts not in (None, counts), counts
        for which in [which for which, one in look.seen.items() if one.unproven]:
            # A container may look healthy for a moment between two crashes. These problems do not.
            if which not in present or (moves and not which[0]):
                del look.seen[which]
        for which, sighting in present.items():
            if which not in look.seen:
                look.seen[which] = sighting
                self._timers.set(task, now + sighting.allowed + task.grace)

    def _causes(self, task: Task, evidence: Evidence) -> list[tuple[str, Cause]]:
        found = list(find.of_pods(evidence))
        if any(cause.permanent for _uid, cause in found):
            others = self._ready.get(task.key, {}).values()
            found = list(find.of_pods(self._evidence(task, others)))
        return found

    def _evidence(self, task: Task, others: t.Iterable[dict] = ()) -> Evidence:
        pods = [*self._unready.get(task.key, {}).values(), *others]
        return Evidence(task.step.evident(task.object), pods, known_hash=self._look_of(task).hash)

    def _ask_for_revisions(self, task: Task, look: Look, now: float) -> None:
        generation = task.object["metadata"].get("generation")
        if look.generation != generation:
            look.generation, look.hash, look.asked = generation, None, frozenset()
        if look.hash is not None:
            return
        undecided = which_pods.undecided(task.object, list(self._unready.get(task.key, {}).values()))
        if not undecided <= look.asked:
            look.asked |= undecided
            cluster = self._executor.cluster
            until = now + ASK_TIMEOUT
            self._executor.do(("revisions", task.key), diagnose.list_revisions, cluster, task.object, until)

    def _see_again(self, task: Task, look: Look, which: Which, now: float, ends: int = 0) -> None:
        """Gives the problem another grace."""
        before = look.seen[which]
        look.seen[which] = Sighting(now, before.allowed, ends, before.unproven)
        self._timers.set(task, now + before.allowed + task.grace)

    def _is_idle(self, task: Task) -> bool:
        """Whether all pods are known and healthy, so that the controller should act. It waits for evictions, if there are any."""
        evicts = task.step.pod_by_pod(task.object) is not None
        return task.key[1] in self._seen_all and not self._unready.get(task.key) and not evicts

    def _idle_span(self, task: Task) -> float:
        """Seconds after which something should have changed."""
        return max(task.grace, IDLE_AT_LEAST) + float(kinds.field(task.object, "spec.minReadySeconds", 0))

    def _wait_until_idle(self, task: Task, look: Look) -> None:
        now = self._executor.clock.monotonic()
        soonest = look.moved_at + self._idle_span(task)
        look.idle_at = self._timers.set(task, soonest if soonest > now else now + task.grace)

    def _give_up(self, task: Task, cause: Cause) -> None:
        if cause.permanent:
            why = "because this cannot recover by itself"
        else:
            why = f"because this did not recover within {duration.text(task.grace)}"
        # It is read again later, with events and logs.
        if task.undoing:
            task.undo_cause = cause
        elif task.failure is None:
            task.cause = cause
        # If nothing is wrong with the containers, the rollout continues when somebody has mended the rest. A resumed run
        # then follows it, instead of restarting the workload once more.
        outcome = Outcome.FAILED if cause.permanent or cause.broken else Outcome.UNFINISHED
        self._failed(task, outcome, f"gave up waiting, {why}: {cause.sentence}")

    def _look_of(self, task: Task) -> Look:
        if task.key not in self._looks:
            self.begin(task)
        return self._looks[task.key]

    def _lose(self, scope: PodScope, error: Exception) -> None:
        """Without pods, few waits end early, but all end at their timeout."""
        if not isinstance(error, ClusterError):
            raise error  # a bug, not a state of the cluster
        self._seen_all.discard(scope.namespace)
        self.warnings.append(
            f'the pods in namespace "{scope.namespace}" cannot be watched, so a rollout there that does not come up is '
            f"waited for until its timeout: {error}"
        )
