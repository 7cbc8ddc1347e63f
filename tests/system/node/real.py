# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster whose only node is real, and its API server as pods reach it."""

from __future__ import annotations

import contextlib
import json
import socket
from urllib.parse import urlsplit

from house import RBAC, permit
from relay import Relay

from lab import Lab


@contextlib.contextmanager
def real_cluster(directory):
    """The cluster, with rbac/cluster.yml and rbac/budgets.yml applied."""
    with Lab(directory, owned=True) as lab:
        (found,) = lab.up(["real"], nodes=0)
        permit(found)
        found.start_node()
        yield found


class ForPods:
    """Brings the API server, which listens on loopback only, to its Service while it is entered, as pods know it."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._port = urlsplit(cluster.server).port
        self._address = cluster.node.state["address"]
        self._relay = Relay()

    def __enter__(self):
        listener = socket.create_server((self._address, 0))
        self._relay.listen(listener, self._port)
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": listener.getsockname()[1], "protocol": "TCP"}],
            "endpoints": [{"addresses": [self._address], "conditions": {"ready": True}}],
        }
        self._kubectl("apply", "-f", "-", input=json.dumps(slice_))
        return self

    def __exit__(self, *_exception):
        self._kubectl("delete", "endpointslice", "kubernetes")
        self._relay.close()

    def _kubectl(self, *args, **kwargs):
        self._cluster.kubectl(*args, "--namespace", "default", **kwargs)


def permit_elections(namespace):
    """Let the pods of a namespace elect a leader, and restartx ask for it and evict pods."""
    namespace.cluster.apply((RBAC / "between_pods.yml").read_text())
    restartx, pods = "restartx-system:restartx", f"{namespace.name}:default"
    lease = "--resource=leases.coordination.k8s.io"
    for kind, name, *rest in (
        ("role", "elect", "--verb=get,create,update", lease),
        ("rolebinding", "elect", "--role=elect", f"--serviceaccount={pods}"),
        ("role", "leader", "--verb=get", lease),
        ("rolebinding", "leader", "--role=leader", f"--serviceaccount={restartx}"),
        ("rolebinding", "between-pods", "--clusterrole=restartx-between-pods", f"--serviceaccount={restartx}"),
    ):
        namespace.kubectl("create", kind, name, *rest)
