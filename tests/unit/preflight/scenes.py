# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clusters for the tests of the preflight: workloads with pods on nodes, and what lies around them."""

from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.preflight.examine import examine
from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.limits import Limits
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from tests.unit.rollout.objects import owned_by, pod_of, rolled_out

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
NOW = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
SPARE = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
FREEING = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
_numbers = itertools.count(1)


def node(name="n1", cpu="1", labels=None, taints=None, images=None, **spec):
    """A node with its name as host name; memory for everything, and 10 pods."""
    allocatable = {"cpu": cpu, "memory": "16Gi", "pods": "10"}
    return {
        "metadata": {"name": name, "labels": {HOST: name, **(labels or {})}},
        "spec": {**({"taints": taints} if taints else {}), **spec},
        "status": {"allocatable": allocatable, **({"images": [{"names": images}]} if images else {})},
    }


def nodes(number, cpu="1", zones=(), **more):
    return [
        node(f"n{place + 1}", cpu, {ZONE: zones[place % len(zones)]} if zones else None, **more)
        for place in range(number)
    ]


def container(cpu="500m", **more):
    return {
        "name": "app",
        "image": "shop/api:1",
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {"requests": {"cpu": cpu}} if cpu else {},
        **more,
    }


def made(kind="Deployment", pods=2, name="api", cpu="500m", strategy=None, pod=None, spec=None, **metadata):
    """A workload that is rolled out and well formed; `pod` goes into the spec of its pods, `spec` into its own."""
    found = rolled_out(kind, pods, name)
    inner = {"containers": [container(cpu)], **(pod or {})}
    found["spec"]["template"]["spec"] = inner
    field_name = "strategy" if kind == "Deployment" else "updateStrategy"
    found["spec"][field_name] = {"type": "RollingUpdate", **(SPARE if kind == "Deployment" else {}), **(strategy or {})}
    found["spec"].update(spec or {})
    found["metadata"].update(metadata)
    return found


def running(workload, *where, ready=True, **spec):
    """Its pods, one on each of these nodes."""
    found = []
    for ordinal, name in enumerate(where):
        one = pod_of(workload, "old", ordinal, ready)
        one["metadata"]["labels"] = {**one["metadata"]["labels"], **workload["spec"]["template"]["metadata"]["labels"]}
        one["spec"] = {**workload["spec"]["template"]["spec"], "nodeName": name, **spec}
        found.append(one)
    return found


def filler(name, cpu="500m", **spec):
    """A pod of something else on a node."""
    return {
        "metadata": {"name": f"other-{next(_numbers)}", "namespace": "other", "labels": {"app": "other"}},
        "spec": {"nodeName": name, "containers": [container(cpu)], **spec},
        "status": {"phase": "Running"},
    }


def scaler_pod():
    """The pod that shows a cluster autoscaler."""
    one = filler("n1", "0")
    one["metadata"]["labels"] = {"app.kubernetes.io/name": "aws-cluster-autoscaler"}
    return one


def quota(hard, used=None, name="q", **spec):
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"hard": hard, **spec},
        "status": {"used": used or {}},
    }


def budget(healthy, least, labels=None, name="pdb"):
    allowed = max(0, healthy - least)
    return {
        "metadata": {"name": name, "namespace": "shop", "generation": 1},
        "spec": {"selector": {"matchLabels": labels or {"app": "api"}}, "minAvailable": least},
        "status": {
            "observedGeneration": 1,
            "currentHealthy": healthy,
            "desiredHealthy": least,
            "disruptionsAllowed": allowed,
        },
    }


def autoscaler(most, now, kind="Deployment", name="api"):
    return {
        "metadata": {"name": "hpa", "namespace": "shop"},
        "spec": {"maxReplicas": most, "scaleTargetRef": {"kind": kind, "name": name}},
        "status": {"currentReplicas": now},
    }


def claim(mode="ReadWriteOnce", name="data", volume="pv"):
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"accessModes": [mode], "volumeName": volume},
    }


def volume(name="pv", node=None, labels=None, **source):
    rule = [{"matchExpressions": [{"key": HOST, "operator": "In", "values": [node]}]}]
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": rule}}} if node else {}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {**affinity, **(source or {"csi": {"driver": "d"}})},
    }


def uses_claim(name="data"):
    return {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]}


def apart(key=HOST, labels=None, **term):
    """Required anti-affinity to pods with these labels."""
    return {"affinity": {"podAntiAffinity": _required(key, labels, term)}}


def near(key=HOST, labels=None, **term):
    """Required affinity to pods with these labels."""
    return {"affinity": {"podAffinity": _required(key, labels, term)}}


def _required(key, labels, term):
    rule = {"topologyKey": key, "labelSelector": {"matchLabels": labels or {"app": "api"}}, **term}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [rule]}


def on_nodes(key, operator, *values):
    """Required node affinity."""
    rule = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    terms = {"nodeSelectorTerms": [rule]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


def spread(key=HOST, skew=1, **more):
    rule = {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", **more}
    return {"topologySpreadConstraints": [{"labelSelector": {"matchLabels": {"app": "api"}}, **rule}]}


def host_port(port=8080, **more):
    return {"containers": [container(ports=[{"containerPort": port, "hostPort": port, **more}])]}


def owned(workload):
    """The workload with a controller."""
    workload["metadata"]["ownerReferences"] = [
        {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "name": "events", "uid": "u", "controller": True}
    ]
    return workload


def replica_sets(workload, number):
    """Revisions that only count."""
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{workload['metadata']['name']}-{place}",
                "namespace": "shop",
                "ownerReferences": owned_by(workload),
            },
            "spec": {"template": {}},
        }
        for place in range(number)
    ]


@dataclass
class Scene:
    """A cluster, and how much of it a run restarts at once."""

    workloads: list
    pods: list = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    refusals: dict = field(default_factory=dict)  # by the name of the workload
    refused_pods: dict = field(default_factory=dict)
    around: dict = field(default_factory=dict)

    def findings(self):
        by_name = {kinds.key(one)[2]: kinds.key(one) for one in self.workloads}
        facts = Facts(now=NOW, pods=self.pods, workloads=self.workloads, **self.around)
        return examine(
            self.workloads,
            facts,
            self.limits,
            {by_name[name]: text for name, text in self.refusals.items()},
            {by_name[name]: text for name, text in self.refused_pods.items()},
        )


def scene(*workloads, pods=(), limits=None, refusals=None, refused_pods=None, **around):
    return Scene(list(workloads), list(pods), limits or Limits(), refusals or {}, refused_pods or {}, around)


def with_pods(workload, *where, pods=(), **around):
    """One workload with pods on these nodes, and others."""
    return scene(workload, pods=[*running(workload, *where), *pods], **around)


def entries(*of_entry, limits=None, before=None):
    """Limits of a run whose entries hold these workloads, named a, b and so on."""
    entry_of = {kinds.key(one): entry for entry, members in zip("abcdefgh", of_entry) for one in members}
    before = {entry: frozenset(needed) for entry, needed in (before or {}).items()}
    return Limits(entry_of=entry_of, before=before, **(limits or {}))
