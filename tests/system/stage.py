# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The workloads of the table of failures on a cluster, and what happens to them."""

from __future__ import annotations

import json
from functools import partial

from failure_table import TABLE
from house import KINDS, RBAC, Namespace, workload
from kubelet import NEVER_ENDS, Step, looping, lose, status, write
from refusals import limits, policy, quota, unreachable, volume

from lab.api import ApiError
from lab.failures import LABEL
from lab.poll import wait_until

GRACE = 4  # seconds
ROWS = {row.id: row for row in TABLE if not row.node}
NAMESPACES = ("shared", "secure", "frozen", "limited")
CLUSTER_WIDE = [
    policy("no-latest", "policy", "", "pods", "use a fixed tag"),
    policy("no-sets", "sets", "apps", "replicasets", "no more sets"),
]


def made(row):
    """The workload of a row."""
    found = workload(row.kind, row.id, labels={LABEL: row.failure, **row.labels}, **row.spec)
    template = found["spec"]["template"]
    template["metadata"] |= row.marks
    pod = template["spec"]
    pod["containers"] += row.pod.get("containers", [])
    pod["containers"][0] |= row.main
    pod |= {name: value for name, value in row.pod.items() if name != "containers"}
    return found


class Stage:
    """The cluster with the workloads of the table, and what happens to them."""

    def __init__(self, cluster, operator, make_namespace, rows=None):
        self.rows = rows or list(ROWS.values())
        self.cluster, self.operator = cluster, operator
        self.namespaces = {name: Namespace(cluster, operator, make_namespace(name)) for name in NAMESPACES}
        self.own = self.namespaces["shared"]
        self.api = self.own.api
        self.acts = {"preempted": self._preempt, "paused": self._pause}

    def script(self, pod):
        """What the new pods of the table go through."""
        row = ROWS[pod["metadata"]["labels"]["app"]]
        if row.only_on not in (None, pod["spec"]["nodeName"]):
            return [Step(containers={})]
        if row.failure == NEVER_ENDS:
            return [Step(events=row.events)]
        if row.id == "stuck":
            return [Step(act=self._break), Step(containers={})]
        seen = None if row.nothing else row.shows or {}
        return [Step(containers=seen, events=row.events, act=self.acts.get(row.id), conditions=row.conditions)]

    def _preempt(self, pod):
        important = {"metadata": {"name": "important"}, "spec": {**made(ROWS["preempted"])["spec"]["template"]["spec"]}}
        important["spec"]["priorityClassName"] = "table-important"
        self.api.request("POST", f"/api/v1/namespaces/{self.own.name}/pods", important)

    def _pause(self, _pod):
        self.api.request(
            "PATCH", f"/apis/apps/v1/namespaces/{self.own.name}/deployments/paused", {"spec": {"paused": True}}
        )

    def _break(self, pod):
        old = self.own.get("pod", "stuck-0")
        write(self.api, old, status(old, {"main": looping(1)}))

    def before(self):
        """What the workloads need to be well."""
        assert self.cluster.add_nodes(3, ["a"]) == ["node-4", "node-5", "node-6"]
        for name in ("node-4", "node-5", "node-6"):
            self.cluster.kubectl("taint", "node", name, "table=yes:NoSchedule")
        self.cluster.kubectl("label", "node", "node-3", "pool=leaving")
        self.cluster.kubectl("create", "priorityclass", "table-limited", "--value=1")
        self.cluster.kubectl("create", "priorityclass", "table-important", "--value=1000")
        self.own.kubectl("create", "serviceaccount", "leaving")
        self.create(*volume(self.own.name, "far", "nowhere"), *volume(self.own.name, "single", None))
        self.create(*volume(self.own.name, "unbound", "nowhere")[:1])
        self.cluster.apply((RBAC / "causes.yml").read_text())

    def create(self, *things):
        """Create objects in the namespace, or in the cluster."""
        self.own.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": things}))

    def workloads(self):
        """Create the workloads, and wait until those are well that should be."""
        for name, namespace in self.namespaces.items():
            rows = [row for row in self.rows if row.namespace == name]
            namespace.create(*map(made, rows), ready=False)
        for name, namespace in self.namespaces.items():
            rows = [row for row in self.rows if row.namespace == name and row.well_before]
            namespace.rolled_out(*(f"{row.kind}/{row.id}" for row in rows))

    def worsen(self, webhook):
        """From now on, nothing works any more for new pods."""
        self.cluster.kubectl("label", "node", "node-3", "pool-")
        self.cluster.kubectl("taint", "node", "node-4", "maintenance=yes:NoSchedule")
        lose(self.api, "node-5", Ready="False")
        lose(self.api, "node-6", DiskPressure="True")
        self.own.kubectl("delete", "serviceaccount", "leaving")
        level = "pod-security.kubernetes.io/enforce=restricted"
        self.cluster.kubectl("label", "namespace", self.namespaces["secure"].name, level)
        for thing in [*CLUSTER_WIDE, [webhook.configuration], [unreachable("away.example.com", "away")]]:
            self.create(*thing)
        self.create(quota("tight", {"pods": 0}, "table-limited"))
        self.namespaces["frozen"].kubectl("create", "quota", "one", "--hard=count/replicasets.apps=1")
        self.namespaces["limited"].kubectl("create", "-f", "-", input=json.dumps(limits("small", cpu="1")))
        for label in ("policy", "sets", "away", "team"):
            wait_until(partial(self._refuses, label), f"the refusal of {label}")
        for name, counted in (("shared", "tight"), ("frozen", "one")):
            space = self.namespaces[name]
            wait_until(lambda: space.get("resourcequota", counted).get("status", {}).get("used"), "the quota to count")  # noqa: B023

    def _refuses(self, label):
        template = workload("ReplicaSet", "trial", labels={"refuse": label})["spec"]
        thing = {"metadata": {"name": "trial", "labels": {"refuse": label}}, "spec": template["template"]["spec"]}
        path = f"/api/v1/namespaces/{self.own.name}/pods"
        if label == "sets":
            thing["spec"], path = template, f"/apis/apps/v1/namespaces/{self.own.name}/replicasets"
        try:
            self.api.request("POST", f"{path}?dryRun=All", thing)
        except ApiError:
            return True
        return False

    def restart(self, rows, **options):
        """Restart the workloads of these rows in one call."""
        return self.operator.run(
            "k8s_rollout_restart",
            namespace=sorted({self.namespaces[row.namespace].name for row in rows}),
            kind=list(KINDS),
            name=[row.id for row in rows],
            grace=f"{GRACE}s",
            timeout="45s",
            on_failure="continue",
            **options,
        )

    def end(self):
        """Leave the cluster as it was."""
        self.cluster.kubectl("delete", "clusterrole,clusterrolebinding", "restartx-causes")
        for things in CLUSTER_WIDE:
            for thing in things:
                self.cluster.kubectl("delete", thing["kind"], thing["metadata"]["name"])
        self.cluster.kubectl("delete", "validatingwebhookconfiguration", "away.example.com", "team.example.com")
        self.cluster.kubectl("delete", "priorityclass", "table-limited", "table-important")
        for namespace in self.namespaces.values():
            namespace.kubectl("delete", "deployments,statefulsets,daemonsets", "--all", "--wait=false")
            for pod in namespace.list("pods"):
                if pod["metadata"].get("finalizers"):
                    free = '{"metadata": {"finalizers": null}}'
                    namespace.kubectl("patch", "pod", pod["metadata"]["name"], "--patch", free, "--type=merge")
            namespace.kubectl("delete", "pods", "--all", "--force", "--wait=false")
        self.cluster.kubectl("delete", "node", "node-4", "node-5", "node-6")
        self.cluster.kubectl("delete", "pv", f"far-{self.own.name}", f"single-{self.own.name}", "--wait=false")
