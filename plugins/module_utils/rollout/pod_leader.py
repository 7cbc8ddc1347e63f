# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pod of a workload is the leader, from what was read or answered."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

SHOWN = 5  # pods in a sentence
LONGEST = 100  # characters of a value in a sentence


@dataclass(frozen=True)
class Leader:
    """The name of the pod that leads. None if that is not known, and then why."""

    name: str | None
    why: str = ""


def by_label(workload: Object, pods: t.Sequence[Object], label: str, value: str) -> Leader:
    """The only pod of the workload with this label."""
    found = [name for name, pod in _pods(workload, pods).items() if kinds.labels_of(pod).get(label) == value]
    if len(found) == 1:
        return Leader(found[0])
    if not found:
        return Leader(None, f"none of its pods has the label {label}={value}")
    return Leader(None, f"several of its pods have the label {label}={value}: {some(found, SHOWN)}")


def named(workload: Object, pods: t.Sequence[Object], found: t.Any, asked: str) -> Leader:
    """The pod that a value names: `db-1`, or as the leader election of Kubernetes writes it, `db-1_` and more. `asked` says
    in messages where it comes from."""
    names = list(_pods(workload, pods))
    if not isinstance(found, str) or not found:
        shown = json.dumps(found, default=str)
        shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
        return Leader(None, f"{asked} gives {shown}, and not the name of a pod")
    name = next((one for one in names if found == one or found.startswith(f"{one}_")), None)
    return Leader(name, "" if name else f"{asked} names {found[:LONGEST]}, and its pods are {some(names, SHOWN)}")


@dataclass(frozen=True)
class Said:
    """What a pod has answered to the question whether it leads: None if it could not be asked. `told` says how, as a clause."""

    leads: bool | None
    told: str


def by_answers(said: t.Mapping[str, Said], ready: t.Collection[str], asked: str) -> Leader:
    """The only pod that says so of itself, by name. Each of the `ready` ones must have answered. `asked` is the question."""
    silent = [name for name, one in said.items() if one.leads is None and name in ready]
    if silent:
        return Leader(None, f"pod {silent[0]} could not be asked ({asked}): {said[silent[0]].told}")
    found = [name for name, one in said.items() if one.leads]
    if len(found) == 1:
        return Leader(found[0])
    if found:
        return Leader(None, f"several of its pods say that they lead ({asked}): {some(found, SHOWN)}")
    told = some([f"{name} {one.told}" for name, one in said.items()], SHOWN)
    return Leader(None, f"none of its pods says that it leads ({asked}){f': {told}' if told else ''}")


def members(workload: Object, pods: t.Sequence[Object]) -> dict[str, Object]:
    """The pods of the workload that run, by name: the ready ones first."""
    found = _pods(workload, pods)
    return dict(sorted(found.items(), key=lambda one: not which_pods.ready(one[1])))


def _pods(workload: Object, pods: t.Sequence[Object]) -> dict[str, Object]:
    """The pods of the workload that run, by name."""
    kind = kinds.kind_of(workload)
    mine = [pod for pod in pods if which_pods.active(pod) and kind.owns(workload, pod)]
    return {pod["metadata"]["name"]: pod for pod in sorted(mine, key=lambda pod: str(pod["metadata"]["name"]))}
