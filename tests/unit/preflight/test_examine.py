# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Troubled clusters, each with exactly the findings that it must have, and healthy ones near the edge."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER, CODES, NOTE, RISK
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, owner
from tests.unit.preflight import scenes
from tests.unit.preflight.scenes import (
    FREEING,
    HOST,
    ZONE,
    apart,
    autoscaler,
    budget,
    claim,
    container,
    entries,
    filler,
    host_port,
    made,
    near,
    node,
    nodes,
    on_nodes,
    owned,
    quota,
    replica_sets,
    running,
    scaler_pod,
    scene,
    spread,
    uses_claim,
    volume,
    with_pods,
)
from tests.unit.rollout.objects import history_of, template

OTHER = {"app": "other"}
HASH = {"matchLabelKeys": ["pod-template-hash"]}
FULL = [filler("n1"), filler("n2")]  # beside a pod of 500m on each of two nodes, nothing is left
DEADLINE = {"progressDeadlineSeconds": 60, "minReadySeconds": 20}
ENV = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "a"}}}]
OPTIONAL = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "a", "optional": True}}}]
NAMES = {("configmaps", "shop"): frozenset({"there"}), ("secrets", "shop"): frozenset({"there"})}
PORT_OF_INIT = {"ports": [{"containerPort": 1, "hostPort": 8080}]}
SIDECAR = {"restartPolicy": "Always"}
DEDICATED = [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]


def refused(workload):
    """One whose restart is refused by its state."""
    message = kinds.kind_of(workload).restart_refusal(workload) or owner.refusal(workload)
    return scene(workload, refusals={workload["metadata"]["name"]: message})


def slow(seconds, **spec):
    """A Deployment whose slowest pod needed so long."""
    one = made(spec={**DEADLINE, **spec})
    first, second = running(one, "n1", "n2")
    second["status"]["startTime"] = "2026-11-24T21:00:00Z"
    second["status"]["conditions"][0]["lastTransitionTime"] = f"2026-11-24T21:{seconds // 60:02}:{seconds % 60:02}Z"
    return scene(one, pods=[first, second])


def with_history(limit, *versions):
    one = made(spec={"revisionHistoryLimit": limit})
    one["spec"]["template"] = template(
        annotations={"kubectl.kubernetes.io/restartedAt": f"2026-01-01T00:00:0{len(versions)}Z"},
        image=versions[-1],
        **{name: value for name, value in container().items() if name not in ("name", "image")},
    )
    templates = [
        {
            **one["spec"]["template"],
            "metadata": {
                "labels": {"app": "api"},
                "annotations": {"kubectl.kubernetes.io/restartedAt": f"2026-01-01T00:00:0{place + 1}Z"},
            },
            "spec": {"containers": [{**one["spec"]["template"]["spec"]["containers"][0], "image": image}]},
        }
        for place, image in enumerate(versions)
    ]
    return scene(one, revisions=history_of(one, *templates))


def under_way(kind="Deployment"):
    one = made(kind)
    one["status"]["updatedNumberScheduled" if kind == "DaemonSet" else "readyReplicas"] = 1
    one["status"]["updatedReplicas"] = 1
    return one


def labelled(workload, **labels):
    workload["spec"]["template"]["metadata"]["labels"] |= labels
    return workload


def two(**more):
    return made(name="api", **more), made(name="web", **more)


def several(number, **more):
    return [made(name=f"app{place}", **more) for place in range(number)]


API, WEB = two()
FOUR = several(4, pods=1)
RWOP = claim("ReadWriteOncePod")

HONOURED = frozenset({("Deployment", "shop", "api")})
CANARY = {("Deployment", "shop", "api"): 1}
CANARY_OF_SET = {("StatefulSet", "shop", "api"): 1}
HONOURED_SET = frozenset({("StatefulSet", "shop", "api")})
ONE_AT_A_TIME = {("DaemonSet", "shop", "api"): 1}
OF_STRATEGY = {"f:spec": {"f:strategy": {"f:rollingUpdate": {}}}}
APPLIED = [{"manager": "kustomize", "operation": "Apply", "fieldsV1": OF_STRATEGY}]


def node_with(number):
    """A node that lists so many images."""
    found = node()
    found["status"]["images"] = [{"names": [f"docker.io/other/app:{place}"]} for place in range(number)]
    return found


