# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the preflight says of troubled workloads, and that a restart then goes as predicted.

All of them are on one cluster with nodes of their own, and one run restarts all of them.
"""

from __future__ import annotations

import json

import pytest
from house import KINDS, RBAC, USER_AGENT, Namespace, Operator, now, workload
from prod import JOURNALS, READING

from lab.poll import wait_until

HOST = "kubernetes.io/hostname"
NODES = 20
SPARE = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
FREEING = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
HALF, MOST = "32", "40"  # cpu, of the 64 of a node
RBAC_API = "/apis/rbac.authorization.k8s.io/v1"
FREEZE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: freeze}
spec:
  failurePolicy: Fail
  matchConstraints:
    objectSelector: {matchLabels: {app: frozen}}
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
  validations: [{expression: "false", message: "the shop is frozen until Monday"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: freeze}
spec: {policyName: freeze, validationActions: [Deny]}
"""


def app(name, kind="Deployment", node=None, cpu=None, pod=None, replicas=1, main=None, labels=None, **spec):
    """A workload with room for one pod more or not: on one node, with so much cpu for each pod."""
    if kind == "Deployment":
        spec.setdefault("strategy", SPARE)
    made = workload(kind, name, replicas, labels, **spec)
    inner = made["spec"]["template"]["spec"]
    inner |= {**({"nodeSelector": {HOST: node}} if node else {}), **(pod or {})}
    if cpu:
        inner["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    inner["containers"][0] |= main or {}
    return made


def pool(name, **more):
    return {"nodeSelector": {"pool": name}, **more}


def apart(name, kind="podAntiAffinity", **term):
    rule = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": name}}, **term}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}}}


def spread(name, **more):
    rule = {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule", **more}
    return {"topologySpreadConstraints": [{"labelSelector": {"matchLabels": {"app": name}}, **rule}]}


def claim(name):
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}


def port(number):
    return {"ports": [{"containerPort": number, "hostPort": number}]}


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": True}
HASH = {"matchLabelKeys": ["pod-template-hash"]}
POOLS = {"apart": (8, 9), "spread": (10, 11, 12), "near": (13, 14), "new": (15, 16)}

# Which finding each must have, by namespace and name; None if the restart succeeds. Those that no node takes, or that a
# policy of the namespace refuses, run before that: `trouble` makes it.
EXPECTED = {
    ("main", "paused"): "paused",
    ("main", "by-hand"): "on_delete",
    ("main", "held-back"): "partitioned",
    ("main", "owned"): "owned",
    ("main", "leaving"): "being_deleted",
    ("main", "frozen"): "patch_refused",
    ("main", "homeless"): "pod_refused",  # its service account is gone
    ("main", "dataless"): "missing_reference",
    ("main", "full"): "no_room",
    ("main", "surging"): "no_room",
    ("main", "cordoned"): "no_room",
    ("main", "tainted"): "no_room",
    ("main", "apart"): "no_room",
    ("main", "skewed"): "no_room",
    ("main", "port"): "no_room",
    ("main", "exclusive"): "no_room",
    ("main", "fits"): None,
    ("main", "near"): None,
    ("main", "new"): None,
    ("main", "even"): None,
    ("main", "frees"): None,
    ("secure", "app"): "pod_refused",
    ("small", "app"): "pod_refused",
    ("counted", "app"): "pod_refused",
    ("pods", "app"): "quota",
    ("requests", "app"): "quota",
    ("revisions", "app"): "quota",
}
NAMESPACES = list(dict.fromkeys(namespace for namespace, _name in EXPECTED))
NEVER_RUN = ("dataless",)  # no node takes it even now


def workloads():
    """Those of the namespace `main`."""
    return [
        app("paused"),
        app("by-hand", "DaemonSet", "node-1", updateStrategy={"type": "OnDelete"}),
        app("held-back", "StatefulSet", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}),
        app("owned", "StatefulSet"),
        app("leaving"),
        app("frozen"),
        app("homeless", pod={"serviceAccountName": "robot"}),
        app("dataless", pod=claim("gone")),
        app("full", node="node-4", cpu=MOST),
        app("surging", "DaemonSet", "node-5", MOST, updateStrategy={"type": "RollingUpdate", **SPARE}),
        app("cordoned", "StatefulSet", "node-6"),
        app("tainted", node="node-7", strategy=FREEING),
        app("apart", replicas=2, pod=pool("apart", **apart("apart"))),
        app("skewed", replicas=2, pod=pool("spread", **spread("skewed"))),
        app("port", node="node-1", main=port(8080)),
        app("exclusive", pod=claim("exclusive")),
        app("fits", node="node-3", cpu=HALF),
        app("near", pod=pool("near", **apart("near", "podAffinity", **HASH))),
        app("new", replicas=2, pod=pool("new", **apart("new", **HASH))),
        app("even", replicas=2, pod=pool("new", **spread("even"))),
        app("frees", node="node-17", cpu=MOST, strategy=FREEING),
    ]


