# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What users may notice of a restart, and what cannot be taken back afterwards."""

from __future__ import annotations

from datetime import timedelta

from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import NOTE, RISK, Finding
from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    annotations_of,
    condition,
    field,
    history_limit,
    labels_of,
    managers_of,
    parse_time,
)

ZONE = "topology.kubernetes.io/zone"
_ARGO_NAME = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")


def strategy(workload: Object, facts: Facts) -> list[Finding]:
    """How many pods serve while the rollout runs."""
    kind, label = kinds.kind_of(workload), kinds.label(workload)
    wanted, found = kind.wanted(workload), []
    if not wanted:
        return []
    if kind.strategy_of(workload).get("type") == "Recreate":
        sentence = f"{label} has the strategy Recreate: all its pods stop before new ones start, which is downtime"
        advice = "restart it when downtime is allowed, or use RollingUpdate if two revisions can run side by side"
        return [Finding("recreate", RISK, label, sentence, advice)]
    missing = facts.evicted.get(kinds.key(workload), kind.missing_at_once(workload))
    if missing >= wanted:
        pods = "its only pod" if wanted == 1 else f"all its {wanted} pods"
        sentence = f"the strategy of {label} may stop {pods} before a new one is ready"
        advice = "set maxUnavailable: 0 and maxSurge: 1 if the kind has them, or use more replicas"
        found.append(Finding("all_pods_at_once", RISK, label, sentence, advice))
    elif wanted == 1 and not kind.on_each_node:
        sentence = f"{label} has one pod: open connections and state in memory are lost when it is replaced"
        found.append(Finding("one_replica", NOTE, label, sentence, "use more replicas if the application can"))
    return found


def template(workload: Object, facts: Facts) -> list[Finding]:
    """What the pods lack so that no request is lost."""
    label, found = kinds.label(workload), []
    if not kinds.kind_of(workload).wanted(workload):
        return []
    if status.lacks_readiness_probe(workload):
        sentence = f"no container of {label} has a readiness probe: a new pod gets requests as soon as it runs"
        advice = "add a readinessProbe that fails until the application can serve"
        found.append(Finding("no_readiness_probe", RISK, label, sentence, advice))
    if status.lacks_pre_stop(workload):
        sentence = f"no container of {label} has a preStop hook: requests that arrive while a pod ends may be lost"
        advice = "add lifecycle.preStop with sleep: {seconds: 5}, unless the application serves on after SIGTERM"
        found.append(Finding("no_pre_stop", NOTE, label, sentence, advice))
    return found


def placement(workload: Object, facts: Facts) -> list[Finding]:
    """All pods on one node, or in one zone although there are several."""
    pods = [one for one in facts.pods_of(workload) if field(one, "spec.nodeName")]
    if len(pods) < 2 or kinds.kind_of(workload).on_each_node or len(facts.nodes) < 2:
        return []
    label, nodes = kinds.label(workload), {one["spec"]["nodeName"] for one in pods}
    advice = "spread them with topologySpreadConstraints"
    if len(nodes) == 1:
        sentence = (
            f"all {len(pods)} pods of {label} run on the node {nodes.pop()}, so they share its image pulls and load"
        )
        return [Finding("one_node", NOTE, label, sentence, advice)]
    zones = {one["metadata"]["name"]: labels_of(one).get(ZONE) for one in facts.nodes}
    used = {zones.get(node) for node in nodes}
    if len(set(filter(None, zones.values()))) > 1 and len(used) == 1 and None not in used:
        sentence = f"all {len(pods)} pods of {label} run in the zone {used.pop()}"
        return [Finding("one_zone", NOTE, label, sentence, advice)]
    return []


