# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps restarts from starting until there are VolumeSnapshots of the claims of their pods.

They are made in a worker, when the turn of a workload has come. Their names are the same in each start that goes on with an
attempt, so that it uses those that are there. A further attempt has its own.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
)
from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.protocols import Clock
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Act
from ansible_collections.restartx.core.plugins.module_utils.engine.steps import RestartStep
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, snapshots
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.commands import kubectl
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import SnapshotPlan
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import Key

LOOK_EVERY = 2.0  # seconds between two looks at snapshots that are not ready
GRANT = "rbac/snapshots.yml grants it"
FIRST_FOR = 60.0  # seconds for which a workload whose snapshots are ready keeps back those of the next one
LONGEST = 10.0  # seconds that one request may take


@dataclass
class _Course:
    """How far the snapshots of one workload are. Instants are of the monotonic clock."""

    workload: dict
    plan: SnapshotPlan
    attempt: int  # which restart of the workload in its run
    began: float
    due: float  # when to look at them
    told: str = "the VolumeSnapshots of its claims are to be made"
    ready_at: float | None = None
    failed: bool = False

    @property
    def ready(self) -> bool:
        return self.ready_at is not None


@dataclass(frozen=True)
class _Seen:
    """What was seen of the snapshots of a workload."""

    told: str = ""  # why they are not ready; empty if they are
    failed: bool = False  # they will not become ready


