# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a rollout makes no progress, from the workload, its pods and its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import (
    codes,
    containers,
    of_pod,
    of_workload,
    which_pods,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import observed

# Problems that only events or a longer observation can prove. The watching code reads all of them before it gives up.
STANDSTILLS = frozenset(
    {
        *("stuck_pod", "not_terminated", "not_observed", "paused", "config_missing", "start_failed"),
        *("quota", "limit_range", "pod_security", "policy_refused", "webhook_refused", "webhook_unreachable"),
        *("not_created", "volume_attached", "volume_mount", "node_not_ready", "node_pressure"),
    }
)
MOST_FURTHER = 2  # causes besides the worst one
_CONSEQUENCES = ("progress_deadline", "no_progress")  # of every other cause


@dataclass(frozen=True)
class Standstill:
    """Something that may block a rollout. `uid` is that of the pod, empty for the workload itself.

    `allowed` are the seconds that it may normally take, in addition to any grace.
    """

    uid: str
    code: str
    allowed: float = 0.0


def find(evidence: Evidence) -> codes.Cause | None:
    """The worst cause that can be seen, with those after it; None if the rollout only needs time."""
    pods = evidence.newest_pods
    seen = [(pod, cause) for pod in pods for cause in of_pod.causes_of(pod, evidence, pods)]
    causes = [*(cause for _pod, cause in seen), *of_workload.causes_of(evidence)]
    worst = codes.worst(causes)
    if worst is None:
        return None
    alike = {_uid(pod): pod for pod, cause in seen if cause.code == worst.code}
    return replace(worst, pods=_places(list(alike.values()), len(pods)), also=_further(worst, causes))


def _places(pods: Sequence[Object], total: int) -> str | None:
    """How many of the new pods show the same cause, and on which nodes they are."""
    if not pods:
        return None
    names = sorted({kinds.field(pod, "spec.nodeName", "") for pod in pods} - {""})
    where = ""
    if len(names) == 1:
        where = f", {'all ' if len(pods) > 1 else ''}on node {names[0]}"
    elif names:
        where = f", on {len(names)} nodes"
    return f"{len(pods)} of {total} new pod{'' if total == 1 else 's'}{where}"


def _further(worst: codes.Cause, causes: Iterable[codes.Cause]) -> tuple[codes.Further, ...]:
    """The other codes, each with its first sentence, the worst first."""
    first: dict[str, codes.Cause] = {}
    for cause in sorted(causes, key=codes.weight):
        if cause.code not in (worst.code, *_CONSEQUENCES):
            first.setdefault(cause.code, cause)
    return tuple(codes.further(cause) for cause in list(first.values())[:MOST_FURTHER])


def of_pods(evidence: Evidence) -> Iterator[tuple[str, codes.Cause]]:
    """The worst cause of each pod of the newest revision, by the pod's uid.

    A container that has ended and runs again counts here, marked as `running`: the watch shows whether it ends again.
    """
    pods = evidence.newest_pods
    for pod in pods:
        causes = of_pod.causes_of(pod, evidence, pods)
        again = [containers.cause_of(pod, one, evidence) for one in containers.containers_of(pod)]
        worst = codes.worst([*causes, *(cause for cause in again if cause and not containers.is_loop(cause))])
        if worst:
            yield pod["metadata"].get("uid", pod["metadata"]["name"]), worst


def standstills(evidence: Evidence) -> Iterator[Standstill]:
    """What may block the rollout besides the containers of its pods, without a request that would prove it."""
    workload = evidence.workload
    for pod in kinds.kind_of(workload).stuck_pods(workload, evidence.pods):
        yield Standstill(_uid(pod), "stuck_pod")
    for pod in which_pods.holding_up(workload, evidence.pods):
        yield Standstill(_uid(pod), "not_terminated", pod["metadata"].get("deletionGracePeriodSeconds") or 0.0)
    for pod in evidence.newest_pods:
        if of_pod.begins_still(pod):
            yield Standstill(_uid(pod), "not_begun")
    if of_workload.is_refused(workload):
        yield Standstill("", "refused")
    if not observed(workload):
        yield Standstill("", "not_observed")
    if kinds.field(workload, "spec.paused"):
        yield Standstill("", "paused")


def _uid(pod: Object) -> str:
    return pod["metadata"].get("uid", pod["metadata"]["name"])
