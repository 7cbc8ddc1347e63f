# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kills and faults at random moments of a restart over two clusters, and on a real node careful restarts under load and
restarts of a quorum. Every moment has a seed, by which it comes again:

pytest tests/soak --seed 1234 -k controller
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lab import Lab, node

SYSTEM = Path(__file__).parents[1] / "system"
for folder in (Path(__file__).parent, SYSTEM, SYSTEM / "node"):
    sys.path.insert(0, str(folder))

from house import RBAC, Namespace, Operator
from real import ForPods, real_cluster
from shops import Shop

BEGAN = time.monotonic()
NOT_BEGUN = []


def pytest_addoption(parser):
    group = parser.getgroup("soak")
    group.addoption("--kills", type=int, default=1, help="how many moments each kind of kill comes at")
    group.addoption("--faults", type=int, default=1, help="how many moments each kind of fault comes at")
    group.addoption(
        "--strategies",
        type=int,
        default=1,
        help="how many times 13 strategies and budgets are drawn, and 4 cases with evictions",
    )
    group.addoption(
        "--loads", type=int, default=1, help="how often each careful restart is made three times under load"
    )
    group.addoption("--quorums", type=int, default=1, help="how often a quorum is restarted four times")
    group.addoption("--seed", type=int, help="the seed of the first moment, random by default; the others follow it")
    group.addoption("--minutes", type=float, help="nothing is begun later than so long after the start")


def pytest_configure(config):
    if config.option.seed is None:
        config.option.seed = random.randrange(1_000_000)


def pytest_report_header(config):
    return f"soak: --seed {config.option.seed}"


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        # test_kills.py has as many moments as --kills says, and so on.
        count = metafunc.config.getoption(metafunc.definition.path.stem.removeprefix("test_"))
        first = metafunc.config.option.seed
        metafunc.parametrize("seed", range(first, first + count), ids=lambda seed: f"seed {seed}")


def pytest_collection_modifyitems(items):
    # All kinds at one moment, then all at the next: whenever the time is over, each has had its share.
    items.sort(key=lambda item: item.callspec.params["seed"] if hasattr(item, "callspec") else 0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    minutes = item.config.option.minutes
    if not minutes or time.monotonic() <= BEGAN + 60 * minutes:
        return None
    NOT_BEGUN.append(item)
    return True


def pytest_terminal_summary(terminalreporter):
    """How many moments of each kind it were: what was not begun for want of time is no success."""
    passed = Counter(report.location[2].partition("[")[0] for report in terminalreporter.getreports("passed"))
    for name, count in sorted(passed.items()):
        terminalreporter.write_line(f"{name}: {count} moments")
    if NOT_BEGUN:
        terminalreporter.write_line(f"not begun, as the time was over: {len(NOT_BEGUN)}")


@pytest.fixture(scope="session")
def clusters(tmp_path_factory):
    """eu-west and us-east, with controllers, KWOK nodes and rbac/cluster.yml and rbac/budgets.yml."""
    with Lab(tmp_path_factory.mktemp("lab"), owned=True) as lab:
        found = {cluster.name: cluster for cluster in lab.up(["eu-west", "us-east"], nodes=1)}
        for cluster in found.values():
            for name in ("cluster.yml", "budgets.yml"):
                cluster.apply((RBAC / name).read_text())
        yield found


@pytest.fixture(scope="session")
def built(clusters, tmp_path_factory):
    """The shop, and how long a restart of it takes that nothing disturbs."""
    shop = Shop(clusters, tmp_path_factory.mktemp("shop"))
    shop.measure()
    return shop


@pytest.fixture
def shop(built):
    """The shop, at rest and without a run that has not ended, whatever the last test left."""
    built.come_to_rest()
    return built


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """A cluster whose only node is real, with its API server for pods, and who restarts there."""
    lacking = node.missing()
    if lacking:
        words = f"a real node needs {', '.join(lacking)}"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    with real_cluster(tmp_path_factory.mktemp("real")) as cluster, ForPods(cluster):
        path = tmp_path_factory.mktemp("operator") / "kubeconfig"
        yield cluster, Operator(cluster.service_account_kubeconfig("restartx-system", "restartx", path))


@pytest.fixture(scope="session")
def make_namespace(real):
    """Makes a namespace on the real node in which restartx may work."""
    cluster, operator = real
    numbers = itertools.count(1)

    def make(base):
        name = f"{base}-{next(numbers)}"
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
        return Namespace(cluster, operator, name)

    return make


@pytest.fixture
def tell(request, capsys):
    """Say at once how a scenario went."""

    def say(text):
        with capsys.disabled():
            print(f"\n{request.node.name}: {text}", flush=True)

    return say
