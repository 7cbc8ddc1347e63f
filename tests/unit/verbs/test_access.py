# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is missing on a cluster is told at once, each with the commands that provide it."""

from __future__ import annotations

import datetime
from dataclasses import replace

import calling
import pytest
from simulation import START, Executor, FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Unauthorized, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, snapshots
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.verbs.grants import Grants
from ansible_collections.restartx.core.plugins.module_utils.verbs.required import Access

CLUSTER_ROLES = "kubectl --context simulated apply -f rbac/cluster.yml"
IN_SHOP = "kubectl --context simulated apply --namespace shop -f rbac/namespace.yml"
DAY = datetime.timedelta(days=1)


@pytest.fixture
def cluster():
    made = FakeCluster([])
    Executor(made)
    return made


def ask(cluster, **options):
    return calling.run("k8s_rollout_access", cluster, **options)


def warnings_of(cluster, **options):
    verb, call = calling.prepare("k8s_rollout_access", cluster, **options)
    calling.carry_out(verb, call)
    return call.warnings


def missing_in(result):
    return [(one["what"], one["commands"]) for one in result["missing"]]


def test_a_cluster_that_has_everything_is_told_of_without_a_message(cluster):
    result = ask(cluster, namespace=["shop"])
    assert result["missing"] == [] and "msg" not in result
    access = result["access"]
    assert (access["reachable"], access["version"], access["user"]) == (True, "v1.37.0", cluster.user)
    assert access["permissions"] == 18
    assert not [path for verb, path in cluster.asked if verb in ("patch", "delete", "replace")]


def test_everything_that_is_missing_is_told_together(cluster):
    cluster.denied = {("list", "pods"), ("watch", "pods"), ("patch", "deployments"), ("get", "namespaces")}
    cluster.namespaces = set()
    result = ask(cluster, namespace=["shop", "billing"], kind=["deploy"])
    assert missing_in(result) == [
        (
            "permission is missing to get the namespace kube-system, whose uid identifies the cluster",
            [CLUSTER_ROLES],
        ),
        *(
            (
                f"permission is missing in namespace {namespace}: to patch deployments.apps, to list and watch pods",
                [CLUSTER_ROLES, IN_SHOP.replace("shop", namespace)],
            )
            for namespace in ("shop", "billing")
        ),
        (
            'the namespace "restartx-system", which holds the journals and locks, does not exist',
            [CLUSTER_ROLES],
        ),
    ]
    assert result["msg"].startswith("4 things are missing on simulated: permission is missing to get the namespace")


def test_one_missing_thing_is_one_sentence_with_its_command(cluster):
    cluster.denied = {("create", "leases")}
    assert ask(cluster)["msg"] == (
        "permission is missing in namespace restartx-system: to create leases.coordination.k8s.io "
        f"(for an administrator: {CLUSTER_ROLES})"
    )


def test_the_kinds_and_namespaces_of_a_plan_are_checked(cluster):
    plan = {
        "version": 1,
        "name": "ca",
        "workloads": [
            {"id": "cache", "namespace": "data", "kind": "StatefulSet", "name": "redis"},
            {"id": "agents", "all_namespaces": True, "kind": "DaemonSet", "name": "agent"},
        ],
    }
    cluster.denied = {("list", "controllerrevisions"), ("watch", "daemonsets")}
    what = [one["what"] for one in ask(cluster, plan=plan)["missing"]]
    assert what == [
        "permission is missing in namespace data: to list controllerrevisions.apps",
        "permission is missing in all namespaces: to watch daemonsets.apps",
    ]
    assert ("patch", "deployments") not in cluster.reviewed


def between(order="zone", namespace="data", **more):
    entry = {"id": "db", "namespace": namespace, "kind": "StatefulSet", "name": "db"}
    return {"version": 1, "name": "ca", "workloads": [{**entry, "between_pods": {"order": order, **more}}]}


