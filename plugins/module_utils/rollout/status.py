# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a rollout is done: kubectl's own rules and words, and what can be read beside them from the same object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds

DONE = "done"
WAITING = "waiting"
FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """What an object's status says about its rollout: state is done, waiting or failed; message is kubectl's."""

    state: str
    message: str


@dataclass(frozen=True)
class Counts:
    """Pods of a workload: wanted in all, of the newest revision, ready, available, and of older revisions."""

    wanted: int
    updated: int
    ready: int
    available: int
    old: int


def judge(workload: dict, generation: int | None = None, revision: int | None = None) -> Verdict:
    """Say whether the rollout of `workload` is done, exactly as `kubectl rollout status` of 1.37 does.

    `generation` is metadata.generation as the reply to our own patch gave it: until the controller has observed it the
    verdict is waiting, whatever an older copy of the object says. `revision` pins a Deployment to one revision, as
    --revision does; kubectl ignores it for the other kinds. Rules and their order: kubectl's
    polymorphichelpers/rollout_status.go. Missing numbers are 0. Never raises for an object of the API.
    """
    kind, group = workload.get("kind", ""), kinds.group_of(workload)
    rule = _RULES.get(kind)
    if rule is None or group != "apps":
        return Verdict(FAILED, f"no status viewer has been implemented for {f'{kind}.{group}' if group else kind}")
    wanted = max(kinds.field(workload, "metadata.generation", 0), generation or 0)
    return rule(_Rollout(workload, wanted, revision or 0))


def counts(workload: dict) -> Counts:
    """The numbers of pods that the status reports; `wanted` is 1 where spec.replicas is unset, as the API has it."""
    kind = kinds.kind_of(workload)
    status = workload.get("status") or {}
    updated = status.get(kind.updated, 0)
    return Counts(
        wanted=kinds.field(workload, kind.wanted, 1 if kind.wanted.startswith("spec.") else 0),
        updated=updated,
        ready=status.get(kind.ready, 0),
        available=status.get(kind.available, 0),
        old=max(0, status.get(kind.present, 0) - updated),
    )


@dataclass(frozen=True)
class _Rollout:
    """What the rules look at."""

    workload: dict
    generation: int
    revision: int

    @property
    def name(self) -> str:
        return self.workload["metadata"]["name"]

    @property
    def observed(self) -> int:
        return self.status("observedGeneration")

    @property
    def strategy(self) -> dict:
        return self.spec("updateStrategy") or {}

    def status(self, name: str, default=0):
        return kinds.field(self.workload, f"status.{name}", default)

    def spec(self, name: str):
        return kinds.field(self.workload, f"spec.{name}")


def _deployment(rollout: _Rollout) -> Verdict:
    if rollout.revision > 0:
        pinned = _pinned(rollout)
        if pinned:
            return Verdict(FAILED, pinned)
    if rollout.generation > rollout.observed:
        return Verdict(WAITING, "Waiting for deployment spec update to be observed...")
    # kubectl looks at the first such condition only, and not at its status.
    progressing = [c for c in rollout.status("conditions", []) if c.get("type") == "Progressing"]
    if progressing and progressing[0].get("reason") == "ProgressDeadlineExceeded":
        return Verdict(FAILED, f'deployment "{rollout.name}" exceeded its progress deadline')
    replicas, updated = rollout.spec("replicas"), rollout.status("updatedReplicas")
    prefix = f'Waiting for deployment "{rollout.name}" rollout to finish:'
    if replicas is not None and updated < replicas:
        return Verdict(WAITING, f"{prefix} {updated} out of {replicas} new replicas have been updated...")
    old = rollout.status("replicas") - updated
    if old > 0:
        return Verdict(WAITING, f"{prefix} {old} old replicas are pending termination...")
    available = rollout.status("availableReplicas")
    if available < updated:
        return Verdict(WAITING, f"{prefix} {available} of {updated} updated replicas are available...")
    return Verdict(DONE, f'deployment "{rollout.name}" successfully rolled out')


def _pinned(rollout: _Rollout) -> str | None:
    text = kinds.annotations(rollout.workload).get(history.REVISION, "0")
    running = history.parse_number(text)
    if running is None:
        reason = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        return f'cannot get the revision of deployment "{rollout.name}": {reason}'
    if running == rollout.revision:
        return None
    return f"desired revision ({rollout.revision}) is different from the running revision ({running})"


