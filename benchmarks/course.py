# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which ways are measured on which sizes, and how often."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import disruption
import yaml

from benchmarks import ways
from benchmarks.bed import NAMESPACE, Bed, nodes_for
from benchmarks.figures import (
    CANARY,
    CHECK,
    ENFORCE,
    FLOOR,
    HONOUR,
    KUBECTL,
    KUBERNETES_CORE,
    MODULE,
    ONE,
    PING,
    PROD,
    REPORT,
    RESTARTX,
    SILENT,
    Size,
    Taken,
    extrapolated,
    median,
)
from benchmarks.measure import measure
from benchmarks.ways import Way
from lab import Lab
from lab.demo import shop
from tools.shipped_role import shipped_roles


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    `small` Deployments of two pods are restarted in all ways, kubernetes.core on a `sample` of them; `large` is
    (Deployments, most rounds) for those of one pod that only restartx and the floor restart; `clusters` and `each` are
    their number and the Deployments on each. `short` is how often commands with little to do are measured.
    """

    rounds: int = 3
    small: int = 200
    sample: int = 11
    large: tuple[tuple[int, int], ...] = ((1000, 3), (3000, 1))
    clusters: int = 12
    each: int = 20
    short: int = 7


QUICK = Scale(rounds=1, small=8, sample=2, large=((12, 1),), clusters=2, each=3, short=1)


@dataclass(frozen=True)
class Careful:
    """How much is measured of careful restarts: `count` Deployments of four pods, each with a budget that wants three."""

    rounds: int = 5
    count: int = 50


CAREFUL = Careful()
CAREFUL_QUICK = Careful(rounds=1, count=3)


def small(lab: Lab, scale: Scale) -> Size:
    """All ways, on one cluster."""
    bed = _bed(lab, scale.small, replicas=2)
    every = {
        KUBECTL: partial(ways.kubectl, [bed]),
        "first": partial(ways.kubernetes_core, bed, 1, lab.directory),
        "sample": partial(ways.kubernetes_core, bed, scale.sample, lab.directory),
        RESTARTX: partial(ways.ad_hoc, bed),
        SILENT: partial(ways.ad_hoc, bed, progress=False),
        FLOOR: partial(ways.floors, [bed]),
    }
    taken = _interleaved(every, scale.rounds, [bed]) | _interleaved({MODULE: partial(ways.module, bed)}, 1, [bed])
    taken[KUBERNETES_CORE] = extrapolated(taken["first"], taken["sample"], scale.sample, scale.small)
    lab.down()
    order = (KUBECTL, KUBERNETES_CORE, RESTARTX, SILENT, MODULE, FLOOR)
    return Size(f"{scale.small:,} Deployments of 2 pods", scale.small, scale.rounds, {way: taken[way] for way in order})


def large(lab: Lab, scale: Scale, count: int, most: int) -> Size:
    """restartx and the floor, on one cluster, in at most `most` rounds."""
    rounds = min(scale.rounds, most)
    bed = _bed(lab, count, replicas=1)
    every = {RESTARTX: partial(ways.ad_hoc, bed), FLOOR: partial(ways.floors, [bed])}
    taken = _interleaved(every, rounds, [bed]) | _interleaved({MODULE: partial(ways.module, bed)}, 1, [bed])
    lab.down()
    return Size(
        f"{count:,} Deployments of 1 pod", count, rounds, {way: taken[way] for way in (RESTARTX, MODULE, FLOOR)}
    )


def fleet(lab: Lab, scale: Scale) -> Size:
    """Several clusters at once; kubectl takes one after the other."""
    clusters = lab.up([f"cluster-{number}" for number in range(1, scale.clusters + 1)])
    beds = [Bed(cluster, scale.each, 2) for cluster in clusters]
    every = {
        KUBECTL: partial(ways.kubectl, beds),
        RESTARTX: partial(ways.fleet, beds, lab.directory),
        PROD: partial(ways.prod, beds, lab.directory),
        FLOOR: partial(ways.floors, beds),
    }
    taken = _interleaved(every, scale.rounds, beds)
    lab.down()
    title = f"{scale.clusters} clusters at once, {scale.each} Deployments of 2 pods on each"
    return Size(title, scale.clusters * scale.each, scale.rounds, taken)


def short(lab: Lab, rounds: int) -> Size:
    """Commands with little to do: a ping, the restart of one Deployment, and a check of the sample plan on two clusters."""
    clusters = lab.up(["bench", "second"])
    kubeconfig = shipped_roles(clusters, list(shop.NAMESPACES), lab.directory / "shop.kubeconfig")
    for cluster in clusters:
        cluster.apply(yaml.safe_dump_all(shop.objects()))
    beds = [Bed(cluster, 1, 2) for cluster in clusters]
    names = [cluster.name for cluster in clusters]
    every = {
        PING: partial(ways.ping, beds[0]),
        ONE: partial(ways.one, beds[0]),
        FLOOR: partial(ways.floors, beds[:1]),
        CHECK: partial(ways.check, kubeconfig, names, lab.directory),
    }
    taken = _interleaved(every, rounds, beds)
    lab.down()
    return Size("Commands with little to do, on 2 clusters", 1, rounds, taken)


def careful(lab: Lab, scale: Careful) -> Size:
    """Restarts that honour or enforce budgets, or have a canary, beside one that only reports on budgets."""
    bed = _bed(lab, scale.count, replicas=4)
    wanted = [disruption.budget(name, {"app": name}, minAvailable=3) for name in bed.names]
    bed.cluster.kubectl("create", "--namespace", NAMESPACE, "-f", "-", input=yaml.safe_dump_all(wanted))
    every = {
        REPORT: partial(ways.planned, bed, budgets="report"),
        HONOUR: partial(ways.planned, bed, budgets="honour"),
        ENFORCE: partial(ways.planned, bed, budgets="enforce"),
        CANARY: partial(ways.planned, bed, budgets="report", canary={"pods": 1, "hold": "1s"}),
    }
    bed.settle()
    taken = _interleaved(every, scale.rounds, [bed])
    lab.down()
    title = f"{scale.count:,} Deployments of 4 pods, each with a budget of minAvailable 3"
    return Size(title, scale.count, scale.rounds, taken)


def _bed(lab: Lab, count: int, replicas: int) -> Bed:
    (cluster,) = lab.up(["bench"], nodes=nodes_for(count, replicas))
    return Bed(cluster, count, replicas)


def _interleaved(every: Mapping[str, Callable[[], Way]], rounds: int, beds: Sequence[Bed]) -> dict[str, Taken]:
    """Each way once, then each once more, so that all of them see the same machine; the medians."""
    taken: dict[str, list[Taken]] = {name: [] for name in every}
    for number in range(rounds):
        for name, make in every.items():
            one = measure(make(), beds)
            taken[name].append(one)
            total = sum(len(bed.names) for bed in beds)
            print(f"{total} Deployments, round {number + 1}: {name}: {one}", file=sys.stderr, flush=True)
    return {name: median(each) for name, each in taken.items()}
