# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A hundred drawn strategies and budgets on all kinds, each with `honour` and with `enforce`: tests/system/proof.py says
what is proved. Each moment draws some, and its seed draws them again. All of it takes about an hour on two cores."""

from __future__ import annotations

import itertools
import random

import pytest
from drawn import cases, together
from house import RBAC, Namespace, Operator, permit, permit_evictions
from proof import Proof

from lab import Lab

EACH = 13  # workloads of a moment: a hundred in eight of them
TOGETHER = 4  # cases besides, in which pods are evicted beside rolling updates
NODES = 4
KILLS, EVICTIONS = 2, 25
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("strategies"), owned=True) as lab:
        (found,) = lab.up(["strategies"], nodes=NODES)
        permit(found)
        yield found


@pytest.fixture(scope="module")
def operator(cluster, tmp_path_factory):
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    return Operator(cluster.service_account_kubeconfig("restartx-system", "restartx", path))


@pytest.fixture
def proof(cluster, operator, seed):
    """Workloads in a namespace of their own, which is deleted afterwards."""
    name = f"drawn-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
    choose, namespace = random.Random(seed), Namespace(cluster, operator, name)
    permit_evictions(namespace)
    drawn = [*cases(choose, EACH, NODES), *together(choose, TOGETHER, NODES, EACH + 1)]
    made = Proof(namespace, operator, drawn, seed)
    made.create()
    yield made
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("kills, evictions", [(0, 0), (KILLS, 0), (0, EVICTIONS), (KILLS, EVICTIONS)])
def test_strategies_and_budgets(proof, seed, tell, kills, evictions):
    tell(proof.carry_out(kills, evictions))
