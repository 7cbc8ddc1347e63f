# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workloads of the lab's sample application, services before them, and the load that is sent to those."""

from __future__ import annotations

import json

IMAGE = "localhost/shop:1"
CAREFUL = {
    "args": ["serve", "-drain", "1s"],
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
    "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
}
# Gets ready as quickly as it ends, and is asked patiently, so that only its end makes it unready.
QUICK = {
    "args": ["serve"],
    "readinessProbe": {**CAREFUL["readinessProbe"], "timeoutSeconds": 10, "failureThreshold": 5},
}
# Listens only after a while, which nobody asks for, and ends in the middle of what it does.
CARELESS = {"args": ["serve", "-listen-after", "1s", "-work", "20ms"]}

# Bounds of the load: seconds, requests, connections, and the pause of each connection between two requests.
LONGEST, MOST, CONNECTIONS, PAUSE = 300, 180000, 6, "10ms"


def workload(kind, name, replicas=1, strategy=None, **container):
    """A workload of one container; `strategy` is the block rollingUpdate."""
    labels = {"app": name}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "terminationGracePeriodSeconds": 10,
                "containers": [{"name": "shop", "image": IMAGE, "imagePullPolicy": "Never", **container}],
            },
        },
    }
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if strategy:
        field = "strategy" if kind == "Deployment" else "updateStrategy"
        spec[field] = {"type": "RollingUpdate", "rollingUpdate": strategy}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def service(name):
    """The Service before a workload."""
    ports = [{"port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }


class Load:
    """A pod that sends requests to a service until it is asked to stop; in the pods' own network."""

    def __init__(self, namespace, to, connections=CONNECTIONS, longest=LONGEST):
        self.namespace = namespace
        self.name = f"load-{to}"
        address = namespace.get("service", to)["spec"]["clusterIP"]
        limits = ["-for", f"{longest}s", "-limit", str(MOST), "-connections", str(connections), "-pause", PAUSE]
        container = {"name": "load", "image": IMAGE, "imagePullPolicy": "Never"}
        container["args"] = ["load", "-to", f"{address}:80", *limits]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name}}
        pod["spec"] = {"restartPolicy": "Never", "containers": [container]}
        namespace.kubectl("create", "-f", "-", input=json.dumps(pod))
        namespace.kubectl("wait", f"pod/{self.name}", "--for=condition=Ready", "--timeout=180s")

    def figures(self):
        """Stop it; what it counted: requests, failed, errors by kind, and requests by the pod that answered."""
        where = ("--namespace", self.namespace.name, self.name)
        self.namespace.cluster.kubectl("exec", *where, "--", "/shop", "stop")
        ended = "--for=jsonpath={.status.phase}=Succeeded"
        self.namespace.kubectl("wait", f"pod/{self.name}", ended, "--timeout=180s")
        return json.loads(self.namespace.kubectl("logs", self.name).stdout)