def _daemon_set(rollout: _Rollout) -> Verdict:
    if rollout.strategy.get("type") != "RollingUpdate":
        return _NOT_ROLLING
    if rollout.generation > rollout.observed:
        return Verdict(WAITING, "Waiting for daemon set spec update to be observed...")
    desired, updated = rollout.status("desiredNumberScheduled"), rollout.status("updatedNumberScheduled")
    prefix = f'Waiting for daemon set "{rollout.name}" rollout to finish:'
    if updated < desired:
        return Verdict(WAITING, f"{prefix} {updated} out of {desired} new pods have been updated...")
    available = rollout.status("numberAvailable")
    if available < desired:
        return Verdict(WAITING, f"{prefix} {available} of {desired} updated pods are available...")
    return Verdict(DONE, f'daemon set "{rollout.name}" successfully rolled out')


def _stateful_set(rollout: _Rollout) -> Verdict:
    if rollout.strategy.get("type") != "RollingUpdate":
        return _NOT_ROLLING
    if rollout.observed == 0 or rollout.generation > rollout.observed:
        return Verdict(WAITING, "Waiting for statefulset spec update to be observed...")
    replicas, ready = rollout.spec("replicas"), rollout.status("readyReplicas")
    if replicas is not None and ready < replicas:
        return Verdict(WAITING, f"Waiting for {replicas - ready} pods to be ready...")
    updated = rollout.status("updatedReplicas")
    rolling = rollout.strategy.get("rollingUpdate")
    # The API server fills in `partition: 0` unless the type is given and this block is not; kubectl then goes on below.
    if rolling is not None:
        partition = rolling.get("partition")
        if replicas is not None and partition is not None and updated < replicas - partition:
            progress = f"{updated} out of {replicas - partition} new pods have been updated..."
            return Verdict(WAITING, f"Waiting for partitioned roll out to finish: {progress}")
        return Verdict(DONE, f"partitioned roll out complete: {updated} new pods have been updated...")
    newest, current = rollout.status("updateRevision", ""), rollout.status("currentRevision", "")
    if newest != current:
        text = f"waiting for statefulset rolling update to complete {updated} pods at revision {newest}..."
        return Verdict(WAITING, text)
    pods = rollout.status("currentReplicas")
    return Verdict(DONE, f"statefulset rolling update complete {pods} pods at revision {current}...")


_NOT_ROLLING = Verdict(FAILED, "rollout status is only available for RollingUpdate strategy type")
_RULES: dict[str, Callable[[_Rollout], Verdict]] = {
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
}


def risks(workload: dict) -> list[str]:
    """What a restart of this workload may do to its users, as short sentences; [] when nothing speaks against it."""
    kind = kinds.kind_of(workload)
    strategy = kinds.field(workload, f"spec.{kind.strategy}", {})
    rolling = strategy.get("rollingUpdate") or {}
    wanted = counts(workload).wanted
    found = []
    if kinds.field(workload, "spec.paused"):
        found.append("it is paused: no pod is replaced until it is resumed")
    if strategy.get("type") == "Recreate":
        found.append("its strategy is Recreate: all pods stop before new ones start, which is downtime")
    elif strategy.get("type") == "OnDelete":
        found.append("its update strategy is OnDelete: pods are replaced only when somebody deletes them")
    elif wanted and _unavailable(kind, rolling, wanted) >= wanted:
        pods = "its only pod" if wanted == 1 else f"all {wanted} pods"
        found.append(f"{pods} may be stopped before a successor is ready")
    partition = rolling.get("partition") or 0
    if partition >= wanted > 0:
        found.append(f"its partition {partition} holds back all {wanted} pods: none is restarted")
    elif partition and wanted:
        found.append(f"its partition {partition} holds back {partition} of {wanted} pods: they are not restarted")
    pod = kinds.field(workload, "spec.template.spec", {})
    containers = [*pod.get("containers", []), *_sidecars(pod)]
    if not pod.get("readinessGates") and not any(container.get("readinessProbe") for container in containers):
        found.append("no container has a readiness probe: a new pod counts as ready as soon as it runs")
    if not any(kinds.field(container, "lifecycle.preStop") for container in containers):
        # Routes to a pod are taken away while it is already asked to end.
        found.append(
            "no container has a preStop hook: requests that still come while a pod ends are lost, "
            "unless the application goes on serving for a while after SIGTERM"
        )
    return found


def _sidecars(pod: dict) -> list[dict]:
    return [container for container in pod.get("initContainers", []) if container.get("restartPolicy") == "Always"]


def _unavailable(kind: kinds.Kind, rolling: dict, wanted: int) -> int:
    """How many of `wanted` pods may be missing at once (as the controllers' ResolveFenceposts counts)."""
    surge = _share(rolling.get("maxSurge", kind.surge), wanted, up=True)
    unavailable = _share(rolling.get("maxUnavailable", kind.unavailable), wanted, up=kind.rounds_up)
    return unavailable if surge or unavailable else 1


def _share(value: int | str, of: int, up: bool) -> int:
    if isinstance(value, int):
        return value
    hundredths = int(value.rstrip("%")) * of
    return -(-hundredths // 100) if up else hundredths // 100
