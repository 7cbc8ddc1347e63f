# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a node, in its conditions."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_FEW = 3  # nodes that a sentence names


class Trouble(t.NamedTuple):
    """A code, the condition as its reason, and its message."""

    code: str
    reason: str
    message: str | None


def trouble(node: Object | None) -> Trouble | None:
    """Why pods cannot run on the node; None if they can, or if the node is not known."""
    if node is None:
        return None
    ready = condition(node, "Ready")
    if ready and ready.get("status") != "True":
        return Trouble("node_not_ready", ready.get("reason") or "NotReady", ready.get("message"))
    for name in _PRESSURES:
        pressure = condition(node, name)
        if pressure.get("status") == "True":
            return Trouble("node_pressure", name, pressure.get("message"))
    return None


def troubled(nodes: Iterable[Object]) -> tuple[Trouble, str] | None:
    """The worst trouble of several nodes, and the names of those that have it; None if all are well."""
    found: dict[str, list[tuple[str, Trouble]]] = {}
    for node in nodes:
        one = trouble(node)
        if one:
            found.setdefault(one.code, []).append((node["metadata"]["name"], one))
    if not found:
        return None
    code = min(found)  # not ready before under pressure
    names = sorted(name for name, _one in found[code])
    return found[code][0][1], f"node{'s' if len(names) > 1 else ''} {some(names, _FEW)}"
