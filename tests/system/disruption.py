# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PodDisruptionBudgets, and how few healthy pods there were at once, as the API server's own events show."""

from __future__ import annotations

import json
from urllib.parse import quote


def budget(name, labels, **spec):
    """A PodDisruptionBudget for the pods with these labels."""
    given = {"selector": {"matchLabels": labels}, **spec}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": given}


def healthy(pod):
    """Whether a budget counts the pod as healthy."""
    ready = [one["status"] for one in pod["status"].get("conditions", []) if one["type"] == "Ready"]
    return ready == ["True"] and not pod["metadata"].get("deletionTimestamp")


class Watch:
    """The healthy pods of a namespace (with these labels) from now on, after each event of the API server."""

    def __init__(self, namespace, labels=""):
        self._path = f"/api/v1/namespaces/{namespace.name}/pods?labelSelector={quote(labels)}"
        self._namespace = namespace
        found = namespace.api.request("GET", self._path)
        self._from = found["metadata"]["resourceVersion"]
        self._pods = {pod["metadata"]["name"]: healthy(pod) for pod in found["items"]}

    def fewest(self):
        """How few healthy pods there were at once."""
        path = f"{self._path}&watch=1&resourceVersion={self._from}&timeoutSeconds=2"
        counts = [sum(self._pods.values())]
        for line in self._namespace.cluster.kubectl("get", "--raw", path).stdout.splitlines():
            event = json.loads(line)
            assert event["type"] in ("ADDED", "MODIFIED", "DELETED"), event
            name = event["object"]["metadata"]["name"]
            self._pods[name] = event["type"] != "DELETED" and healthy(event["object"])
            counts.append(sum(self._pods.values()))
        assert len(counts) > 1
        return min(counts)
