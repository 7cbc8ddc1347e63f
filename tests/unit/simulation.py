# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster on a clock that only moves when somebody waits: the loop runs in it without sleeping.

Workloads are plain API objects. A patch of the pod template starts a rollout that is done after `takes` seconds of the
simulated time, or never for `breaks` while they carry a run. Of other objects there are journals, old revisions and pods.
"""

from __future__ import annotations

import copy
import datetime
import heapq
import itertools
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing, Reply
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    Conflict,
    Forbidden,
    NotFound,
    NotPermitted,
    Unreachable,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.info import ConnectionInfo, ServerInfo
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer, Seen
from ansible_collections.restartx.core.plugins.module_utils.engine.loop import Loop
from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.engine.pods import PodScope
from ansible_collections.restartx.core.plugins.module_utils.engine.step import Step
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.schedule.pace import Group, Pace
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import find
from ansible_collections.restartx.core.plugins.module_utils.verbs.pipeline import tasks_of

LATENCY = 0.01  # simulated seconds that a request takes
RUN = "20261124-220000-abc123"
DEFAULTS = RunOptions()
START = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)


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


def workload(kind: str, name: str, namespace: str = "shop", labels: dict | None = None, **annotations: str) -> dict:
    """A workload of two replicas that is rolled out; `annotations` are those of its pod template."""
    labels = {"app": name, **(labels or {})}
    made = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "labels": labels,
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels, **({"annotations": dict(annotations)} if annotations else {})},
                "spec": {"containers": [{"name": "main", "image": "shop/main:1"}]},
            },
        },
    }
    if kind == "Deployment":
        made["metadata"]["annotations"] = {history.REVISION: "1"}
    else:
        made["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {}}
    made["status"] = status_of(made, 2)
    return made


def deployment(name: str, namespace: str = "shop", **annotations: str) -> dict:
    """A Deployment of two replicas that is rolled out."""
    return workload("Deployment", name, namespace, **annotations)


def status_of(made: dict, updated: int) -> dict:
    """The status of a workload of two replicas of which so many are of the newest revision and available."""
    seen = {"observedGeneration": made["metadata"]["generation"]}
    if made["kind"] == "DaemonSet":
        counts = {"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": updated}
        return {**seen, **counts, "numberAvailable": updated, "numberReady": updated}
    if made["kind"] == "StatefulSet":
        seen["updateRevision"] = f"{made['metadata']['name']}-{made['metadata']['generation']}"
    return {**seen, "replicas": 2, "updatedReplicas": updated, "readyReplicas": updated, "availableReplicas": updated}


class Hang(Exception):
    """The server does not answer; the request is given up at an instant of the clock."""

    def __init__(self, until: float):
        super().__init__(until)
        self.until = until


class FakeCluster:
    """Holds objects by their path; a patch of a workload sets its rollout going in the executor."""

    host = "https://simulated:6443"
    context = "simulated"

    def __init__(
        self,
        workloads: t.Iterable[dict],
        takes: float | t.Mapping[str, float] = 10.0,  # by name, where they differ
        breaks: t.Container[str] = (),
    ):
        self.objects = {kinds.path(*kinds.key(one)): one for one in workloads}
        self.revisions: dict[str, list[dict]] = {}  # ReplicaSets by uid of their Deployment, oldest first
        for one in self.objects.values():
            self._note_revision(one)
        self.pods: list[dict] = []
        self.namespaces = {"restartx-system"}
        self.reviewed: list[tuple[str, str]] = []  # verbs and resources that somebody asked whether he may use
        self.rules: list[dict] = []  # that a review of all rules names; those it leaves out are asked for one by one
        self.denied: set[tuple[str, str]] = set()  # verbs and resources that may not be used
        self.takes = takes
        self.breaks = breaks
        self.breaks_by: str | None = None  # why containers of what breaks wait; None: nothing is to be seen of a reason
        self.asked: list[tuple[str, str]] = []  # verb and path of each request
        self.deadlines: list[tuple[str, float | None]] = []  # verb, and until when an answer is wanted
        self.params: list[dict] = []  # of each list
        self.patches: list[tuple[float, str]] = []  # of workloads: when, and the name
        self.dry_runs = 0
        self.warnings: list[str] = []
        self.secrets: set[str] = set()
        self.before_patch: t.Callable[[dict], None] = lambda one: None
        self.fail: t.Callable[[str, str], Exception | None] = lambda verb, path: None
        self.answers: dict[str, t.Callable[[], Reply]] = {}  # of pods, by the path of the request
        self.hangs: t.Container[str] = ()  # names of objects that no request gets an answer about
        self.executor: Executor | None = None
        self.user = "system:serviceaccount:restartx-system:restartx"
        self.connection = ConnectionInfo(None, True, "user restartx", False, None, None)
        self.server = ServerInfo("v1.37.0", None, 0.0)

    def uid(self):
        self._ask("get", "/api/v1/namespaces/kube-system")
        return None if ("get", "namespaces") in self.denied else "uid-of-kube-system"

    def connection_info(self):
        return self.connection

    def server_info(self):
        self._ask("get", "/version")
        return self.server

    @property
    def requests(self) -> int:
        return len(self.asked)

    @property
    def lists(self) -> list[str]:
        return [path for verb, path in self.asked if verb == "list"]

    def list(self, path, params=None, *, deadline=None):
        self._ask("list", path, deadline)
        self.params.append(dict(params or {}))
        if path.endswith("/replicasets"):
            found = [one for sets in self.revisions.values() for one in sets]
        elif path.endswith("/pods"):
            found = self.pods
        elif path == "/api/v1/namespaces":
            names = self.namespaces | {one["metadata"]["namespace"] for one in self.objects.values()}
            found = [{"metadata": {"name": name}} for name in sorted(names)]
        else:
            scope, _slash, plural = path.rpartition("/")
            found = [one for where, one in self.objects.items() if _lies_in(where, scope, plural)]
        selected = [copy.deepcopy(one) for one in found if _selected(one, params or {})]
        return Listing(selected, "1")

    def names(self, path, *, deadline=None):
        return frozenset(one["metadata"]["name"] for one in self.list(path, deadline=deadline).items)

    def get(self, path, params=None, *, deadline=None):
        self._ask("get", path, deadline)
        return copy.deepcopy(self._held(path))

    def reply(self, path, *, deadline=None):
        self._ask("reply", path, deadline)
        return self.answers[path]()

    def create(self, path, body, *, permitted=None, **options):
        self._ask("create", path, permitted=permitted)
        if "/selfsubjectaccessreviews" in path:
            attributes = body["spec"]["resourceAttributes"]
            self.reviewed.append((attributes["verb"], attributes["resource"]))
            return {"status": {"allowed": (attributes["verb"], attributes["resource"]) not in self.denied}}
        if "/selfsubjectrulesreviews" in path:
            return {"status": {"resourceRules": self.rules, "incomplete": True}}
        if path.endswith("/pods"):
            assert options["dry_run"]
            if ("create", "pods") in self.denied:
                raise Forbidden('User "jane" cannot create resource "pods" in API group ""', status=403)
            return copy.deepcopy(body)
        if "/selfsubjectreviews" in path:
            return {"status": {"userInfo": {"username": self.user, "groups": ["system:authenticated"]}}}
        name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
        if namespace not in self.namespaces:
            raise NotFound(f'namespaces "{namespace}" not found', status=404)
        if f"{path}/{name}" in self.objects:
            raise Conflict(f"{name} exists already", status=409, reason="AlreadyExists")
        if options.get("dry_run"):
            return copy.deepcopy(body)
        self.objects[f"{path}/{name}"] = copy.deepcopy(body)
        self.objects[f"{path}/{name}"]["metadata"]["resourceVersion"] = "1"
        return copy.deepcopy(self.objects[f"{path}/{name}"])

    def replace(self, path, body, *, permitted=None, **options):
        self._ask("replace", path, permitted=permitted)
        held = self._held(path)
        if body["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]:
            raise Conflict(f"{path} was changed", status=409)
        held.update(copy.deepcopy(body))
        held["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 1)
        return copy.deepcopy(held)

    def delete(self, path, body=None, *, dry_run=False, deadline=None, permitted=None):
        self._ask("delete", path, deadline, permitted)
        if "/configmaps/" in path:
            self._held(path)
            del self.objects[path]
            return {}
        name = path.rpartition("/")[2]
        if name not in [pod["metadata"]["name"] for pod in self.pods]:
            raise NotFound(f"{path} not found", status=404)
        self.pods = [pod for pod in self.pods if pod["metadata"]["name"] != name]
        return {}

    def patch(self, path, body, content, *, field_manager=None, dry_run=False, deadline=None, permitted=None):
        self._ask("patch", path, deadline, permitted)
        held = self._held(path)
        if "/configmaps/" not in path:
            self.before_patch(held)
        wanted = body[0]["value"] if content == "json" else body.get("metadata", {}).get("resourceVersion")
        if wanted not in (None, held["metadata"]["resourceVersion"]):
            raise Conflict(f"{path} was changed", status=409)
        after = copy.deepcopy(held) if dry_run else held
        before = copy.deepcopy(held["spec"]["template"]) if "spec" in held else None
        _apply(after, body, content)
        self.touch(after)
        if dry_run:
            self.dry_runs += 1
        elif before is not None:
            self.patches.append((self.executor.clock.passed, held["metadata"]["name"]))
            if after["spec"]["template"] != before:
                self._roll_out(after)
            else:
                self.executor.later(LATENCY, lambda: self._observe(after))
        return copy.deepcopy(after)

    def add_pod(self, one: dict, reason: str) -> None:
        """A Deployment's pod of its newest revision, whose container waits for this reason; who watches pods sees it."""
        newest = self.revisions[one["metadata"]["uid"]][-1]["metadata"]["name"]
        template = copy.deepcopy(one["spec"]["template"])
        labels = {**template["metadata"]["labels"], "pod-template-hash": newest.rpartition("-")[2]}
        waiting = {"name": "main", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}}
        pod = {
            "metadata": {
                **template["metadata"],
                "name": f"{newest}-x",
                "namespace": one["metadata"]["namespace"],
                "uid": f"uid-{newest}-x",
                "labels": labels,
                "ownerReferences": [{"kind": "ReplicaSet", "name": newest, "uid": newest, "controller": True}],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending", "containerStatuses": [waiting]},
        }
        self.pods.append(pod)
        if self.executor:
            self.executor.see_pod(pod)

    def close(self) -> None:
        """Nothing is open."""

    def touch(self, one: dict) -> None:
        """Somebody changed the spec."""
        meta = one["metadata"]
        meta["generation"] = meta.get("generation", 0) + 1
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)

    def finish(self, one: dict) -> None:
        """The rollout of what the workload now says is done."""
        one["status"] = status_of(one, 2)
        self.show(one)

    def show(self, one: dict) -> None:
        """Watchers see the workload as it now is."""
        meta = one["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        self.executor.see(watch.Changed(copy.deepcopy(one)))

    def _ask(
        self,
        verb: str,
        path: str,
        deadline: float | None = None,
        permitted: t.Callable[[], str | None] | None = None,
    ) -> None:
        refusal = permitted() if permitted else None
        if refusal is not None:
            raise NotPermitted(refusal, path=path)
        self.asked.append((verb, path))
        self.deadlines.append((verb, deadline))
        if path.rpartition("/")[2] in self.hangs:
            raise Hang(self.executor.clock.passed + 600 if deadline is None else deadline)
        error = self.fail(verb, path)
        if error:
            raise error

    def _held(self, path: str) -> dict:
        if path not in self.objects:
            raise NotFound(f"{path} not found", status=404)
        return self.objects[path]

    def _roll_out(self, one: dict) -> None:
        generation = one["metadata"]["generation"]
        self._note_revision(one)
        one["status"] = status_of(one, 1)

        def done():
            if one["metadata"]["generation"] == generation:
                self.finish(one)

        self.executor.later(LATENCY, lambda: self.show(one))
        broken = one["metadata"]["name"] in self.breaks and restart.run_of(one) is not None
        if broken and self.breaks_by:
            self.pods = [pod for pod in self.pods if pod["metadata"]["labels"]["app"] != one["metadata"]["name"]]
            self.add_pod(one, self.breaks_by)
        if not broken:
            takes = self.takes if isinstance(self.takes, (int, float)) else self.takes[one["metadata"]["name"]]
            self.executor.later(takes, done)

    def _observe(self, one: dict) -> None:
        """The controller has seen a change that replaces no pod."""
        one["status"]["observedGeneration"] = one["metadata"]["generation"]
        self.show(one)

    def _note_revision(self, one: dict) -> None:
        """What the Deployment controller does: a ReplicaSet for each template, numbered anew when one comes back."""
        if one["kind"] != "Deployment":
            return
        meta, template = one["metadata"], copy.deepcopy(one["spec"]["template"])
        sets = self.revisions.setdefault(meta["uid"], [])
        number = str(len(sets) + 1)
        same = [old for old in sets if old["spec"]["template"] == template]
        for old in same:
            number = str(max(int(kinds.annotations_of(known)[history.REVISION]) for known in sets) + 1)
            old["metadata"]["annotations"][history.REVISION] = number
        if not same:
            owner = {"kind": "Deployment", "name": meta["name"], "uid": meta["uid"], "controller": True}
            sets.append(
                {
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": f"{meta['name']}-{number}",
                        "namespace": meta["namespace"],
                        "labels": {**template["metadata"]["labels"], "pod-template-hash": number},
                        "annotations": {history.REVISION: number},
                        "ownerReferences": [{"apiVersion": "apps/v1", **owner}],
                    },
                    "spec": {"template": template},
                }
            )
        meta.setdefault("annotations", {})[history.REVISION] = number


