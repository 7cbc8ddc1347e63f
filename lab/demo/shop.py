# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sample shop: ten services of all three kinds, in the namespaces shop and edge."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.api import Object

NAMESPACES = ("shop", "edge")
PART_OF = {"app.kubernetes.io/part-of": "restartx-demo"}
# On KWOK's nodes nobody pulls it; on real ones it is a small web server.
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"


@dataclass(frozen=True)
class Service:
    """One workload. Its order in a restart is the affair of the plan, inventory/group_vars/clusters.yml."""

    kind: str
    name: str
    replicas: int = 2
    namespace: str = "shop"
    labels: dict[str, str] = field(default_factory=dict)


SERVICES = (
    Service("StatefulSet", "redis"),
    Service("StatefulSet", "search-index"),
    Service("Deployment", "catalog", 3),
    Service("Deployment", "cart", 3),
    Service("Deployment", "search"),
    Service("Deployment", "payment"),
    Service("Deployment", "orders"),
    Service("Deployment", "web", labels={"tier": "web"}),
    Service("Deployment", "mobile", labels={"tier": "web"}),
    Service("DaemonSet", "proxy", namespace="edge"),
)


def objects() -> list[Object]:
    """Everything the shop consists of, in the order in which it is created."""
    return [*map(namespace, NAMESPACES), account(), *map(workload, SERVICES)]


def namespace(name: str) -> Object:
    """One of its namespaces, marked as the demo's own."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": PART_OF}}


def account() -> Object:
    """The service account of payment: without it no new pod of payment is made, and those that run do not notice."""
    metadata = {"name": "payment", "namespace": "shop", "labels": PART_OF}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def workload(service: Service) -> Object:
    """The Deployment, StatefulSet or DaemonSet of a service."""
    labels = {"app": service.name, **service.labels}
    container = {
        "name": service.name,
        "image": IMAGE,
        "args": ["netexec"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    pod: Object = {"containers": [container], "terminationGracePeriodSeconds": 1}
    if service.name == "payment":
        pod["serviceAccountName"] = "payment"
    spec: Object = {
        "selector": {"matchLabels": {"app": service.name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if service.kind != "DaemonSet":
        spec["replicas"] = service.replicas
    metadata = {"name": service.name, "namespace": service.namespace, "labels": {**labels, **PART_OF}}
    return {"apiVersion": "apps/v1", "kind": service.kind, "metadata": metadata, "spec": spec}
