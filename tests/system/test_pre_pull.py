# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images are pulled before a restart, by Jobs that a real control plane runs and cleans up. Its nodes are KWOK's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from house import RBAC, ROOT, Namespace, now, workload

from lab.poll import wait_until

CREATED = {"create", "delete", "patch", "update"}
OURS = {"sidecar.istio.io/inject": "false"}  # a label of the pods that pull
QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: full}
spec: {hard: {pods: "1"}}
"""


def allow(namespace):
    """rbac/pre_pull.yml, and the command in it."""
    namespace.cluster.apply((RBAC / "pre_pull.yml").read_text())
    subject = "--serviceaccount=restartx-system:restartx"
    namespace.kubectl("create", "rolebinding", "restartx-pre-pull", "--clusterrole=restartx-pre-pull", subject)


@pytest.fixture(scope="module")
def place(cluster, operator, make_namespace):
    """A namespace with a Deployment, in which images may be pulled and pods must be restricted."""
    found = Namespace(cluster, operator, make_namespace("images"))
    found.create(workload("Deployment", "api", 1))
    allow(found)
    found.kubectl("label", "namespace", found.name, "pod-security.kubernetes.io/enforce=restricted")
    return found


def jobs(namespace):
    return namespace.api.request("GET", f"/apis/batch/v1/namespaces/{namespace.name}/jobs")["items"]


def is_clean(namespace):
    """Whether no Job is left, and no pod of one."""
    return not jobs(namespace) and not namespace.list("pods", "restartx.io/pre-pull")


def test_an_image_is_pulled_on_each_node_and_nothing_is_left(place, cluster):
    nodes = set(cluster.node_names())
    began = now()
    planned = place.run("pre_pull", check=True)
    assert {one["node"]: one["outcome"] for one in planned["images"]} == dict.fromkeys(nodes, "planned")
    assert not [event for event in cluster.requests("restartx/", began) if event["objectRef"]["resource"] == "jobs"]
    result = place.run("pre_pull")
    assert {one["node"]: one["outcome"] for one in result["images"]} == dict.fromkeys(nodes, "pulled"), result
    assert result["warnings"] == [] and result["changed"] is True
    assert all(0 < one["seconds"] < 120 for one in result["images"])
    wait_until(lambda: is_clean(place), "the Jobs to be gone")
    sent = [event for event in cluster.requests("restartx/", began) if event["verb"] in CREATED]
    resources = {event["objectRef"]["resource"] for event in sent} - {
        "selfsubjectrulesreviews",
        "selfsubjectaccessreviews",
    }
    assert resources == {"jobs"}


def test_what_a_killed_module_leaves_is_deleted_by_the_cluster(place, cluster):
    cluster.fail(OURS, "by-hand", place.name)  # the pods stay as they are, as if they pulled for long
    try:
        running = place.start("pre_pull", max_pods=1)
        wait_until(lambda: place.list("pods", "restartx.io/pre-pull"), "a pod that pulls", interval=0.05)
        running.process.kill()
        running.process.wait()
    finally:
        cluster.heal(OURS)
    (left,) = jobs(place)
    spec = left["spec"]
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (660, 60)
    # What happens after these times happens at once.
    place.kubectl("patch", f"job/{left['metadata']['name']}", "-p", '{"spec": {"activeDeadlineSeconds": 1}}')
    place.kubectl("patch", f"job/{left['metadata']['name']}", "-p", '{"spec": {"ttlSecondsAfterFinished": 0}}')
    wait_until(lambda: is_clean(place), "the Job to be gone", timeout=60)


def test_a_pull_that_fails_is_named_and_the_pod_that_a_quota_refuses(place, cluster):
    cluster.fail(OURS, "image-pull", place.name)
    try:
        result = place.run("pre_pull")
    finally:
        cluster.heal(OURS)
    assert set(result["summary"]) == {"failed"} and result["changed"] is False
    assert {one["message"].partition(":")[0] for one in result["images"]} <= {"ErrImagePull", "ImagePullBackOff"}
    assert "could not be pulled: localhost/shop:1 on node " in result["msg"]
    wait_until(lambda: is_clean(place), "the Jobs to be gone")
    place.kubectl("apply", "-f", "-", input=QUOTA)
    wait_until(lambda: place.get("resourcequota", "full").get("status", {}).get("used"), "the quota to be counted")
    result = place.run("pre_pull")
    place.kubectl("delete", "resourcequota", "full")
    assert {"exceeded quota: full" in one["message"] for one in result["images"]} == {True}, result["images"]
    wait_until(lambda: is_clean(place), "the Jobs to be gone")


def test_without_permission_nothing_is_created(namespace):
    namespace.create(workload("Deployment", "api", 1))
    result = namespace.run("pre_pull")
    assert f"create jobs.batch in namespace {namespace.name}" in result["msg"] and "images" not in result
    assert "apply -f rbac/pre_pull.yml" in result["msg"] and jobs(namespace) == []


def test_the_playbook_pulls_the_images_of_a_plan_on_all_clusters(calm_shop):
    pulling = replace(calm_shop, playbook=ROOT / "playbooks" / "pre_pull.yml")
    for namespace in calm_shop.namespaces.values():
        allow(namespace)
    code, said = pulling.run("--check")
    assert code == 0 and "eu-west: 3 to be pulled" in said and "us-east: 3 to be pulled" in said, said
    assert pulling.untouched()
    code, said = pulling.run("-e", "max_pods=3")
    assert code == 0 and "eu-west: 3 pulled" in said and "us-east: 3 pulled" in said, said
    assert {resource for _verb, resource, _name in pulling.changes("us-east")} == {"jobs"}
    code, said = pulling.run("-e", "pull_timeot=3m")
    assert code != 0 and 'the variable pull_timeot is unknown; did you mean "pull_timeout"?' in said
    code, said = pulling.run("-e", "max_pods=0", "--limit", "us-east")
    assert code != 0 and "us-east: max_pods: " in said
