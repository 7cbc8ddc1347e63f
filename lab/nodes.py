# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nodes that KWOK plays: no machine behind them, but real scheduling onto them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lab.api import Api, Object

FAKE = "kwok.x-k8s.io/node"  # the annotation of the nodes that KWOK plays
ALLOCATABLE = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}


def add_nodes(api: Api, count: int, zones: Sequence[str]) -> list[str]:
    """Create `count` nodes, spread over `zones` in turn; names go on from the highest number.

    Returns the names.
    """
    first = 1 + max((_number(name) for name in node_names(api)), default=0)
    names = [f"node-{number}" for number in range(first, first + count)]
    for name, zone in zip(names, itertools.cycle(zones)):
        api.request("POST", "/api/v1/nodes", _node(name, zone))
    return names


def node_names(api: Api) -> list[str]:
    """The names of all nodes."""
    return [node["metadata"]["name"] for node in _nodes(api)]


def all_ready(api: Api) -> bool:
    """Whether every node says it is ready, and may be scheduled onto."""
    return all(map(_ready, _nodes(api)))


def is_ready(api: Api, name: str) -> bool:
    """Whether the node `name` is there and ready."""
    return any(node["metadata"]["name"] == name and _ready(node) for node in _nodes(api))


def forget(api: Api, name: str) -> None:
    """Delete the node `name`, as far as the API knows it."""
    if name in node_names(api):
        api.request("DELETE", f"/api/v1/nodes/{name}")


def _nodes(api: Api) -> list[Object]:
    items: list[Object] = api.request("GET", "/api/v1/nodes")["items"]
    return items


def _ready(node: Object) -> bool:
    return not node["spec"].get("taints") and {"Ready": "True"}.items() <= _conditions(node).items()


def _conditions(node: Object) -> dict[str, str]:
    return {item["type"]: item["status"] for item in node["status"].get("conditions", ())}


def _number(name: str) -> int:
    digits = name.removeprefix("node-")
    return int(digits) if digits.isdecimal() else 0


def _node(name: str, zone: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {FAKE: "fake"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "status": {"allocatable": ALLOCATABLE, "capacity": ALLOCATABLE},
    }
