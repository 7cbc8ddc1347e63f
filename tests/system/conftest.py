# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab for all system tests, in which restartx is what an administrator lets it be: the roles of the folder rbac."""

from __future__ import annotations

import copy
import itertools
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab import Lab
from lab import prometheus as real

sys.path.insert(0, str(Path(__file__).parent))

from house import Namespace, Operator, permit
from prod import JOURNALS, make_shop

HERE = Path(__file__).parent
RBAC = HERE.parents[1] / "rbac"
# Files of few tests that take minutes. They begin first, because the process that took one last would run alone.
LONG = (
    "test_leftovers.py",
    "test_bumpy.py",
    "test_benchmark.py",
    "test_modules_scale.py",
    "test_operators.py",
    "test_runner.py",
    "test_matrix.py",
    "test_output.py",
)
_numbers = itertools.count(1)


class ByFile(LoadScopeScheduling):
    """With several processes, the tests of a file stay together, because they share clusters, and all that need the real
    node, because a machine has one."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return "node" if "/system/node/" in file else file


def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # by the number of tests, which is not how long they take
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), owned=True) as owned:
        yield owned


@pytest.fixture(scope="session")
def cluster(lab):
    """The cluster eu-west, with controllers and KWOK nodes, and with rbac/cluster.yml and rbac/budgets.yml applied."""
    (found,) = lab.up(["eu-west"])
    permit(found)
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


@pytest.fixture(scope="session")
def clusters(lab, cluster):
    """eu-west, the canary, and us-east, by name."""
    (second,) = lab.up(["us-east"])
    permit(second)
    return {"eu-west": cluster, "us-east": second}


@pytest.fixture(scope="session")
def kubeconfigs(clusters, tmp_path_factory):
    """Paths of the kubeconfigs of restartx on them, by name."""
    folder = tmp_path_factory.mktemp("service-account")
    return {
        name: cluster.service_account_kubeconfig(JOURNALS, "restartx", folder / name)
        for name, cluster in clusters.items()
    }


@pytest.fixture
def shop(clusters, kubeconfigs, tmp_path):
    """One namespace on both, with the Deployments api, pay and web."""
    return make_shop(clusters, kubeconfigs, tmp_path)


@pytest.fixture(scope="session")
def calm(clusters, kubeconfigs, tmp_path_factory):
    return make_shop(clusters, kubeconfigs, tmp_path_factory.mktemp("calm"))


@pytest.fixture
def calm_shop(calm):
    """A shop for tests after which it is as it was."""
    return replace(calm, inventory=copy.deepcopy(calm.inventory), plan=copy.deepcopy(calm.plan), settings={})


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory):
    """A real Prometheus. Each test that uses it writes its metrics first."""
    if real.missing():
        words = f"these tests need {', '.join(real.missing())}"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    with real.Prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running
