# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workloads with strategies and PodDisruptionBudgets that are drawn, and a slow rule that says which can be restarted.

The rule knows nothing of the code that it judges: it tries out every order in which a controller may stop and create pods.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from disruption import budget
from house import workload

from lab.failures import LABEL

MODES = ("honour", "enforce")
DEFAULTS = {"Deployment": ("25%", "25%"), "StatefulSet": (1, 0), "DaemonSet": (1, 0)}
ROUNDS_UP = {
    "Deployment": False,
    "StatefulSet": False,
    "DaemonSet": True,
}  # a percentage of pods that may be unavailable
NEVER = 10**9  # what a budget wants that Kubernetes cannot compute: it never allows to stop a pod


@dataclass(frozen=True)
class Drawn:
    """A workload. Its strategy is as it was drawn; None of both is the default of Kubernetes."""

    kind: str
    number: int
    pods: int
    unavailable: int | str | None = None
    surge: int | str | None = None
    recreate: bool = False
    partition: int = 0
    port: bool = False  # of the host, so that two of its pods cannot be on one node
    delay: str = "1s"
    evicted: int = 0  # so many pods at a time are evicted; 0: its controller replaces them
    on_delete: bool = False  # and nobody else does
    more: dict[str, Any] = field(default_factory=dict)  # of its spec

    @property
    def at_once(self) -> tuple[int, int]:
        """How many pods may be missing, and how many there may be in addition, as the controllers compute it."""
        if self.recreate:
            return self.pods, 0
        usual = DEFAULTS[self.kind]
        unavailable = share(usual[0] if self.unavailable is None else self.unavailable, self.pods, ROUNDS_UP[self.kind])
        surge = share(usual[1] if self.surge is None else self.surge, self.pods, True)
        return (unavailable if unavailable or surge else 1), surge

    def name(self, mode: str) -> str:
        return f"{self.kind.lower()}-{self.number}-{mode}"

    def made(self, mode: str, case: str) -> dict:
        """The object. Its pods take their time to get ready."""
        rolling = {"maxUnavailable": self.unavailable, "maxSurge": self.surge, "partition": self.partition or None}
        rolling = {name: value for name, value in rolling.items() if value is not None}
        strategy = {"type": "RollingUpdate", **({"rollingUpdate": rolling} if rolling else {})}
        if self.recreate or self.on_delete:
            strategy = {"type": "Recreate" if self.recreate else "OnDelete"}
        name = self.name(mode)
        labels = {"case": f"{case}-{mode}", LABEL: "slow-start"}
        where = "strategy" if self.kind == "Deployment" else "updateStrategy"
        made = workload(self.kind, name, self.pods, labels, self.delay, **{where: strategy}, **self.more)
        if self.port:
            port = {"containerPort": 80, "hostPort": 20000 + 2 * self.number + MODES.index(mode)}
            made["spec"]["template"]["spec"]["containers"][0]["ports"] = [port]
        return made


@dataclass(frozen=True)
class Case:
    """Workloads, and the budgets that each select all of their pods."""

    name: str
    workloads: tuple[Drawn, ...]
    asked: tuple[dict[str, Any], ...]  # by each budget

    @property
    def pods(self) -> int:
        return sum(one.pods for one in self.workloads)

    @property
    def wanted(self) -> int:
        """How many healthy pods all budgets together want. Kubernetes computes a budget for pods of a DaemonSet only if it
        is a number in minAvailable."""
        on_nodes = any(one.kind == "DaemonSet" for one in self.workloads)
        return max(wants(asked, self.pods, on_nodes) for asked in self.asked)

    def labels(self, mode: str) -> dict[str, str]:
        return {"case": f"{self.name}-{mode}"}

    def budgets(self, mode: str) -> list[dict]:
        """The objects."""
        return [
            budget(f"{self.name}-{number}-{mode}", self.labels(mode), **asked)
            for number, asked in enumerate(self.asked)
        ]

    def possible(self, one: Drawn, mode: str) -> bool:
        """Whether a restart of this workload can be carried out while all pods of the others are healthy: with its own
        strategy, or if budgets are enforced with any that stops no more pods than its own does."""
        others, wanted = self.pods - one.pods, min(self.wanted, self.pods)  # what stops no pod needs no room
        if one.evicted:  # the Eviction API refuses a pod of several budgets
            return len(self.asked) == 1 and self.pods - 1 >= wanted
        tried = strategies(one) if mode == "enforce" else [one.at_once]
        return any(others + fewest(one.pods, *strategy, one.pods - one.partition) >= wanted for strategy in tried)


