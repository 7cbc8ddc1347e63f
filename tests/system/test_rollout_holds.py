# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollouts under way on a real control plane: they are held while somebody else's rollout uses up the room of a budget, and
budgets are enforced after a canary too."""

from __future__ import annotations

import pytest
from disruption import Watch, budget, healthy
from house import RUN, outcomes, workload

from lab.poll import wait_until

CORE, WEB = {"tier": "core"}, {"app": "web"}
ONE = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}
LONGEST = 600


def start(namespace, operator, kind, lock=None, **entry):
    plan = {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "budgets": "enforce", "timeout": "10m"},
        "workloads": [{"id": "api", "kind": kind, "name": "api", **entry}],
    }
    journal = {"clusters": ["eu-west"], **({"break_lock": lock} if lock else {})}
    return operator.start("k8s_rollout_restart", plan=plan, run_id="r1", journal=journal)


def spec(namespace, kind):
    """All of the spec but the template."""
    return {part: value for part, value in namespace.get(kind, "api")["spec"].items() if part != "template"}


def is_held(namespace, kind):
    found = spec(namespace, kind)
    return bool(found.get("paused") or found.get("updateStrategy", {}).get("rollingUpdate", {}).get("partition"))


def new_pods(namespace):
    return [pod for pod in namespace.list("pods", "app=api") if RUN in pod["metadata"].get("annotations", {})]


def all_healthy(namespace):
    return sum(map(healthy, namespace.list("pods", "app=api"))) == 6


@pytest.fixture(params=["Deployment", "StatefulSet"])
def kind(request):
    return request.param


@pytest.fixture
def prepared(namespace, kind):
    """Six pods of ours, and two of somebody else that are rolled out at the same time and never get ready."""
    strategy = ONE if kind == "Deployment" else {}
    namespace.create(
        workload(kind, "api", 6, labels=CORE, delay="3s", **strategy),
        workload("Deployment", "web", 2, labels=CORE, **ONE),
    )
    namespace.create(budget("core", CORE, minAvailable=7), ready=False)
    yield spec(namespace, kind)
    namespace.cluster.heal(WEB)


def hold(namespace, operator, kind):
    """Start a restart, and let somebody else use up the room as soon as it has replaced a pod. It is held then."""
    namespace.cluster.fail(WEB, "never-ready", namespace.name)
    module = start(namespace, operator, kind)
    wait_until(lambda: new_pods(namespace), "a new pod", timeout=180)
    namespace.kubectl("rollout", "restart", "deployment/web")
    wait_until(lambda: is_held(namespace, kind), "the rollout to be held", timeout=180)
    wait_until(lambda: all_healthy(namespace), "the pods that were stopped before to be ready", timeout=180)
    assert 0 < len(new_pods(namespace)) < 6
    return module


def mend(namespace):
    namespace.cluster.heal(WEB)
    namespace.come_up("web")


def test_a_rollout_is_held_while_another_one_uses_up_the_room_and_goes_on_afterwards(
    namespace, operator, kind, prepared
):
    module = hold(namespace, operator, kind)
    watch = Watch(namespace, "tier=core")
    assert module.process.poll() is None
    mend(namespace)
    result = module.result(LONGEST)
    assert outcomes(result) == {"api": "restarted"}, result
    assert watch.fewest() >= 7  # one of somebody else was missing, and of ours none until there was room
    assert spec(namespace, kind) == prepared and namespace.revisions(kind, "api") == [1, 2]
    assert len(new_pods(namespace)) == 6


def test_a_rollout_that_was_killed_while_it_was_held_stays_so_until_the_next_start_finds_room(
    namespace, operator, kind, prepared
):
    first = hold(namespace, operator, kind)
    first.process.kill()
    first.process.communicate()
    watch = Watch(namespace, "tier=core")
    resumed = start(namespace, operator, kind, lock="the first start was killed")
    assert is_held(namespace, kind)
    mend(namespace)
    result = resumed.result(LONGEST)
    assert watch.fewest() >= 7
    assert set(outcomes(result).values()) <= {"restarted", "already_restarted"}, result
    assert spec(namespace, kind) == prepared and namespace.revisions(kind, "api") == [1, 2]
    assert len(new_pods(namespace)) == 6


def test_a_canary_and_enforced_budgets_in_one_entry_undercut_nothing_and_leave_the_strategy_as_it_was(
    namespace, operator, kind
):
    loose = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 3, "maxSurge": 0}}}
    namespace.create(workload(kind, "api", 6, delay="2s", **(loose if kind == "Deployment" else {})))
    namespace.create(budget("api", {"app": "api"}, minAvailable=5), ready=False)
    before, watch = spec(namespace, kind), Watch(namespace, "app=api")
    result = start(namespace, operator, kind, canary={"pods": 1, "hold": "3s"}).result(LONGEST)
    assert outcomes(result) == {"api": "restarted"}, result
    assert watch.fewest() >= 5
    assert spec(namespace, kind) == before and namespace.revisions(kind, "api") == [1, 2]
    assert len(new_pods(namespace)) == 6
