# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No request fails during careful restarts: a sample of what tests/soak does for minutes."""

from __future__ import annotations

import random

from careful import RESTARTS, carry_out, requests, send
from real import ForPods

SEED = 1


def test_no_request_fails_during_a_canary_an_undo_budgets_and_evictions(cluster, namespace, record_property):
    choose = random.Random(SEED)
    restarts = [restart(namespace, choose) for restart in RESTARTS]
    with ForPods(cluster):
        send(*restarts)
        carry_out(*restarts)
        counts = requests(*restarts)
    print(counts)
    for name, count in counts.items():
        record_property(name, f"{count} requests, 0 failed")