def _lies_in(where: str, scope: str, plural: str) -> bool:
    folder, _slash, _name = where.rpartition("/")
    return folder == f"{scope}/{plural}" or ("/namespaces/" not in scope and folder.endswith(f"/{plural}"))


def _selected(one: dict, params: dict) -> bool:
    """Understands `label=value`, `!label` and `metadata.name=value`, as many as there are."""
    meta = one["metadata"]
    terms = [*filter(None, params.get("labelSelector", "").split(","))]
    if any(term.removeprefix("!") in meta.get("labels", {}) for term in terms if term.startswith("!")):
        return False
    pairs = [term.split("=") for term in terms if not term.startswith("!")]
    fields = [term.split("=") for term in filter(None, params.get("fieldSelector", "").split(","))]
    return all(meta.get("labels", {}).get(name) == value for name, value in pairs) and all(
        meta["name"] == value for name, value in fields if name == "metadata.name"
    )


def _apply(held: dict, body: t.Any, content: str) -> None:
    if content == "json":
        for change in body[1:]:
            *way, last = change["path"].strip("/").split("/")
            inner = held
            for part in way:
                inner = inner[part]
            if change["op"] == "remove":
                del inner[last]
            else:
                inner[last] = copy.deepcopy(change["value"])
        return
    for name, value in body.items():
        if isinstance(value, dict) and value.get("$patch") == "replace":
            held[name] = {part: copy.deepcopy(inner) for part, inner in value.items() if part != "$patch"}
        elif isinstance(value, dict):
            _apply(held.setdefault(name, {}), value, content)
        elif value is None:
            held.pop(name, None)
        elif name != "resourceVersion":
            held[name] = value


