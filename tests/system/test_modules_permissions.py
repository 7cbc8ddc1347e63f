# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said when a permission is missing, and that the shipped roles hold no more than is needed."""

from __future__ import annotations

import re

import pytest
import yaml
from house import ROOT, RUN, USER_AGENT, Namespace, Operator, entry_of, now, outcomes, patches, workload

GROUPS = {
    "deployments": "apps",
    "statefulsets": "apps",
    "daemonsets": "apps",
    "replicasets": "apps",
    "controllerrevisions": "apps",
    "pods": "",
    "pods/log": "",
    "events": "",
    "poddisruptionbudgets": "policy",
}


def shipped(name="restartx-restart", file="cluster.yml"):
    """The permissions of a shipped ClusterRole, as {resource: verbs}."""
    roles = yaml.safe_load_all((ROOT / "rbac" / file).read_text())
    (role,) = [role for role in roles if role["kind"] == "ClusterRole" and role["metadata"]["name"] == name]
    return {resource: list(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}


@pytest.fixture
def hire(cluster, namespace, tmp_path):
    """Makes an operator of this namespace with the shipped permissions except for those given."""

    def make(**lacking):
        rules = [
            {
                "apiGroups": [GROUPS[resource]],
                "resources": [resource],
                "verbs": [v for v in verbs if v not in lacking.get(resource, ())],
            }
            for resource, verbs in {**shipped(), **shipped("restartx-budgets", "budgets.yml")}.items()
        ]
        meta = {"name": "novice", "namespace": namespace.name}
        rbac = "rbac.authorization.k8s.io"
        items = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": [r for r in rules if r["verbs"]]},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "novice"},
                "subjects": [{"kind": "ServiceAccount", **meta}],
            },
        ]
        namespace.create(*items, ready=False)
        path = cluster.service_account_kubeconfig(namespace.name, "novice", tmp_path / "novice")
        return Namespace(cluster, Operator(path), namespace.name)

    return make


def user(namespace):
    return f'User "system:serviceaccount:{namespace.name}:novice"'


ROLES = "the roles in the collection's folder rbac hold all that is needed"


def test_without_list_the_call_fails_before_anything_else(namespace, hire):
    namespace.create(workload("Deployment", "api"))
    novice = hire(deployments=("list",))
    result = novice.run("restart")
    assert result["failed"] and not result["changed"]
    where = f'deployments.apps in namespace "{namespace.name}"'
    assert result["msg"] == f"{user(namespace)} may not list {where} (403 Forbidden): grant list on {where}; {ROLES}"
    assert RUN not in namespace.annotations("Deployment", "api")


@pytest.mark.parametrize("check", [False, True])
def test_without_patch_nothing_is_changed_and_the_others_do_not_start(namespace, hire, check):
    namespace.create(workload("Deployment", "api"), workload("Deployment", "web"))
    novice, began = hire(deployments=("patch",)), now()
    result = novice.run("restart", max_parallel=1, check=check)
    assert outcomes(result) == {"api": "failed", "web": "not_started"}
    assert result["failed"] and not result["changed"]
    message = entry_of(result, "api")["message"]
    assert message.startswith(f"{user(namespace)} may not patch deployments.apps ")
    assert f'in namespace "{namespace.name}" (403 Forbidden): grant patch on deployments.apps' in message
    assert patches(namespace.cluster, began, code=200) == []


