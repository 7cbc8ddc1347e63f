# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the nodes have room for what a run creates: for each workload alone, and for all at once."""

from __future__ import annotations

import typing as t
from collections import Counter
from decimal import Decimal

from ansible_collections.restartx.core.plugins.module_utils.preflight import quantity
from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER, RISK, Finding
from ansible_collections.restartx.core.plugins.module_utils.preflight.limits import Limits, only_by_surge, surge
from ansible_collections.restartx.core.plugins.module_utils.preflight.nodes import Cluster
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import claims_of, needs, ports_taken
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, labels_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as read

SHOWN = 3  # reasons in one sentence
_AUTOSCALERS = ("cluster-autoscaler", "karpenter")
_APP_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")


def room(workloads: t.Sequence[Object], facts: Facts, limits: Limits) -> list[Finding]:
    """Where no node can run a new pod of a workload, or all new pods of the run together."""
    if not facts.nodes or not facts.knows("nodes") or not facts.knows("pods"):
        return []
    cluster = Cluster.of(facts.nodes, facts.pods, facts.claims, facts.volumes)
    scaler = _autoscaler(facts)
    found, fit = [], []
    for workload in workloads:
        finding = _alone(workload, cluster, facts, scaler)
        if finding:
            found.append(finding)
        elif surge(workload):
            fit.append(workload)
    together = _together(fit, cluster, facts, limits, scaler)
    return found + ([together] if together else [])


def _alone(workload: Object, cluster: Cluster, facts: Facts, scaler: str | None) -> Finding | None:
    reasons = _reasons(workload, cluster, facts)
    if not reasons:
        return None
    label = kinds.label(workload)
    size = len(cluster.nodes)
    why = "; ".join(f"{count} of {size}: {reason}" for reason, count in reasons.most_common(SHOWN))
    sentence = f"no node can run a new pod of {label} ({why})"
    if scaler:
        return Finding(
            "no_room", RISK, label, f"{sentence}; {scaler} may add a node", "allow more time for the rollout"
        )
    namespace, name = workload["metadata"].get("namespace"), workload["metadata"]["name"]
    kind = kinds.kind_of(workload).name.lower()
    advice = (
        "add or free a node that its pods may use; compare: "
        f"{facts.kubectl} get nodes and {facts.kubectl} get {kind} {name} --namespace {namespace} --output yaml"
    )
    return Finding("no_room", BLOCKER, label, sentence, advice)


def _reasons(workload: Object, cluster: Cluster, facts: Facts) -> Counter[str]:
    """Why no rollout of the workload alone could start; empty if it could."""
    kind = kinds.kind_of(workload)
    pods = [pod for pod in facts.pods_of(workload) if read(pod, "spec.nodeName")]
    if not kind.wanted(workload) or not pods:
        return Counter()
    new = facts.pod_for(workload)
    if kind.on_each_node:
        return _reasons_on_each(workload, new, pods, cluster)
    reasons: Counter[str] = Counter()
    if kind.surge_at_once(workload):
        node, reasons = cluster.room_for(new, any_node=True)
        if node or not kind.missing_at_once(workload):
            return reasons
    # An old pod ends first, and at last each of them. If it has claims of its own, so does its successor.
    alike = {(pod["spec"]["nodeName"], *claims_of(pod)): pod for pod in pods}
    for pod in alike.values():
        successor = {**new, "spec": {**new["spec"], "volumes": read(pod, "spec.volumes", [])}}
        node, reasons = cluster.without(pod).room_for(successor, any_node=True)
        if node is None:
            return reasons
    return Counter()


def _reasons_on_each(workload: Object, new: Object, pods: t.Sequence[Object], cluster: Cluster) -> Counter[str]:
    """As _reasons(), for a kind with a pod on each node: it starts more pods only with a surge."""
    reasons: Counter[str] = Counter()
    kind = kinds.kind_of(workload)
    if not kind.surge_at_once(workload) or kind.missing_at_once(workload):
        return reasons
    by_name, wanted = {node["metadata"]["name"]: node for node in cluster.nodes}, needs(new)
    for name in (pod["spec"]["nodeName"] for pod in pods):
        if name in by_name:
            short = cluster.too_small(by_name[name], wanted) or ports_taken(cluster.on.get(name, []), new)
            reasons.update([short] if short else [])
    return reasons


def _together(
    workloads: t.Sequence[Object], cluster: Cluster, facts: Facts, limits: Limits, scaler: str | None
) -> Finding | None:
    """Whether the pods that the run creates at once find room beside each other."""

    whole = quantity.total(cluster.allocatable.values())

    def weight(workload: Object) -> Decimal:
        """The largest share of what all nodes have."""
        wanted = needs(facts.pod_for(workload))
        return max(
            (amount / whole[name] for name, amount in wanted.items() if whole.get(name)), default=Decimal(0)
        ) * surge(workload)

    trial, placed = cluster.copy(), 0
    chosen = [one for one in limits.at_once(workloads, weight) if not kinds.kind_of(one).on_each_node]
    total = sum(surge(one) for one in chosen)
    for workload in chosen:
        for _pod in range(surge(workload)):
            node, reasons = trial.room_for(facts.pod_for(workload))
            if node is None and not only_by_surge(workload):
                break  # it goes on with a pod less
            if node is None:
                why = ", ".join(reason for reason, _count in reasons.most_common(SHOWN))
                more = f"; {scaler} may add nodes" if scaler else ""
                sentence = (
                    f"the run creates up to {total} pods at once beside the old ones, but the nodes have room for about "
                    f"{placed} of them ({why}), so rollouts wait for each other{more}"
                )
                advice = "lower max_parallel, allow more time for each workload, or add nodes"
                return Finding("little_room", RISK, "the nodes", sentence, advice)
            trial.place(facts.pod_for(workload), node)
            placed += 1
    return None


def _autoscaler(facts: Facts) -> str | None:
    """What adds nodes to this cluster, as far as its pods and nodes show it."""
    for pod in facts.pods:
        labels = labels_of(pod)
        for name in _AUTOSCALERS:
            if any(name in str(labels.get(label, "")) for label in _APP_LABELS):
                return name
    return "karpenter" if any("karpenter.sh/nodepool" in labels_of(node) for node in facts.nodes) else None