class Executor:
    """Stands in for engine/executor.py: one inbox, events in the order of the simulated time."""

    def __init__(self, cluster: FakeCluster, clock: FakeClock | None = None):
        self.cluster = cluster
        self.clock = clock or FakeClock()
        self.times_closed = 0
        self.late = 0.0  # seconds that answers are on their way, while the server has acted already
        self.followed: list = []
        self.watched_pods: list[PodScope] = []
        self._agenda: list = []
        self._number = itertools.count()
        cluster.executor = self

    def later(self, seconds: float, action: t.Callable[[], t.Any]) -> None:
        """Do something at a later time; what it returns, if anything, goes into the inbox."""
        heapq.heappush(self._agenda, (self.clock.passed + seconds, next(self._number), action))

    def do(self, token, call, *args, urgent=False):
        asker = self.times_closed

        def carry_out():
            wait = None
            try:
                answer = Answer(token, call(*args))
            except Hang as hang:
                answer = Answer(token, error=Unreachable("no answer in time", transient=True, ambiguous=True))
                wait = max(hang.until - self.clock.passed, 0)
            except Exception as error:  # as in a future: whatever the call raises is its answer
                answer = Answer(token, error=error)
            wait = self.late if wait is None else wait
            if asker != self.times_closed:  # nobody is there any more to hear it
                return None
            return self.later(wait, lambda: answer) if wait else answer

        self.later(LATENCY, carry_out)

    def follow(self, scope, resource_version):
        if isinstance(scope, PodScope):
            self.watched_pods.append(scope)
            self.see_in(scope, watch.Relisted(copy.deepcopy(self.cluster.pods)))
        else:
            self.followed.append(scope)

    def see(self, event) -> None:
        """All watches of workloads see an event."""
        for scope in self.followed:
            self.see_in(scope, event)

    def see_pod(self, pod: dict) -> None:
        """Whoever watches pods sees that one is new or changed."""
        for scope in self.watched_pods:
            self.see_in(scope, watch.Changed(copy.deepcopy(pod)))

    def see_in(self, scope, event) -> None:
        """One watch sees an event."""
        self.later(0, lambda: Seen(scope, event))

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
        self.times_closed += 1
        self.followed.clear()

    @property
    def closed(self) -> bool:
        return self.times_closed > 0


