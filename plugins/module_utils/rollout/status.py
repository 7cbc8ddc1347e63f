# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a rollout is done, by the rules and in the words of kubectl, and what else the same object shows."""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import datetime

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    condition,
    history_limit,
    parse_time,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import (
    DONE,
    FAILED,
    WAITING,
    Counts,
    Verdict,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.marks import RESTARTED_AT

# Names that callers import from here although they are defined elsewhere.
__all__ = ["DONE", "FAILED", "WAITING", "Counts", "Verdict"]


def judge(
    workload: Object, generation: int | None = None, revision: int | None = None, since: datetime | None = None
) -> Verdict:
    """Whether the rollout of `workload` is done, exactly as `kubectl rollout status` of 1.37 says.

    `generation` is metadata.generation in the answer to our own patch. Until the controller has observed it, the
    verdict is waiting, even if an older copy of the object says otherwise. `revision` pins a Deployment to one
    revision, as --revision does; kubectl ignores it for the other kinds. Missing numbers are 0. Never raises for an
    object of the API.

    `since` is when the present rollout began. A condition that is not newer does not count then; see follow().
    """
    kind = kinds.known(workload)
    if kind is None:
        name, group = workload.get("kind", ""), kinds.group_of(workload)
        return Verdict(FAILED, f"no status viewer has been implemented for {f'{name}.{group}' if group else name}")
    wanted = max(kinds.field(workload, "metadata.generation", 0), generation or 0)
    return kind.judge(_without_outdated(workload, None, since) if since else workload, wanted, revision or 0)


_TERMINATION = 30  # seconds that a pod has to terminate if its template does not set them
_MARGIN = 10  # seconds until the termination of a pod is seen


@dataclasses.dataclass(frozen=True)
class Progress(Verdict):
    """The progress of our own rollout. If only terminating old pods are still waited for, `lingering` is the verdict
    without them, otherwise None."""

    lingering: Verdict | None = None


def follow(
    workload: Object, generation: int | None = None, before: Object | None = None, since: datetime | None = None
) -> Progress:
    """Whether our own rollout is done: judge(), and then conditions for which kubectl does not wait.

    A condition of the object counts only if it is about this rollout. `before` is the workload before our change: its
    condition belongs to an earlier rollout until the controller replaces it. `since` is when the change was made, by
    the clock of the API server: a condition of this rollout was updated later, because a progress deadline is at least
    a second.

    Done means that all pods are available, for spec.minReadySeconds too, and that no old pod can serve any more. A pod
    that does not terminate is not a failure of the rollout: it is waited for only as long as linger_time() says.
    """
    verdict = judge(_without_outdated(workload, before, since), generation)
    if verdict.state != DONE:
        return Progress(verdict.state, verdict.message)
    kind = kinds.kind_of(workload)
    lacking, ending = kind.unavailable_pods(workload), kind.terminating_pods(workload)
    if lacking or ending:
        words = f'Waiting for {kind.words} "{workload["metadata"]["name"]}" rollout to finish: {lacking or ending}...'
        return Progress(WAITING, words, None if lacking else Verdict(DONE, f"{verdict.message}; {ending}"))
    return Progress(DONE, verdict.message)


def linger_time(workload: Object) -> float:
    """Seconds after which a terminating old pod is no longer waited for: it was killed by then, or hangs."""
    grace: float = kinds.field(workload, "spec.template.spec.terminationGracePeriodSeconds", _TERMINATION)
    return grace + _MARGIN


def _without_outdated(workload: Object, before: Object | None, since: datetime | None) -> Object:
    """The workload without the condition of an earlier rollout, which the controller may keep for a while."""
    kind = kinds.known(workload)
    given_up = kind.given_up(workload) if kind else {}
    if not (kind and given_up):
        return workload
    updated = parse_time(given_up.get("lastUpdateTime"))
    outdated = since is not None and updated is not None and updated <= since
    if not outdated and (before is None or kind.given_up(before) != given_up):
        return workload
    conditions = [one for one in workload["status"]["conditions"] if one is not given_up]
    return {**workload, "status": {**workload["status"], "conditions": conditions}}


def missing(workload: Object) -> str | None:
    """What is missing in a rollout that kubectl calls done, as one sentence; None if nothing is."""
    kind = kinds.kind_of(workload)
    if judge(workload).state != DONE:
        return None
    empty = kind.no_pods(workload)
    found = [
        f"there are no pods to replace: {empty}" if empty else None,
        kind.unavailable_pods(workload),
        kind.terminating_pods(workload),
        kind.held_back(workload),
    ]
    return "; ".join(filter(None, found)) or None


class Pods(t.TypedDict):
    """How many pods are of the newest revision, available (of any revision), and wanted in all."""

    new: int
    available: int
    total: int


def pods(workload: Object) -> Pods:
    """The pods of a workload, for results. Until its newest spec is observed, no pod counts as new."""
    seen = counts(workload)
    observed = kinds.field(workload, "status.observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    return {"new": seen.updated if observed else 0, "available": seen.available, "total": seen.wanted}


def waits_for(workload: Object) -> str:
    """What its rollout waits for, in short: `2 of 3 new pods, waiting for readiness`."""
    seen = counts(workload)
    new = pods(workload)["new"]
    parts = [f"{new} of {seen.wanted} new pods"]
    if seen.updated + seen.old > seen.available:
        parts.append("waiting for readiness")
    elif new >= seen.wanted:
        parts.append("waiting for old pods to end")
    return ", ".join(parts)


def last_progress(workload: Object) -> datetime | None:
    """When the rollout of a workload last made progress, as far as the object shows it; None if it does not.

    The controller of a Deployment notes it in a condition, also when the rollout is done. For other kinds, it is the
    last restart, or else the creation.
    """
    times = (
        condition(workload, "Progressing").get("lastUpdateTime"),
        kinds.template_annotations(workload).get(RESTARTED_AT),
        kinds.field(workload, "metadata.creationTimestamp"),
    )
    return next(filter(None, map(parse_time, times)), None)


def nothing_to_replace(workload: Object) -> bool:
    """Whether a restart of the workload replaces no pod, because it has none."""
    return kinds.kind_of(workload).no_pods(workload) is not None


def counts(workload: Object) -> Counts:
    """The numbers of pods in the status. `wanted` is 1 if spec.replicas is not set, which is the default of the API."""
    return kinds.kind_of(workload).counts(workload)


def risks(workload: Object) -> list[str]:
    """How a restart of this workload may affect its users, as short sentences; empty without such a risk."""
    found = []
    if kinds.field(workload, "spec.paused"):
        found.append("it is paused: no pod is replaced until it is resumed")
    found += kinds.kind_of(workload).strategy_risks(workload)
    if history_limit(workload) == 0:
        found.append(
            "its revisionHistoryLimit is 0: once its pods are replaced, no earlier revision is left to undo to"
        )
    if lacks_readiness_probe(workload):
        found.append("no container has a readiness probe: a new pod counts as ready as soon as it runs")
    if lacks_pre_stop(workload):
        # Endpoints of a pod are removed at the same time as it is told to terminate.
        found.append("no container has a preStop hook: requests that arrive while a pod ends may be lost")
    return found


def lacks_readiness_probe(workload: Object) -> bool:
    """Whether nothing shows when a new pod can serve: no readiness probe, also not of a sidecar, and no gate."""
    gates = kinds.field(workload, "spec.template.spec.readinessGates")
    return not gates and not any(container.get("readinessProbe") for container in _serving(workload))


def lacks_pre_stop(workload: Object) -> bool:
    """Whether no container, also no sidecar, has a preStop hook."""
    return not any(kinds.field(container, "lifecycle.preStop") for container in _serving(workload))


def _serving(workload: Object) -> list[Object]:
    pod = kinds.field(workload, "spec.template.spec", {})
    return [*pod.get("containers", []), *_sidecars(pod)]


def _sidecars(pod: Object) -> list[Object]:
    return [container for container in pod.get("initContainers", []) if container.get("restartPolicy") == "Always"]
