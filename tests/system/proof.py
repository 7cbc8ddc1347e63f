# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts drawn workloads, perhaps with kills and with evictions by somebody else, and proves what must hold then.

**By our doing** is what is proved of the healthy pods, after each event of the API server's own watch. A pod was stopped
by our rollout if it is no longer healthy and nobody has evicted it. At that event, the budget must still have as many
healthy pods as it wants. Only one thing excuses less: pods that somebody else has evicted since restartx looked at the
budget for the last time before it restarted this workload. They count as healthy until their successors are. So a restart
that begins without room is found, also if an eviction has used up the room, and so is a rollout that stops more than it
was given. Without evictions there is no excuse: the budget has its pods after every event.
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field

from disruption import healthy
from drawn import MODES, Case, Drawn
from house import APPS, RESTARTED_AT, RUN, USER_AGENT, now, outcomes

from lab.api import ApiError
from lab.poll import wait_until

LONGEST = 900  # seconds of one start
PATIENCE = "10m"  # of one start; what waits for longer is told with its reason
OURS = "restartx.io/"
NUMBERS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")  # of revisions
REFUSED = (404, 409, 429, 500)  # gone, another pod by now, no room, more than one budget


class Background:
    """Something that goes on in a thread while it is entered. What fails there fails the test."""

    def __init__(self):
        self.stopped = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.stopped.set()
        self._thread.join()
        if self._error and not any(exception):
            raise self._error

    def _run(self):
        try:
            self.go_on()
        except Exception as error:
            self._error = error

    def go_on(self):
        raise NotImplementedError


class Watching(Background):
    """The events of all pods of a namespace, in the order of the API server."""

    def __init__(self, namespace):
        super().__init__()
        self._api, self._path = namespace.api, f"/api/v1/namespaces/{namespace.name}/pods"
        found = self._api.request("GET", self._path)
        self._version = found["metadata"]["resourceVersion"]
        self.events = [("ADDED", pod) for pod in found["items"]]
        self.new: set[str] = set()  # the uids of the pods that the run has created so far

    def go_on(self):
        while not self.stopped.is_set():
            for event in self._api.watch(self._path, self._version, 5):
                self._version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    assert event["type"] in ("ADDED", "MODIFIED", "DELETED"), event
                    self.events.append((event["type"], event["object"]))
                    self._note(event["object"]["metadata"])

    def _note(self, metadata):
        if RUN in metadata.get("annotations", {}):
            self.new.add(metadata["uid"])


class Evictions(Background):
    """Somebody else, who evicts healthy pods at random moments, as far as the Eviction API lets them.

    Workloads may be `spared`: if an old pod of a StatefulSet with podManagementPolicy Parallel is evicted during a rolling
    update, its controller (1.37) creates it with the revision from before and deletes it again, without end.
    """

    def __init__(self, namespace, seed, most, spared=()):
        super().__init__()
        self._namespace, self._choose, self._most = namespace, random.Random(f"evictions {seed}"), most
        self._spared = spared
        self.granted: dict[str, str] = {}  # when each was, by the uid of the pod

    def go_on(self):
        while len(self.granted) < self._most and not self.stopped.wait(self._choose.uniform(0, 0.8)):
            pods = [one for one in self._namespace.list("pods") if one["metadata"]["labels"]["app"] not in self._spared]
            pods = sorted(filter(healthy, pods), key=lambda pod: pod["metadata"]["name"])
            if pods:
                self._evict(self._choose.choice(pods)["metadata"])

    def _evict(self, pod):
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod["name"], "namespace": self._namespace.name},
            "deleteOptions": {"preconditions": {"uid": pod["uid"]}},
        }
        try:
            self._namespace.api.request(
                "POST", f"/api/v1/namespaces/{self._namespace.name}/pods/{pod['name']}/eviction", body
            )
        except ApiError as error:
            if error.code not in REFUSED:
                raise
            return
        self.granted[pod["uid"]] = stamp(now())