class Mortal(Controller):
    """A controller that lives until the simulated time has come."""

    def __init__(self, until: float):
        super().__init__(None)
        self.until = until
        self.clock: FakeClock | None = None

    def alive(self):
        return self.clock.passed < self.until


class Lock:
    """A guard that refuses from an instant on."""

    def __init__(self, until: float):
        self.until = until
        self.clock: FakeClock | None = None
        self.worked_at: list[float] = []

    def refusal(self):
        return None if self.clock.passed < self.until else "the lock is lost"

    def work(self, tasks):
        self.worked_at.append(self.clock.passed)
        return Work(lambda: None, urgent=True)

    def worked(self, error):
        assert error is None


class Until:
    """Holds some workloads, or all, until an instant."""

    def __init__(self, until, names=None, lasting=False, next=True, error=None):
        self.until, self.names, self.lasting, self.error = until, names, lasting, error
        self.tells_next = next
        self.clock = None
        self.asked = 0

    @property
    def next(self):
        return self.until if self.tells_next and self.clock.passed < self.until else None

    def reason(self, task, now):
        self.asked += 1
        if now >= self.until or (task is None) != (self.names is None):
            return None
        if task is not None and task.key[2] not in self.names:
            return None
        if self.error:
            raise self.error
        return "held until later"


