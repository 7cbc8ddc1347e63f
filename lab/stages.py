# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How pods and nodes behave on KWOK: the life of a healthy pod, and of each failure.

The label lab.restartx.io/failure chooses the failure (failures.FAILURES). A pod's first
container fails, or the one that its annotation lab.restartx.io/container names; the others
are healthy. The annotation lab.restartx.io/delay (such as 20s) sets how long a slow
start takes, and when a later failure comes. A node with that label and the value `lost` is left
alone, so that its conditions stay as they are set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from lab import statuses
from lab.api import Object

Rule = tuple[str, Sequence[str] | None]  # an operator of a label selector, and its values

_FAILURE = '.metadata.labels["lab.restartx.io/failure"]'
_DELAY = '.metadata.annotations["lab.restartx.io/delay"]'
_WAITING = ".status.containerStatuses.[].state.waiting.reason"
_TERMINATED = ".status.containerStatuses.[].state.terminated.reason"
_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'

_STARTS_WELL: Rule = ("NotIn", ["image-pull", "crash-loop", "slow-start", "never-ready", "oom", "by-hand"])
_CRASHES: Rule = ("In", ["crash-loop", "oom", "fail-later"])


def _stage(
    name: str,
    when: Mapping[str, Rule],
    delay: int = 0,
    then: str | None = None,
    delay_from: str | None = None,
    event: tuple[str, str, str] | None = None,
    kind: str = "Pod",
    delete: bool = False,
) -> Object:
    """One Stage document: `when` maps jq paths to (operator, values); times in milliseconds."""
    step: Object = {"delete": True} if delete else {}
    if then:
        step["statusTemplate"] = then
    if event:
        step["event"] = dict(zip(("type", "reason", "message"), event))
    pause: Object = {"durationMilliseconds": delay}
    if delay_from:
        pause["durationFrom"] = {"expressionFrom": delay_from}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {
                "matchExpressions": [
                    {"key": path, "operator": operator} | ({"values": values} if values else {})
                    for path, (operator, values) in when.items()
                ]
            },
            "delay": pause,
            "next": step,
        },
    }


_ALIVE: dict[str, Rule] = {".metadata.deletionTimestamp": ("DoesNotExist", None)}
_NEW: dict[str, Rule] = _ALIVE | {".status.phase": ("In", ["Pending"])}
_JOB: dict[str, Rule] = {".metadata.ownerReferences.[].kind": ("In", ["Job"])}


def _failure(*names: str) -> dict[str, Rule]:
    return {_FAILURE: ("In", list(names))}


_STAGES = [
    _stage(
        "node-ready",
        {_READY: ("NotIn", ["True"]), _FAILURE: ("NotIn", ["lost"])},
        0,
        statuses.NODE_READY,
        kind="Node",
    ),
    # The life of a healthy pod.
    _stage("pod-runs", _NEW | {_FAILURE: _STARTS_WELL}, 700, statuses.RUNS),
    _stage("pod-completes", _ALIVE | _JOB | {_READY: ("In", ["True"])}, 1000, statuses.COMPLETED),
    _stage(
        "pod-is-deleted",
        {
            ".metadata.deletionTimestamp": ("Exists", None),
            ".metadata.finalizers": ("DoesNotExist", None),
            _FAILURE: ("NotIn", ["never-ends"]),
        },
        300,
        delete=True,
    ),
    # The image cannot be pulled.
    _stage(
        "image-pull-fails",
        _NEW | _failure("image-pull") | {_WAITING: ("DoesNotExist", None)},
        700,
        statuses.PULL_FAILS,
        event=("Warning", "Failed", "Failed to pull image: not found"),
    ),
    _stage(
        "image-pull-backs-off",
        _ALIVE | _failure("image-pull") | {_WAITING: ("In", ["ErrImagePull"])},
        700,
        statuses.PULL_BACKS_OFF,
        event=("Normal", "BackOff", "Back-off pulling image"),
    ),
    # The container runs, but is not ready for a while, or ever.
    _stage(
        "starts-unready",
        _NEW | _failure("slow-start", "never-ready"),
        700,
        statuses.RUNS_UNREADY,
        event=(
            "Warning",
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
    ),
    _stage(
        "is-ready-at-last",
        _ALIVE | _failure("slow-start") | {_READY: ("In", ["False"])},
        8000,
        statuses.RUNS,
        delay_from=_DELAY,
    ),
    # The container exits, is restarted, and exits again.
    _stage("crashes-at-once", _NEW | _failure("crash-loop", "oom"), 700, statuses.HAS_EXITED),
    _stage(
        "crashes-later",
        _ALIVE | _failure("fail-later") | {_READY: ("In", ["True"])},
        6000,
        statuses.HAS_EXITED,
        delay_from=_DELAY,
    ),
    _stage(
        "crash-backs-off",
        _ALIVE | {_FAILURE: _CRASHES, _TERMINATED: ("Exists", None)},
        700,
        statuses.BACKS_OFF,
        event=("Warning", "BackOff", "Back-off restarting failed container"),
    ),
    _stage(
        "crashes-again",
        _ALIVE | {_FAILURE: _CRASHES, _WAITING: ("In", ["CrashLoopBackOff"])},
        10000,
        statuses.HAS_EXITED,
    ),
]


def write_stages(path: Path) -> None:
    """Write all Stages to the file `path`, for KWOK's --config."""
    path.write_text(yaml.safe_dump_all(_STAGES, sort_keys=False))
