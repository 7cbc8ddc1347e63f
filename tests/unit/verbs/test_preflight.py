# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the preflight asks of a cluster, and what it makes of answers that it does not get."""

from __future__ import annotations

import calling
import pytest
from simulation import FakeCluster, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Invalid, NotFound
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError

PLAN = {
    "version": 1,
    "name": "ca",
    "defaults": {"namespace": "shop"},
    "workloads": [{"id": "core", "name": ["cart"]}, {"id": "web", "name": ["web"], "after": ["core"]}],
}
WEBHOOK = 'admission webhook "audit.example.com" does not support dry run'
BUDGETS = ("list", "poddisruptionbudgets")
GRANTED = {"verbs": ["get", "list", "watch", "patch"], "apiGroups": ["apps"], "resources": ["deployments"]}


def cluster_of(*workloads):
    return FakeCluster(workloads or [deployment("cart"), deployment("web")])


def look(cluster, **options):
    return calling.run("k8s_rollout_preflight", cluster, **{"namespace": "shop", **options})


def look_at_plan(cluster, **more):
    return calling.run("k8s_rollout_preflight", cluster, plan={**PLAN, **more})


def found(result, code):
    return [one for one in result["findings"] if one["code"] == code]


def refuse(*plurals, error=None):
    """Refuses to list these."""
    error = error or Forbidden("not for you", status=403)
    return lambda verb, path: error if verb == "list" and path.rpartition("/")[2] in plurals else None


def held(cluster, name):
    return cluster.objects[kinds.path("Deployment", "shop", name)]


def refers(one):
    """The workload refers to a Secret, a ConfigMap and a claim."""
    one["spec"]["template"]["spec"]["volumes"] = [
        {"name": "s", "secret": {"secretName": "keys"}},
        {"name": "c", "configMap": {"name": "settings"}},
        {"name": "p", "persistentVolumeClaim": {"claimName": "data"}},
    ]
    return one


def test_findings_are_returned_the_worst_first_and_nothing_is_changed():
    cluster = cluster_of(deployment("cart"), deployment("web"))
    held(cluster, "web")["spec"]["paused"] = True
    result = look(cluster)
    assert [one["severity"] for one in result["findings"]] == ["blocker", "risk", "note"]
    assert result["summary"] == {"blocker": 1, "risk": 1, "note": 1}
    assert result["msg"].startswith("blocker paused: can't restart paused deployment") and not result.get("changed")
    assert {one["name"]: one["outcome"] for one in result["results"]} == {"cart": "planned", "web": "refused"}
    assert cluster.patches == [] and all(set(one) >= {"object", "advice", "accepted"} for one in result["findings"])


@pytest.mark.parametrize("stop_on, fails", [("blocker", False), ("risk", True), ("never", False)])
def test_which_findings_fail_the_module(stop_on, fails):
    result = look(cluster_of(), stop_on=stop_on)
    assert found(result, "no_readiness_probe") and ("msg" in result) == fails


def test_a_finding_that_the_plan_accepts_does_not_stop_and_has_the_reason():
    cluster = cluster_of()
    held(cluster, "web")["spec"]["paused"] = True
    accept = [{"finding": "paused", "reason": "web is resumed by hand"}]
    result = look_at_plan(cluster, accept=accept)
    assert found(result, "paused")[0]["accepted"] == "web is resumed by hand" and "msg" not in result
    assert found(result, "no_readiness_probe")[0]["accepted"] is None


@pytest.mark.parametrize("module", ["k8s_rollout_preflight", "k8s_rollout_plan"])
def test_a_code_that_does_not_exist_is_refused_with_what_is_meant(module):
    plan = {**PLAN, "accept": [{"finding": "one_replicas", "reason": "small"}]}
    with pytest.raises(
        PlanError, match=r"restart_plan\.accept\[0\]\.finding: one_replicas is unknown; did you mean .one_replica.\?"
    ):
        calling.run(module, cluster_of(), plan=plan)


OPTIONAL = [
    "nodes",
    "resourcequotas",
    "poddisruptionbudgets",
    "horizontalpodautoscalers",
    "persistentvolumeclaims",
    "persistentvolumes",
    "configmaps",
    "secrets",
]


def test_all_that_may_not_be_read_is_one_note_and_no_failure():
    cluster = cluster_of(refers(deployment("cart")), refers(deployment("web")))
    cluster.fail = refuse(*OPTIONAL)
    cluster.denied = {("create", "pods")}
    result = look(cluster)
    (note,) = found(result, "not_checked")
    assert note["severity"] == "note" and "msg" not in result
    assert "apply -f rbac/preflight.yml" in note["advice"]
    for what in [*OPTIONAL, "dry runs of pods"]:
        assert what in note["sentence"]
    assert not found(result, "missing_reference") and not found(result, "pod_refused")


