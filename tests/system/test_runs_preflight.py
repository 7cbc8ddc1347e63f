# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that cannot be carried out is refused before anything is touched, and by --check alike."""

from __future__ import annotations

import json

import pytest
import yaml
from house import ROOT, USER_AGENT, Namespace, Operator, now, workload
from prod import CLUSTERS, JOURNALS

from lab.poll import wait_until

READING = {"get", "list", "watch"}
GRANTED = "rbac.authorization.k8s.io"
RESTART = "restartx-restart"
JOURNAL = "restartx-journal"
BUDGETS = "restartx-budgets"
LOGS = "pods/log"  # which one may leave out: causes then come without them


def shipped(kind, name):
    """The rules of a role of rbac/cluster.yml or rbac/budgets.yml."""
    files = ((ROOT / "rbac" / name).read_text() for name in ("cluster.yml", "budgets.yml"))
    found = (one for file in files for one in yaml.safe_load_all(file))
    (role,) = [one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return role["rules"]


def permissions(kind, name):
    """Each verb on each resource that a role grants: (group, resource, verb)."""
    return [
        (rule["apiGroups"][0], resource, verb)
        for rule in shipped(kind, name)
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource != LOGS
    ]


def without(rules, group, resource, verb):
    """The rules, except for one verb on one resource."""
    left = []
    for rule in rules:
        if group not in rule["apiGroups"] or resource not in rule["resources"]:
            left.append(rule)
            continue
        others = [one for one in rule["resources"] if one != resource]
        left += [{**rule, "resources": others}] if others else []
        verbs = [one for one in rule["verbs"] if one != verb]
        left += [{**rule, "resources": [resource], "verbs": verbs}] if verbs else []
    return left


@pytest.fixture(scope="module")
def shop_of_all_kinds(cluster, operator, make_namespace):
    """A namespace with a workload of each kind, and the plan that restarts them."""
    namespace = Namespace(cluster, operator, make_namespace("kinds"))
    for kind, name in (("Deployment", "api"), ("StatefulSet", "cache"), ("DaemonSet", "edge")):
        namespace.create(workload(kind, name), ready=False)
    workloads = [
        {"id": name, "kind": kind, "name": name}
        for kind, name in (("Deployment", "api"), ("StatefulSet", "cache"), ("DaemonSet", "edge"))
    ]
    defaults = {"namespace": namespace.name}
    return namespace, {"version": 1, "name": namespace.name, "defaults": defaults, "workloads": workloads}


@pytest.fixture(scope="module")
def hire(shop_of_all_kinds, tmp_path_factory):
    """Somebody of his own, whose roles are those of rbac/ except for one permission."""
    namespace, _plan = shop_of_all_kinds
    folder = tmp_path_factory.mktemp("novices")

    def make(kind, role, permission):
        name = f"novice-{'-'.join(part or 'core' for part in permission).replace('.', '-')}-{role}"[:60]
        lacking = {(kind, role): permission}
        items = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": JOURNALS}}]
        for where, of_kind, of_role in (
            (namespace.name, "ClusterRole", RESTART),
            (namespace.name, "ClusterRole", BUDGETS),
            (JOURNALS, "Role", JOURNAL),
            (None, "ClusterRole", "restartx-identity"),
        ):
            rules = shipped(of_kind, of_role)
            if (of_kind, of_role) in lacking:
                rules = without(rules, *lacking[of_kind, of_role])
            scope = "" if where else "Cluster"
            meta = {"name": f"{name}-{of_role}", **({"namespace": where} if where else {})}
            subject = {"kind": "ServiceAccount", "name": name, "namespace": JOURNALS}
            ref = {"apiGroup": GRANTED, "kind": f"{scope}Role", "name": meta["name"]}
            head = {"apiVersion": f"{GRANTED}/v1", "metadata": meta}
            items += [
                {**head, "kind": f"{scope}Role", "rules": rules},
                {**head, "kind": f"{scope}RoleBinding", "roleRef": ref, "subjects": [subject]},
            ]
        namespace.cluster.kubectl(
            "create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        )
        return Operator(namespace.cluster.service_account_kubeconfig(JOURNALS, name, folder / name))

    return make


def written(cluster, since, user):
    """What somebody has written with restartx since then; a dry run writes nothing."""
    return [
        (event["verb"], event["objectRef"].get("name"))
        for event in cluster.requests(USER_AGENT, since)
        if event["user"]["username"] == f"system:serviceaccount:{JOURNALS}:{user}"
        and event["verb"] not in READING
        and "dryRun=All" not in event["requestURI"]
        and event["objectRef"]["resource"] not in ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
    ]


ALL = [
    (kind, role, permission)
    for kind, role in (("ClusterRole", RESTART), ("ClusterRole", BUDGETS), ("Role", JOURNAL))
    for permission in permissions(kind, role)
]


def test_the_plan_is_fit_for_whoever_has_the_shipped_roles(shop_of_all_kinds):
    namespace, plan = shop_of_all_kinds
    result = namespace.operator.run("k8s_rollout_plan", plan=plan)
    assert "msg" not in result
    assert result["summary"] == {"planned": 3}


@pytest.mark.parametrize("kind, role, permission", ALL, ids=lambda value: "-".join(value) if len(value) == 3 else None)
def test_each_missing_permission_is_named_before_anything_is_touched(shop_of_all_kinds, hire, kind, role, permission):
    namespace, plan = shop_of_all_kinds
    novice = hire(kind, role, permission)
    group, resource, verb = permission
    began = now()
    result = novice.run("k8s_rollout_plan", plan=plan)
    assert result["failed"] and not result["changed"]
    where = JOURNALS if kind == "Role" else namespace.name
    if (resource, verb) == ("deployments", "list") or (kind == "ClusterRole" and verb == "list" and group == "apps"):
        assert f"list {resource}" in result["msg"] or f"may not list {resource}" in result["msg"]
    else:
        what = f"{resource}.{group}" if group else resource
        assert (
            f"permission is missing on eu-west: to {verb} {what} in namespace {where}; an administrator can grant it with: "
            in (result["msg"])
        )
    assert written(namespace.cluster, began, novice.kubeconfig.name) == []


def test_through_the_playbook_one_missing_permission_on_one_cluster_stops_all(calm_shop):
    second = calm_shop.namespaces["us-east"].cluster
    rules = without(shipped("Role", JOURNAL), "", "configmaps", "delete")
    everything = shipped("Role", JOURNAL)
    change_role(second, rules)
    try:
        for more in (["--check"], []):
            code, said = calm_shop.run("-e", "ticket=CHG13", *more)
            assert code == 2, said
            assert "nothing was touched, because the check failed us-east: " in said
            assert f"permission is missing on us-east: to delete configmaps in namespace {JOURNALS}; " in said
            assert calm_shop.untouched()
    finally:
        change_role(second, everything)


def change_role(cluster, rules):
    body = json.dumps([{"op": "replace", "path": "/rules", "value": rules}])
    cluster.kubectl("patch", "role", JOURNAL, "--namespace", JOURNALS, "--type", "json", "--patch", body)


def test_the_namespace_of_the_journals_must_exist_on_every_cluster(calm_shop, lab):
    calm_shop.inventory["us-east"]["restartx_journal_namespace"] = "journals"
    code, said = calm_shop.run("-e", "ticket=CHG13", "--check")
    assert code == 2, said
    # Whoever has no role in a namespace is not told whether there is one.
    assert "nothing was touched, because the check failed us-east: permission is missing on us-east: " in said
    assert (
        'perhaps the namespace "journals" of the journals does not exist; an administrator can grant it with: ' in said
    )
    assert calm_shop.untouched()

    calm_shop.inventory["us-east"]["restartx_kubeconfig"] = str(lab.kubeconfig)  # the administrator's
    code, said = calm_shop.run("-e", "ticket=CHG13")
    assert code == 2, said
    assert 'us-east: the namespace "journals", which holds the journals and locks, does not exist; ' in said
    assert calm_shop.untouched()


FREEZE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: freeze-web}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAMESPACE}}
    objectSelector: {matchLabels: {app: web}}
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}]
  validations: [{expression: "false", message: "web is frozen until Monday"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: freeze-web}
spec: {policyName: freeze-web, validationActions: [Deny]}
"""


@pytest.fixture
def frozen(calm_shop):
    """A shop of which one workload may not be changed on one cluster."""
    namespace = calm_shop.namespaces["us-east"]
    namespace.cluster.apply(FREEZE.replace("NAMESPACE", calm_shop.name))
    trial = ("annotate", "deployment", "web", "trial=yes", "--overwrite", "--dry-run=server")
    wait_until(lambda: "frozen until Monday" in namespace.kubectl(*trial, check=False).stderr, "the policy to work")
    yield calm_shop
    namespace.cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "freeze-web")


def test_a_patch_that_admission_refuses_on_one_cluster_stops_all(frozen):
    for more in (["--check"], []):
        code, said = frozen.run("-e", "ticket=CHG13", *more)
        assert code == 2, said
        assert "nothing was touched, because the check failed us-east: " in said
        assert f"Deployment {frozen.name}/web" in said
        assert "web is frozen until Monday" in said
        assert frozen.untouched()
    for cluster in CLUSTERS:
        assert frozen.revisions(cluster) == {"api": 1, "pay": 1, "web": 1}
