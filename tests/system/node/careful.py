# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Careful restarts of applications that drain, while requests are sent to them: no request may fail.

Each restart is one workload with its Service, its entry in a plan, what happens to it during the restart, and what must be so
afterwards. What there is to choose is chosen at random.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from disruption import Watch, budget, healthy
from history import History
from house import RUN, USER_AGENT, now, outcomes
from quorum import LEADER, electing
from real import permit_elections
from shop import CAREFUL, MOST, Load, service, workload

from lab.poll import wait_until

ENOUGH = 1000  # requests
LONGEST = 900  # seconds
WHOLE = "whole"  # the name of a gate
NOWHERE = {"kubernetes.io/hostname": "no-such-node"}
_CONNECTIONS = 4
_SPEC = ("strategy", "updateStrategy", "paused", "replicas")


class Restart:
    """A Deployment or StatefulSet called `name`; its pods have the label app=NAME."""

    name, outcomes = "", {"restarted", "already_restarted"}
    strategy = None
    options: dict = {}
    may_be_killed = True

    def __init__(self, namespace, choose):
        self.namespace, self.choose = namespace, choose
        self.kind, self.replicas = "Deployment", choose.choice([3, 4])

    def objects(self):
        """What it needs beside its workload."""
        return []

    def made(self):
        """The workload."""
        return workload(self.kind, self.name, self.replicas, self.strategy, **CAREFUL)

    def create(self):
        """Create it."""
        self.namespace.create(service(self.name), *self.objects(), self.made(), ready=False)

    def send(self):
        """Send requests, when all its pods are ready."""
        wait_until(lambda: len(self.ready()) == self.replicas, f"{self.name} to be ready", 300)
        self.load = Load(self.namespace, self.name, _CONNECTIONS, LONGEST)
        self.history = History(self.namespace, self.name)
        self.history.__enter__()

    def begin(self):
        """What comes right before a restart."""
        self.before = self._spec()
        self.old = {pod["metadata"]["uid"] for pod in self.ready()}
        self.since = self.history.now()

    def entry(self):
        """Its entry in a plan."""
        return {"id": self.name, "kind": self.kind, "name": self.name, **self.options}

    def gates(self):
        """The gates that its entry names."""
        return {}

    def meanwhile(self, module):
        """What happens during the restart."""

    def check(self, run):
        """What must be so after it, beside the requests."""
        assert self._spec() == self.before
        assert len(self.of_run(run)) == self.replicas
        assert not self.old & {pod["metadata"]["uid"] for pod in self.ready()}

    def answered(self, figures, runs):
        """How many pods have answered; pods of a StatefulSet keep their names."""
        assert len(figures["pods"]) == self.replicas * (1 if self.kind == "StatefulSet" else 1 + runs), figures

    def ready(self):
        return [pod for pod in self.namespace.list("pods", f"app={self.name}") if healthy(pod)]

    def changes(self):
        return self.history.changes_of_pods(self.since)

    def of_run(self, run):
        return [pod for pod in self.ready() if pod["metadata"].get("annotations", {}).get(RUN) == run]

    def _spec(self):
        spec = self.namespace.get(self.kind, self.name)["spec"]
        return {part: spec.get(part) for part in _SPEC}


class Canary(Restart):
    """Goes well. Its strategy alone would stop pods before others are ready."""

    name = "carts"
    strategy = {"maxUnavailable": 1, "maxSurge": 1}

    def __init__(self, namespace, choose):
        super().__init__(namespace, choose)
        self.kind = choose.choice(["Deployment", "StatefulSet"])
        self.strategy = self.strategy if self.kind == "Deployment" else None
        self.options = {"canary": {"pods": choose.choice([1, 2, "50%"]), "hold": choose.choice(["1s", "3s"])}}