def test_what_restarts_pod_by_pod_need_is_checked_where_a_plan_uses_it(cluster):
    cluster.denied = {("create", "pods"), ("get", "pods"), ("get", "nodes"), ("create", "volumesnapshots")}
    assert not ask(cluster, namespace=["data"])["missing"]
    more = {"leader": {"http": {"port": 8008}}, "snapshot": {"class": "csi"}}
    no_api = ask(cluster, plan=between(**more))["missing"][-1]["what"]
    assert no_api.startswith(
        "the cluster simulated has no API snapshot.storage.k8s.io/v1, which snapshot of between_pods needs"
    )
    cluster.objects |= {snapshots.API: {}, f"{snapshots.API}/volumesnapshotclasses/csi": {}}
    result = ask(cluster, plan=between(namespace=["data", "shop"], **more))
    where, bind = (
        "permission is missing in namespaces data and shop: to",
        "kubectl --context simulated create rolebinding",
    )
    assert [one["what"] for one in result["missing"]] == [
        f"{where} create pods/eviction, which between_pods or a canary of the plan needs",
        f"{where} get pods/proxy, which between_pods or a canary of the plan needs",
        "permission is missing in all namespaces: to get nodes, which between_pods or a canary of the plan needs",
        f"{where} create volumesnapshots.snapshot.storage.k8s.io, which between_pods or a canary of the plan needs",
    ]
    commands = [one["commands"] for one in result["missing"]]
    assert [found[0].rpartition(" ")[2] for found in commands] == [
        f"rbac/{name}.yml" for name in ("between_pods", "leader_http", "zones", "snapshots")
    ]
    assert [len(found) for found in commands] == [3, 3, 1, 3]
    assert commands[0][1] == (
        f"{bind} restartx-between-pods-restartx --namespace data --clusterrole=restartx-between-pods "
        "--serviceaccount=restartx-system:restartx"
    )
    everywhere = between(**more)
    everywhere["workloads"][0] |= {"all_namespaces": True}
    del everywhere["workloads"][0]["namespace"]
    (one,) = ask(cluster, plan=everywhere)["missing"]  # of the namespaces nothing is known yet
    assert "to get nodes" in one["what"]
    cluster.user = "jane"
    nodes = ask(cluster, plan=between())["missing"][1]["commands"]
    assert (
        nodes[1]
        == "kubectl --context simulated create clusterrolebinding restartx-zones-jane --clusterrole=restartx-zones --user=jane"
    )


def test_a_partition_that_goes_down_pod_by_pod_needs_no_evictions(cluster):
    cluster.denied = {("create", "pods")}
    assert not ask(cluster, plan=between("ordinal"))["missing"]
    rolling, by_hand = workload("StatefulSet", "db", "data"), workload("StatefulSet", "db", "data")
    cluster.objects[kinds.path("StatefulSet", "data", "db")] = rolling
    assert not ask(cluster, plan=between("ordinal"))["missing"]
    by_hand["spec"]["updateStrategy"] = {"type": "OnDelete"}
    cluster.objects[kinds.path("StatefulSet", "data", "db")] = by_hand
    (one,) = ask(cluster, plan=between("ordinal"))["missing"]
    assert one["what"].startswith("permission is missing in namespace data: to create pods/eviction")
    assert ask(cluster, plan=between("ordinal", leader={"label": "a=b"}))["missing"]


def test_a_server_that_does_not_answer_is_the_one_thing_that_is_missing(cluster):
    cluster.fail = lambda verb, path: Unreachable("no answer: check the address") if path == "/version" else None
    result = ask(cluster, namespace=["shop"])
    assert missing_in(result) == [("no answer: check the address", [])]
    assert result["access"]["reachable"] is False
    assert result["access"]["credentials"] == "user restartx"
    assert cluster.asked == [("get", "/version")]


def test_what_is_known_is_told_although_the_credentials_are_refused(cluster):
    cluster.connection = replace(cluster.connection, certificate_expires=START - DAY)
    cluster.fail = lambda verb, path: Unauthorized("the client certificate expired; renew it", status=401)
    result = ask(cluster)
    assert result["msg"] == "the client certificate expired; renew it"
    assert result["access"]["client_certificate_expires"] == "2026-11-23T22:00:00Z"


def test_another_cluster_than_the_pinned_one_is_asked_for_no_permission(cluster):
    result = ask(cluster, cluster_uid="another", namespace=["shop"])
    assert "cluster_uid pins another" in result["msg"]
    assert not cluster.reviewed
    assert ask(cluster, cluster_uid="uid-of-kube-system")["access"]["uid_pinned"]


