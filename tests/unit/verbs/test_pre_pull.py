# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images are pulled on the nodes that need them, a few at once, and nothing is left behind."""

from __future__ import annotations

import calling
import pytest
from simulation import Executor, FakeCluster, Mortal, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Unreachable,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Abandoned
from ansible_collections.restartx.core.plugins.module_utils.pulling import job
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

PLAN = {
    "version": 1,
    "name": "ca",
    "defaults": {"namespace": "shop"},
    "workloads": [{"id": "core", "name": ["cart"]}],
}
REFUSED = {"state": {"waiting": {"reason": "ErrImagePull", "message": "dial tcp: token=hunter2 connection refused"}}}
ENDED = {"state": {"terminated": {"reason": "StartError", "exitCode": 128}}}


def node(name, images=(), ready="True", **spec):
    """A node that reports these images."""
    return {
        "metadata": {"name": name, "labels": {}},
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": ready}], "images": [{"names": list(images)}]},
    }


class Registry(FakeCluster):
    """A cluster whose nodes pull each image in `takes` seconds, or get the status that `shows` has for it."""

    def __init__(self, *workloads, nodes=("n1", "n2"), takes=3.0, shows=None, says=None, tells=True):
        super().__init__(workloads or [deployment("cart")])
        self.nodes = [node(one) if isinstance(one, str) else one for one in nodes]
        self.takes, self.shows, self.tells = takes, shows or {}, tells
        self.says = (
            says or 'Successfully pulled image "{image}" in 1m2.5s (1m3s including waiting). Image size: 1 bytes.'
        )
        self.jobs, self.made, self.most, self.refusal = {}, [], 0, None
        self.without_pods: str | None = None  # the event that says why there are none
        self.loses_pods_at = float("inf")
        Executor(self)

    def create(self, path, body, **options):
        if not path.endswith("/jobs"):
            return super().create(path, body, **options)
        self._ask("create", path)
        if self.refusal:
            raise self.refusal
        spec = body["spec"]["template"]["spec"]
        assert options["resend"] and body["metadata"]["namespace"] in path
        self.jobs[body["metadata"]["name"]] = (self.executor.clock.passed, body)
        self.made.append(body)
        self.most = max(self.most, len(self.jobs))
        on = [place_of(one) for _since, one in self.jobs.values()]
        assert len(on) == len(set(on)), "two pulls on one node"
        assert spec["containers"][0]["imagePullPolicy"] in ("Always", "IfNotPresent")
        return body

    def list(self, path, params=None, **options):
        found = super().list(path, params, **options)
        if path == "/api/v1/nodes":
            found.items[:] = self.nodes
        elif path.endswith("/pods"):
            none = self.without_pods or self.executor.clock.passed > self.loses_pods_at
            found.items[:] = [] if none else [self.pod(name) for name in self.jobs]
        elif path.endswith("/events"):
            if ("list", "events") in self.denied:
                raise Forbidden("not for you", status=403)
            found.items[:] = self.events(params["fieldSelector"])
        return found

    def delete(self, path, body=None, **options):
        self._ask("delete", path)
        assert body == {"propagationPolicy": "Background"}
        del self.jobs[path.rpartition("/")[2]]

    def pod(self, name):
        since, body = self.jobs[name]
        image = image_of(body)
        there = self.executor.clock.passed - since >= self.takes
        shown = self.shows.get(image, ENDED)
        status = shown if there else {"state": {"waiting": {"reason": "ContainerCreating"}}}
        pod_status = (
            status if "phase" in status or "conditions" in status else {"containerStatuses": [container(status)]}
        )
        owner = {"kind": "Job", "name": name, "controller": True}
        return {
            "metadata": {"name": f"{name}-x", "uid": f"uid-{name}", "ownerReferences": [owner]},
            "status": pod_status,
        }

    def events(self, fields):
        if self.without_pods:
            assert fields.startswith("involvedObject.kind=Job,involvedObject.name=restartx-pre-pull-")
            return [{"reason": "SuccessfulDelete"}, {"reason": "FailedCreate", "message": self.without_pods}]
        name = fields.removeprefix("involvedObject.uid=uid-")
        says = self.says.format(image=image_of(self.jobs[name][1]))
        return [{"reason": "Scheduled", "message": "assigned"}, *([pulled(says)] if self.tells else [])]


