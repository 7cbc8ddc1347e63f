# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holding what failed for inspection: the patch that holds a workload, and the one that releases it.

A Deployment is held by spec.paused, and a StatefulSet by its partition. A DaemonSet cannot be held.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.commands import kubectl
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch

NOT_HELD = (
    "a DaemonSet cannot be held for inspection: its rollout stops by itself while maxUnavailable pods are unavailable"
)
STOPPED = "no further pod is replaced"
LEFTOVERS = "ansible-playbook restartx.core.leftovers -e repair=true"


def can_be_held(workload: Object) -> bool:
    """Whether something keeps a rollout of its kind from replacing further pods."""
    return bool(kinds.kind_of(workload).hold_spec(workload, ()))


def hold(workload: Object, pods: t.Sequence[Object] = ()) -> Object | None:
    """The strategic merge patch that holds exactly the version that was read; None if a workload of its kind cannot be
    held, or if it is held already.

    `pods` are those that the selector finds. The pods of a StatefulSet that have the new revision stay as they are, and
    no other pod is replaced.
    """
    spec = kinds.kind_of(workload).hold_spec(workload, pods)
    return None if _has(workload["spec"], spec) else _patch(workload, spec)


def release(workload: Object, partition: int | None) -> Object | None:
    """The strategic merge patch that releases exactly the version that was read; None if there is nothing to release.
    `partition` is the one that a StatefulSet had before it was held."""
    spec = kinds.kind_of(workload).release_spec(workload, partition)
    return None if _has(workload["spec"], spec) else _patch(workload, spec)


def held(workload: Object, run: str, partition: int | None) -> bool:
    """Whether a workload that carries this run is held. `partition` as in release()."""
    return marks.run_of(workload) == run and kinds.kind_of(workload).is_held(workload, partition)


def released(workload: Object, partition: int | None) -> Object:
    """The workload as it is after its release."""
    spec = kinds.kind_of(workload).release_spec(workload, partition)
    return {**workload, "spec": _merged(workload["spec"], spec)}


def with_release(undo: Patch, workload: Object, partition: int | None) -> Patch:
    """The patch of an undo, which releases the workload as well."""
    spec = kinds.kind_of(workload).release_spec(workload, partition)
    if undo.content == "json":
        values = [{"op": "add", "path": f"/spec/{name}", "value": value or False} for name, value in spec.items()]
        return Patch("json", [*undo.body, *values])
    return Patch(undo.content, {**undo.body, "spec": {**undo.body.get("spec", {}), **spec}})


def words(workload: Object) -> str:
    """How a workload is held, for a message: `paused`, or `held by its partition 2`."""
    if kinds.kind_of(workload).pausable:
        return "paused"
    return f"held by its partition {kinds.field(workload, 'spec.updateStrategy.rollingUpdate.partition', 0)}"


def how_to_go_on(workload: Object, partition: int | None, context: str | None) -> str:
    """The command that releases the workload."""
    kind, namespace, name = kinds.key(workload)
    where = ("--namespace", namespace)
    if kinds.kind_of(workload).pausable:
        return kubectl(context, "rollout", "resume", f"{kind.lower()}/{name}", *where)
    body = json.dumps({"spec": kinds.kind_of(workload).release_spec(workload, partition or 0)})
    return kubectl(context, "patch", f"{kind.lower()}/{name}", *where, "--type=merge", f"--patch={body}")


def refusal(workload: Object, run: str, partition: int | None, context: str | None, strategy_too: bool = False) -> str:
    """Why a workload that a run holds is not restarted, with what to do. `strategy_too` is whether its canary has left
    the strategy changed as well."""
    command = how_to_go_on(workload, partition, context)
    go_on = LEFTOVERS if strategy_too else f"{command} (for everything that runs left: {LEFTOVERS})"
    return (
        f'{kinds.label(workload)} is {words(workload)} since it failed in run "{run}", and is left for inspection; to go '
        f"on with it: {go_on}, then start again"
    )


def _patch(workload: Object, spec: Object) -> Object:
    return {"metadata": {"resourceVersion": workload["metadata"]["resourceVersion"]}, "spec": spec}


def _has(now: t.Any, wanted: Object) -> bool:
    """Whether an object has these values already. A field that is absent counts as null, false and 0."""
    now = now if isinstance(now, dict) else {}
    return all(
        _has(now.get(name), value) if isinstance(value, dict) else (now.get(name) or None) == (value or None)
        for name, value in wanted.items()
    )


def _merged(now: t.Any, wanted: Object) -> Object:
    merged = dict(now or {})
    for name, value in wanted.items():
        merged[name] = _merged(merged.get(name), value) if isinstance(value, dict) else value
    return merged
