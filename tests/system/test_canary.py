# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Canaries on a real control plane: held, killed, resumed and undone, with one new revision and the spec as before."""

from __future__ import annotations

import pytest
from house import RUN, entry_of, outcomes, workload

from lab.poll import wait_until

BROKEN = {"breaks": "crash-loop"}
NAMES = {"Deployment": "api", "StatefulSet": "db"}


def plan_of(namespace, hold, **defaults):
    return {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name, "grace": "2s", **defaults},
        "workloads": [{"id": "core", "kind": list(NAMES), "name": list(NAMES.values()), "canary": {"hold": hold}}],
    }


@pytest.fixture
def prepared(namespace):
    """A Deployment and a StatefulSet of three pods each, and their specs."""
    namespace.create(
        workload("Deployment", "api", replicas=3, labels=BROKEN),
        workload("StatefulSet", "db", replicas=3, labels=BROKEN, podManagementPolicy="Parallel"),
    )
    return {name: spec(namespace, kind, name) for kind, name in NAMES.items()}


def spec(namespace, kind, name):
    """The spec without the annotations of the template."""
    found = namespace.get(kind, name)["spec"]
    metadata = {part: value for part, value in found["template"]["metadata"].items() if part != "annotations"}
    return {**found, "template": {**found["template"], "metadata": metadata}}


def new_pods(namespace, name):
    """The pods that the run has replaced, ready or not."""
    pods = namespace.list("pods", f"app={name}")
    return [pod for pod in pods if RUN in pod["metadata"].get("annotations", {})]


def held(namespace):
    """Whether both workloads are held after their first pod, and these pods are ready."""
    api, db = namespace.get("Deployment", "api")["spec"], namespace.get("StatefulSet", "db")["spec"]
    ready = [pod for name in NAMES.values() for pod in new_pods(namespace, name) if is_ready(pod)]
    return api.get("paused") and db["updateStrategy"]["rollingUpdate"].get("partition") == 2 and len(ready) == 2


def is_ready(pod):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def test_a_run_that_was_killed_while_it_held_its_canaries_goes_on_with_them(namespace, operator, prepared):
    run = {"run_id": "r1", "journal": {"clusters": ["eu-west"]}}
    first = operator.start("k8s_rollout_restart", plan=plan_of(namespace, "10m"), **run)
    wait_until(lambda: held(namespace), "the canaries to be held", timeout=180)
    first.process.kill()
    first.process.communicate()
    assert [len(new_pods(namespace, name)) for name in NAMES.values()] == [1, 1]
    api = namespace.get("Deployment", "api")["spec"]["strategy"]["rollingUpdate"]
    assert api == {"maxSurge": 1, "maxUnavailable": 0}

    run["journal"]["break_lock"] = "the first start was killed"
    result = operator.run("k8s_rollout_restart", plan=plan_of(namespace, "2s"), **run)
    assert set(outcomes(result).values()) <= {"restarted", "already_restarted"}, result
    for kind, name in NAMES.items():
        namespace.at_rest(f"{kind}/{name}")
        assert spec(namespace, kind, name) == prepared[name]
        assert len(new_pods(namespace, name)) == 3
        assert namespace.revisions(kind, name) == [1, 2]


def test_canaries_that_fail_are_undone_with_their_strategies(namespace, operator, prepared):
    before = {pod["metadata"]["uid"] for pod in namespace.list("pods")}
    namespace.cluster.fail(BROKEN, "crash-loop", namespace.name)
    plan = {**plan_of(namespace, "10m", on_failure="undo"), "failure_budget": 2}
    result = operator.run("k8s_rollout_restart", plan=plan, run_id="r1", journal={"clusters": ["eu-west"]})
    # The last pod of the StatefulSet crashes with its old template too, because the failure is not in the template.
    assert outcomes(result) == {"api": "undone", "db": "failed"}, result
    assert entry_of(result, "api")["cause"]["code"] == "crash_loop"
    for kind, name in NAMES.items():
        assert spec(namespace, kind, name) == prepared[name]
        assert RUN not in namespace.annotations(kind, name)
    namespace.at_rest("Deployment/api")
    kept = [pod["metadata"]["labels"]["app"] for pod in namespace.list("pods") if pod["metadata"]["uid"] in before]
    assert sorted(kept) == ["api"] * 3 + ["db"] * 2
