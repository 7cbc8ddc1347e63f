# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is remembered about a rollout while its pods are examined: since when a problem exists, and how it started."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.codes import Cause

Which = tuple[str, str]  # the uid of a pod (empty for the workload itself), and its problem


@dataclass
class Sighting:
    """When a problem was first seen, and how often the container had ended by then. Before the wait ends because of an
    `unproven` problem, the cluster is asked about it."""

    since: float
    allowed: float = 0.0
    ends: int = 0
    unproven: bool = False


@dataclass
class Look:
    """What is remembered about one rollout while its pods are examined."""

    generation: int | None
    moved_at: float
    attended: bool = False
    judged_at: float = float("-inf")
    judge_at: float | None = None  # when a delayed judgement is due
    idle_at: float = 0.0  # when the next check for progress is due
    seen: dict[Which, Sighting] = field(default_factory=dict)
    counts: status.Counts | None = None
    hash: str | None = None  # of the pods of the newest revision, if it had to be read
    asked: frozenset[str] = frozenset()  # the hashes of the pods at that time
    proving: tuple[Which, ...] = ()  # what the cluster is being asked about


def goes_on(first: Sighting, cause: Cause) -> bool:
    """Whether the problem still exists. A container that ended and has run since then has recovered, unless it ended
    again."""
    return not cause.running or cause.ends > first.ends


def slim(pod: dict) -> dict:
    """The parts of a ready pod that show its revision and which of its containers run."""
    metadata, shown = pod["metadata"], pod.get("status") or {}
    kept = ("name", "namespace", "uid", "labels", "annotations", "ownerReferences", "creationTimestamp")
    containers = [{"name": one["name"], "image": one.get("image")} for one in kinds.field(pod, "spec.containers", [])]
    return {
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"containers": containers},
        "status": {
            name: shown[name] for name in ("phase", "containerStatuses", "initContainerStatuses") if name in shown
        },
    }