@pytest.mark.parametrize("plural", OPTIONAL)
def test_one_thing_that_may_not_be_read_is_named_alone(plural):
    cluster = cluster_of(refers(deployment("cart")))
    cluster.fail = refuse(plural)
    (note,) = found(look(cluster), "not_checked")
    where = "" if plural in ("nodes", "persistentvolumes") else "in namespace shop: "
    assert note["sentence"].endswith(f"not checked: {where}{plural}")


def test_pods_of_the_namespaces_are_read_if_those_of_all_may_not_be():
    cluster = cluster_of()
    cluster.fail = lambda verb, path: Forbidden("no", status=403) if path == "/api/v1/pods" else None
    (note,) = found(look(cluster), "not_checked")
    assert note["sentence"].endswith("not checked: pods")
    assert cluster.lists.count("/api/v1/namespaces/shop/pods") == 1


def test_a_kind_of_object_that_the_cluster_does_not_have_is_nothing_unread():
    cluster = cluster_of()
    cluster.fail = refuse("horizontalpodautoscalers", error=NotFound("no such thing", status=404))
    assert not found(look(cluster), "not_checked")


def test_each_kind_of_object_is_read_once_for_a_namespace():
    cluster = cluster_of(*(refers(deployment(f"app{number}")) for number in range(5)))
    look(cluster)
    assert len(cluster.lists) == len(set(cluster.lists)) <= 12
    assert sum("/namespaces/shop/" in path for path in cluster.lists) <= 12


def test_a_pod_that_may_not_be_made_is_asked_for_once_in_a_namespace():
    cluster = cluster_of(deployment("cart"), deployment("web"), deployment("cart", "spare"), deployment("web", "spare"))
    cluster.denied = {("create", "pods")}
    (note,) = found(look(cluster, namespace=["shop", "spare"]), "not_checked")
    assert note["sentence"].endswith("not checked: in namespace shop, spare: dry runs of pods")
    assert sorted(path for verb, path in cluster.asked if verb == "create" and path.endswith("/pods")) == [
        "/api/v1/namespaces/shop/pods",
        "/api/v1/namespaces/spare/pods",
    ]


def test_a_webhook_that_takes_part_in_no_dry_run_says_nothing_about_a_restart():
    cluster = cluster_of()
    cluster.fail = lambda verb, path: Invalid(WEBHOOK, status=400, refusal=WEBHOOK) if verb == "patch" else None
    result = look(cluster)
    (note,) = found(result, "not_checked")
    assert note["sentence"].endswith("not checked: dry runs of restarts (a webhook does not support them)")
    assert "msg" not in result and {one["outcome"] for one in result["results"]} == {"planned"}


def test_a_webhook_that_takes_part_in_no_dry_run_says_nothing_about_pods():
    cluster = cluster_of()
    cluster.fail = lambda verb, path: (
        Invalid(WEBHOOK, status=400, refusal=WEBHOOK) if path.endswith("/pods") and verb == "create" else None
    )
    result = look(cluster)
    (note,) = found(result, "not_checked")
    assert note["sentence"].endswith("in namespace shop: dry runs of pods (a webhook does not support them)")
    assert not found(result, "pod_refused") and "msg" not in result


@pytest.mark.parametrize(
    "said, expected",
    [
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', ["pod_refused"]),
        ('pods "x" is forbidden: failed quota: q: must specify requests.cpu', ["pod_refused"]),
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', []),
    ],
)
def test_what_the_server_says_of_a_pod(said, expected):
    cluster = cluster_of(deployment("cart"))
    error = Forbidden(f"jane may not create pods: {said}", status=403, refusal=said)
    cluster.fail = lambda verb, path: error if verb == "create" and path.endswith("/pods") else None
    result = look(cluster)
    assert [one["code"] for one in result["findings"] if one["severity"] == "blocker"] == expected
    assert not found(result, "not_checked")


def test_a_restart_that_is_refused_is_a_blocker_and_its_pod_is_not_tried():
    cluster = cluster_of(deployment("cart"))
    cluster.fail = lambda verb, path: Invalid("frozen until Monday", status=422) if verb == "patch" else None
    result = look(cluster)
    assert [one["code"] for one in result["findings"]] == ["patch_refused"]
    assert ("create", "/api/v1/namespaces/shop/pods") not in cluster.asked


