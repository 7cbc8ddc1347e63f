# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether what a run creates at once fits into quotas, and whether an autoscaler can make up for it."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from ansible_collections.restartx.core.plugins.module_utils.preflight import quantity
from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER, RISK, Finding
from ansible_collections.restartx.core.plugins.module_utils.preflight.limits import Limits, only_by_surge, surge
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import needs
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, owner
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, history_limit
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as read
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some

SHOWN = 3  # workloads in one sentence


def quotas(workloads: t.Sequence[Object], facts: Facts, limits: Limits) -> list[Finding]:
    """Where a ResourceQuota leaves too little for what the run creates at once."""
    found = []
    for quota in facts.quotas:
        namespace = quota["metadata"].get("namespace")
        own = [
            one for one in workloads if one["metadata"].get("namespace") == namespace and _applies(quota, facts, one)
        ]
        hard, used = quantity.amounts(read(quota, "spec.hard")), quantity.amounts(read(quota, "status.used"))
        for resource, bound in hard.items():
            left = bound - used.get(resource, Decimal(0))
            finding = _of_resource(quota, resource, left, own, facts, limits)
            found += [finding] if finding else []
    return found


def _of_resource(
    quota: Object, resource: str, left: Decimal, workloads: t.Sequence[Object], facts: Facts, limits: Limits
) -> Finding | None:
    stuck, together = [], Decimal(0)
    if resource in ("count/replicasets.apps", "count/controllerrevisions.apps"):
        creating = [one for one in workloads if f"count/{kinds.kind_of(one).history_plural}.apps" == resource]
        # Revisions stay, so it does not help that workloads wait for each other.
        growing = [one for one in creating if _keeps_one_more(one, facts)]
        together = needed = Decimal(len(growing))
        stuck = creating if left < 1 else growing if together > left else []
    else:

        def extra(workload: Object) -> Decimal:
            return _charged(resource, facts.pod_for(workload)) * surge(workload)

        alone = {kinds.key(one): _charged(resource, facts.pod_for(one)) for one in workloads}
        stuck = [one for one in workloads if only_by_surge(one) and alone[kinds.key(one)] > left]
        chosen = limits.at_once(workloads, extra)
        # Where all may end a pod first, none has to wait.
        together = sum(map(extra, chosen), Decimal(0)) if any(map(only_by_surge, chosen)) else Decimal(0)
        needed = max((alone[kinds.key(one)] for one in stuck), default=Decimal(0))
    if not stuck and together <= left:
        return None
    where = f'quota "{quota["metadata"]["name"]}" in namespace "{quota["metadata"].get("namespace")}"'
    shown = quantity.text(resource, max(left, Decimal(0)))
    if stuck:
        sentence = (
            f"{where} has {shown} of {resource} left, but a restart of {_names(stuck)} needs "
            f"{quantity.text(resource, needed)} more before an old pod ends"
        )
        if resource.endswith(".apps"):
            sentence = (
                f"{where} has {shown if left >= 1 else 'no'} {resource} left, but a restart of {_names(stuck)} creates "
                + ("one" if len(stuck) == 1 else "one each")
            )
    else:
        sentence = (
            f"{where} has {shown} of {resource} left, but the run needs up to {quantity.text(resource, together)} at "
            "once, so rollouts wait for each other"
        )
    namespace = quota["metadata"].get("namespace")
    show = f"{facts.kubectl} describe quota {quota['metadata']['name']} --namespace {namespace}"
    advice = f"raise the quota, or lower max_parallel or maxSurge; see: {show}"
    return Finding("quota", BLOCKER if stuck else RISK, where, sentence, advice)


def _keeps_one_more(workload: Object, facts: Facts) -> bool:
    """Whether there is one more revision after the restart, because the history is not full."""
    if not facts.revisions:
        return True
    uid = workload["metadata"].get("uid")
    return sum(owner.controller_uid(one) == uid for one in facts.revisions) <= history_limit(workload)


def _charged(resource: str, pod: Object) -> Decimal:
    """What a quota counts of this resource for one pod."""
    if resource in ("pods", "count/pods"):
        return Decimal(1)
    kind, _dot, name = resource.partition(".")
    if kind == "limits":
        containers = (pod.get("spec") or {}).get("containers") or []
        return quantity.total(quantity.amounts(read(one, "resources.limits", {})) for one in containers).get(
            name, Decimal(0)
        )
    wanted = name if kind == "requests" else resource
    if wanted not in ("cpu", "memory", "ephemeral-storage") and kind != "requests":
        return Decimal(0)
    return needs(pod).get(wanted, Decimal(0))


def _applies(quota: Object, facts: Facts, workload: Object) -> bool:
    """Whether the scopes of a quota include the pods of a workload. Terminating ones have a deadline."""
    spec = facts.pod_for(workload).get("spec") or {}
    best_effort = not any(
        (one.get("resources") or {}).get(kind)
        for one in [*spec.get("containers", []), *(spec.get("initContainers") or [])]
        for kind in ("requests", "limits")
    )
    simple = {
        "Terminating": spec.get("activeDeadlineSeconds") is not None,
        "NotTerminating": spec.get("activeDeadlineSeconds") is None,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
    }
    for scope in read(quota, "spec.scopes", []):
        if not simple.get(scope, False):
            return False
    for one in read(quota, "spec.scopeSelector.matchExpressions", []):
        if one.get("scopeName") == "PriorityClass":
            given, values = spec.get("priorityClassName"), one.get("values") or []
            good = {
                "In": given in values,
                "NotIn": given not in values,
                "Exists": bool(given),
                "DoesNotExist": not given,
            }
            if not good.get(one.get("operator", ""), False):
                return False
        elif not simple.get(one.get("scopeName", ""), False):
            return False
    return True


def autoscalers(workloads: t.Sequence[Object], facts: Facts) -> list[Finding]:
    """The workloads that a HorizontalPodAutoscaler would scale up further if it could."""
    found = []
    for workload in workloads:
        kind, namespace, name = kinds.key(workload)
        for scaler in facts.autoscalers:
            target = read(scaler, "spec.scaleTargetRef", {})
            here = scaler["metadata"].get("namespace") == namespace
            if not here or (target.get("kind"), target.get("name")) != (kind, name):
                continue
            most, now = read(scaler, "spec.maxReplicas", 0), read(scaler, "status.currentReplicas", 0)
            if now < most:
                continue
            own = scaler["metadata"]["name"]
            sentence = (
                f'{kinds.label(workload)} has {now} pods, the maximum of its HorizontalPodAutoscaler "{own}", so nothing '
                "makes up for pods that are replaced"
            )
            advice = (
                "restart it when there is less load, or raise the maximum: "
                f"{facts.kubectl} get hpa {own} --namespace {namespace}"
            )
            found.append(Finding("autoscaler_at_maximum", RISK, kinds.label(workload), sentence, advice))
    return found


def _names(workloads: t.Sequence[Object]) -> str:
    return some([kinds.label(one) for one in workloads], SHOWN)
