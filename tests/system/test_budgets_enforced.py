# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Budgets that are enforced on a real control plane: never too few healthy pods, and the strategy as before afterwards."""

from __future__ import annotations

import pytest
from disruption import Watch, budget
from house import RUN, outcomes, workload

from lab.failures import LABEL
from lab.poll import wait_until

API = {"app": "api"}
LOOSE = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 0}}}
LOOSE_SET = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}}
LONGEST = 600


def start(namespace, operator, *entries, lock=None, **defaults):
    """Start a run that enforces budgets."""
    plan = {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "budgets": "enforce", **defaults},
        "workloads": [{"id": f"{kind}-{name}".lower(), "kind": kind, "name": name} for kind, name in entries],
        "failure_budget": 5,
    }
    journal = {"clusters": ["eu-west"], **({"break_lock": lock} if lock else {})}
    return operator.start("k8s_rollout_restart", plan=plan, run_id="r1", journal=journal)


def strategy(namespace, kind, name):
    """The part of the spec that enforcing budgets changes, and whatever else is not of the template."""
    return {part: value for part, value in namespace.get(kind, name)["spec"].items() if part != "template"}


def new_pods(namespace):
    return [pod for pod in namespace.list("pods", "app=api") if RUN in pod["metadata"].get("annotations", {})]


@pytest.fixture
def prepared(namespace):
    """A Deployment that would stop two of its four pods, and a budget that allows none. Its new pods never get ready."""
    namespace.create(workload("Deployment", "api", replicas=4, **LOOSE))
    namespace.create(budget("api", API, minAvailable=4), ready=False)
    namespace.cluster.fail(API, "never-ready", namespace.name)
    yield strategy(namespace, "Deployment", "api")
    namespace.cluster.heal(API)


def tightened(namespace):
    """Wait until a new pod is there, with the strategy that was set for budgets."""
    wait_until(lambda: new_pods(namespace), "a new pod", timeout=180)
    rolling = strategy(namespace, "Deployment", "api")["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}
    assert len(new_pods(namespace)) == 1


def test_loose_strategies_of_all_kinds_undercut_no_budget_and_are_as_before_afterwards(namespace, operator):
    workloads = {
        ("Deployment", "api"): ({**LOOSE, "replicas": 4}, {"minAvailable": 4}, 4),
        ("Deployment", "web"): ({"replicas": 4}, {"minAvailable": "75%"}, 4),
        ("StatefulSet", "db"): ({**LOOSE_SET, "replicas": 3}, {"maxUnavailable": 1}, 2),
        ("DaemonSet", "log"): ({}, {"minAvailable": 1}, 1),
    }
    made = [workload(*key, delay="1s", **spec) for key, (spec, _budget, _least) in workloads.items()]
    namespace.create(*made)
    nodes = namespace.get("DaemonSet", "log")["status"]["desiredNumberScheduled"]
    for (_kind, name), (_spec, asked, _least) in workloads.items():
        asked = {"minAvailable": nodes} if name == "log" else asked
        namespace.create(budget(name, {"app": name}, **asked), ready=False)
    before = {key: strategy(namespace, *key) for key in workloads}
    watches = {key: Watch(namespace, f"app={key[1]}") for key in workloads}
    result = start(namespace, operator, *workloads).result(LONGEST)
    assert set(outcomes(result).values()) == {"restarted"}, result
    for key, (_spec, _asked, least) in workloads.items():
        assert watches[key].fewest() >= (nodes if key[1] == "log" else least), key
        assert strategy(namespace, *key) == before[key]
        assert namespace.revisions(*key) == [1, 2]


def test_a_restart_that_fails_half_way_is_undone_within_the_budget_and_its_strategy_is_given_back(
    namespace, operator, prepared
):
    watch = Watch(namespace)
    module = start(namespace, operator, ("Deployment", "api"), on_failure="undo", grace="2s")
    tightened(namespace)
    namespace.cluster.fail(API, "crash-loop", namespace.name)
    namespace.come_up("api")

    def crashes():
        return [pod for pod in new_pods(namespace) if pod["metadata"]["labels"].get(LABEL) == "crash-loop"]

    wait_until(crashes, "the next pod, which crashes", timeout=180)
    namespace.cluster.heal(API)
    result = module.result(LONGEST)
    assert outcomes(result) == {"api": "undone"}, result
    assert result["results"][0]["message"].endswith("; its strategy was given back")
    assert strategy(namespace, "Deployment", "api") == prepared
    assert RUN not in namespace.annotations("Deployment", "api")
    assert watch.fewest() >= 4


def test_a_run_that_was_killed_leaves_the_strategy_tight_and_gives_it_back_when_it_is_resumed(
    namespace, operator, prepared
):
    watch = Watch(namespace)
    first = start(namespace, operator, ("Deployment", "api"))
    tightened(namespace)
    first.process.kill()
    first.process.communicate()
    namespace.cluster.heal(API)
    namespace.come_up("api")
    resumed = start(namespace, operator, ("Deployment", "api"), lock="the first start was killed")
    result = resumed.result(LONGEST)
    assert set(outcomes(result).values()) <= {"restarted", "already_restarted"}, result
    namespace.at_rest("Deployment/api")
    assert strategy(namespace, "Deployment", "api") == prepared
    assert len(new_pods(namespace)) == 4
    assert namespace.revisions("Deployment", "api") == [1, 2]
    assert watch.fewest() >= 4
