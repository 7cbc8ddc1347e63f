# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a PodDisruptionBudget leaves to rollouts, which ignore it: the arithmetic of Kubernetes' disruption controller.

A pod is healthy if it is ready and not being deleted, as for the controller.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold, kinds, owner
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    api_path,
    condition,
    controller_of,
    field,
    share,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import is_dead
from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches

HONOUR, ENFORCE, REPORT = MODES = ("honour", "enforce", "report")
ASKING = frozenset({HONOUR, ENFORCE})  # with these, a restart begins only while there is room for it
PLURAL = "poddisruptionbudgets"
Key = tuple[str, str, str]
# Labels that controllers add to the pods of a template.
_ADDED = frozenset(
    {
        "pod-template-hash",
        "pod-template-generation",
        "controller-revision-hash",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)


def path(namespace: str) -> str:
    """The API path of the budgets of a namespace."""
    return api_path("/apis/policy/v1", namespace, PLURAL)


def label(budget: Object) -> str:
    """The name of a budget for messages: `PodDisruptionBudget shop/api`."""
    return f"PodDisruptionBudget {budget['metadata'].get('namespace', '')}/{budget['metadata']['name']}"


def may_select(budget: Object, workload: Object) -> bool:
    """Whether a budget may select pods of a workload: the labels of its template match, whatever controllers add."""
    if budget["metadata"].get("namespace") != workload["metadata"].get("namespace"):
        return False
    selector = field(budget, "spec.selector")
    if selector is None:
        return False
    given, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    rest = {
        "matchLabels": {name: value for name, value in given.items() if name not in _ADDED},
        "matchExpressions": [one for one in expressions if one["key"] not in _ADDED],
    }
    return matches(rest, field(workload, "spec.template.metadata.labels", {}))


def desired(budget: Object, expected: int) -> int:
    """How many healthy pods a budget wants, if its pods should be `expected` ones (getExpectedPodCount in disruption.go)."""
    most, least = field(budget, "spec.maxUnavailable"), field(budget, "spec.minAvailable")
    if most is not None:
        return max(0, expected - share(most, expected, up=True))
    return 0 if least is None else share(least, expected, up=True)


def unknown(budget: Object) -> str | None:
    """Why the status of a budget says nothing about it now; None if it does."""
    seen = field(budget, "status.observedGeneration", 0)
    if not seen or seen < field(budget, "metadata.generation", 0):
        return (
            f"the numbers of {label(budget)} are not known yet, because its controller has not seen it since it changed"
        )
    failed = condition(budget, "DisruptionAllowed")
    if failed.get("reason") == "SyncFailed":
        return f"the controller of {label(budget)} cannot compute it: {failed.get('message', 'it does not say why')}"
    return None


def healthy(pod: Object) -> bool:
    """Whether a budget counts the pod as healthy."""
    return not field(pod, "metadata.deletionTimestamp") and condition(pod, "Ready").get("status") == "True"


class Cover:
    """A budget with the pods that it selects, and what restarts of `workloads` may do to them."""

    def __init__(self, budget: Object, pods: t.Sequence[Object], workloads: t.Iterable[Object]):
        self.budget = budget
        self._pods = pods
        known = {kinds.key(one): one for one in workloads if may_select(budget, one)}
        owners = [(owner.workload_of(pod), pod) for pod in pods if not is_dead(pod)]
        self._healthy = Counter(key for key, pod in owners if healthy(pod))
        self._present = Counter(key for key, _pod in owners)
        whole = [kinds.kind_of(one).wanted(one) for one in known.values() if self.selects_all_of(one)]
        ours = {key for key, one in known.items() if self.selects_all_of(one)}
        self.most = sum(whole) + sum(number for key, number in self._present.items() if key not in ours)
        # The controller asks the owners of the pods how many there should be. Pods without an owner do not count.
        managed = {key for key, pod in owners if controller_of(pod)}
        fixed = isinstance(field(budget, "spec.minAvailable"), int)
        self._own: int | None = None
        if fixed or all(key in known for key in managed):
            wanted = sum(kinds.kind_of(known[key]).wanted(known[key]) for key in managed if key in known)
            self._own = desired(budget, wanted)

    def selects_all_of(self, workload: Object) -> bool:
        """Whether the budget selects every pod of the workload, whatever labels its controller adds."""
        return matches(field(self.budget, "spec.selector"), field(workload, "spec.template.metadata.labels", {}))

    @property
    def healthy(self) -> int:
        """How many of its pods are healthy."""
        return self._healthy.total()

    @property
    def _not_computed(self) -> bool:
        """Whether its controller cannot compute it, as it is now."""
        failed = condition(self.budget, "DisruptionAllowed").get("reason") == "SyncFailed"
        return failed and unknown(self.budget) is not None

    def _wants(self) -> list[int]:
        """How many healthy pods it wants, by its status and by our own count, as far as these are known."""
        status = None if unknown(self.budget) else field(self.budget, "status.desiredHealthy", 0)
        return [number for number in (status, self._own) if number is not None]

    def may_stop(self, workload: Object) -> int:
        """How many of the healthy pods a rollout of the workload may stop at once from now on.

        It is below 0 if so many more will be healthy than now before the rollout stops any.
        """
        kind, here = kinds.kind_of(workload), self._healthy[kinds.key(workload)]
        if self.selects_all_of(workload):
            return here - kind.keeps(workload, here)
        return min(kind.stops_at_once(workload), here)

    def refusal(self, workload: Object, advice: str = "") -> str | None:
        """Why a restart would undercut the budget even if all its pods were healthy, with the way out; None if not.
        `advice` is a way out besides the usual ones."""
        kind, stops, wants = kinds.kind_of(workload), self.stops(workload), self._wants()
        if stops and self._not_computed:
            ways = ", or ".join(filter(None, ["correct the budget", advice, f"set budgets: {REPORT}"]))
            return f"{unknown(self.budget)}; {ways}"
        if not stops or not wants or self.most - stops >= min(wants):
            return None
        ways = _way_out(kind, workload, self.most - min(wants), advice)
        return f"{_stopping(workload, stops)}{self._asks(min(wants))}; {ways}"

    def refusal_of_eviction(self, workload: Object, what: str, option: str) -> str | None:
        """Why no pod of the workload would ever be evicted for `what`, which is left out with an option if there is one; None if
        one may be. Kubernetes asks the budget then, whatever is done about budgets otherwise."""
        way = f", or leave {option} out for it, in an entry of its own" if option else ""
        if self.stops(workload) and self._not_computed:
            return f"{unknown(self.budget)}, so no pod could be evicted for a {what}; correct the budget{way}"
        if not (self.stops(workload) and self.allows_nothing()) or self._all_may_go(workload):
            return None
        told = f"a {what} of {kinds.label(workload)} evicts pods{self._asks(min(self._wants()))}"
        return f"{told}; let the budget allow 1{way}"

    def _all_may_go(self, workload: Object) -> bool:
        """Whether the Eviction API lets all pods of the workload go without room: those that are pending, and with the policy
        AlwaysAllow also others that are not ready."""
        key, always = kinds.key(workload), field(self.budget, "spec.unhealthyPodEvictionPolicy") == "AlwaysAllow"
        own = [pod for pod in self._pods if owner.workload_of(pod) == key and not is_dead(pod)]
        free = (not healthy(pod) if always else field(pod, "status.phase") == "Pending" for pod in own)
        return bool(own) and all(free)

    def room(self) -> int | None:
        """How many pods it allows to stop if all are healthy, in the strictest reading; None while nothing is known. Kubernetes
        evicts no pod of a budget that it cannot compute."""
        if self._not_computed:
            return 0
        wants = self._wants()
        return max(0, self.most - max(wants)) if wants else None

    def stops(self, workload: Object) -> int:
        """How many of its pods a rollout of the workload may stop at once if all are healthy."""
        stops = kinds.kind_of(workload).stops_at_once(workload)
        return stops if self.selects_all_of(workload) else min(stops, self._present[kinds.key(workload)])

    def _asks(self, wants: int) -> str:
        words = f", but {label(self.budget)} wants {wants} healthy pods of {self.most}"
        return words if wants < self.most else f"{words}, so it never allows to stop any"

    def allows_nothing(self) -> bool:
        """Whether the budget never allows to stop a pod, even if all are healthy."""
        wants = self._wants()
        return bool(self.most and wants and min(wants) >= self.most)

    def closed(self, workload: Object, pending: int = 0) -> str | None:
        """Why a restart may not begin now; None if it may. Other rollouts may still stop `pending` pods of the budget."""
        if not self.stops(workload):
            return None
        lacking = unknown(self.budget)
        if lacking:
            return lacking
        # The status is behind the pods, but knows of evictions of which the pods show nothing yet.
        wants = max(self._wants())
        free = min(self.healthy - wants, field(self.budget, "status.disruptionsAllowed", 0)) - pending
        taken = self.may_stop(workload)
        if free >= taken:
            return None
        others = f", and other rollouts of the run may still stop {pending}" if pending else ""
        return (
            f"{label(self.budget)} allows {max(free, 0)} of {max(taken, 1)} that the restart may stop at once: "
            f"{self.healthy} pods are healthy, and it wants {wants}{others}"
        )

    def closed_midway(self, workload: Object, pending: int = 0) -> str | None:
        """Why a rollout that is under way, or held, may stop no further pod now; None if it may. It counts what the rollout
        would come to: pods that it has stopped itself close nothing. Others may still stop `pending` pods."""
        if not self.stops(workload) or not budget_hold.rest(workload):
            return None
        lacking = unknown(self.budget)
        if lacking:
            return lacking
        wants = max(self._wants())
        # The status lags behind the rollout's own pods. Of it, only evictions count of which the pods show nothing yet.
        evicted = field(self.budget, "status.disruptedPods", {})
        leaving = [owner.workload_of(pod) for pod in self._pods if pod["metadata"]["name"] in evicted and healthy(pod)]
        now, own = self.healthy - len(leaving), leaving.count(kinds.key(workload))
        left = now - pending - (self.may_still_stop(workload) - own)
        if left >= wants:
            return None
        others = f", and other rollouts of the run may still stop {pending}" if pending else ""
        return (
            f"{label(self.budget)} wants {wants} healthy pods: {now} are healthy{others}, and this rollout "
            f"would leave {max(left, 0)}"
        )

    def may_still_stop(self, workload: Object) -> int:
        """may_stop() of a rollout that is under way."""
        kind, key = kinds.kind_of(workload), kinds.key(workload)
        if not self.selects_all_of(workload):
            return self.may_stop(workload)
        newest, here = kind.newest_hash(workload), self._healthy[key]
        own = [pod for pod in self._pods if owner.workload_of(pod) == key and not is_dead(pod)]
        old = [pod for pod in own if newest is None or kind.revision_of(pod) != newest]
        ailing = sum(not healthy(pod) and not field(pod, "metadata.deletionTimestamp") for pod in old)
        return here - kind.keeps_midway(workload, here, ailing)


def refusals_of_evictions(workload: Object, evicting: Object, covers: t.Sequence[Cover], canary: bool) -> list[str]:
    """Why no pod of a workload would ever be evicted, for its canary or pod by pod, each with the way out. `evicting` is how
    budgets see it meanwhile."""
    what, leave = ("canary", "canary") if canary else ("restart pod by pod", "between_pods")
    if kinds.kind_of(workload).strategy_of(workload).get("type") == "OnDelete" and not canary:
        leave = ""  # nobody else replaces its pods
    refusals = [cover.refusal_of_eviction(evicting, what, leave) for cover in covers]
    return [one for one in (_refusal_by_several(evicting, covers), *refusals) if one]


def _refusal_by_several(workload: Object, covers: t.Sequence[Cover]) -> str | None:
    """Why no pod may be evicted if all of them are selected by several budgets. The Eviction API answers with an error then."""
    names = [label(cover.budget) for cover in covers if cover.stops(workload) and cover.selects_all_of(workload)]
    if len(names) < 2:
        return None
    return (
        f"{' and '.join(names)} select the pods of {kinds.label(workload)}, and Kubernetes evicts no pod that more than one "
        "budget selects; leave one budget that selects them"
    )


def _stopping(workload: Object, stops: int) -> str:
    return f"a restart of {kinds.label(workload)} may stop {stops} of {kinds.kind_of(workload).wanted(workload)} pods at once"


def _way_out(kind: kinds.Kind, workload: Object, free: int, advice: str) -> str:
    """What to do about a strategy that undercuts a budget which lets so many pods be stopped at most."""
    ways = []
    if kind.can_surge:
        rolling = "" if kind.strategy_of(workload).get("type") != "Recreate" else "the strategy RollingUpdate with "
        ways.append(f"use {rolling}maxUnavailable: 0 and maxSurge: 1")
    if free > 0:
        ways.append(f"let the strategy stop at most {free} at once")
    elif not ways:
        ways.append("let the budget allow 1")
    return ", or ".join(filter(None, [*ways, advice, f"set budgets: {REPORT}"]))
