# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster whose only node is real: containers run, probes ask them, and services carry requests to them.

The fixtures of the folder above, on that cluster.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
from house import Namespace, Operator

from lab import node

sys.path.insert(0, str(Path(__file__).parent))

from real import real_cluster

RBAC = Path(__file__).parents[3] / "rbac"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def able():
    """A machine on which a real node can be; elsewhere tests are skipped and say why, but never in CI."""
    lacking = node.missing()
    if lacking:
        words = f"a real node needs {', '.join(lacking)}"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)


@pytest.fixture(scope="session")
def cluster(able, tmp_path_factory):
    """The cluster, with rbac/cluster.yml and rbac/budgets.yml applied."""
    with real_cluster(tmp_path_factory.mktemp("real")) as found:
        yield found


@pytest.fixture(scope="session")
def kubeconfig(cluster, tmp_path_factory):
    """Path of the kubeconfig of restartx: the service account of rbac/cluster.yml, which is no admin."""
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    return cluster.service_account_kubeconfig("restartx-system", "restartx", path)


@pytest.fixture(scope="session")
def operator(kubeconfig):
    """Who runs modules with it."""
    return Operator(kubeconfig)


@pytest.fixture(scope="session")
def make_namespace(cluster):
    """Makes a namespace in which rbac/namespace.yml lets restartx work; returns its name."""

    def make(base="shop"):
        name = f"{base}-{next(_numbers)}"
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
        return name

    return make


@pytest.fixture
def namespace(cluster, operator, make_namespace):
    """A namespace of the test's own; its pods go with it."""
    own = Namespace(cluster, operator, make_namespace())
    yield own
    cluster.kubectl("delete", "namespace", own.name, "--wait=false")