def pulled(message):
    return {"reason": "Pulled", "message": message}


def container(status):
    return {"name": job.CONTAINER, **status}


def image_of(body):
    return body["spec"]["template"]["spec"]["containers"][0]["image"]


def place_of(body):
    affinity = body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (field,) = term["matchFields"]
    assert (field["key"], field["operator"]) == ("metadata.name", "In")
    return field["values"][0]


def pull(cluster, check_mode=False, /, **options):
    if "plan" not in options:
        options = {"namespace": "shop", "kind": ["Deployment", "StatefulSet", "DaemonSet"], **options}
    result = calling.run("k8s_rollout_pre_pull", cluster, check_mode, **options)
    assert cluster.jobs == {}, "a Job is left"
    return result


def using(*images, name="cart", policy="IfNotPresent", kind="Deployment", **spec):
    """A workload with these images."""
    one = workload(kind, name)
    one["spec"]["template"]["spec"] = {
        "containers": [
            {"name": f"c{place}", "image": image, "imagePullPolicy": policy} for place, image in enumerate(images)
        ],
        **spec,
    }
    return one


def outcomes(result):
    return {(one["node"], one["image"]): one["outcome"] for one in result["images"]}


def test_each_image_is_pulled_on_each_node_and_the_kubelet_says_how_long_it_took():
    cluster = Registry(using("shop/a:1", "shop/b:1"))
    result = pull(cluster)
    pairs = [(name, image) for name in ("n1", "n2") for image in ("shop/a:1", "shop/b:1")]
    assert outcomes(result) == dict.fromkeys(pairs, "pulled")
    assert (result["changed"], result["summary"]) == (True, {"pulled": 4}) and "msg" not in result
    assert {one["seconds"] for one in result["images"]} == {62.5}
    assert {one["message"] for one in result["images"]} == {None}


def test_a_plan_names_the_workloads():
    cluster = Registry(using("shop/a:1"), using("shop/b:1", name="web"))
    assert set(outcomes(pull(cluster, plan=PLAN))) == {("n1", "shop/a:1"), ("n2", "shop/a:1")}
    with pytest.raises(RolloutError, match="namespace: has no effect together with plan"):
        pull(cluster, plan=PLAN, namespace="shop")


def test_without_events_the_time_is_measured():
    cluster = Registry(takes=7.0, tells=False)
    (first, _second) = pull(cluster, max_pods=1)["images"]
    assert 7.0 <= first["seconds"] <= 12.0
    cluster = Registry(takes=7.0)
    cluster.denied.add(("list", "events"))
    assert 7.0 <= pull(cluster)["images"][0]["seconds"] <= 9.0


@pytest.mark.parametrize("most", [1, 3, 5])
def test_only_so_many_are_pulled_at_once_and_one_on_each_node(most):
    cluster = Registry(using("shop/a:1", "shop/b:1"), nodes=[f"n{place}" for place in range(9)])
    result = pull(cluster, max_pods=most)
    assert (cluster.most, result["summary"]) == (most, {"pulled": 18})


def test_what_a_node_reports_is_not_pulled_again_unless_it_is_asked_for_each_time():
    there = node("n1", ["docker.io/shop/a:1"])
    cluster = Registry(using("shop/a:1"), nodes=[there, "n2"])
    result = pull(cluster)
    assert outcomes(result) == {("n1", "shop/a:1"): "present", ("n2", "shop/a:1"): "pulled"}
    assert [place_of(body) for body in cluster.made] == ["n2"]
    result = pull(Registry(using("shop/a:1", policy="Always"), nodes=[there]))
    assert result["summary"] == {"pulled": 1}
    never = pull(Registry(using("shop/a:1", policy="Never"), nodes=["n1"]))
    assert never["images"] == [] and never["changed"] is False


def test_what_the_kubelet_finds_is_present():
    cluster = Registry(nodes=["n1"], says='Container image "{image}" already present on machine')
    (one,) = pull(cluster)["images"]
    assert (one["outcome"], one["seconds"]) == ("present", None)


