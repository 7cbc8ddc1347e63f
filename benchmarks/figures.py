# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was measured, and what follows from it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

KUBECTL = "kubectl"
KUBERNETES_CORE = "kubernetes.core"
RESTARTX = "restartx"
SILENT = "restartx, without progress"
MODULE = "restartx, the module alone"
PROD = "restart_prod"
FLOOR = "floor"
PING = "ansible -m ping"
ONE = "restartx, one Deployment"
CHECK = "restart_prod --check"
REPORT = "budgets: report"
HONOUR = "budgets: honour"
ENFORCE = "budgets: enforce"
CANARY = "canary of 1 pod, held for 1s"


@dataclass(frozen=True)
class Taken:
    """What a way took: seconds, requests, seconds of CPU, bytes; `own` seconds by its own account, if it has one.

    Of ONE, `own` is only the rollout: from the moment before the patch is sent to the end.
    """

    wall: float
    requests: float
    cpu: float
    peak: float
    own: float | None = None


@dataclass(frozen=True)
class Size:
    """What was measured on `count` Deployments in all, by the name of the way; `rounds` is how often."""

    title: str
    count: int
    rounds: int
    taken: dict[str, Taken]


@dataclass(frozen=True)
class Goal:
    """A goal, what was measured for it, and whether it is met."""

    words: str
    measured: str
    met: bool


def median(rounds: Sequence[Taken]) -> Taken:
    """The median of each figure by itself."""
    columns = zip(*map(astuple, rounds))
    middle: list[Any] = [None if None in column else statistics.median(column) for column in columns]
    return Taken(*middle)


def extrapolated(first: Taken, sample: Taken, size: int, count: int) -> Taken:
    """What `count` workloads would take one after the other, from a sample of `size` and from one of a single workload.

    The start of the command, and what it does at its first workload only, is so counted once.
    """

    def grown(name: str) -> float:
        base = getattr(first, name)
        return base + (getattr(sample, name) - base) / (size - 1) * (count - 1)

    return Taken(grown("wall"), grown("requests"), grown("cpu"), sample.peak)


def growth(small: Size, large: Size) -> float:
    """By how many bytes the module's peak memory grows with each workload."""
    return (large.taken[MODULE].peak - small.taken[MODULE].peak) / (large.count - small.count)


def goals(sizes: Sequence[Size]) -> list[Goal]:
    """The goals of this project, judged by sizes in ascending order; the first has all ways, the last the module alone."""
    small, large = sizes[0], sizes[-1]
    us, others = small.taken[RESTARTX], small.taken
    found = []
    for size in sizes:
        ratio = _own(size.taken[RESTARTX]) / _own(size.taken[FLOOR])
        words = f"{size.title}: the module's own duration is at most 1.1 times the floor"
        found.append(Goal(words, f"{ratio:.2f} times", ratio <= 1.1))
    faster = others[KUBECTL].wall / us.wall
    found.append(Goal("the whole command is faster than kubectl", f"{faster:.2f} times as fast", faster > 1))
    faster = others[KUBERNETES_CORE].wall / us.wall
    found.append(Goal("15 times faster than kubernetes.core", f"{faster:.1f} times as fast", faster >= 15))
    for size in sizes:
        more = size.taken[RESTARTX].requests - size.count
        words = f"{size.title}: at most 10 requests more than workloads"
        found.append(Goal(words, f"{more:.0f} more", more <= 10))
    shown = _own(us) / _own(others[SILENT])
    found.append(Goal("showing the progress takes at most 1.02 times as long", f"{shown:.2f} times", shown <= 1.02))
    grown = growth(small, large) / 1000
    found.append(Goal("the memory grows by less than 100 kB a workload", f"{grown:.0f} kB", grown < 100))
    return found


def _own(taken: Taken) -> float:
    if taken.own is None:
        raise ValueError("a way that is judged by its own account has none")
    return taken.own


def goals_of_many(many: Size, clusters: int) -> list[Goal]:
    """The goals of restart_prod on `clusters` clusters at once, beside kubectl on one after the other."""
    us, kubectl = many.taken[PROD], many.taken[KUBECTL]
    each, longer = us.cpu / clusters, us.wall / kubectl.wall
    return [
        Goal(f"{many.title}: restart_prod uses at most 2 s of CPU a cluster", f"{each:.1f} s", each <= 2),
        Goal(f"{many.title}: it takes at most 1.3 times kubectl's time", f"{longer:.2f} times", longer <= 1.3),
    ]


def goals_of_short(short: Size) -> list[Goal]:
    """The goals of commands that have little to do."""
    ping, one, check = (short.taken[way] for way in (PING, ONE, CHECK))
    beyond = one.wall - _own(one) - ping.wall
    words = "a restart of one Deployment takes at most 0.4 s more than a ping, without its rollout"
    fast = "restart_prod --check of the sample plan on 2 clusters takes less than 3 s"
    return [
        Goal(words, f"{abs(beyond):.2f} s {'more' if beyond > 0 else 'less'}", beyond <= 0.4),
        Goal(fast, f"{check.wall:.2f} s", check.wall < 3),
    ]
