# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The requests that hold a rollout for budgets, and let it go on. Each reads the workload first, because its status changes
all the time, and changes exactly what it has read: nothing that was deployed or undone meanwhile is held."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict
from ansible_collections.restartx.core.plugins.module_utils.engine import requests
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold, canary, kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.canary import Canary
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch

TRIES = 10  # while the status of the workload changes faster than it can be read and patched


def hold(cluster: Cluster, workload: dict, its: Canary, run: str, mode: Mode, deadline: float | None) -> dict | None:
    """Keeps the rollout from stopping further pods. Returns the workload that is held; None if there is nothing to hold.
    Raises ClusterError."""

    def made(now: dict) -> Patch | None:
        pods = [] if kinds.kind_of(now).pausable else requests.pods(cluster, now, deadline)
        body = budget_hold.patch(now, pods) if marks.run_of(now) == run else None
        return Patch("strategic", body) if body else None

    return _change(cluster, workload, made, mode, deadline, lambda now: budget_hold.is_held(now, its))


def go_on(cluster: Cluster, workload: dict, its: Canary, mode: Mode, deadline: float | None) -> dict | None:
    """Lets the rollout go on that is held. Returns the workload; None if nothing of ours holds it. Raises ClusterError."""
    return _change(
        cluster,
        workload,
        lambda now: canary.goes_on(now, its),
        mode,
        deadline,
        lambda now: not budget_hold.is_held(now, its),
    )


def _change(
    cluster: Cluster,
    workload: dict,
    made: t.Callable[[dict], Patch | None],
    mode: Mode,
    deadline: float | None,
    done: t.Callable[[dict], bool],
) -> dict | None:
    sender = replace(mode, field_manager=budget_hold.manager_of(mode.field_manager))
    for last in [False] * (TRIES - 1) + [True]:
        now = cluster.get(kinds.path(*kinds.key(workload)), deadline=deadline)
        patch = made(now) if now["metadata"].get("uid") == workload["metadata"].get("uid") else None
        if patch is None:
            return None
        try:
            return requests.patch(cluster, now, patch.body, patch.content, sender, deadline, done)
        except Conflict:
            if last:
                raise
    return None
