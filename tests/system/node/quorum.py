# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A quorum of five real pods that elect a leader through a Lease, and restarts of it with kills at random moments."""

from __future__ import annotations

from disruption import healthy
from history import History, revision_of
from house import RUN, outcomes
from real import permit_elections
from shop import QUICK, workload

from lab.poll import wait_until

NAME, MEMBERS = "db", 5
CHANGES = 45  # of pods in a restart, at least
LONGEST = 900  # seconds
LEADER = {
    "object": {"api_version": "coordination.k8s.io/v1", "kind": "Lease", "name": NAME},
    "that": "spec.holderIdentity",
}


def electing(name, replicas, container):
    """A StatefulSet whose pods elect a leader, and that no controller restarts."""
    container = {**container, "args": [*container["args"], "-lease", name]}
    found = workload("StatefulSet", name, replicas, **container)
    found["spec"] |= {"podManagementPolicy": "Parallel", "updateStrategy": {"type": "OnDelete"}}
    return found


class Quorum:
    """The StatefulSet in a namespace, while it is entered."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.history = History(namespace, NAME)
        self._restarts = 0

    def __enter__(self):
        permit_elections(self.namespace)
        self.namespace.create(electing(NAME, MEMBERS, QUICK), ready=False)
        self.history.__enter__()
        wait_until(lambda: len(self._ready()) == MEMBERS and self.history.leader(), "a quorum with a leader", 300)
        return self

    def __exit__(self, *exception):
        self.history.__exit__(*exception)

    def restart(self, choose, kills, moves):
        """One restart; what happened in it, in words. The module is killed that often, and the leader is moved or not."""
        self._restarts += 1
        run, revisions = f"r{self._restarts}", self.namespace.revisions("StatefulSet", NAME)
        since = self.history.now()
        led, killed = self.history.leader(), []
        module = self._start(run)
        move = choose.randint(1, MEMBERS - 1) if moves else None
        for moment in [*sorted(choose.sample(range(1, CHANGES), kills)), None]:
            if move:
                self._until(module, lambda move=move: len(self.history.evictions(since)) >= move)
                self.history.move_leader(choose)
                move = None
            if moment and self._until(module, lambda moment=moment: self.history.changes_of_pods(since) >= moment):
                module.process.kill()
                module.process.communicate()
                killed.append(moment)
                if choose.random() < 0.5:
                    wait_until(lambda: len(self._ready()) == MEMBERS, "the quorum to be whole", 300)
                module = self._start(run, "the start before was killed")
        result = module.result(LONGEST)
        assert outcomes(result)[NAME] in ("restarted", "already_restarted"), result
        self._check(since, run, revisions)
        evicted = [f"{one.name}{' (moved)' if one.moved else ''}" for one in self.history.evictions(since)]
        return f"{led} led, evicted {' '.join(evicted)}, killed after {killed} changes, moved by the test: {moves}"

    def _check(self, since, run, revisions):
        self.history.now()
        evictions = self.history.evictions(since)
        stateful_set = self.namespace.get("StatefulSet", NAME)
        told = [one.wrong(stateful_set["status"]["updateRevision"], MEMBERS) for one in evictions]
        assert not any(told), told
        assert sorted(one.name for one in evictions) == [f"{NAME}-{number}" for number in range(MEMBERS)]
        assert self.history.fewest(since) >= MEMBERS - 1
        pods = self._ready()
        assert {pod["metadata"]["annotations"].get(RUN) for pod in pods} == {run}
        assert {revision_of(pod) for pod in pods} == {stateful_set["status"]["updateRevision"]}
        assert self.namespace.revisions("StatefulSet", NAME)[-1] == revisions[-1] + 1

    def _ready(self):
        return [pod for pod in self.namespace.list("pods", f"app={NAME}") if healthy(pod)]

    def _start(self, run, broken=None):
        name = self.namespace.name
        object_ = {"kind": "StatefulSet", "name": NAME, "namespace": name}
        between = {"order": "ordinal", "settle": "1s", "leader": LEADER, "gates": ["quorum"]}
        plan = {
            "version": 1,
            "name": name,
            "defaults": {"namespace": name, "timeout": "5m"},
            "workloads": [{"id": NAME, "kind": "StatefulSet", "name": NAME, "between_pods": between}],
            "gates": {"quorum": {"object": object_, "that": f"status.readyReplicas >= `{MEMBERS}`", "timeout": "5m"}},
        }
        journal = {"clusters": ["real"], **({"break_lock": broken} if broken else {})}
        return self.namespace.operator.start("k8s_rollout_restart", plan=plan, run_id=run, journal=journal)

    def _until(self, module, condition):
        """Wait until the condition holds or the module has ended; whether it still runs."""
        wait_until(lambda: module.process.poll() is not None or condition(), "the moment", 300)
        return module.process.poll() is None
