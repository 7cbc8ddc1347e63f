# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which nodes the pods on all nodes leave to a new one."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import kept_away, not_selected
from ansible_collections.restartx.core.plugins.module_utils.rollout.history import HASH_LABELS
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, labels_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import field as read
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches


class Spread:
    """The rules of a pod that look at the pods on all nodes: affinity between pods, and topology spread.

    `on` holds the pods of each node by its name, and `guarded` the pods with required anti-affinity, with their nodes.
    """

    def __init__(
        self,
        nodes: t.Sequence[Object],
        on: t.Mapping[str, list[Object]],
        guarded: t.Sequence[tuple[str, Object]],
        pod: Object,
    ) -> None:
        self._nodes, self._on, self._guarded = nodes, on, guarded
        self._pod = pod
        self._label_sets = {node["metadata"]["name"]: labels_of(node) for node in nodes}
        self._forbidden = self._domains_forbidden()
        self._wanted = [(term, self._domains_with(term)) for term in terms_of(pod, "podAffinity")]
        self._constraints = [self._limit(one) for one in self._hard_constraints()]

    def why_not(self, node: Object) -> str | None:
        """Which of the rules leaves out a node; None if none does."""
        labels = labels_of(node)
        if any(labels.get(key) == value for key, value in self._forbidden):
            return "required anti-affinity with pods that run there"
        for term, domains in self._wanted:
            domain = labels.get(term.get("topologyKey", ""))
            first_of_its_kind = not domains and _term_selects(term, self._pod, self._pod)
            if domain is None or (domain not in domains and not first_of_its_kind):
                return "required affinity to pods that do not run there"
        for key, counts, most in self._constraints:
            domain = labels.get(key)
            if domain is None or domain not in counts:
                return "the node is in no domain of a topology spread constraint"
            if counts[domain] > most:
                return "a topology spread constraint (DoNotSchedule)"
        return None

    def _limit(self, constraint: Object) -> tuple[str, dict[str, int], int]:
        """The key of a constraint, the matching pods of each domain, and with how many a domain may take the pod."""
        counts = self._counts(constraint)
        least = min(counts.values(), default=0) if len(counts) >= constraint.get("minDomains", 1) else 0
        itself = matches(constraint.get("labelSelector"), labels_of(self._pod))
        return constraint["topologyKey"], counts, constraint.get("maxSkew", 1) + least - itself

    def _domains_forbidden(self) -> set[tuple[str, str]]:
        """Topology keys and values: the pod's own anti-affinity to others, and that of others to it."""
        found = set()
        own = terms_of(self._pod, "podAntiAffinity")
        others = [(name, other) for name, pods in self._on.items() for other in pods] if own else []
        terms = [(name, term) for name, other in others for term in own if _term_selects(term, self._pod, other)]
        for name, other in self._guarded:
            for term in terms_of(other, "podAntiAffinity"):
                if _term_selects(term, other, self._pod):
                    terms.append((name, term))
        for name, term in terms:
            value = self._label_sets.get(name, {}).get(term["topologyKey"])
            if value is not None:
                found.add((term["topologyKey"], value))
        return found

    def _domains_with(self, term: Object) -> set[str]:
        return {
            self._label_sets[name][term["topologyKey"]]
            for name, pods in self._on.items()
            if term["topologyKey"] in self._label_sets.get(name, {})
            and any(_term_selects(term, self._pod, other) for other in pods)
        }

    def _hard_constraints(self) -> list[Object]:
        constraints: list[Object] = read(self._pod, "spec.topologySpreadConstraints", [])
        return [one for one in constraints if one.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]

    def _counts(self, constraint: Object) -> dict[str, int]:
        """How many matching pods each domain of a constraint has."""
        key, namespace = constraint["topologyKey"], self._pod["metadata"].get("namespace")
        keys = {one["topologyKey"] for one in self._hard_constraints()}
        counts: dict[str, int] = {}
        for node in self._nodes:
            value = labels_of(node).get(key)
            if value is None or not labels_of(node).keys() >= keys or self._left_out(node, constraint):
                continue
            here = self._on.get(node["metadata"]["name"], [])
            counts[value] = counts.get(value, 0) + sum(
                other["metadata"].get("namespace") == namespace
                and _same_labels(constraint, self._pod, other)
                and not read(other, "metadata.deletionTimestamp")
                and matches(constraint.get("labelSelector"), labels_of(other))
                for other in here
            )
        return counts

    def _left_out(self, node: Object, constraint: Object) -> bool:
        if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not_selected(node, self._pod):
            return True
        return constraint.get("nodeTaintsPolicy", "Ignore") == "Honor" and bool(kept_away(node, self._pod))


def terms_of(pod: Object, kind: str) -> list[Object]:
    """The required terms of podAffinity or podAntiAffinity."""
    found: list[Object] = read(pod, f"spec.affinity.{kind}.requiredDuringSchedulingIgnoredDuringExecution", [])
    return found


def _term_selects(term: Object, owner: Object, other: Object) -> bool:
    """Whether a term of the pod `owner` selects another pod. A namespaceSelector counts as all namespaces."""
    namespaces = term.get("namespaces") or []
    everywhere = term.get("namespaceSelector") is not None
    own = owner["metadata"].get("namespace")
    if not everywhere and other["metadata"].get("namespace") not in (namespaces or [own]):
        return False
    return _same_labels(term, owner, other) and matches(term.get("labelSelector"), labels_of(other))


def _same_labels(rule: Object, owner: Object, other: Object) -> bool:
    """Whether two pods agree in the matchLabelKeys of a rule of the pod `owner`.

    A pod that the preflight made has no hash of a revision, like all others of the revision that a restart creates.
    """
    own, theirs = labels_of(owner), labels_of(other)
    keys = rule.get("matchLabelKeys") or []
    return all(own.get(key) == theirs.get(key) for key in keys if key in own or key in HASH_LABELS)
