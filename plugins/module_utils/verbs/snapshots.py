# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The VolumeSnapshots of restarts pod by pod: what they need of a cluster, and what makes them."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, NotFound
from ansible_collections.restartx.core.plugins.module_utils.engine.snapshots import FailedSnapshots, SnapshotHold
from ansible_collections.restartx.core.plugins.module_utils.rollout import snapshots
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.commands import kubectl
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import api_path
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import SnapshotPlan
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def of_entries(entries: t.Sequence[Entry]) -> dict[str, SnapshotPlan]:
    """The snapshots of each entry that has some."""
    betweens = {entry.id: entry.between_pods for entry in entries}
    return {name: its.snapshot for name, its in betweens.items() if its and its.snapshot}


def lacking(call: Call, entries: t.Sequence[Entry], groups: t.Collection[str]) -> list[str]:
    """What the cluster lacks for the snapshots of these groups of the entries, each as a sentence with what to do."""
    plans = [plan for group, plan in of_entries(entries).items() if group in groups]
    if not plans:
        return []
    where = call.cluster.context or call.cluster.host
    try:
        call.cluster.get(snapshots.API)
    except Forbidden:
        return []
    except NotFound:
        return [
            f"the cluster {where} has no API {snapshots.GROUP}/v1, which snapshot of between_pods needs; install the snapshot "
            "controller of its storage with its CustomResourceDefinitions, or leave snapshot out"
        ]
    told = []
    for name in dict.fromkeys(plan.of_class for plan in plans):
        try:
            call.cluster.get(api_path(snapshots.API, None, snapshots.CLASSES, name))
        except Forbidden:
            continue
        except NotFound:
            command = kubectl(call.cluster.context, "get", "volumesnapshotclass")
            told.append(
                f'the VolumeSnapshotClass "{name}" does not exist on the cluster {where}; give one of these as class of snapshot: '
                f"{command}"
            )
    return told


def check(call: Call, entries: t.Sequence[Entry], groups: t.Collection[str]) -> None:
    """Raises RolloutError if the cluster cannot make the snapshots of these groups."""
    found = lacking(call, entries, groups)
    if found:
        raise RolloutError(f"nothing was touched: {'; '.join(found)}")


def holds(
    call: Call, entries: t.Sequence[Entry], run: str, limits: t.Mapping[str, t.Any]
) -> tuple[list[SnapshotHold], list[FailedSnapshots]]:
    """What makes the snapshots and keeps restarts from starting before, and what says that they have failed. A dry run makes
    none."""
    plans = of_entries(entries)
    if call.check_mode or not plans:
        return [], []
    limited = any(limits.get(name) for name in ("max_parallel", "stagger"))
    limited = limited or any(entry.max_parallel or entry.stagger for entry in entries)
    hold = SnapshotHold(plans, run, call.cluster, call.clock, limited)
    return [hold], [FailedSnapshots(hold)]