@pytest.mark.parametrize(
    "connection, server, words",
    [
        ({"token_expires": START + DAY / 8}, {}, "the token expires on 2026-11-25 at 01:00 UTC, in 3h; renew it"),
        (
            {"token_expires": START + DAY / 8, "token_file": True},
            {},
            "the token expires on 2026-11-25 at 01:00 UTC, in 3h; renew it, unless another program renews the file",
        ),
        ({"certificate_expires": START + DAY}, {}, "the client certificate expires on"),
        ({}, {"certificate_expires": START + DAY}, "the certificate of the server expires on"),
        ({}, {"clock_ahead": -90.0}, "the clock of the server is 1m 30s behind the clock of this machine"),
        ({}, {"clock_ahead": 31.0}, "the clock of the server is 31s ahead of the clock of this machine"),
        ({"validate": False}, {}, "the certificate of the server is not checked"),
    ],
)
def test_what_may_not_work_for_long_is_a_warning(cluster, connection, server, words):
    cluster.connection = replace(cluster.connection, **connection)
    cluster.server = replace(cluster.server, **server)
    (warning,) = warnings_of(cluster)
    assert warning.startswith(f"simulated: {words}")


@pytest.mark.parametrize(
    "connection, server",
    [
        ({"token_expires": START + DAY / 8, "renewed": True}, {}),
        ({"token_expires": START + DAY / 2, "certificate_expires": START + 8 * DAY}, {}),
        ({}, {"clock_ahead": 30.0}),
        ({}, {"clock_ahead": None}),
    ],
)
def test_what_is_renewed_or_small_is_none(cluster, connection, server):
    cluster.connection = replace(cluster.connection, **connection)
    cluster.server = replace(cluster.server, **server)
    assert not warnings_of(cluster)


def test_a_namespace_that_cannot_be_one_is_refused_before_anything_is_asked(cluster):
    with pytest.raises(ScheduleError, match='namespace: "Shop" is not the name of a namespace'):
        ask(cluster, namespace=["Shop"])
    assert not cluster.asked


# -- the commands for an administrator ---------------------------------------------------------------------------------


JANE = Grants("eu west", "jane o'hara@example.com")
ROBOT = Grants(None, "system:serviceaccount:ci:robot")
WATCH = [Access(verb, "apps", kind, None) for kind in ("deployments", "daemonsets") for verb in ("list", "watch")]
RECORDS = [
    Access("get", "", "configmaps", "ops"),
    Access("create", "", "configmaps", "ops"),
    Access("update", "coordination.k8s.io", "leases", "ops"),
]


@pytest.mark.parametrize(
    "commands, wanted",
    [
        (
            JANE.workloads("shop")[-1],
            "kubectl --context 'eu west' create rolebinding restartx-restart-jane-o-hara-example-com --namespace shop "
            "--clusterrole=restartx-restart '--user=jane o'\"'\"'hara@example.com'",
        ),
        (
            ROBOT.workloads("shop")[-1],
            "kubectl create rolebinding restartx-restart-robot --namespace shop --clusterrole=restartx-restart "
            "--serviceaccount=ci:robot",
        ),
        (
            ROBOT.identity()[-1],
            "kubectl create clusterrolebinding restartx-identity-robot --clusterrole=restartx-identity "
            "--serviceaccount=ci:robot",
        ),
        (
            ROBOT.records("restartx-system", [])[-1],
            "kubectl create rolebinding restartx-journal-robot --namespace restartx-system --role=restartx-journal "
            "--serviceaccount=ci:robot",
        ),
        (ROBOT.namespace("ops")[-1], "kubectl create namespace ops"),
    ],
)
def test_another_user_than_that_of_rbac_gets_bindings_of_its_own(commands, wanted):
    assert commands == wanted


def test_what_rbac_has_no_file_for_gets_roles_of_its_own():
    assert ROBOT.everywhere(WATCH) == (
        "kubectl create clusterrole restartx-watch --verb=list,watch --resource=deployments.apps,daemonsets.apps",
        "kubectl create clusterrolebinding restartx-watch-robot --clusterrole=restartx-watch --serviceaccount=ci:robot",
    )
    assert Grants(None, None).records("ops", RECORDS) == (
        "kubectl create role restartx-configmaps --namespace ops --verb=get,create --resource=configmaps",
        "kubectl create rolebinding restartx-configmaps-restartx --namespace ops --role=restartx-configmaps "
        "--serviceaccount=restartx-system:restartx",
        "kubectl create role restartx-leases --namespace ops --verb=update --resource=leases.coordination.k8s.io",
        "kubectl create rolebinding restartx-leases-restartx --namespace ops --role=restartx-leases "
        "--serviceaccount=restartx-system:restartx",
    )
