# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster on a clock that only moves when somebody waits: the loop runs in it without sleeping.

Workloads are plain API objects. A patch of the pod template starts a rollout that is done after `takes` seconds of the
simulated time, never for `breaks`, or not when `on_patch` says otherwise.
"""

from __future__ import annotations

import copy
import datetime
import heapq
import itertools
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.client import Listing
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.run.world import Answer, Seen

LATENCY = 0.01  # simulated seconds that a request takes
START = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.timezone.utc)


class FakeClock:
    """Stands still until told to move."""

    def __init__(self):
        self.passed = 0.0

    def now(self):
        return START + datetime.timedelta(seconds=self.passed)

    def monotonic(self):
        return self.passed

    def sleep(self, seconds):
        self.passed += seconds


def deployment(name: str, namespace: str = "shop", **annotations: str) -> dict:
    """A Deployment of two replicas that is rolled out."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}, "annotations": dict(annotations)}, "spec": {}},
        },
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
    }


class FakeCluster:
    """Holds workloads; a patch of one sets its rollout going in the world."""

    host = "https://simulated:6443"
    context = "simulated"
    warnings: list[str] = []

    def __init__(self, workloads: t.Iterable[dict], takes: float = 10.0, breaks: t.Container[str] = ()):
        self.objects = {kinds.path(*kinds.key(workload)): workload for workload in workloads}
        self.takes = takes
        self.breaks = breaks
        self.patches: list[tuple[float, str]] = []  # when, and the name of the workload
        self.lists: list[str] = []
        self.before_patch: t.Callable[[dict], None] = lambda workload: None
        self.world: World | None = None

    def uid(self):
        return "uid-of-kube-system"

    def list(self, path, params=None):
        self.lists.append(path)
        found = [copy.deepcopy(workload) for where, workload in self.objects.items() if where.rpartition("/")[0] == path]
        return Listing(found, "1")

    def get(self, path, params=None):
        if path not in self.objects:
            raise NotFound(f"{path} not found", status=404)
        return copy.deepcopy(self.objects[path])

    def patch(self, path, body, content, *, field_manager=None, dry_run=False):
        workload = self.objects.get(path)
        if workload is None:
            raise NotFound(f"{path} not found", status=404)
        self.before_patch(workload)
        wanted = body["metadata"].get("resourceVersion")
        if wanted not in (None, workload["metadata"]["resourceVersion"]):
            raise Conflict(f"{path} was changed", status=409)
        self.patches.append((self.world.clock.passed, workload["metadata"]["name"]))
        after = workload if not dry_run else copy.deepcopy(workload)
        for name, value in body["spec"]["template"]["metadata"]["annotations"].items():
            after["spec"]["template"]["metadata"]["annotations"][name] = value
        self.touch(after)
        if not dry_run:
            self._roll_out(after)
        return copy.deepcopy(after)

    def touch(self, workload: dict) -> None:
        """Somebody changed the spec."""
        meta = workload["metadata"]
        meta["generation"] += 1
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)

    def finish(self, workload: dict) -> None:
        """The rollout of what the workload now says is done."""
        workload["status"] = {
            "observedGeneration": workload["metadata"]["generation"],
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
        }
        self.show(workload)

    def show(self, workload: dict) -> None:
        """Watchers see the workload as it now is."""
        meta = workload["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        self.world.see(watch.Changed(copy.deepcopy(workload)))

    def _roll_out(self, workload: dict) -> None:
        generation = workload["metadata"]["generation"]
        workload["status"] = {"observedGeneration": generation, "replicas": 2, "updatedReplicas": 1}

        def done():
            if workload["metadata"]["generation"] == generation:
                self.finish(workload)

        self.world.later(LATENCY, lambda: self.show(workload))
        if workload["metadata"]["name"] not in self.breaks:
            self.world.later(self.takes, done)


class World:
    """Stands in for run/world.py: one inbox, events in the order of the simulated time."""

    def __init__(self, cluster: FakeCluster, clock: FakeClock | None = None):
        self.cluster = cluster
        self.clock = clock or FakeClock()
        self.closed = False
        self._followed: list = []
        self._agenda: list = []
        self._number = itertools.count()
        cluster.world = self

    def later(self, seconds: float, action: t.Callable[[], t.Any]) -> None:
        """Do something at a later time; what it returns, if anything, goes into the inbox."""
        heapq.heappush(self._agenda, (self.clock.passed + seconds, next(self._number), action))

    def do(self, token, call, *args):
        def carry_out():
            try:
                return Answer(token, call(*args))
            except Exception as error:  # as in a future: whatever the call raises is its answer
                return Answer(token, error=error)

        self.later(LATENCY, carry_out)

    def follow(self, scope, resource_version):
        self._followed.append(scope)

    def see(self, event) -> None:
        """All watches see an event."""
        for scope in self._followed:
            self.later(0, lambda scope=scope: Seen(scope, event))

    def next(self, timeout):
        end = float("inf") if timeout is None else self.clock.passed + timeout
        while self._agenda and self._agenda[0][0] <= end:
            moment, _number, action = heapq.heappop(self._agenda)
            self.clock.passed = max(self.clock.passed, moment)
            event = action()
            if event is not None:
                return event
        if timeout is None:
            raise AssertionError("the loop waits for something that will never come")
        self.clock.passed = end
        return None

    def close(self):
        self.closed = True
