# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No request fails during any careful restart, whatever is chosen for it. Pods are real, and no request is sent twice."""

from __future__ import annotations

import random

import pytest
from careful import RESTARTS, Partition, carry_out, requests, send

TURNS = 3


@pytest.fixture
def namespace(make_namespace):
    own = make_namespace("load")
    yield own
    own.cluster.kubectl("delete", "namespace", own.name, "--timeout=300s")


@pytest.mark.parametrize("restart", [*RESTARTS, Partition], ids=lambda restart: restart.__name__)
def test_no_request_fails(namespace, restart, seed, tell):
    choose = random.Random(f"{restart.__name__} {seed}")
    made, killed = restart(namespace, choose), []
    send(made)
    for turn in range(TURNS):
        kill = choose.randint(1, 6 * made.replicas) if made.may_be_killed and turn else None
        carry_out(made, run=f"r{turn}", kill=kill)
        killed.append(kill)
    count = sum(requests(made, runs=TURNS).values())
    tell(f"{count} requests, none failed, killed after {killed} changes: {made.entry()}")
