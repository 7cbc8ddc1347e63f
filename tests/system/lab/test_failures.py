# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures on demand look as they do on a real kubelet."""

import json

import pytest

from lab import LabError
from lab.failures import FAILURES
from lab.poll import wait_until

NAMESPACE = "failures"
PAUSES = ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s"]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: failures}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}{label}}}, annotations: {{lab.restartx.io/delay: 3s}}}}
    spec:
      containers:
        - {{name: web, image: "localhost/web:1"}}
        - {{name: proxy, image: "localhost/proxy:1"}}
"""


@pytest.fixture(scope="module")
def cluster(full):
    """The cluster with one deployment for each failure, all started together."""
    full.kubectl("create", "namespace", NAMESPACE)
    labelled = (DEPLOYMENT.format(name=name, label=f", lab.restartx.io/failure: {name}") for name in FAILURES)
    full.apply("---".join([*labelled, DEPLOYMENT.format(name="cart", label="")]))
    full.kubectl("rollout", "status", "deployment/cart", "-n", NAMESPACE, "--timeout=180s")
    return full


class Pod:
    """What the table of failures looks at."""

    def __init__(self, data):
        self.name, self.uid = data["metadata"]["name"], data["metadata"]["uid"]
        status = data["status"]
        self.phase = status["phase"]
        self.ready = {item["type"]: item for item in status["conditions"]}.get("Ready", {})
        self.web, self.proxy = status.get("containerStatuses") or ({"state": {}}, {})

    @property
    def waiting(self):
        return self.web["state"].get("waiting", {})

    @property
    def ended(self):
        return self.web["lastState"].get("terminated", {})


def pods(cluster, app):
    found = cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", f"app={app}", "-o", "json").stdout
    return [Pod(item) for item in json.loads(found)["items"]]


def seen(cluster, app, condition):
    """Wait until a pod of `app` meets the condition; returns it."""
    return wait_until(
        lambda: next((pod for pod in pods(cluster, app) if condition(pod)), None), f"a pod of {app} to fail as promised"
    )


def unready(pod):
    return pod.ready["status"] == "False" and pod.ready["message"] == "containers with unready status: [web]"


def backs_off(restarts):
    return lambda pod: pod.waiting.get("reason") == "CrashLoopBackOff" and pod.web["restartCount"] >= restarts


def test_image_pull(cluster):
    pod = seen(cluster, "image-pull", lambda pod: pod.waiting.get("reason") == "ImagePullBackOff")
    assert pod.phase == "Pending" and unready(pod)
    assert pod.waiting["message"].startswith('Back-off pulling image "localhost/web:1": ErrImagePull: ')


@pytest.mark.parametrize(
    "failure, reason, code", [("crash-loop", "Error", 1), ("oom", "OOMKilled", 137), ("fail-later", "Error", 1)]
)
def test_crashes_again_and_again(cluster, failure, reason, code):
    pod = seen(cluster, failure, backs_off(restarts=1))
    assert pod.phase == "Running" and unready(pod)
    assert (pod.ended["reason"], pod.ended["exitCode"]) == (reason, code)
    words = f"restarting failed container=web pod={pod.name}_{NAMESPACE}({pod.uid})"
    assert pod.waiting["message"] == f"back-off {PAUSES[pod.web['restartCount'] - 1]} {words}"
    seen(cluster, failure, backs_off(restarts=pod.web["restartCount"] + 1))


def test_fails_later_only_after_it_was_available(cluster):
    seen(cluster, "fail-later", backs_off(restarts=1))
    reason = '{.status.conditions[?(@.type=="Progressing")].reason}'
    show = ["get", "-n", NAMESPACE, "-o", f"jsonpath={reason}"]
    assert cluster.kubectl(*show, "deployment/fail-later").stdout == "NewReplicaSetAvailable"
    assert cluster.kubectl(*show, "deployment/crash-loop").stdout == "ReplicaSetUpdated"


def test_never_ready(cluster):
    pod = seen(cluster, "never-ready", lambda pod: pod.phase == "Running")
    assert unready(pod)
    assert pod.web["started"] and "running" in pod.web["state"] and not pod.web["ready"]


def test_slow_start_is_ready_in_the_end(cluster):
    pod = seen(cluster, "slow-start", lambda pod: pod.ready.get("status") == "True")
    assert pod.web["ready"] and pod.web["restartCount"] == 0


@pytest.mark.parametrize("failure", [failure for failure in FAILURES if failure != "by-hand"])
def test_other_containers_of_the_pod_are_healthy(cluster, failure):
    pod = seen(cluster, failure, lambda pod: pod.proxy)
    assert pod.proxy["ready"] and "running" in pod.proxy["state"]


def test_a_pod_that_never_ends_is_ready_and_stays_when_it_is_deleted(cluster):
    pod = seen(cluster, "never-ends", lambda pod: pod.ready.get("status") == "True")
    cluster.kubectl("delete", "pod", pod.name, "-n", NAMESPACE, "--grace-period=1", "--wait=false")
    other = seen(cluster, "never-ends", lambda one: one.name != pod.name and one.ready.get("status") == "True")
    cluster.kubectl("label", "pod", other.name, "-n", NAMESPACE, "lab.restartx.io/failure=", "--overwrite")
    cluster.kubectl("delete", "pod", other.name, "-n", NAMESPACE, "--grace-period=1", "--timeout=180s")
    assert pod.name in {one.name for one in pods(cluster, "never-ends")}


def test_a_pod_by_hand_keeps_the_status_that_it_has(cluster):
    seen(cluster, "slow-start", lambda pod: pod.ready.get("status") == "True")
    (pod,) = pods(cluster, "by-hand")
    assert pod.phase == "Pending" and not pod.proxy and not pod.ready
    status = '{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}'
    cluster.kubectl("patch", "pod", pod.name, "-n", NAMESPACE, "--subresource=status", "--patch", status)
    cluster.kubectl("rollout", "status", "deployment/by-hand", "-n", NAMESPACE, "--timeout=180s")


def test_a_lost_node_keeps_its_conditions(cluster):
    (name,) = cluster.add_nodes(1, ["a"])
    cluster.kubectl("wait", f"node/{name}", "--for=condition=Ready", "--timeout=180s")
    cluster.kubectl("label", "node", name, "lab.restartx.io/failure=lost")
    lost = '{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}'
    cluster.kubectl("patch", "node", name, "--subresource=status", "--patch", lost)
    (other,) = cluster.add_nodes(1, ["a"])
    cluster.kubectl("wait", f"node/{other}", "--for=condition=Ready", "--timeout=180s")
    ready = '{.status.conditions[?(@.type=="Ready")].status}'
    assert cluster.kubectl("get", "node", name, "-o", f"jsonpath={ready}").stdout == "False"
    cluster.kubectl("delete", "node", name, other)


def test_only_new_pods_fail_and_only_until_healed(cluster):
    old = {pod.uid for pod in pods(cluster, "cart")}
    cluster.fail({"app": "cart"}, "crash-loop", NAMESPACE)
    cluster.kubectl("rollout", "restart", "deployment/cart", "-n", NAMESPACE)
    seen(cluster, "cart", backs_off(restarts=1))
    assert {pod.uid for pod in pods(cluster, "cart") if pod.ready["status"] == "True"} == old
    cluster.heal({"app": "cart"})
    cluster.kubectl("delete", "pod", "-n", NAMESPACE, "-l", "lab.restartx.io/failure=crash-loop,app=cart")
    cluster.kubectl("rollout", "status", "deployment/cart", "-n", NAMESPACE, "--timeout=180s")


def test_a_failure_stays_in_its_namespace(cluster):
    cluster.fail({"app": "elsewhere"}, "oom", NAMESPACE)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": {"app": "elsewhere"}}}
    pod["spec"] = {"containers": [{"name": "x", "image": "x"}]}
    show = ["create", "--dry-run=server", "-o", "jsonpath={.metadata.labels}", "-f", "-"]
    there = cluster.kubectl(*show, "-n", NAMESPACE, input=json.dumps(pod)).stdout
    here = cluster.kubectl(*show, "-n", "default", input=json.dumps(pod)).stdout
    cluster.heal()
    assert '"lab.restartx.io/failure":"oom"' in there
    assert "failure" not in here
    healed = cluster.kubectl(*show, "-n", NAMESPACE, input=json.dumps(pod)).stdout
    assert "failure" not in healed


@pytest.mark.parametrize(
    "selector, failure, words",
    [({"app": "cart"}, "explode", 'no failure "explode"'), ({}, "oom", "name at least one label")],
)
def test_a_failure_that_makes_no_sense_is_refused(cluster, selector, failure, words):
    with pytest.raises(LabError, match=words):
        cluster.fail(selector, failure)