def stamp(moment):
    """A moment as the audit log writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def looks(namespace, began):
    """When restartx looked at the budgets for the last time before it restarted each workload, by name."""
    found, last = {}, ""
    events = [one for one in namespace.cluster.requests(USER_AGENT, began) if "namespace" in one["objectRef"]]
    for event in sorted(events, key=lambda event: event["requestReceivedTimestamp"]):
        about = event["objectRef"]
        if about["namespace"] != namespace.name or event["responseStatus"]["code"] != 200:
            continue
        if event["verb"] == "list" and about["resource"] == "poddisruptionbudgets":
            last = event["requestReceivedTimestamp"]
        elif event["verb"] == "patch" and about["resource"] in APPS:
            found.setdefault(about["name"], last)
    return found


@dataclass
class Count:
    """The healthy pods of a budget, event by event."""

    least: int
    looked: dict[str, str]
    granted: dict[str, str]
    healthy: set[str] = field(default_factory=set)
    away: dict[str, tuple[str, str]] = field(default_factory=dict)  # evicted without a successor: (workload, when)
    successors: dict[str, str] = field(default_factory=dict)  # the evicted pod for which each pod came
    known: set[str] = field(default_factory=set)
    fewest: int | None = None
    undercut: list[str] = field(default_factory=list)

    def see(self, kind, pod):
        uid, name = pod["metadata"]["uid"], pod["metadata"]["labels"]["app"]
        if uid not in self.known:
            self.known.add(uid)
            waiting = [
                one for one, (app, _at) in self.away.items() if app == name and one not in self.successors.values()
            ]
            self.successors |= {uid: waiting[0]} if waiting else {}
        if kind != "DELETED" and healthy(pod):
            self.healthy.add(uid)
            self.away.pop(self.successors.pop(uid, ""), None)
            return
        if kind == "DELETED" or pod["metadata"].get("deletionTimestamp"):
            self.successors.pop(uid, None)  # another one must come
        if uid in self.healthy:
            self.healthy.remove(uid)
            self._stopped(uid, name, pod)

    def _stopped(self, uid, name, pod):
        left = len(self.healthy)
        self.fewest = left if self.fewest is None else min(left, self.fewest)
        conditions = [one.get("reason") for one in pod["status"]["conditions"] if one["type"] == "DisruptionTarget"]
        if uid in self.granted and "EvictionByEvictionAPI" in conditions:
            self.away[uid] = name, self.granted[uid]
            return
        excused = [one for one, (_app, at) in self.away.items() if at > self.looked.get(name, "~")]
        if left + len(excused) < self.least:
            self.undercut.append(
                f"{pod['metadata']['name']} was stopped, which left {left} of {self.least} healthy pods"
            )


def as_written(namespace, kind, name):
    """All that somebody has written into an object, as text, but for the marks of a restart and numbers of revisions."""
    found = namespace.get(kind, name)
    marks = found["spec"]["template"]["metadata"].get("annotations", {})
    for mark in [mark for mark in marks if mark.startswith(OURS) or mark == RESTARTED_AT]:
        del marks[mark]
    metadata = found["metadata"]
    notes = {name: value for name, value in metadata.get("annotations", {}).items() if name not in NUMBERS}
    return json.dumps([found["spec"], metadata.get("labels"), notes])


def _entry(one, mode):
    """The entry of a workload in the plan. Nothing can be enforced where pods are evicted: each eviction asks."""
    entry = {"id": one.name(mode), "kind": one.kind, "name": one.name(mode), "budgets": mode}
    if one.evicted:
        entry |= {"budgets": "honour", "between_pods": {"order": "age", "max_unavailable": one.evicted}}
    return entry


@dataclass
class Proof:
    """Cases in a namespace. The pods that budgets select carry the names of their workloads as the label `app`."""

    namespace: object
    operator: object
    cases: list[Case]
    seed: int
    modes: tuple[str, ...] = MODES

    @property
    def each(self) -> list[tuple[Case, Drawn, str]]:
        return [(case, one, mode) for mode in self.modes for case in self.cases for one in case.workloads]

    def create(self):
        """Create all of it, and wait until everything is healthy and each budget knows so or cannot be computed."""
        self.namespace.create(*(one.made(mode, case.name) for case, one, mode in self.each), ready=False)
        self._settle()
        made = [one for mode in self.modes for case in self.cases for one in case.budgets(mode)]
        self.namespace.create(*made, ready=False)
        pods = {f"{case.name}-{mode}": case.pods for case in self.cases for mode in self.modes}
        path = f"/apis/policy/v1/namespaces/{self.namespace.name}/poddisruptionbudgets"

        def known(found):
            status, case = found.get("status", {}), found["spec"]["selector"]["matchLabels"]["case"]
            failed = any(one["reason"] == "SyncFailed" for one in status.get("conditions", []))
            return failed or status.get("currentHealthy") == pods[case]

        wait_until(lambda: all(map(known, self.namespace.api.request("GET", path)["items"])), "the budgets", 240)

    def start(self, lock=None):
        """Start the run, or go on with it."""
        plan = {
            "version": 1,
            "name": self.namespace.name,
            "defaults": {"namespace": self.namespace.name},
            "workloads": [_entry(one, mode) for _case, one, mode in self.each],
            "failure_budget": len(self.each),
        }
        journal = {"clusters": ["eu-west"], **({"break_lock": lock} if lock else {})}
        return self.operator.start(
            "k8s_rollout_restart", plan=plan, run_id="r1", journal=journal, wait_timeout=PATIENCE
        )

    def carry_out(self, kills=0, evictions=0):
        """Restart everything, and check all that must hold. Returns what happened, in a few words."""
        before = {
            one.name(mode): as_written(self.namespace, one.kind, one.name(mode)) for _case, one, mode in self.each
        }
        choose, began = random.Random(f"kills {self.seed}"), now()
        parallel = {one.name(mode) for _case, one, mode in self.each if "Parallel" in one.more.values()}
        watching, others = Watching(self.namespace), Evictions(self.namespace, self.seed, evictions, parallel)
        with watching, others:
            running = self.start()
            moments = sorted(
                choose.randint(1, sum(one.pods for _case, one, _mode in self.each)) for _kill in range(kills)
            )
            for moment in moments:
                self._await(running, watching, moment)
                running.process.kill()
                running.process.communicate()
                running = self.start(lock="the start before was killed")
            result = running.result(LONGEST)
            others.stopped.set()
            self._settle()
        self._outcomes(result, before, kills)
        self._pods(watching.events, looks(self.namespace, began), others.granted)
        return f"{len(self.each)} workloads, killed after {moments} new pods, {len(others.granted)} evictions"

    def _await(self, running, watching, moment):
        wait_until(
            lambda: running.process.poll() is not None or len(watching.new) >= moment,
            f"{moment} new pods",
            timeout=LONGEST,
        )

    def _settle(self):
        # kubectl does not tell when the pods of these are there.
        held = [(one, mode) for _case, one, mode in self.each if one.on_delete]
        wait_until(lambda: all(self._ready(*one) for one in held), "the pods that are evicted", LONGEST)
        others = [(one, mode) for _case, one, mode in self.each if not one.on_delete]
        self.namespace.at_rest(*(f"{one.kind}/{one.name(mode)}" for one, mode in others))

    def _ready(self, one, mode):
        status = self.namespace.get(one.kind, one.name(mode))["status"]
        return status.get("availableReplicas", status.get("numberAvailable")) == one.pods

    def _outcomes(self, result, before, kills):
        """Refused is what cannot be done, and nothing else. Everything is as it was, but for the marks of the restart."""
        found, wrong = outcomes(result), []
        messages = {entry["name"]: entry.get("message") for entry in result["results"]}
        for case, one, mode in self.each:
            name = one.name(mode)
            good = {"restarted", "already_restarted"} if kills else {"restarted"}
            good = good if case.possible(one, mode) else {"refused"}
            if found.get(name) not in good:
                wrong.append(f"{name} is {found.get(name)}, not {good}: {messages.get(name)}\n  {one}\n  {case.asked}")
            if as_written(self.namespace, one.kind, name) != before[name]:
                wrong.append(
                    f"{name} is not as before:\n  {before[name]}\n  {as_written(self.namespace, one.kind, name)}"
                )
            revisions = self.namespace.revisions(one.kind, name)
            if revisions != ([1] if found.get(name) == "refused" else [1, 2]):
                wrong.append(f"{name} is {found.get(name)} and has the revisions {revisions}")
        assert not wrong, "\n".join([f"seed {self.seed}", *wrong, str(result.get("msg"))])

    def _pods(self, events, looked, granted):
        """No budget was undercut by our doing; without evictions, none was undercut at all."""
        wrong = []
        for case, mode in ((case, mode) for mode in self.modes for case in self.cases):
            least = min(case.wanted, case.pods)
            count = Count(least, looked, granted)
            for kind, pod in events:
                if pod["metadata"]["labels"].get("case") == f"{case.name}-{mode}":
                    count.see(kind, pod)
            wrong += [f"{case.name}-{mode}: {told}\n  {case}" for told in count.undercut]
            if not granted and count.fewest is not None and count.fewest < least:
                wrong.append(f"{case.name}-{mode} had {count.fewest} of {least} healthy pods\n  {case}")
        assert not wrong, "\n".join([f"seed {self.seed}", *wrong])