def deadline(workload: Object, facts: Facts) -> list[Finding]:
    """A progress deadline that is shorter than the start-up last seen."""
    given = field(workload, "spec.progressDeadlineSeconds")
    slowest = max((span for span in map(_start_up, facts.pods_of(workload)) if span), default=None)
    if given is None or slowest is None:
        return []
    settle = field(workload, "spec.minReadySeconds", 0)
    needed = slowest + timedelta(seconds=settle)
    if needed < timedelta(seconds=given):
        return []
    label, seconds = kinds.label(workload), int(slowest.total_seconds())
    sentence = (
        f"the slowest pod of {label} needed {seconds} s to become ready, and minReadySeconds is {settle}, but "
        f"progressDeadlineSeconds is {given}: the controller may report a failure although all is well"
    )
    advice = f"raise progressDeadlineSeconds above {int(needed.total_seconds())}"
    return [Finding("short_progress_deadline", RISK, label, sentence, advice)]


def _start_up(pod: Object) -> timedelta | None:
    """How long a pod took to become ready; None if a container restarted since, or it is not ready."""
    if condition(pod, "Ready").get("status") != "True" or any(
        one.get("restartCount") for one in field(pod, "status.containerStatuses", [])
    ):
        return None
    began, ready = parse_time(field(pod, "status.startTime")), condition(pod, "Ready").get("lastTransitionTime")
    until = parse_time(ready)
    return until - began if began and until else None


def undo(workload: Object, facts: Facts) -> list[Finding]:
    """Whether the revision before this one can be restored after the restart."""
    label, limit = kinds.label(workload), history_limit(workload)
    if limit == 0:
        sentence = f"revisionHistoryLimit of {label} is 0: after the restart no earlier revision is left to undo to"
        return [Finding("no_history", RISK, label, sentence, "set revisionHistoryLimit to 2 or more")]
    known = history.revisions(workload, [one for one in facts.revisions if _is_of(one, workload)])
    number = history.current_number(workload, known)
    if number is None:
        return []
    now = history.without_restarts(workload["spec"]["template"])
    earlier = [one for one in known if one.number != number]
    different = [one for one in earlier if history.without_restarts(one.template) != now]
    # The restart makes the current revision an old one, and the controller keeps the newest `limit` of these.
    kept = [one.number for one in known][-limit:]
    if not different or different[-1].number in kept:
        return []
    sentence = (
        f"the restart of {label} drops revision {different[-1].number}, the last one that differs in more than restarts, "
        f"because revisionHistoryLimit is {limit}; then the last deployment can no longer be undone"
    )
    return [Finding("last_deployment_dropped", RISK, label, sentence, f"raise revisionHistoryLimit above {len(known)}")]


def _is_of(revision: Object, workload: Object) -> bool:
    return bool(revision["metadata"].get("namespace") == workload["metadata"].get("namespace"))


def gitops(workload: Object, facts: Facts) -> list[Finding]:
    """A GitOps tool that manages the workload, and what it does with the restart (seen with Flux 1.9 and Argo CD 0.7)."""
    label = kinds.label(workload)
    written = {**labels_of(workload), **annotations_of(workload)}
    managers = {str(one.get("manager", "")) for one in managers_of(workload)}
    if any(name in written for name in _FLUX) or managers & {"kustomize-controller", "helm-controller"}:
        if facts.field_manager.startswith("kubectl"):
            sentence = (
                f"Flux manages {label}, and removes what field managers named kubectl... set, here "
                f"{facts.field_manager}: its next pass takes the restart back, which is a second rollout"
            )
            return [Finding("gitops", RISK, label, sentence, "leave field_manager at its default, restartx")]
        sentence = f"Flux manages {label}: it leaves the restart alone, and takes back other changes, such as an undo"
        return [Finding("gitops", NOTE, label, sentence, "undo deployments in Git")]
    if any(name in written for name in _ARGO_NAME) or any(name.startswith("argocd") for name in managers):
        sentence = (
            f"Argo CD manages {label}: it leaves the restart alone unless Git sets restartedAt, and self-healing takes back "
            "other changes, such as an undo"
        )
        return [Finding("gitops", NOTE, label, sentence, "undo deployments in Git")]
    return []