def test_an_image_is_pulled_once_on_a_node_whoever_needs_it():
    cluster = Registry(
        using("shop/a:1", serviceAccountName="jane"),
        using("shop/a:1", name="web", policy="Always", imagePullSecrets=[{"name": "key"}]),
        nodes=["n1"],
    )
    result = pull(cluster)
    assert [one["outcome"] for one in result["images"]] == ["pulled", "present"]
    (body,) = cluster.made  # the one that is always pulled
    spec = body["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "key"}] and "serviceAccountName" not in spec


def test_other_credentials_are_tried_for_an_image_that_could_not_be_pulled():
    cluster = Registry(
        using("shop/a:1", serviceAccountName="jane"),
        using("shop/a:1", name="web"),
        nodes=["n1"],
        shows={"shop/a:1": REFUSED},
    )
    assert [one["outcome"] for one in pull(cluster)["images"]] == ["failed", "failed"] and len(cluster.made) == 2


def test_a_pull_that_fails_is_named_without_secrets_and_the_others_go_on():
    cluster = Registry(using("shop/a:1", "shop/b:1"), shows={"shop/a:1": REFUSED})
    result = pull(cluster, max_pods=1)
    assert result["summary"] == {"failed": 2, "pulled": 2}
    assert result["msg"].startswith("2 of 4 images could not be pulled: shop/a:1 on node n1 (ErrImagePull: dial tcp: ")
    assert "connection refused" in result["msg"] and "hunter2" not in str(result)


@pytest.mark.parametrize(
    "shown, said",
    [
        ({"phase": "Failed", "reason": "OutOfpods", "message": "Node has no room"}, "OutOfpods: Node has no room"),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 fit"}
                ]
            },
            "Unschedulable: 0/1 fit",
        ),
    ],
)
def test_a_pod_that_the_node_or_the_scheduler_does_not_take_has_failed(shown, said):
    (one,) = pull(Registry(nodes=["n1"], shows={"shop/main:1": shown}))["images"]
    assert (one["outcome"], one["message"]) == ("failed", said)


def test_a_pod_that_a_quota_or_a_policy_refuses_has_failed():
    cluster = Registry(nodes=["n1"])
    cluster.without_pods = 'Error creating: pods "x" is forbidden: exceeded quota: small'
    (one,) = pull(cluster)["images"]
    assert (one["outcome"], one["message"]) == ("failed", 'pods "x" is forbidden: exceeded quota: small')


def test_a_job_that_admission_refuses_has_failed_and_is_not_tried_again():
    cluster = Registry()
    cluster.refusal = Invalid("the server refuses it", status=422, refusal="no Jobs here")
    result = pull(cluster)
    assert [one["message"] for one in result["images"]] == ["no Jobs here"] * 2 and cluster.made == []


def test_a_pull_that_takes_too_long_has_failed():
    (one,) = pull(Registry(nodes=["n1"], takes=1e6), pull_timeout="90s")["images"]
    assert (one["outcome"], one["message"]) == ("failed", "it was not pulled within 1m 30s")


def test_a_pod_that_somebody_deletes_has_failed():
    cluster = Registry(nodes=["n1"], takes=1e6)
    cluster.loses_pods_at = 5.0
    assert pull(cluster)["images"][0]["message"] == "the pod that pulled it was deleted"


def test_nothing_is_created_in_check_mode():
    cluster = Registry(nodes=[node("n1", ["docker.io/shop/main:1"]), "n2"])
    result = pull(cluster, True)
    assert outcomes(result) == {("n1", "shop/main:1"): "present", ("n2", "shop/main:1"): "planned"}
    assert cluster.made == [] and result["changed"] is True