class SnapshotHold:
    """A hold on the restarts of some groups, and an observer that makes the snapshots. `plans` are those of the groups.

    With `one_by_one`, those of the next workload are made only after the restart of the one before has started, so that
    they are not much older than it.
    """

    required = True
    needs_lock = True
    lasting = False

    def __init__(self, plans: t.Mapping[str, SnapshotPlan], run: str, cluster: Cluster, clock: Clock, one_by_one: bool):
        self.warnings: list[str] = []
        self.clock = clock
        self._plans = plans
        self._run = run
        self._cluster = cluster
        self._one_by_one = one_by_one
        self._courses: dict[Key, _Course] = {}
        self._started: set[Key] = set()
        self._seen: dict[Key, _Seen] = {}  # by the worker
        self._working = False

    @property
    def next(self) -> float | None:
        """When it looks again. While an answer is on its way, only that changes something."""
        if self._working:
            return None
        now, ends = (
            self.clock.monotonic(),
            [one.ready_at + FIRST_FOR for one in self._courses.values() if one.ready_at is not None],
        )
        return min([*(one.due for one in self._open.values()), *(at for at in ends if at > now)], default=None)

    @property
    def _open(self) -> dict[Key, _Course]:
        """Those that are neither ready nor will never be."""
        return {key: one for key, one in self._courses.items() if not (one.ready or one.failed)}

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says which snapshot is not ready yet."""
        if task is None or task.group not in self._plans or now > self.clock.monotonic():
            return None  # in the future, it is looked at when that instant has come
        course = self._courses.get(task.key)
        if course is None:
            if not isinstance(task.step.judge(task.object), Act):
                return None  # an earlier start has restarted it already
            first = self._first(now) if self._one_by_one else None
            if first:
                kind, namespace, name = first
                return f"the VolumeSnapshots of {kind} {namespace}/{name} are made first"
            course = self._courses[task.key] = self._course(task, now)
        return None if course.ready else course.told

    def _course(self, task: Task, now: float) -> _Course:
        attempt = t.cast(RestartStep, task.step).stamp.attempt
        return _Course(task.object, self._plans[task.group], attempt, now, now)

    def _first(self, now: float) -> Key | None:
        """A workload whose snapshots are made, or that is about to start. Something else may hold it, but not others for long."""
        waiting = ((key, one) for key, one in self._courses.items() if key not in self._started and not one.failed)
        return next((key for key, one in waiting if one.ready_at is None or now < one.ready_at + FIRST_FOR), None)

    def failure(self, task: Task) -> str | None:
        """Why the snapshots of a workload will not become ready; None if they may."""
        course = self._courses.get(task.key)
        return course.told if course and course.failed else None

    def see(self, event: Event) -> None:
        """A workload that has started keeps no other one back."""
        if event.before is State.WAITING:
            self._started.add(event.task.key)
        elif event.after is State.WAITING:
            self._started.discard(event.task.key)

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """The snapshots that are to be made, or looked at."""
        now, waiting = self.clock.monotonic(), {task.key for task in tasks if task.state is State.WAITING}
        for key in self._open.keys() - waiting:
            del self._courses[key]  # it will not be restarted
        due = {key: one for key, one in self._open.items() if one.due <= now}
        if not due:
            return None
        self._working = True
        return Work(lambda: self._look(due))

    def _look(self, courses: t.Mapping[Key, _Course]) -> None:
        """Runs in a worker."""
        for key, course in courses.items():
            try:
                self._seen[key] = self._make(course)
            except ClusterError as error:
                grant = f"; {GRANT}" if isinstance(error, Forbidden) and not error.refusal else ""
                told = f"the VolumeSnapshots of its claims could not be made: {error}{grant}"
                self._seen[key] = _Seen(told, failed=not (error.transient or isinstance(error, Conflict)))

    def _make(self, course: _Course) -> _Seen:
        """Creates those that are not there. Raises ClusterError."""
        workload, namespace = course.workload, course.workload["metadata"]["namespace"]
        pods = requests.pods(self._cluster, workload, self._until)
        there, wanted = snapshots.running(workload, pods), kinds.kind_of(workload).wanted(workload)
        if len(there) < wanted:
            return _Seen(
                f"{len(there)} of {wanted} pods exist, so it is not known of which claims to make VolumeSnapshots"
            )
        found = snapshots.claims(there)
        if wanted and not found:
            told = "its pods mount no PersistentVolumeClaim, so there is nothing to make a snapshot of; leave snapshot out for it"
            return _Seen(told, failed=True)
        waits = ""
        for claim in found:
            name = snapshots.name_of(self._run, claim, course.attempt)
            label = snapshots.label(namespace, name)
            try:
                seen = self._cluster.get(snapshots.path(namespace, name), deadline=self._until)
            except NotFound:
                body = snapshots.snapshot(workload, self._run, claim, course.plan.of_class, name)
                seen = self._cluster.create(snapshots.path(namespace), body, deadline=self._until)
            wrong = snapshots.wrong(seen, workload, self._run)
            if wrong:
                how = ("delete", "volumesnapshot", "--namespace", namespace, name)
                told = f"{label} has failed: {wrong}; to have it made again, delete it and start again: "
                return _Seen(told + kubectl(self._cluster.context, *how), failed=True)
            if not snapshots.ready(seen):
                waits = waits or f"{label} is not ready to use yet"
        return _Seen(waits)

    @property
    def _until(self) -> float:
        return self.clock.monotonic() + LONGEST

    def worked(self, error: BaseException | None) -> None:
        """The answer is there."""
        self._working = False
        if error is not None:
            raise error  # a bug: what cannot be made is an answer too
        now = self.clock.monotonic()
        for key, seen in self._seen.items():
            course = self._courses[key]
            course.told, course.failed = seen.told, seen.failed
            course.ready_at = None if seen.told else now
            course.due = now + LOOK_EVERY
            if seen.told and not seen.failed and now - course.began >= course.plan.timeout:
                course.failed = True
                course.told = f"not ready after {duration.text(course.plan.timeout)}: {seen.told}"
        self._seen = {}

    def close(self, tasks: t.Sequence[Task]) -> None:
        """What was not started says which snapshot it waited for, whatever ended the call."""
        for task in tasks:
            course = self._courses.get(task.key)
            waited = task.state is State.WAITING and course is not None and not course.ready
            if waited and course is not None and course.told not in task.message:
                task.message = f"{task.message}; {course.told}"


class FailedSnapshots:
    """A hold on the restarts whose snapshots will not become ready. A call does not wait for them."""

    lasting = True
    next = None

    def __init__(self, hold: SnapshotHold):
        self._hold = hold

    def reason(self, task: Task | None, now: float) -> str | None:
        """Says why."""
        return self._hold.failure(task) if task else None