def share(value: int | str, pods: int, up: bool) -> int:
    """A number of pods, or a percentage of them."""
    if isinstance(value, int):
        return value
    parts = int(value.rstrip("%")) * pods
    return -(-parts // 100) if up else parts // 100


def wants(asked: dict[str, Any], pods: int, on_nodes: bool) -> int:
    """How many of so many pods a budget wants healthy."""
    ((option, value),) = asked.items()
    if on_nodes and (option == "maxUnavailable" or isinstance(value, str)):
        return NEVER
    number = share(value, pods, True)
    return max(0, pods - number) if option == "maxUnavailable" else number


def strategies(one: Drawn) -> list[tuple[int, int]]:
    """What can be set in place of its strategy: no more unavailable pods, and perhaps a surge of one."""
    unavailable, surge = one.at_once
    if one.recreate:
        return [one.at_once]
    can_surge = one.kind != "StatefulSet" and not one.port
    found = [(less, more) for less in range(unavailable + 1) for more in sorted({surge, max(surge, int(can_surge))})]
    both = one.kind == "Deployment"  # a DaemonSet has only one of both
    return [(less, more) for less, more in found if (less or more) and (both or not (less and more))]


def fewest(pods: int, unavailable: int, surge: int, replaced: int) -> int:
    """How few pods may be healthy at once while `replaced` of them are, from every order in which it can happen: a healthy
    old pod is stopped while enough others are healthy, a new one is created while there are not too many, or gets ready."""
    found, left = set(), [(pods, 0, 0)]  # old ones, new ones that start, new ones that are healthy
    while left:
        state = old, starting, new = left.pop()
        if state in found:
            continue
        found.add(state)
        if starting:
            left.append((old, starting - 1, new + 1))
        if old > pods - replaced and old + new > pods - unavailable:
            left.append((old - 1, starting, new))
        if starting + new < replaced and old + starting + new < pods + surge:
            left.append((old, starting + 1, new))
    assert (pods - replaced, 0, replaced) in found, "it could never be rolled out"
    return min(old + new for old, _starting, new in found)


# -- drawing -----------------------------------------------------------------------------------------------------------


def cases(choose, count: int, nodes: int) -> list[Case]:
    """So many workloads or one more, in cases."""
    made: list[Case] = []
    number = 0
    while number < count:
        form = choose.choice(["one", "one", "shared", "shared", "two budgets"])
        some = tuple(_drawn(choose, number + at, nodes) for at in range(2 if form == "shared" else 1))
        number += len(some)
        asked = tuple(_asked(choose, some) for _each in range(2 if form == "two budgets" else 1))
        made.append(Case(f"case{len(made)}", some, asked))
    return made


def together(choose, count: int, nodes: int, number: int) -> list[Case]:
    """So many cases of which each has a workload whose pods are evicted, and one or two whose controllers replace them. They
    are counted from `number`."""
    made = []
    for place in range(count):
        kind = choose.choice(["StatefulSet", "DaemonSet"])
        pods = nodes if kind == "DaemonSet" else choose.randint(1, 4)
        evicted, on_delete = choose.choice([1, 1, 2]), kind == "StatefulSet" or choose.random() < 0.5
        one = Drawn(kind, number, pods, delay=choose.choice(["1s", "2s"]), evicted=evicted, on_delete=on_delete)
        others = [_drawn(choose, number + 1 + at, nodes) for at in range(choose.choice([1, 1, 2]))]
        number += 1 + len(others)
        some = (one, *others) if choose.random() < 0.5 else (*others, one)
        room = max(1, *(other.at_once[0] for other in others)) + choose.choice([0, 0, 0, 1, evicted])
        asked = {"minAvailable": max(0, sum(each.pods for each in some) - room)}
        two = choose.random() < 0.1
        made.append(Case(f"together{place}", some, (asked, asked) if two else (asked,)))
    return made


def _drawn(choose, number: int, nodes: int) -> Drawn:
    kind = choose.choice(["Deployment", "Deployment", "StatefulSet", "DaemonSet"])
    pods = nodes if kind == "DaemonSet" else choose.randint(1, 5)
    given: dict[str, Any] = {"delay": choose.choice(["1s", "2s", "4s"]), "more": {}}
    if choose.random() < 0.2:
        given["more"]["minReadySeconds"] = 1
    if kind == "Deployment":
        given["recreate"] = choose.random() < 0.1
        if not given["recreate"] and choose.random() < 0.8:
            given["unavailable"] = choose.choice([0, _amount(choose, pods)])
            least = 1 if given["unavailable"] == 0 else 0
            given["surge"] = choose.choice([least, _amount(choose, pods)])
    elif kind == "StatefulSet":
        given["unavailable"] = choose.choice([None, _amount(choose, pods)])
        given["partition"] = choose.choice([0, 0, 0, choose.randrange(pods)])
        given["more"]["podManagementPolicy"] = choose.choice(["OrderedReady", "Parallel"])
    elif choose.random() < 0.3:
        given |= {"unavailable": 0, "surge": _amount(choose, pods)}
    else:
        given |= {"unavailable": choose.choice([None, _amount(choose, pods)]), "port": choose.random() < 0.2}
    return Drawn(kind, number, pods, **given)


def _amount(choose, pods: int) -> int | str:
    """How many pods at once: a number, or a percentage."""
    return choose.choice([choose.randint(1, pods), f"{choose.choice([10, 25, 33, 50, 75, 100])}%"])


def _asked(choose, some: tuple[Drawn, ...]) -> dict[str, Any]:
    pods = sum(one.pods for one in some)
    just = max(one.at_once[0] for one in some)  # room for each of them alone
    least = max(0, pods - choose.choice([0, 1, 2, just, just, choose.randint(0, pods)]))
    if any(one.kind == "DaemonSet" for one in some) and choose.random() < 0.9:
        return {"minAvailable": least}
    return choose.choice(
        [
            {"minAvailable": least},
            {"maxUnavailable": pods - least},
            {"minAvailable": f"{choose.choice([0, 30, 50, 67, 75, 90, 100])}%"},
            {"maxUnavailable": f"{choose.choice([0, 10, 25, 34, 50, 100])}%"},
        ]
    )
