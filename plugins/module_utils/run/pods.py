# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pods of what does not come up at once, so that nobody waits for what no waiting heals.

A rollout that is quick costs nothing. For one that takes longer the pods of its namespace are listed and watched, once
for all that is restarted there, and what they tell is judged as it comes.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.rollout import cause, kinds, owner
from ansible_collections.restartx.core.plugins.module_utils.run.alarms import Alarms
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Key
from ansible_collections.restartx.core.plugins.module_utils.run.task import Task
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

LOOK_AFTER = 3.0  # seconds that a rollout may take before its pods are looked at
FEW = 8  # rollouts at once that do not hinder each other; with more it may take longer in proportion
MANY = 200  # rollouts at once of which one or another moves all the time; with more the pauses grow in proportion


@dataclass(frozen=True)
class PodScope:
    """All pods of a namespace, as a watch asks for them."""

    namespace: str
    params: t.ClassVar[dict[str, str]] = {}

    @property
    def path(self) -> str:
        return kinds.pods_path(self.namespace)


class Pods:
    """Judges the pods of tasks whose rollouts are watched; those that are not worth waiting for are told to `hopeless`.

    Alarms that are set off come back through ring().
    """

    def __init__(self, tasks: dict[Key, Task], world, alarms: Alarms, hopeless: t.Callable[[Task, str], None]):
        self.warnings: list[str] = []
        self._tasks = tasks
        self._world = world
        self._alarms = alarms
        self._hopeless = hopeless
        self._scopes: set[PodScope] = set()
        self._unready: dict[Key, dict[str, dict]] = {}  # pods by workload and name
        self._since: dict[Key, dict[tuple[str, str], float]] = {}  # when a pod was first seen with a cause, by its code

    def attend(self, task: Task) -> None:
        """The task's rollout takes its time: look at its pods from now on."""
        scope = PodScope(task.key[1])
        if scope in self._scopes:
            self._judge(task)
        else:
            self._scopes.add(scope)
            self._world.follow(scope, "")

    def see(self, scope: PodScope, event: watch.Event) -> None:
        """What the watch of a namespace's pods has seen."""
        if isinstance(event, watch.Lost):
            self._lose(scope, event.error)
        elif isinstance(event, watch.Relisted):
            for key in [key for key in self._unready if key[1] == scope.namespace]:
                del self._unready[key]
            touched = dict.fromkeys(self._note(pod, gone=False) for pod in event.items)
            self._judge_all(touched)
        elif isinstance(event, (watch.Changed, watch.Removed)):
            self._judge_all([self._note(event.object, gone=isinstance(event, watch.Removed))])

    def ring(self, task: Task, now: float) -> None:
        """The grace of one of the task's pods may be over."""
        since = self._since.get(task.key, {})
        present = {(name, found.code): found for name, found in self._causes(task)}
        for which, begun in list(since.items()):
            if now < begun + task.grace:
                continue
            if which in present:
                span = duration.text(task.grace)
                self._hopeless(task, f"not waited for any longer after {span} like this: {present[which].sentence}")
                return
            del since[which]  # it has recovered

    def _note(self, pod: dict, gone: bool) -> Key | None:
        """Keeps a pod that is not ready, forgets any other one; the workload that it belongs to."""
        key = owner.workload_of(pod)
        if key not in self._tasks:
            return None
        name = pod["metadata"]["name"]
        if gone or _ready(pod):
            self._unready.get(key, {}).pop(name, None)
        else:
            self._unready.setdefault(key, {})[name] = pod
        return key

    def _judge_all(self, keys: t.Iterable[Key | None]) -> None:
        for key in keys:
            if key is not None and self._tasks[key].state == "watching":
                self._judge(self._tasks[key])

    def _judge(self, task: Task) -> None:
        since = self._since.setdefault(task.key, {})
        now = self._world.clock.monotonic()
        for name, found in self._causes(task):
            if found.hopeless:
                self._hopeless(task, f"not waited for any longer, for no waiting heals this: {found.sentence}")
                return
            if found.doubtful and (name, found.code) not in since:
                since[name, found.code] = now
                self._alarms.set(task, now + task.grace)

    def _causes(self, task: Task) -> t.Iterator[tuple[str, cause.Cause]]:
        for name, pod in self._unready.get(task.key, {}).items():
            found = cause.of_pod(task.object, pod)
            if found:
                yield name, found

    def _lose(self, scope: PodScope, error: Exception) -> None:
        """Without pods nothing is given up early; what is waited for ends all the same."""
        if not isinstance(error, ClusterError):
            raise error  # a bug of ours, not a state of the cluster
        self.warnings.append(
            f'the pods in namespace "{scope.namespace}" cannot be watched, so what does not come up there is waited for '
            f"until its timeout: {error}"
        )


def _ready(pod: dict) -> bool:
    conditions = kinds.field(pod, "status.conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