def window(minutes):
    """A window that closes so many minutes after the simulation's start."""
    closes = (START + datetime.timedelta(minutes=minutes)).strftime("%H:%M")
    return Window.from_dict({"hours": f"21:00-{closes}", "timezone": "UTC"})


class Run:
    """One run in the simulation, by default a restart; `entries` are Entry, or tuples of names, each after the last."""

    def __init__(
        self,
        *entries: Entry | tuple[str, ...],
        cluster: FakeCluster | None = None,
        options: RunOptions = DEFAULTS,
        timeout: float | None = 60.0,
        settle: float = 0.0,
        controller: Controller | None = None,
        step: Step | None = None,
        observers: t.Sequence[t.Any] = (),
        guards: t.Sequence[t.Any] = (),
        holds: t.Sequence[t.Any] = (),
        then: t.Sequence[Step] = (),
        **limits: t.Any,
    ):
        plan = [
            (
                Entry(str(place), names=entry, namespaces=("shop",), after=(str(place - 1),) if place else ())
                if isinstance(entry, tuple)
                else entry
            )
            for place, entry in enumerate(entries)
        ]
        self.cluster = cluster or FakeCluster([deployment(name) for entry in plan for name in entry.names])
        self.executor = Executor(self.cluster)
        self.found = find(self.cluster, plan)
        stamp = restart.Stamp(run=RUN, at=START)
        self.step = step or steps.RestartStep(stamp, steps.Mode(), self.executor.clock.now)
        tasks = tasks_of(self.found, plan, self.step)
        for task in tasks:
            task.timeout, task.settle = timeout, settle
            for later in then:
                task.then(later)
        members = {entry.id: tuple(task.title for task in tasks if task.group == entry.id) for entry in plan}
        groups = [
            Group(entry.id, members[entry.id], entry.after, entry.max_parallel, entry.stagger or 0) for entry in plan
        ]
        controller = controller or Controller(None)
        if isinstance(controller, Mortal):
            controller.clock = self.executor.clock
        for one in (*guards, *holds):
            one.clock = self.executor.clock
        pace = Pace(groups, **limits)
        self.loop = Loop(tasks, pace, self.executor, options, controller, observers, guards, holds)
        if options.wait:
            self.loop.follow(self.found)

    def carry_out(self) -> Run:
        self.loop.run()
        return self

    def task(self, name: str) -> Task:
        return next(task for task in self.loop.tasks.values() if task.key[2] == name)

    def outcome(self, name: str) -> str:
        return self.task(name).outcome

    @property
    def outcomes(self) -> dict[str, str]:
        return {task.key[2]: task.outcome for task in self.loop.tasks.values()}

    @property
    def patched(self) -> list[str]:
        return [name for _moment, name in self.cluster.patches]

    def workload(self, name: str) -> dict:
        return self.cluster.objects[kinds.path(*self.task(name).key)]


class Killed(BaseException):
    """The module is gone, with everything that it knows."""


class Noting(Executor):
    """Notes when something happens."""

    def __init__(self, cluster):
        self.instants: set[float] = set()
        super().__init__(cluster)

    def later(self, seconds, action):
        self.instants.add(self.clock.passed + seconds)
        super().later(seconds, action)

    @property
    def moments(self):
        """Right after each event before the end."""
        return [at + 0.001 for at in sorted(self.instants) if at + 0.002 < self.clock.passed]
