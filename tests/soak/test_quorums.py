# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A quorum of five real pods is restarted again and again, with SIGKILL for the module and a leader that moves."""

from __future__ import annotations

import random

import pytest
from quorum import Quorum


@pytest.fixture(scope="session")
def quorum(make_namespace):
    with Quorum(make_namespace("quorum")) as whole:
        yield whole


@pytest.mark.parametrize("turn", range(4))
def test_it_misses_one_member_at_most_and_its_leader_goes_last(quorum, seed, turn, tell):
    choose = random.Random(f"{seed} {turn}")
    tell(quorum.restart(choose, kills=choose.randint(0, 3), moves=choose.random() < 0.5))
