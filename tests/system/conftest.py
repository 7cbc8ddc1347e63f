# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab for all system tests, in which restartx is what an administrator lets it be: the roles of the folder rbac."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from lab import Lab

sys.path.insert(0, str(Path(__file__).parent))

from house import Namespace, Operator  # noqa: E402

RBAC = Path(__file__).parents[2] / "rbac"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), owned=True) as owned:
        yield owned


@pytest.fixture(scope="session")
def cluster(lab):
    """The cluster eu-west, with controllers and KWOK nodes, and with rbac/cluster.yml applied."""
    (found,) = lab.up(["eu-west"])
    found.apply((RBAC / "cluster.yml").read_text())
    return found


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
    """A namespace of the test's own, as an object to work with."""
    return Namespace(cluster, operator, make_namespace())


@pytest.fixture
def another_namespace(cluster, operator, make_namespace):
    """A second one."""
    return Namespace(cluster, operator, make_namespace())


@pytest.fixture(scope="module")
def shared_namespace(cluster, operator, make_namespace):
    """One that all tests of a file share."""
    return Namespace(cluster, operator, make_namespace("shared"))