def volume(name, mode):
    """A volume that is bound to a claim of this name."""
    size, where = {"storage": "1Gi"}, {"namespace": "main", "name": name}
    common = {"accessModes": [mode], "storageClassName": ""}
    return (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {**common, "capacity": size, "hostPath": {"path": "/tmp"}, "claimRef": where},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": where,
            "spec": {**common, "resources": {"requests": size}, "volumeName": name},
        },
    )


def apply(cluster, *items):
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))


def object_of(kind, namespace, name, **more):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"namespace": namespace, "name": name}, **more}


@pytest.fixture(scope="module")
def own_cluster(lab):
    """A cluster with nodes that nobody else uses."""
    (found,) = lab.up(["preflight"])
    found.add_nodes(NODES - 3, ["a", "b", "c"])
    found.apply((RBAC / "cluster.yml").read_text())
    api = Namespace(found, None, "main").api
    for name, members in POOLS.items():
        for number in members:
            api.request("PATCH", f"/api/v1/nodes/node-{number}", {"metadata": {"labels": {"pool": name}}})
    api.request("PATCH", "/api/v1/nodes/node-12", {"spec": {"unschedulable": True}})  # the last one of its pool
    yield found
    lab.down(["preflight"])


def binding(namespace, role):
    subject = {"kind": "ServiceAccount", "name": "restartx", "namespace": JOURNALS}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": ref,
        "subjects": [subject],
    }