TROUBLED = {
    # What the cluster refuses.
    "paused": (refused(made(spec={"paused": True})), [("paused", BLOCKER)]),
    "on delete": (refused(made("DaemonSet", strategy={"type": "OnDelete"})), [("on_delete", BLOCKER)]),
    "on delete of a StatefulSet": (
        refused(made("StatefulSet", strategy={"type": "OnDelete"})),
        [("on_delete", BLOCKER)],
    ),
    "a partition holds back all": (
        refused(made("StatefulSet", strategy={"rollingUpdate": {"partition": 2}})),
        [("partitioned", BLOCKER)],
    ),
    "a partition holds back some": (
        with_pods(made("StatefulSet", strategy={"rollingUpdate": {"partition": 1}}), "n1", "n2", nodes=nodes(2)),
        [("partitioned", NOTE)],
    ),
    "owned": (refused(owned(made("StatefulSet"))), [("owned", BLOCKER)]),
    "owned, and allowed": (scene(owned(made("StatefulSet"))), [("owned", NOTE)]),
    "being deleted": (
        scene(made(deletionTimestamp="2026-11-24T21:00:00Z"), refusals={"api": "it is being deleted; wait"}),
        [("being_deleted", BLOCKER)],
    ),
    "admission refuses the patch": (
        scene(made(), refusals={"api": "admission webhook denied it"}),
        [("patch_refused", BLOCKER)],
    ),
    "a pod of an earlier revision blocks the rollout": (
        scene(made("StatefulSet"), refusals={"api": "its rollout waits for its pod api-1 that is not ready"}),
        [("unready_pod", BLOCKER)],
    ),
    "nothing else is said of what is refused": (
        scene(made(spec={"revisionHistoryLimit": 0}), refusals={"api": "denied"}),
        [("patch_refused", BLOCKER)],
    ),
    "admission refuses the pod": (
        scene(made(), refused_pods={"api": "violates PodSecurity"}),
        [("pod_refused", BLOCKER)],
    ),
    "a ConfigMap is missing": (
        scene(made(pod={"containers": [container(env=ENV)]}), names=NAMES),
        [("missing_reference", BLOCKER)],
    ),
    "a Secret is missing in two workloads": (
        scene(*two(pod={"volumes": [{"name": "v", "secret": {"secretName": "gone"}}]}), names=NAMES),
        [("missing_reference", BLOCKER)] * 2,
    ),
    "a claim is missing": (
        scene(made(pod=uses_claim("gone")), claims=[claim()]),
        [("missing_reference", BLOCKER)],
    ),
    "a Deployment is under way": (scene(under_way()), [("rollout_under_way", RISK)]),
    "a DaemonSet is under way": (scene(under_way("DaemonSet")), [("rollout_under_way", RISK)]),
    "a StatefulSet is under way": (scene(under_way("StatefulSet")), [("rollout_under_way", RISK)]),
    "a pod is not ready": (
        scene(made(), pods=running(made(), "n1", ready=False)),
        [("unready_pod", RISK)],
    ),
    # What does not fit: quotas.
    "no pod is left in the quota": (
        scene(made(), quotas=[quota({"pods": "2"}, {"pods": "2"})]),
        [("quota", BLOCKER)],
    ),
    "requests are used up": (
        scene(made(), quotas=[quota({"requests.cpu": "1200m"}, {"requests.cpu": "1"})]),
        [("quota", BLOCKER)],
    ),
    "requests under the short name": (
        scene(made(), quotas=[quota({"cpu": "1200m"}, {"cpu": "1"})]),
        [("quota", BLOCKER)],
    ),
    "limits are used up": (
        scene(
            made(pod={"containers": [container(resources={"limits": {"memory": "1Gi"}})]}),
            quotas=[quota({"limits.memory": "2.5Gi"}, {"limits.memory": "2Gi"})],
        ),
        [("quota", BLOCKER)],
    ),
    "a quota for one priority class": (
        scene(
            made(pod={"priorityClassName": "high"}),
            quotas=[
                quota(
                    {"pods": "2"},
                    {"pods": "2"},
                    scopeSelector={
                        "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                    },
                )
            ],
        ),
        [("quota", BLOCKER)],
    ),
    "no ReplicaSet is left in the quota": (
        scene(made(), quotas=[quota({"count/replicasets.apps": "3"}, {"count/replicasets.apps": "3"})]),
        [("quota", BLOCKER)],
    ),
    "no ControllerRevision is left in the quota": (
        scene(
            made("StatefulSet"),
            quotas=[quota({"count/controllerrevisions.apps": "1"}, {"count/controllerrevisions.apps": "1"})],
        ),
        [("quota", BLOCKER)],
    ),
    "one ReplicaSet is left for two that stay": (
        scene(
            API,
            WEB,
            limits=entries([API], [WEB], before={"b": ["a"]}),
            quotas=[quota({"count/replicasets.apps": "3"}, {"count/replicasets.apps": "2"})],
        ),
        [("quota", BLOCKER)],
    ),
    "the quota lets two pods surge of four": (
        scene(*FOUR, quotas=[quota({"pods": "6"}, {"pods": "4"})]),
        [("quota", RISK)] + [("one_replica", NOTE)] * 4,
    ),
    "the quota lets one pod surge, max_parallel two": (
        scene(*FOUR, limits=entries(FOUR, limits={"max_parallel": 2}), quotas=[quota({"pods": "5"}, {"pods": "4"})]),
        [("quota", RISK)] + [("one_replica", NOTE)] * 4,
    ),
    # What does not fit: nodes.
    "no cpu for a surge": (with_pods(API, "n1", "n2", nodes=nodes(2), pods=FULL), [("no_room", BLOCKER)]),
    "no cpu, with an autoscaler": (
        with_pods(API, "n1", "n2", nodes=nodes(2), pods=[*FULL, scaler_pod()]),
        [("no_room", RISK)],
    ),
    "no cpu, with karpenter": (
        with_pods(
            API,
            "n1",
            "n2",
            nodes=[node(), node("n2", labels={"karpenter.sh/nodepool": "a"})],
            pods=FULL,
        ),
        [("no_room", RISK)],
    ),
    "no pod is left on the nodes": (
        with_pods(made(pods=1), "n1", nodes=[node(cpu="64")], pods=[filler("n1", "1m") for _number in range(9)]),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "an extended resource is used up": (
        with_pods(
            made(pods=1, pod={"containers": [container(resources={"limits": {"nvidia.com/gpu": "1"}})]}),
            "n1",
            nodes=[node()],
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "sidecars need more than is left": (
        with_pods(
            made(pods=1, cpu="400m", pod={"initContainers": [container("200m", **SIDECAR)]}), "n1", nodes=[node()]
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "the pod as a whole needs more than its containers": (
        with_pods(made(pods=1, cpu="100m", pod={"resources": {"requests": {"cpu": "600m"}}}), "n1", nodes=[node()]),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "the other node is tainted": (
        with_pods(made(pods=1, cpu="600m"), "n1", nodes=[node(), node("n2", taints=DEDICATED)]),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "the other node is cordoned": (
        with_pods(made(pods=1, cpu="600m"), "n1", nodes=[node(), node("n2", unschedulable=True)]),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a node selector keeps to one node": (
        with_pods(made(pods=1, cpu="600m", pod={"nodeSelector": {HOST: "n1"}}), "n1", nodes=nodes(2)),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "node affinity keeps to one node": (
        with_pods(made(pods=1, cpu="600m", pod=on_nodes(HOST, "NotIn", "n2")), "n1", nodes=nodes(2)),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "anti-affinity to its own kind on every node": (
        with_pods(made(pod=apart()), "n1", "n2", nodes=nodes(2)),
        [("no_room", BLOCKER)],
    ),
    "anti-affinity in every zone": (
        with_pods(made(pod=apart(ZONE)), "n1", "n2", nodes=nodes(4, zones="ab")),
        [("no_room", BLOCKER)],
    ),
    "the anti-affinity of others": (
        with_pods(
            made(pods=1, cpu="600m"), "n1", nodes=nodes(2), pods=[filler("n2", "1m", **apart(namespaces=["shop"]))]
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "affinity to pods on a full node": (
        with_pods(
            made(pods=1, cpu="500m", pod=near(labels=OTHER, namespaceSelector={})),
            "n1",
            nodes=nodes(2),
            pods=[filler("n1", "100m")],
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a spread with a cordoned node that stays empty": (
        with_pods(
            made(pods=2, cpu="100m", pod=spread()),
            "n1",
            "n2",
            nodes=[*nodes(2), node("n3", unschedulable=True)],
        ),
        [("no_room", BLOCKER)],
    ),
    "a spread over more zones than there are": (
        with_pods(made(cpu="100m", pod=spread(ZONE, minDomains=3)), "n1", "n2", nodes=nodes(2, zones="ab")),
        [("no_room", BLOCKER)],
    ),
    "a node without the label of a spread": (
        with_pods(made(pods=1, cpu="600m", pod=spread(ZONE)), "n1", nodes=[node(labels={ZONE: "a"}), node("n2")]),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a StatefulSet that cannot go back to its spread": (
        # The last pod is on n2. Without it n3, which is cordoned, and n2 are empty, so the skew allows one on n2 only,
        # where something else took the room.
        with_pods(made("StatefulSet", cpu="600m"), "n1", "n2", nodes=[node(), node("n2", unschedulable=True)]),
        [("no_room", BLOCKER)],
    ),
    "host ports of a surge": (
        with_pods(made(pod=host_port()), "n1", "n2", nodes=nodes(2, "64")),
        [("no_room", BLOCKER)],
    ),
    "a host port on one address, which is in use on all": (
        with_pods(
            made(pods=1, pod=host_port(hostIP="10.0.0.1")),
            "n1",
            nodes=nodes(2, "64"),
            pods=[filler("n2", "1m", **host_port())],
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "host ports of a sidecar": (
        with_pods(
            made(pods=1, pod={"initContainers": [container("0", **PORT_OF_INIT, **SIDECAR)]}),
            "n1",
            nodes=nodes(1, "64"),
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a claim for one pod": (
        with_pods(made(pods=1, pod=uses_claim()), "n1", nodes=nodes(2), claims=[RWOP], volumes=[volume()]),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a claim for one node, which is full": (
        with_pods(
            made(pods=1, cpu="600m", pod=uses_claim()), "n1", nodes=nodes(2), claims=[claim()], volumes=[volume()]
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a volume of a full node": (
        with_pods(
            made(pods=1, cpu="600m", pod=uses_claim()),
            "n1",
            nodes=nodes(2),
            claims=[claim("ReadWriteMany")],
            volumes=[volume(node="n1")],
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a volume of another zone": (
        with_pods(
            made(pods=1, cpu="600m", pod=uses_claim()),
            "n1",
            nodes=nodes(2, zones="ab"),
            claims=[claim("ReadWriteMany")],
            volumes=[volume(labels={ZONE: "a"}, nfs={"server": "s"})],
        ),
        [("no_room", BLOCKER), ("one_replica", NOTE)],
    ),
    "a claim of a StatefulSet on a cordoned node": (
        with_pods(
            made("StatefulSet", pod=uses_claim()),
            "n1",
            "n1",
            nodes=[node(cpu="2", unschedulable=True), node("n2")],
            claims=[claim()],
            volumes=[volume(node="n1")],
        ),
        [("no_room", BLOCKER), ("one_node", NOTE)],
    ),
    "the last node of a StatefulSet is cordoned": (
        with_pods(
            made("StatefulSet", cpu="600m"),
            "n1",
            "n2",
            nodes=[node(), node("n2", unschedulable=True)],
        ),
        [("no_room", BLOCKER)],
    ),
    "a Deployment that frees its room, on a cordoned node": (
        with_pods(made(cpu="600m", strategy=FREEING), "n1", "n2", nodes=[node(unschedulable=True), node("n2")]),
        [("no_room", BLOCKER)],
    ),
    "a DaemonSet that surges on full nodes": (
        with_pods(
            made("DaemonSet", cpu="600m", strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
            "n1",
            "n2",
            nodes=nodes(2),
        ),
        [("no_room", BLOCKER)],
    ),
    "a DaemonSet that surges with host ports": (
        with_pods(
            made("DaemonSet", pod=host_port(), strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
            "n1",
            "n2",
            nodes=nodes(2, "64"),
        ),
        [("no_room", BLOCKER)],
    ),
    "room for one of two at once": (
        scene(
            API, WEB, pods=[*running(API, "n1", "n2"), *running(WEB, "n1", "n2")], nodes=[*nodes(2), node("n3", "500m")]
        ),
        [("little_room", RISK)],
    ),
    "room for one of two at once, by memory": (
        scene(
            *(pair := two(cpu=None, pod={"containers": [container(resources={"requests": {"memory": "6Gi"}})]})),
            made(name="tiny", cpu="1m"),
            limits=entries([made(name="tiny"), *pair], limits={"max_parallel": 2}),
            pods=[one for workload in pair for one in running(workload, "n1", "n2")],
            nodes=[*nodes(2), {**node("n3"), "status": {"allocatable": {"cpu": "1", "memory": "6Gi", "pods": "10"}}}],
        ),
        [("little_room", RISK)],
    ),
    "an autoscaler at its maximum": (
        scene(made(), autoscalers=[autoscaler(2, 2)]),
        [("autoscaler_at_maximum", RISK)],
    ),
    # What users feel.
    "one replica": (scene(made(pods=1)), [("one_replica", NOTE)]),
    "the only pod of a StatefulSet": (scene(made("StatefulSet", 1)), [("all_pods_at_once", RISK)]),
    "all pods at once": (
        scene(made(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}})),
        [("all_pods_at_once", RISK)],
    ),
    "all nodes of a DaemonSet at once": (
        scene(made("DaemonSet", strategy={"rollingUpdate": {"maxUnavailable": 2}})),
        [("all_pods_at_once", RISK)],
    ),
    "recreate": (scene(made(strategy={"type": "Recreate", "rollingUpdate": None})), [("recreate", RISK)]),
    "no readiness probe": (
        scene(made(pod={"containers": [container(readinessProbe=None)]})),
        [("no_readiness_probe", RISK)],
    ),
    "no preStop hook": (scene(made(pod={"containers": [container(lifecycle=None)]})), [("no_pre_stop", NOTE)]),
    "fewer pods than a budget wants": (
        scene(made(pods=3, strategy=FREEING), budgets=[budget(3, 3)]),
        [("below_budget", RISK)],
    ),
    "fewer pods of a StatefulSet than a budget wants": (
        scene(made("StatefulSet", 3), budgets=[budget(3, 3)]),
        [("below_budget", RISK)],
    ),
    "a strategy that undercuts a budget which is honoured": (
        scene(made(pods=3, strategy=FREEING), budgets=[budget(3, 3)], honoured=HONOURED),
        [("budget_undercut", BLOCKER)],
    ),
    "fewer healthy pods than a budget needs that is honoured": (
        scene(made(pods=3, strategy=FREEING), budgets=[budget(2, 2)], honoured=HONOURED),
        [("below_budget", RISK)],
    ),
    "a strategy that is tightened for a budget": (
        scene(made(pods=3, strategy=FREEING), budgets=[budget(3, 3)], honoured=HONOURED, enforced=HONOURED),
        [("strategy_tightened", NOTE), ("budget_allows_nothing", NOTE)],
    ),
    "a quota without room for the pod that a tightened strategy creates first": (
        scene(
            made(pods=3, strategy=FREEING),
            budgets=[budget(3, 3)],
            quotas=[quota({"pods": "3"}, {"pods": "3"})],
            honoured=HONOURED,
            enforced=HONOURED,
        ),
        [("quota", BLOCKER), ("strategy_tightened", NOTE), ("budget_allows_nothing", NOTE)],
    ),
    "a quota without room for a canary": (
        scene(made(strategy=FREEING), quotas=[quota({"pods": "2"}, {"pods": "2"})], canaries=CANARY),
        [("quota", BLOCKER)],
    ),
    "a quota without room for more pods, of which no canary needs any": (
        scene(made(strategy=FREEING), quotas=[quota({"pods": "2"}, {"pods": "2"})]),
        [],
    ),
    "a canary of a StatefulSet creates none before": (
        scene(made("StatefulSet"), quotas=[quota({"pods": "2"}, {"pods": "2"})], canaries=CANARY_OF_SET),
        [],
    ),
    "nodes without room for a canary": (
        with_pods(
            made(strategy=FREEING), "n1", "n2", nodes=nodes(2), pods=[filler("n1"), filler("n2")], canaries=CANARY
        ),
        [("no_room", BLOCKER)],
    ),
    "nodes without room for more pods, of which no canary needs any": (
        with_pods(made(strategy=FREEING), "n1", "n2", nodes=nodes(2), pods=[filler("n1"), filler("n2")]),
        [],
    ),
    "a strategy that undercuts a budget, and cannot be tightened": (
        scene(made("StatefulSet", 3), budgets=[budget(3, 3)], honoured=HONOURED_SET, enforced=HONOURED_SET),
        [("budget_undercut", BLOCKER)],
    ),
    "a strategy that undercuts a budget, and is another manager's": (
        scene(
            made(pods=3, strategy=FREEING, managedFields=APPLIED),
            budgets=[budget(3, 3)],
            honoured=HONOURED,
            enforced=HONOURED,
        ),
        [("budget_undercut", BLOCKER), ("budget_allows_nothing", NOTE)],
    ),
    "a budget that allows nothing, and no pod is missing": (
        scene(made(pods=3), budgets=[budget(3, 3)], honoured=HONOURED),
        [("budget_allows_nothing", NOTE)],
    ),
    "a budget that allows no eviction": (
        scene(made("DaemonSet", 3), budgets=[budget(3, 3)], honoured=frozenset(ONE_AT_A_TIME), evicted=ONE_AT_A_TIME),
        [("budget_allows_nothing", BLOCKER)],
    ),
    "a budget that allows no eviction for a canary": (
        scene(made("DaemonSet", 3), budgets=[budget(3, 3)], canaries=ONE_AT_A_TIME),
        [("budget_allows_nothing", BLOCKER)],
    ),
    "two budgets, so that no pod is evicted": (
        scene(made("DaemonSet", 3), budgets=[budget(3, 1), budget(3, 2, name="more")], evicted=ONE_AT_A_TIME),
        [("budget_allows_nothing", BLOCKER)],
    ),
    "two budgets, so that no pod is evicted for a canary": (
        scene(made("DaemonSet", 3), budgets=[budget(3, 1), budget(3, 2, name="more")], canaries=ONE_AT_A_TIME),
        [("budget_allows_nothing", BLOCKER)],
    ),
    "all pods that are evicted at once": (
        scene(made("DaemonSet", 3), evicted={("DaemonSet", "shop", "api"): 3}),
        [("all_pods_at_once", RISK)],
    ),
    "all pods on one node": (with_pods(made(), "n1", "n1", nodes=nodes(2, "64")), [("one_node", NOTE)]),
    "all pods in one zone": (
        with_pods(made(), "n1", "n3", nodes=nodes(4, "64", zones="ab")),
        [("one_zone", NOTE)],
    ),
    "a progress deadline that is too short": (slow(40), [("short_progress_deadline", RISK)]),
    "pull policy Always": (
        scene(made(pod={"containers": [container(imagePullPolicy="Always")]})),
        [("image_pull", NOTE)],
    ),
    "an image that no node has": (
        scene(made(), nodes=nodes(2, images=["docker.io/shop/api:0"])),
        [("image_pull", NOTE)],
    ),
    "an image that one of two nodes lacks": (
        scene(made(), nodes=[node("n1", images=["docker.io/shop/api:1"]), node("n2", images=["docker.io/shop/api:0"])]),
        [("image_pull", NOTE)],
    ),
    "the image of another registry": (
        scene(made(), nodes=nodes(2, images=["mirror.example.com/shop/api:1"])),
        [("image_pull", NOTE)],
    ),
    "the tag latest that is not pulled again": (
        scene(made(pod={"containers": [container(image="shop/api", imagePullPolicy="IfNotPresent")]})),
        [("latest_tag", NOTE)],
    ),
    # What cannot be taken back.
    "no history": (scene(made(spec={"revisionHistoryLimit": 0})), [("no_history", RISK)]),
    "the last deployment is dropped": (
        with_history(2, "shop/api:0", "shop/api:1", "shop/api:1"),
        [("last_deployment_dropped", RISK)],
    ),
    "Flux": (scene(made(labels={"kustomize.toolkit.fluxcd.io/name": "shop"})), [("gitops", NOTE)]),
    "Flux takes the restart back": (
        scene(made(labels={"helm.toolkit.fluxcd.io/name": "shop"}), field_manager="kubectl-rollout"),
        [("gitops", RISK)],
    ),
    "Argo CD": (
        scene(made(managedFields=[{"manager": "argocd-controller"}])),
        [("gitops", NOTE)],
    ),
}

WELL = with_pods(made(), "n1", "n2", nodes=nodes(3))
ONE_EACH = made(cpu="500m", strategy=FREEING)

HEALTHY = {
    "room for exactly one more pod": (with_pods(made(), "n1", "n2", nodes=nodes(2), pods=[filler("n1")]), []),
    "a taint that is tolerated": (
        with_pods(
            made(pods=1, cpu="600m", pod={"tolerations": [{"key": "dedicated", "operator": "Exists"}]}),
            "n1",
            nodes=[node(), node("n2", taints=DEDICATED)],
        ),
        ["one_replica"],
    ),
    "a taint that only prefers others": (
        with_pods(
            made(pods=1, cpu="600m"),
            "n1",
            nodes=[node(), node("n2", taints=[{"key": "a", "effect": "PreferNoSchedule"}])],
        ),
        ["one_replica"],
    ),
    "anti-affinity with one free node": (with_pods(made(pod=apart()), "n1", "n2", nodes=nodes(3)), []),
    "anti-affinity within a revision only": (with_pods(made(pod=apart(**HASH)), "n1", "n2", nodes=nodes(2)), []),
    "affinity within a revision only": (with_pods(made(pod=near(**HASH)), "n1", "n1", nodes=nodes(2)), ["one_node"]),
    "anti-affinity of another namespace": (
        with_pods(made(pods=1), "n1", nodes=nodes(1), pods=[filler("n1", "1m", **apart())][:0]),
        ["one_replica"],
    ),
    "a StatefulSet with anti-affinity on all nodes": (
        with_pods(made("StatefulSet", pod=apart()), "n1", "n2", nodes=nodes(2)),
        [],
    ),
    "a quota with exactly enough": (
        scene(made(), quotas=[quota({"pods": "3", "requests.cpu": "1500m"}, {"pods": "2", "requests.cpu": "1"})]),
        [],
    ),
    "a full quota, and pods that free their room": (
        scene(
            made("StatefulSet"), quotas=[quota({"pods": "2", "requests.cpu": "1"}, {"pods": "2", "requests.cpu": "1"})]
        ),
        [],
    ),
    "a full quota of another scope": (
        scene(made(), quotas=[quota({"pods": "2"}, {"pods": "2"}, scopes=["BestEffort"])]),
        [],
    ),
    "a full quota of something else": (
        scene(
            made(),
            quotas=[quota({"requests.memory": "1Gi", "services": "2"}, {"requests.memory": "1Gi", "services": "2"})],
        ),
        [],
    ),
    "a quota for one revision more, and a full history beside it": (
        scene(
            *(pair := two(spec={"revisionHistoryLimit": 2})),
            revisions=[*replica_sets(pair[0], 3), *replica_sets(pair[1], 1)],
            quotas=[quota({"count/replicasets.apps": "5"}, {"count/replicasets.apps": "4"})],
        ),
        [],
    ),
    "a spread with skew allowed": (with_pods(made(cpu="100m", pod=spread()), "n1", "n2", nodes=nodes(2)), []),
    "a spread that does not select its own pods": (
        with_pods(
            made(cpu="100m", pod=spread(labelSelector={"matchLabels": OTHER})),
            "n1",
            "n2",
            nodes=[*nodes(2), node("n3", taints=DEDICATED)],
            pods=running(made(name="other", cpu="1m"), "n1", "n2"),
        ),
        [],
    ),
    "a spread that leaves out tainted nodes": (
        with_pods(
            made(cpu="100m", pod=spread(nodeTaintsPolicy="Honor")),
            "n1",
            "n2",
            nodes=[*nodes(2), node("n3", taints=DEDICATED)],
        ),
        [],
    ),
    "a spread of a revision only": (
        with_pods(made(pods=4, cpu="100m", pod=spread(**HASH)), "n1", "n1", "n1", "n2", nodes=nodes(2)),
        [],
    ),
    "a spread that may give way": (
        with_pods(
            made(cpu="100m", pod=spread(whenUnsatisfiable="ScheduleAnyway")),
            "n1",
            "n2",
            nodes=[*nodes(2), node("n3", taints=DEDICATED)],
        ),
        [],
    ),
    "a claim for one node, which has room": (
        with_pods(made(pods=1, pod=uses_claim()), "n1", nodes=nodes(2), claims=[claim()], volumes=[volume()]),
        ["one_replica"],
    ),
    "a claim on a volume that many nodes can mount": (
        with_pods(
            made(pods=1, cpu="600m", pod=uses_claim()),
            "n1",
            nodes=nodes(2),
            claims=[claim()],
            volumes=[volume(nfs={"server": "s"})],
        ),
        ["one_replica"],
    ),
    "a claim for one pod, and Recreate": (
        with_pods(
            made(pods=1, pod=uses_claim(), strategy={"type": "Recreate"}),
            "n1",
            nodes=nodes(1),
            claims=[RWOP],
            volumes=[volume()],
        ),
        ["recreate"],
    ),
    "a volume of two zones": (
        with_pods(
            made(pods=1, cpu="600m", pod=uses_claim()),
            "n1",
            nodes=nodes(2, zones="ab"),
            claims=[claim("ReadWriteMany")],
            volumes=[volume(labels={ZONE: "a__b"})],
        ),
        ["one_replica"],
    ),
    "Recreate with a host port": (
        with_pods(made(pods=1, pod=host_port(), strategy={"type": "Recreate"}), "n1", nodes=nodes(1)),
        ["recreate"],
    ),
    "the same host port on another address": (
        with_pods(
            made(pods=1, pod=host_port(hostIP="10.0.0.1")),
            "n1",
            nodes=nodes(2),
            pods=[filler("n2", "1m", **host_port(hostIP="10.0.0.2"))],
        ),
        ["one_replica"],
    ),
    "the host port of an init container": (
        with_pods(made(pods=1, pod={"initContainers": [container("0", **PORT_OF_INIT)]}), "n1", nodes=nodes(1)),
        ["one_replica"],
    ),
    "maxUnavailable frees the room": (with_pods(ONE_EACH, "n1", "n2", nodes=nodes(2), pods=FULL), []),
    "a surge or a pod less": (
        with_pods(
            made(strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}),
            "n1",
            "n2",
            nodes=nodes(2),
            pods=FULL,
        ),
        [],
    ),
    "a full quota, and a surge or a pod less": (
        scene(
            made(strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}),
            quotas=[quota({"pods": "2"}, {"pods": "2"})],
        ),
        [],
    ),
    "a DaemonSet on full nodes": (with_pods(made("DaemonSet"), "n1", "n2", nodes=nodes(2), pods=FULL), []),
    "an init container larger than the containers": (
        with_pods(made(pods=1, cpu="100m", pod={"initContainers": [container("500m")]}), "n1", nodes=nodes(1)),
        ["one_replica"],
    ),
    "sidecars that just fit": (
        with_pods(
            made(pods=1, cpu="300m", pod={"initContainers": [container("200m", **SIDECAR)]}), "n1", nodes=nodes(1)
        ),
        ["one_replica"],
    ),
    "the pod as a whole needs less than its containers": (
        with_pods(made(pods=1, cpu="600m", pod={"resources": {"requests": {"cpu": "500m"}}}), "n1", nodes=nodes(1)),
        ["one_replica"],
    ),
    "a cordoned node, but others are free": (
        with_pods(made(), "n1", "n2", nodes=[node(unschedulable=True), node("n2"), node("n3")]),
        [],
    ),
    "pods that have ended take no room": (
        with_pods(made(), "n1", "n2", nodes=nodes(2), pods=[{**one, "status": {"phase": "Succeeded"}} for one in FULL]),
        [],
    ),
    "an autoscaler below its maximum": (scene(made(), autoscalers=[autoscaler(3, 2)]), []),
    "an autoscaler of another workload": (scene(made(), autoscalers=[autoscaler(2, 2, "StatefulSet")]), []),
    "entries that wait for each other": (
        scene(
            *FOUR,
            limits=entries(*([one] for one in FOUR), before={"b": "a", "c": "ab", "d": "abc"}),
            quotas=[quota({"pods": "5"}, {"pods": "4"})],
        ),
        ["one_replica"] * 4,
    ),
    "one at a time": (
        scene(
            API,
            WEB,
            limits=entries([API, WEB], limits={"max_parallel": 1}),
            pods=[*running(API, "n1", "n2"), *running(WEB, "n1", "n2")],
            nodes=[*nodes(2), node("n3", "500m")],
        ),
        [],
    ),
    "an entry of one at a time": (
        scene(*FOUR, limits=entries(FOUR, limits={"of_entry": {"a": 1}}), quotas=[quota({"pods": "5"}, {"pods": "4"})]),
        ["one_replica"] * 4,
    ),
    "full nodes and an autoscaler": (
        with_pods(API, "n1", "n2", nodes=nodes(2), pods=[*FULL, scaler_pod()]),
        ["no_room"],
    ),
    "a budget with exactly enough": (scene(made(pods=3, strategy=FREEING), budgets=[budget(3, 2)]), []),
    "a budget, and no pod is missing": (scene(made(pods=3), budgets=[budget(3, 2)]), []),
    "a budget that is honoured": (scene(made(pods=3, strategy=FREEING), budgets=[budget(3, 2)], honoured=HONOURED), []),
    "a strategy that stops all pods, of which each is evicted": (
        scene(
            made("DaemonSet", 3, strategy={"rollingUpdate": {"maxUnavailable": "100%"}}),
            budgets=[budget(3, 2)],
            honoured=frozenset(ONE_AT_A_TIME),
            evicted=ONE_AT_A_TIME,
        ),
        [],
    ),
    "two budgets of which each selects others": (
        scene(
            made("DaemonSet", 3), budgets=[budget(3, 2), budget(3, 3, {"app": "web"}, "more")], evicted=ONE_AT_A_TIME
        ),
        [],
    ),
    "a budget whose pods may not be read": (
        scene(made(pods=3), budgets=[budget(3, 3)], unread=frozenset({("pods", ""), ("pods", "shop")})),
        [],
    ),
    "a start-up just within the deadline": (slow(39), []),
    "what may be missing": (scene(made(pod={"containers": [container(env=OPTIONAL)]}), names=NAMES), []),
    "names that could not be read": (scene(made(pod={"containers": [container(env=ENV)]})), []),
    "nodes that could not be read": (with_pods(API, "n1", "n2", pods=FULL, unread=frozenset({("nodes", "")})), []),
    "claims that could not be read": (
        scene(made(pod=uses_claim()), unread=frozenset({("persistentvolumeclaims", "shop")})),
        [],
    ),
    "no pods are wanted": (
        scene(made(pods=0, spec={"replicas": 0}), quotas=[quota({"pods": "0"})], nodes=nodes(1)),
        [],
    ),
    "the deployment before the last restart is kept": (with_history(3, "shop/api:0", "shop/api:1", "shop/api:1"), []),
    "an image that a node has under its full name": (
        scene(made(), nodes=nodes(2, images=["docker.io/shop/api:1"])),
        [],
    ),
    "an image that the nodes for it have": (
        scene(
            made(pod={"nodeSelector": {"disk": "ssd"}}),
            nodes=[
                node("n1", labels={"disk": "ssd"}, images=["docker.io/shop/api:1"]),
                node("n2", images=["docker.io/shop/api:0"]),
            ],
        ),
        [],
    ),
    "an image that a cordoned node lacks": (
        scene(made(), nodes=[node(images=["docker.io/shop/api:1"]), node("n2", images=["a:0"], unschedulable=True)]),
        [],
    ),
    "an image that is not among the largest of the nodes": (scene(made(), nodes=[node_with(50)]), []),
    "an image that is never pulled": (
        scene(made(pod={"containers": [container(imagePullPolicy="Never")]}), nodes=nodes(2, images=["a:0"])),
        [],
    ),
    "the tag latest that is pulled each time is no latest_tag": (
        scene(made(pod={"containers": [container(image="shop/api:latest", imagePullPolicy="Always")]})),
        ["image_pull"],
    ),
    "pods on two nodes": (WELL, []),
}


def told(scene):
    return sorted((one.code, one.severity) for one in scene.findings())


@pytest.mark.parametrize("name", TROUBLED)
def test_a_troubled_cluster_has_exactly_these_findings(name):
    trouble, expected = TROUBLED[name]
    assert told(trouble) == sorted(expected), [one.sentence for one in trouble.findings()]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_cluster_has_no_blocker(name):
    healthy, expected = HEALTHY[name]
    found = healthy.findings()
    assert not [one.sentence for one in found if one.severity == BLOCKER]
    assert sorted(one.code for one in found) == sorted(expected)


def test_every_code_of_a_workload_is_met():
    met = {code for _scene, expected in TROUBLED.values() for code, _severity in expected}
    of_the_run = {"no_journal_namespace", "permission_missing", "no_snapshots", "not_checked"}
    assert met == set(CODES) - of_the_run
    assert len(TROUBLED) >= 40 and len(HEALTHY) >= 20


def test_every_finding_names_its_object_and_what_to_do():
    for trouble, _expected in TROUBLED.values():
        for one in trouble.findings():
            assert (
                one.object in one.sentence
                or one.object == "the nodes"
                or one.code in ("patch_refused", "being_deleted", "unready_pod")
            )
            assert one.advice and ";" not in one.advice.removesuffix(";")[:3]
            assert not one.sentence.endswith(".") and "\n" not in one.sentence + one.advice


def test_what_the_dry_run_made_counts_more_than_the_template():
    one = made(pods=1, cpu="100m")
    pod = {"metadata": {"namespace": "shop", "labels": {"app": "api"}}, "spec": {"containers": [container("950m")]}}
    trouble = scene(one, pods=running(one, "n1"), nodes=nodes(1), made={kinds.key(one): pod})
    assert told(trouble) == [("no_room", BLOCKER), ("one_replica", NOTE)]
    assert scenes.Facts(now=scenes.NOW).pod_for(one)["metadata"]["namespace"] == "shop"


def test_the_reasons_are_counted_over_the_nodes():
    trouble, _expected = TROUBLED["the other node is cordoned"]
    (blocker,) = [one for one in trouble.findings() if one.severity == BLOCKER]
    assert "(1 of 2: too little free cpu; 1 of 2: the node is cordoned)" in blocker.sentence
