# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts of a quorum of five: a sample of what tests/soak does with many."""

from __future__ import annotations

import random

from quorum import Quorum
from real import ForPods


def test_a_quorum_of_five_misses_one_member_at_most_and_its_leader_goes_last(cluster, namespace):
    with ForPods(cluster), Quorum(namespace) as quorum:
        for seed, (kills, moves) in enumerate([(1, False), (0, True)]):
            print(quorum.restart(random.Random(seed), kills, moves))