def test_permissions_that_the_rules_grant_are_not_asked_one_by_one():
    cluster = cluster_of()
    cluster.rules = [GRANTED]
    look(cluster)
    asked = set(cluster.reviewed)
    assert ("patch", "deployments") not in asked and ("list", "deployments") not in asked
    assert asked == {("list", "replicasets"), ("list", "pods"), ("watch", "pods"), ("list", "events"), BUDGETS}
    assert sum("/selfsubjectrulesreviews" in path for _verb, path in cluster.asked) == 1


def test_a_wildcard_grants_everything():
    cluster = cluster_of()
    cluster.rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    assert look(cluster)["findings"] and cluster.reviewed == []


@pytest.mark.parametrize(
    "less",
    [
        {"resourceNames": ["cart"]},
        {"apiGroups": [""]},
        {"resources": ["deployments/scale"]},
        {"verbs": ["get", "list", "watch"]},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_rule_that_grants_less_is_not_enough(less):
    cluster = cluster_of()
    cluster.rules = [{**GRANTED, **less}]
    cluster.denied = {("patch", "deployments")}
    result = look(cluster)
    (missing,) = found(result, "permission_missing")
    assert "to patch deployments.apps in namespace shop" in missing["sentence"]
    assert missing["severity"] == "blocker" and "apply -f rbac/cluster.yml" in missing["advice"]
    assert result["msg"].startswith("blocker permission_missing: ")


def test_without_the_review_of_rules_each_permission_is_asked_for():
    cluster = cluster_of()
    error = NotFound("no such thing", status=404)
    cluster.fail = lambda verb, path: error if "selfsubjectrulesreviews" in path else None
    assert not found(look(cluster), "permission_missing") and ("patch", "deployments") in cluster.reviewed


def test_a_plan_needs_journals_and_a_selection_does_not():
    cluster = cluster_of()
    cluster.namespaces = set()
    cluster.denied = {("create", "leases")}
    assert not found(look(cluster), "no_journal_namespace") and not found(look(cluster), "permission_missing")
    result = look_at_plan(cluster)
    (finding,) = found(result, "no_journal_namespace")
    assert "restartx-system" in finding["sentence"] and finding["advice"] and finding["severity"] == "blocker"
    assert "create leases" in found(result, "permission_missing")[0]["sentence"]


def test_a_plan_and_a_selection_are_not_combined():
    with pytest.raises(Exception, match="plan"):
        calling.run("k8s_rollout_preflight", cluster_of(), plan=PLAN, namespace="shop")


def test_entries_that_wait_for_each_other_do_not_surge_at_once():
    cluster = cluster_of()
    quota = {
        "metadata": {"name": "q", "namespace": "shop"},
        "spec": {"hard": {"pods": "5"}},
        "status": {"used": {"pods": "4"}},
    }
    cluster.objects["/api/v1/namespaces/shop/resourcequotas/q"] = quota
    assert found(look(cluster), "quota")[0]["severity"] == "risk"
    assert not found(look(cluster, max_parallel=1), "quota")
    assert not found(look_at_plan(cluster), "quota")


def test_the_check_of_a_plan_returns_the_same_findings():
    cluster = cluster_of(deployment("cart"), deployment("web"), workload("StatefulSet", "redis"))
    checked = calling.run("k8s_rollout_plan", cluster, plan=PLAN)
    assert checked["findings"] == [{**one, "count": 1} for one in look_at_plan(cluster)["findings"]] != []


def test_the_check_of_many_workloads_names_three_of_each_code_and_counts_the_others():
    cluster = cluster_of(*(deployment(f"app{number}") for number in range(10)))
    plan = {**PLAN, "workloads": [{"id": "all"}]}
    checked = calling.run("k8s_rollout_plan", cluster, plan=plan)["findings"]
    told = [one for one in checked if one["code"] == "no_readiness_probe"]
    assert [one["count"] for one in told] == [1, 1, 1, 7]
    assert (told[3]["severity"], told[3]["object"]) == ("risk", "7 more workloads")


def test_every_blocker_of_a_check_is_named():
    cluster = cluster_of(*(deployment(f"app{number}") for number in range(10)))
    for number in range(10):
        held(cluster, f"app{number}")["spec"]["paused"] = True
    checked = calling.run("k8s_rollout_plan", cluster, plan={**PLAN, "workloads": [{"id": "all"}]})["findings"]
    assert len([one for one in checked if one["code"] == "paused"]) == 10