@pytest.fixture(scope="module")
def restartx(own_cluster, tmp_path_factory):
    """restartx with exactly own_cluster.yml, and namespace.yml in each namespace; see `grant_preflight`."""
    for name in (*NAMESPACES, "six"):
        apply(own_cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        own_cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
    path = tmp_path_factory.mktemp("preflight") / "kubeconfig"
    return Operator(own_cluster.service_account_kubeconfig(JOURNALS, "restartx", path))


def grant_preflight(cluster):
    """rbac/preflight.yml, with its two unbound roles in each namespace as the file says."""
    cluster.apply((RBAC / "preflight.yml").read_text())
    roles = ("restartx-preflight-references", "restartx-preflight-pods")
    apply(cluster, *(binding(name, role) for name in (*NAMESPACES, "six") for role in roles))


@pytest.fixture(scope="module")
def six(own_cluster, restartx):
    """A namespace with two workloads of each kind that refer to ConfigMaps, Secrets and claims, rolled out."""
    items = [
        object_of("ConfigMap", "six", "settings", data={"a": "b"}),
        object_of("Secret", "six", "keys", data={}),
        *volume_in("six", "six"),
    ]
    volumes = [
        {"name": "c", "configMap": {"name": "settings"}},
        {"name": "s", "secret": {"secretName": "keys"}},
        {"name": "p", "persistentVolumeClaim": {"claimName": "six"}},
    ]
    for kind in KINDS:
        for number in range(2):
            one = app(f"{kind.lower()}-{number}", kind, "node-18", pod={"volumes": volumes})
            one["metadata"]["namespace"] = "six"
            one["spec"]["template"]["spec"]["nodeSelector"] = {HOST: "node-18"}
            items.append(one)
    apply(own_cluster, *items)
    namespace = Namespace(own_cluster, restartx, "six")
    namespace.rolled_out(*(f"{kind}/{kind.lower()}-{number}" for kind in KINDS for number in range(2)))
    return namespace


def volume_in(namespace, name):
    held, claimed = volume(name, "ReadWriteMany")
    held["spec"]["claimRef"] = claimed["metadata"] = {"namespace": namespace, "name": name}
    return held, claimed


@pytest.fixture(scope="module")
def limited(six):
    """What is found with exactly cluster.yml and namespace.yml."""
    return six.run("preflight", kind=list(KINDS), budgets="report")


@pytest.fixture(scope="module")
def granted(own_cluster, limited):
    """From now on, restartx has the roles of preflight.yml."""
    grant_preflight(own_cluster)


@pytest.fixture(scope="module")
def troubled(own_cluster, restartx, granted):
    """All workloads run, and then each gets its trouble."""
    main = Namespace(own_cluster, restartx, "main")
    apply(
        own_cluster,
        object_of("ServiceAccount", "main", "robot"),
        object_of("ConfigMap", "main", "owner"),
        *volume("exclusive", "ReadWriteOncePod"),
    )
    items = workloads()
    for one in items:
        one["metadata"]["namespace"] = "main"
    for name in NAMESPACES[1:]:
        one = app("app", node="node-19", cpu=None if name == "counted" else "2")
        one["metadata"]["namespace"] = name
        items.append(one)
    own_cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    main.rolled_out(
        *(
            f"{one['kind']}/{one['metadata']['name']}"
            for one in items
            if one["metadata"]["namespace"] == "main"
            and one["metadata"]["name"] not in NEVER_RUN
            and one["spec"].get("updateStrategy", {}).get("type") != "OnDelete"
        )
    )
    for name in NAMESPACES[1:]:
        Namespace(own_cluster, restartx, name).rolled_out("deployment/app")
    trouble(main)
    return main


def trouble(main):
    """What keeps each from being restarted."""
    api, apps = main.api, "/apis/apps/v1/namespaces/main"
    api.request("PATCH", f"{apps}/deployments/paused", {"spec": {"paused": True}})
    owner = {**OWNER, "uid": main.get("configmaps", "owner")["metadata"]["uid"]}
    api.request("PATCH", f"{apps}/statefulsets/owned", {"metadata": {"ownerReferences": [owner]}})
    api.request("PATCH", f"{apps}/deployments/leaving", {"metadata": {"finalizers": ["shop.example.com/wait"]}})
    api.request("DELETE", f"{apps}/deployments/leaving")
    api.request("DELETE", "/api/v1/namespaces/main/serviceaccounts/robot")
    api.request("PATCH", "/api/v1/nodes/node-6", {"spec": {"unschedulable": True}})
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    api.request("PATCH", "/api/v1/nodes/node-7", {"spec": {"taints": [taint]}})
    secure = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.request("PATCH", "/api/v1/namespaces/secure", {"metadata": {"labels": secure}})
    limits = [{"type": "Container", "max": {"cpu": "1"}}]
    quotas = {
        "counted": {"requests.memory": "1Gi"},
        "pods": {"pods": "1"},
        "requests": {"requests.cpu": "3"},
        "revisions": {"count/replicasets.apps": "1"},
    }
    apply(
        main.cluster,
        object_of("LimitRange", "small", "limits", spec={"limits": limits}),
        *(object_of("ResourceQuota", name, "quota", spec={"hard": hard}) for name, hard in quotas.items()),
    )
    for name in quotas:
        where = f"/api/v1/namespaces/{name}/resourcequotas/quota/status"
        wait_until(lambda where=where: api.request("GET", where)["status"].get("used"), "the quota to be counted")
    main.cluster.apply(FREEZE)
    trial = ("annotate", "deployment", "frozen", "trial=yes", "--overwrite", "--dry-run=server")
    wait_until(lambda: "frozen until Monday" in main.kubectl(*trial, check=False).stderr, "the policy to work")


@pytest.fixture(scope="module")
def found(troubled):
    """What the preflight finds."""
    began = now()
    result = troubled.operator.run("k8s_rollout_preflight", namespace=NAMESPACES, kind=list(KINDS), stop_on="never")
    changes = [
        event
        for event in troubled.cluster.requests(USER_AGENT, began)
        if event["verb"] not in READING
        and "dryRun=All" not in event["requestURI"]
        and "selfsubject" not in event["objectRef"]["resource"]
    ]
    assert not changes and not result["changed"]
    return result


@pytest.fixture(scope="module")
def came_of(troubled, found):
    """The outcome of a restart of each, tried all the same: by namespace and name."""
    result = troubled.operator.run(
        "k8s_rollout_restart", namespace=NAMESPACES, kind=list(KINDS), on_failure="continue", timeout="20s"
    )
    return {(one["namespace"], one["name"]): one for one in result["results"]}


def blockers(result, namespace, name):
    """The codes of the blockers of a workload, and of the quotas of its namespace."""
    about = f' "{name}" in namespace "{namespace}"'
    quota = f'quota "quota" in namespace "{namespace}"'
    return {
        one["code"]
        for one in result["findings"]
        if one["severity"] == "blocker" and (one["object"].endswith(about) or one["object"] == quota)
    }


@pytest.mark.parametrize("where", EXPECTED, ids="/".join)
def test_the_preflight_finds_what_stops_a_restart_and_nothing_else(found, where):
    expected = EXPECTED[where]
    assert blockers(found, *where) == ({expected} if expected else set()), found["findings"]


@pytest.mark.parametrize("where", EXPECTED, ids="/".join)
def test_the_restart_goes_as_predicted(came_of, where):
    outcome = came_of[where]["outcome"]
    good = ("restarted",) if EXPECTED[where] is None else ("refused", "failed", "unfinished")
    assert outcome in good, came_of[where]


def test_nobody_else_is_blamed_and_nothing_is_unchecked(found):
    codes = {one["code"] for one in found["findings"]}
    assert "not_checked" not in codes and "permission_missing" not in codes
    assert found["summary"]["blocker"] == sum(code is not None for code in EXPECTED.values())


def test_without_the_roles_of_the_preflight_one_note_names_what_was_not_checked(limited):
    assert not limited.get("failed")
    (note,) = [one for one in limited["findings"] if one["code"] == "not_checked"]
    assert note["severity"] == "note"
    namespaced = (
        "resourcequotas",
        "persistentvolumeclaims",
        "poddisruptionbudgets",
        "horizontalpodautoscalers",
        "configmaps",
        "secrets",
        "dry runs of pods",
    )
    everywhere, in_namespace = note["sentence"].partition(": ")[2].split("; ")
    assert set(everywhere.split(", ")) == {"nodes", "pods", "persistentvolumes"}
    assert set(in_namespace.removeprefix("in namespace six: ").split(", ")) == set(namespaced)
    assert {one["severity"] for one in limited["findings"]} <= {"note", "risk"}


def test_a_secret_or_config_map_that_is_gone_is_named(six, granted):
    assert not six.run("preflight", kind=list(KINDS)).get("failed")
    six.kubectl("delete", "configmap/settings", "secret/keys")
    result = six.run("preflight", kind=["DaemonSet"])
    assert result["failed"] and "blocker missing_reference: " in result["msg"]
    missing = [one for one in result["findings"] if one["code"] == "missing_reference"]
    assert len(missing) == 4 and all('"settings"' in one["sentence"] or '"keys"' in one["sentence"] for one in missing)
    apply(
        six.cluster,
        object_of("ConfigMap", "six", "settings", data={"a": "b"}),
        object_of("Secret", "six", "keys", data={}),
    )


def test_reading_takes_few_requests_however_many_workloads(six, granted):
    began = now()
    result = six.run("preflight", kind=list(KINDS))
    assert result["summary"].keys() <= {"risk", "note"} and len(result["results"]) == 6
    sent = six.cluster.requests(USER_AGENT, began)
    dry = [one for one in sent if "dryRun=All" in one["requestURI"]]
    of_namespace = [one for one in sent if one not in dry and one["objectRef"].get("namespace") == "six"]
    of_cluster = [one for one in sent if one not in dry and one not in of_namespace]
    assert len(dry) == 12  # a restart and a pod for each workload
    assert len(of_namespace) <= 12, [one["requestURI"] for one in of_namespace]
    assert len(of_cluster) <= 12, [one["requestURI"] for one in of_cluster]
    assert len(sent) <= result["api_requests"] + 1


# -- through the playbook ----------------------------------------------------------------------------------------------


@pytest.fixture
def paused(shop):
    """A shop whose last Deployment on the second cluster is paused."""
    shop.namespaces["us-east"].kubectl("rollout", "pause", "deployment", "web")
    return shop


def test_a_blocker_stops_the_playbook_before_anything_is_touched_unless_it_may_go_on(paused):
    for more in (["--check"], []):
        code, said = paused.run("-e", "ticket=CHG5", *more)
        assert code == 2, said
        assert "nothing was touched, because the check failed us-east: " in said
        assert f'deployment "web" in namespace "{paused.name}" is paused' in said
        assert paused.untouched()
    code, said = paused.run("-e", "ticket=CHG5", "-e", "restartx_stop_on=never")
    assert code == 2, said
    assert "eu-west: 3 restarted" in said
    assert "us-east: 1 refused, 2 not started" in said, said
    assert not paused.restarted("us-east")


def test_a_risk_stops_the_playbook_on_demand_and_one_that_the_plan_accepts_does_not(shop):
    code, said = shop.run("-e", "ticket=CHG6", "-e", "restartx_stop_on=risk")
    assert code == 2 and shop.untouched(), said
    assert "risk no_readiness_probe: " in said
    reason = "the shop serves as soon as it runs"
    shop.plan["accept"] = [{"finding": "no_readiness_probe", "reason": reason}]
    code, said = shop.run("-e", "ticket=CHG6", "-e", "restartx_stop_on=risk")
    assert code == 0, said
    assert shop.restarted("eu-west") == ["api", "pay", "web"]
    (held,) = shop.journal_maps("eu-west")
    assert json.loads(held["data"]["plan.json"])["accept"] == [{"finding": "no_readiness_probe", "reason": reason}]
