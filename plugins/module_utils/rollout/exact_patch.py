# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Patches that make the spec of a workload another one, and change nothing else."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch


def exactly(workload: Object, after: Object) -> Patch | None:
    """The JSON patch that makes exactly the version that was read this one; None if nothing in its spec changes."""
    changes = _changes(workload["spec"], after["spec"])
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"]}
    return Patch("json", [version, *changes]) if changes else None


def with_spec(patch: Patch, before: Object, after: Object) -> Patch:
    """The patch, which also makes the one spec the other."""
    if patch.content == "json":
        return Patch("json", [*patch.body, *_changes(before, after)])
    changed = {
        name: {**after[name], "$patch": "replace"} if name in after else None
        for name in before
        if after.get(name) != before[name]
    }
    return Patch(patch.content, {**patch.body, "spec": {**patch.body.get("spec", {}), **changed}})


def _changes(before: Object, after: Object) -> list[Object]:
    """What makes the one spec the other, as operations of a JSON patch."""
    gone = [{"op": "remove", "path": f"/spec/{name}"} for name in before if name not in after]
    changed = [name for name in after if after[name] != before.get(name)]
    return [*gone, *({"op": "replace", "path": f"/spec/{name}", "value": after[name]} for name in changed)]