def test_nodes_and_workloads_that_are_left_out_are_named():
    idle = using("shop/b:1", name="idle")
    idle["spec"]["replicas"] = 0
    cluster = Registry(
        using("shop/a:1"),
        idle,
        using("shop/c:1", name="gpu", nodeSelector={"gpu": "yes"}),
        using("shop/d:1", name="logs", kind="DaemonSet"),
        nodes=["n1", node("n2", unschedulable=True), node("n3", ready="Unknown")],
    )
    result = pull(cluster)
    # Only pods of a DaemonSet run on a cordoned node.
    assert set(outcomes(result)) == {("n1", "shop/a:1"), ("n1", "shop/d:1"), ("n2", "shop/d:1")}
    assert result["notes"] == [
        "nothing is pulled on nodes that are not ready: n3",
        'deployment "idle" in namespace "shop" wants no pods, so nothing is pulled for it',
        'no node that is ready may run pods of deployment "gpu" in namespace "shop", so nothing is pulled for it',
    ]
    (on_cordoned,) = [body for body in cluster.made if place_of(body) == "n2"]
    tolerated = on_cordoned["spec"]["template"]["spec"]["tolerations"]
    assert [one["key"] for one in tolerated] == ["node.kubernetes.io/unschedulable"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_missing_permissions_are_named_before_anything_is_created(check_mode):
    cluster = Registry()
    cluster.denied |= {("create", "jobs"), ("list", "nodes")}
    with pytest.raises(RolloutError) as raised:
        pull(cluster, check_mode)
    assert str(raised.value) == (
        "permission is missing on simulated: to list nodes in all namespaces, create jobs.batch in namespace shop; an "
        "administrator can grant it with: kubectl --context simulated apply -f rbac/pre_pull.yml; kubectl --context simulated "
        "create rolebinding restartx-pre-pull --clusterrole restartx-pre-pull --serviceaccount restartx-system:restartx "
        "--namespace shop"
    )
    assert cluster.made == []


def test_nothing_is_left_if_the_controller_goes_or_the_cluster_fails():
    cluster = Registry(takes=1e6)
    verb, call = calling.prepare("k8s_rollout_pre_pull", cluster, namespace="shop")
    call.controller = Mortal(30.0)
    call.controller.clock = cluster.executor.clock
    with pytest.raises(Abandoned):
        calling.carry_out(verb, call)
    assert len(cluster.made) == 2 and cluster.jobs == {}

    cluster = Registry()
    cluster.fail = lambda verb, path: Unreachable("gone") if path.endswith("/pods") and cluster.made else None
    with pytest.raises(Unreachable):
        pull(cluster)
    assert len(cluster.made) == 2 and cluster.jobs == {}


def test_a_job_that_cannot_be_deleted_is_named_and_the_others_go_on():
    cluster = Registry(nodes=["n1"])
    verb, call = calling.prepare("k8s_rollout_pre_pull", cluster, namespace="shop")
    cluster.fail = lambda verb, path: Unreachable("no answer") if verb == "delete" else None
    result = calling.carry_out(verb, call)
    assert result["summary"] == {"pulled": 1}
    (warning,) = call.warnings
    assert warning.endswith("could not be deleted (no answer); the cluster deletes it soon after its end")


def test_a_second_copy_of_a_lost_request_is_no_error():
    class Twice(Registry):
        def create(self, path, body, **options):
            made = super().create(path, body, **options)
            if path.endswith("/jobs"):
                raise Conflict("it exists already", status=409, reason="AlreadyExists")
            return made

    assert pull(Twice())["summary"] == {"pulled": 2}


def test_a_job_that_meets_another_change_of_a_quota_is_created_again():
    class Contended(Registry):
        conflicts = 2

        def create(self, path, body, **options):
            if path.endswith("/jobs") and self.conflicts:
                self.conflicts -= 1
                raise Conflict("Operation cannot be fulfilled on resourcequotas", status=409, reason="Conflict")
            return super().create(path, body, **options)

    cluster = Contended()
    assert pull(cluster)["summary"] == {"pulled": 2}
    assert len(cluster.made) == 2


def test_the_pods_ask_for_no_user_that_a_namespace_may_not_allow():
    cluster = Registry()
    pull(cluster)
    for body in cluster.made:
        spec = body["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & {*spec["securityContext"]}


@pytest.mark.parametrize("option, value", [("max_pods", 0), ("pull_timeout", "0s"), ("pull_timeout", "soon")])
def test_a_bad_limit_is_refused(option, value):
    with pytest.raises(Exception, match=f"^{option}: "):
        pull(Registry(), **{option: value})
