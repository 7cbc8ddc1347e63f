# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab for all tests of the lab: a cluster with controllers and one without."""

import pytest

from lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab"), owned=True) as owned:
        owned.up(["full"])
        owned.up(["bare"], controllers=False)
        yield owned


@pytest.fixture(scope="session")
def full(lab):
    return lab.cluster("full")


@pytest.fixture(scope="session")
def bare(lab):
    return lab.cluster("bare")