class FailingCanary(Restart):
    """Is undone, because its new pods do not start or a gate stays closed."""

    name, outcomes = "mails", {"undone"}
    strategy = Canary.strategy

    def __init__(self, namespace, choose):
        super().__init__(namespace, choose)
        self.breaks = choose.choice(["settings", "gate"])
        # A pod that an undo of a StatefulSet makes would lack its settings as well.
        self.kind = choose.choice(["Deployment", "StatefulSet"]) if self.breaks == "gate" else "Deployment"
        self.strategy = self.strategy if self.kind == "Deployment" else None
        gates = {"gates": ["never"]} if self.breaks == "gate" else {}
        self.options = {"canary": {"pods": choose.choice([1, 2]), "hold": "1s", **gates}, "on_failure": "undo"}

    def objects(self):
        return [_settings(self.name, "there")]

    def made(self):
        made = super().made()
        source = {"configMapKeyRef": {"name": self.name, "key": "settings"}}
        container = made["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "SETTINGS", "valueFrom": source}]
        container["args"] = [*container["args"], "-need", "SETTINGS"]
        return made

    def gates(self):
        if self.breaks != "gate":
            return {}
        object_ = {"kind": self.kind, "name": self.name, "namespace": self.namespace.name}
        return {"never": {"object": object_, "that": "metadata.annotations.open == 'yes'", "timeout": "3s"}}

    def begin(self):
        super().begin()
        if self.breaks == "settings":
            self.namespace.kubectl("replace", "-f", "-", input=json.dumps(_settings(self.name, "")))

    def check(self, run):
        assert self._spec() == self.before
        assert RUN not in self.namespace.annotations(self.kind, self.name)
        wait_until(
            lambda: not self.of_run(run) and len(self.ready()) == self.replicas, f"{self.name} to be undone", 300
        )
        kept = self.old & {pod["metadata"]["uid"] for pod in self.ready()}
        # What a Deployment has replaced is none of its old pods, because its surge came first.
        assert len(kept) == self.replicas if self.kind == "Deployment" else kept

    def answered(self, figures, runs):
        assert len(figures["pods"]) >= self.replicas, figures


class NoRoom(Restart):
    """Its budget has no room until a pod beside it is ready."""

    name = "orders"
    strategy = {"maxUnavailable": 1, "maxSurge": 0}

    def __init__(self, namespace, choose):
        super().__init__(namespace, choose)
        self.spare = f"{self.name}-spare"

    def objects(self):
        spare = workload("Deployment", self.spare, 1, **CAREFUL)
        spare["spec"] |= {"strategy": {"type": "Recreate"}}
        spare["spec"]["template"]["spec"]["nodeSelector"] = NOWHERE
        both = budget(self.name, {}, minAvailable=self.replicas)
        both["spec"]["selector"] = {
            "matchExpressions": [{"key": "app", "operator": "In", "values": [self.name, self.spare]}]
        }
        return [spare, both]

    def begin(self):
        self._place_spare(NOWHERE)
        wait_until(lambda: not any(map(healthy, self._spares())), "the spare pod to be gone", 300)
        super().begin()
        self.began = now()
        self.watch = Watch(self.namespace, f"app in ({self.name},{self.spare})")

    def meanwhile(self, module):
        until(module, lambda: self._asked() >= 3, "the budget to be asked again and again")
        assert {pod["metadata"]["uid"] for pod in self.ready()} == self.old
        self._place_spare(None)

    def check(self, run):
        super().check(run)
        assert self.watch.fewest() >= self.replicas

    def _place_spare(self, where):
        path = f"/apis/apps/v1/namespaces/{self.namespace.name}/deployments/{self.spare}"
        self.namespace.api.request("PATCH", path, {"spec": {"template": {"spec": {"nodeSelector": where}}}})

    def _spares(self):
        return self.namespace.list("pods", f"app={self.spare}")

    def _asked(self):
        asked = self.namespace.cluster.requests(USER_AGENT, self.began)
        return sum(one["objectRef"]["resource"] == "poddisruptionbudgets" for one in asked if "objectRef" in one)


class Enforced(Restart):
    """Its strategy stops pods first, and its budget allows none to be stopped."""

    name, options = "prices", {"budgets": "enforce"}

    def __init__(self, namespace, choose):
        super().__init__(namespace, choose)
        self.strategy = {"maxUnavailable": choose.choice([1, 2]), "maxSurge": 0}

    def objects(self):
        return [budget(self.name, {"app": self.name}, minAvailable=self.replicas)]

    def begin(self):
        super().begin()
        self.watch = Watch(self.namespace, f"app={self.name}")

    def check(self, run):
        super().check(run)
        assert self.watch.fewest() >= self.replicas


class Partition(Restart):
    """A StatefulSet whose partition goes down pod by pod."""

    name = "stock"

    def __init__(self, namespace, choose):
        super().__init__(namespace, choose)
        self.kind = "StatefulSet"
        self.options = {"between_pods": {"order": "ordinal", "settle": choose.choice(["1s", "2s"]), "gates": [WHOLE]}}

    def gates(self):
        return whole(self)

    def check(self, run):
        super().check(run)
        self.history.now()
        assert self.history.fewest(self.since) >= self.replicas - 1


class PodByPod(Restart):
    """A StatefulSet whose leader moves after each eviction."""

    name, may_be_killed = "search", False  # quorum.py has kills

    def __init__(self, namespace, choose):
        super().__init__(namespace, choose)
        self.kind = "StatefulSet"
        leader = {**LEADER, "object": {**LEADER["object"], "name": self.name}}
        self.options = {"between_pods": {"order": "ordinal", "leader": leader, "gates": [WHOLE]}}

    def made(self):
        return electing(self.name, self.replicas, CAREFUL)

    def create(self):
        permit_elections(self.namespace)
        super().create()

    def gates(self):
        return whole(self)

    def begin(self):
        wait_until(self.history.leader, f"{self.name} to have a leader", 300)
        super().begin()

    def meanwhile(self, module):
        for number in range(1, self.replicas):

            def evicted(number=number):
                return len(self.history.evictions(self.since)) >= number

            until(module, evicted, f"pod {number} of {self.name} to be evicted")
            self.history.move_leader(self.choose)

    def check(self, run):
        super().check(run)
        self.history.now()
        revision = self.namespace.get(self.kind, self.name)["status"]["updateRevision"]
        evictions = self.history.evictions(self.since)
        told = [one.wrong(revision, self.replicas) for one in evictions]
        assert not any(told), told
        assert len(evictions) == len({one.name for one in evictions}) == self.replicas
        assert self.history.fewest(self.since) >= self.replicas - 1


RESTARTS = (Canary, FailingCanary, NoRoom, Enforced, PodByPod)


def whole(restart):
    """A gate that is open while all pods of a StatefulSet are ready."""
    object_ = {"kind": restart.kind, "name": restart.name, "namespace": restart.namespace.name}
    return {WHOLE: {"object": object_, "that": f"status.readyReplicas >= `{restart.replicas}`", "timeout": "5m"}}


def send(*restarts):
    """Create the workloads of some restarts of one namespace, and send requests to them."""
    for restart in restarts:
        restart.create()
    _at_once(lambda restart: restart.send(), restarts)


def carry_out(*restarts, run="r1", kill=None):
    """Restart the workloads in one run; the module is killed after so many changes of the first one's pods, and resumed."""
    for restart in restarts:
        restart.begin()
    module = _start(restarts, run)
    for restart in restarts:
        restart.meanwhile(module)
    first = restarts[0]
    if kill:
        changed = f"{kill} changes of pods of {first.name}"
        wait_until(lambda: module.process.poll() is not None or first.changes() >= kill, changed, 300)
        module.process.kill()
        module.process.communicate()
        module = _start(restarts, run, "the start before was killed")
    result = module.result(LONGEST)
    found = outcomes(result)
    assert all(found.get(restart.name) in restart.outcomes for restart in restarts), result
    for restart in restarts:
        restart.check(run)


def requests(*restarts, runs=1):
    """Stop the load; how many requests were sent to each. None has failed."""
    counts = {}
    for restart, figures in zip(restarts, _at_once(lambda restart: restart.load.figures(), restarts)):
        restart.history.__exit__()
        assert figures["failed"] == 0, (restart.name, restart.entry(), figures)
        assert ENOUGH < figures["requests"] < MOST and figures["seconds"] < LONGEST, figures
        restart.answered(figures, runs)
        counts[restart.name] = figures["requests"]
    return counts


def _at_once(do, restarts):
    with ThreadPoolExecutor() as pool:
        return list(pool.map(do, restarts))


def until(module, condition, what):
    """Wait until the condition holds; the module must still run then."""
    wait_until(lambda: module.process.poll() is not None or condition(), what, 300)
    assert module.process.poll() is None, module.result()


def _start(restarts, run, broken=None):
    namespace = restarts[0].namespace
    plan = {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "timeout": "5m", "grace": "3s"},
        "workloads": [restart.entry() for restart in restarts],
        "failure_budget": len(restarts),
    }
    if gates := {name: gate for restart in restarts for name, gate in restart.gates().items()}:
        plan["gates"] = gates
    journal = {"clusters": ["real"], **({"break_lock": broken} if broken else {})}
    return namespace.operator.start("k8s_rollout_restart", plan=plan, journal=journal, run_id=run)


def _settings(name, value):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"settings": value}}