def test_without_budgets_nothing_is_touched_unless_they_are_only_reported(namespace, hire):
    strategy = {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    namespace.create(workload("Deployment", "api", strategy=strategy))
    novice, began = hire(poddisruptionbudgets=("list",)), now()
    result = novice.run("restart")
    assert result["failed"] and not result["changed"] and patches(namespace.cluster, began) == []
    where = f'poddisruptionbudgets.policy in namespace "{namespace.name}"'
    assert f"{user(namespace)} may not list {where} (403 Forbidden)" in result["msg"]
    assert result["msg"].endswith(
        "nothing was touched: an administrator can grant it with kubectl --context eu-west apply -f rbac/budgets.yml, "
        "or set budgets: report"
    )
    result = novice.run("restart", wait=False, budgets="report")
    assert outcomes(result) == {"api": "restarted"} and "is not known in namespace" in result["warnings"][0]


def test_without_watch_nothing_is_changed(namespace, hire):
    namespace.create(workload("Deployment", "api"), workload("StatefulSet", "cache"))
    novice, began = hire(deployments=("watch",)), now()
    result = novice.run("restart")
    assert outcomes(result) == {"api": "not_started"}
    assert result["failed"] and not result["changed"]
    where = f'deployments.apps in namespace "{namespace.name}"'
    assert f"{user(namespace)} may not watch {where} (403 Forbidden): grant watch on {where}" in result["msg"]
    assert patches(namespace.cluster, began) == []
    assert outcomes(novice.run("restart", wait=False)) == {"api": "restarted"}  # nobody needs to watch


@pytest.mark.parametrize("lacking", ["pods", "events"])
def test_without_what_tells_causes_the_cause_is_missing_and_says_why(namespace, hire, lacking):
    namespace.create(workload("Deployment", "api", labels={"lab.restartx.io/failure": "never-ready"}), ready=False)
    result = hire(**{lacking: ("list",)}).run("restart", timeout="2s")
    assert outcomes(result) == {"api": "unfinished"}
    assert entry_of(result, "api")["cause"] is None
    where = f'{lacking} in namespace "{namespace.name}"'
    (warning,) = result["warnings"]
    assert warning.startswith(f"no cause for Deployment {namespace.name}/api: {user(namespace)} may not list {where}")


def test_without_logs_the_cause_is_told_without_them(namespace, hire):
    for name in ("api", "web"):
        broken = workload("Deployment", name, labels={"lab.restartx.io/failure": "never-ready"})
        namespace.create(broken, ready=False)
    result = hire(**{"pods/log": ("get",)}).run("restart", timeout="2s", on_failure="continue")
    for name in ("api", "web"):
        cause = entry_of(result, name)["cause"]
        assert (cause["code"], cause["log"]) == ("readiness_probe", [])
    (warning,) = result["warnings"]
    assert f"{user(namespace)} may not get pods/log" in warning
    assert f'grant get on pods/log in namespace "{namespace.name}"' in warning


@pytest.mark.parametrize("kind, resource", [("Deployment", "replicasets"), ("StatefulSet", "controllerrevisions")])
def test_without_the_history_undo_changes_nothing(namespace, hire, kind, resource):
    namespace.create(workload(kind, "api"))
    namespace.run("restart", kind=kind, wait=False)
    novice = hire(**{resource: ("list",)})
    result = novice.run("undo", kind=kind)
    assert outcomes(result) == {"api": "failed"} and not result["changed"]
    where = f'{resource}.apps in namespace "{namespace.name}"'
    assert entry_of(result, "api")["message"].startswith(f"{user(namespace)} may not list {where}")
    history = novice.run("history", kind=kind)
    assert history["msg"].startswith(f"{user(namespace)} may not list {where}")


def test_without_the_clusters_identity_a_pinned_uid_is_not_taken_on_trust(namespace, hire):
    namespace.create(workload("Deployment", "api"))
    novice = hire()
    assert novice.run("restart", wait=False)["cluster"]["uid"] is None
    uid = namespace.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout
    result = novice.run("restart", cluster_uid=uid)
    assert result["failed"] and "(may not be read)" in result["msg"] and uid in result["msg"]


def test_another_namespace_stays_closed(namespace, operator):
    result = operator.run("k8s_rollout_restart", namespace=["kube-system"], name="coredns")
    assert result["msg"].startswith(
        'User "system:serviceaccount:restartx-system:restartx" may not list deployments.apps in namespace "kube-system"'
    )
    both = operator.run("k8s_rollout_restart", namespace=[namespace.name, "kube-system"], allow_empty=True)
    assert both["failed"] and not both["changed"]


def test_impersonation_is_named_where_it_is_not_allowed(namespace):
    result = namespace.run("status", impersonate_user="root")
    # Kubernetes 1.37 asks for a permission on what is done as somebody else; older servers for one on users.
    assert re.search(r'restartx-system:restartx" may not impersonate.* grant impersonate', result["msg"])


def test_the_shipped_role_holds_nothing_that_no_module_uses(namespace):
    """Each verb of it is asked for by what the modules do here."""
    namespace.create(
        workload("Deployment", "api"),
        workload("StatefulSet", "cache"),
        workload("DaemonSet", "edge"),
        workload("Deployment", "bad", labels={"lab.restartx.io/failure": "never-ready"}),
        ready=False,
    )
    namespace.rolled_out("deployment/api", "statefulset/cache", "daemonset/edge")
    began, kinds = now(), ["Deployment", "StatefulSet", "DaemonSet"]
    namespace.run("restart", kind=kinds, timeout="10s", on_failure="continue", run_id="r1")
    namespace.run("undo", kind=kinds, name=["api", "cache", "edge"])
    asked = {
        (
            "/".join(event["objectRef"][part] for part in ("resource", "subresource") if part in event["objectRef"]),
            event["verb"],
        )
        for event in namespace.cluster.requests(USER_AGENT, began)
        if event["objectRef"].get("namespace") == namespace.name
    }
    granted = {
        (resource, verb)
        for resource, verbs in {**shipped(), **shipped("restartx-budgets", "budgets.yml")}.items()
        for verb in verbs
    }
    assert asked <= granted
    # A workload is read alone only after a conflict: see test_modules_interference.py.
    assert granted - asked == {(plural, "get") for plural in ("deployments", "statefulsets", "daemonsets")}
