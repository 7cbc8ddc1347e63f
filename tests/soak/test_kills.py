# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SIGKILL at any moment: nothing goes on unasked, and the same command completes the run, each workload once."""

from __future__ import annotations

import datetime
import os
import signal
import time

from house import now
from shops import MAX_PARALLEL
from ticket import ALL_DONE, started_until

from ansible_collections.restartx.core.plugins.module_utils.engine.controller import LOOK_EVERY


def test_the_controller_alone(shop, seed, tell):
    with started_until(shop, "controller", seed, anywhere) as (ticket, started, moment):
        started.kill_controller()
        died = now()
        started.wait_for_orphans()
    # The module looks at its controller before each change, so only what was on its way then may still arrive.
    late = [came for _cluster, _name, came in shop.patches(died)]
    assert len(late) <= MAX_PARALLEL
    assert not shop.patches(died + datetime.timedelta(seconds=LOOK_EVERY)), (died, late)
    conclude(ticket, tell, f"killed after {moment:.1f} s, {len(late)} patches after that")


def test_the_whole_tree(shop, seed, tell):
    with started_until(shop, "tree", seed, anywhere) as (ticket, started, moment):
        started.kill_all()
    conclude(ticket, tell, f"killed after {moment:.1f} s")


def test_the_module_alone(shop, seed, tell):
    with started_until(shop, "module", seed, in_a_module) as (ticket, started, moment):
        os.kill(started.modules()[0], signal.SIGKILL)
        code, said = started.result()
    if code == 0:  # it had said all by then, and only its end was cut off
        ticket.assert_done()
    else:
        assert code == 2, said
        assert "the module ended before it could report its progress (exit code 137" in said, said
        assert "it resumes run" in said, said
    conclude(ticket, tell, f"killed after {moment:.1f} s")


def anywhere(random, span):
    """A moment of the whole run."""
    at = time.monotonic() + random.uniform(0, span.whole)
    return lambda started: time.monotonic() >= at


def in_a_module(random, span):
    """A moment in the life of one of the restart modules."""
    number = random.randrange(len(span.modules))
    age = random.uniform(0, span.modules[number])
    met = {}

    def has_come(started):
        running = started.modules()
        for pid in running:
            met.setdefault(pid, time.monotonic())
        return any(list(met).index(pid) == number and time.monotonic() >= met[pid] + age for pid in running)

    return has_come


def conclude(ticket, tell, how):
    began = time.monotonic()
    taken_up = ticket.complete()
    tell(f"{how}; then {taken_up}, {time.monotonic() - began:.0f} s")
    ticket.assert_done()
    ticket.assert_patched_once()
    if taken_up != ALL_DONE:  # a start that has nothing to do does not ask whose the lock still is
        ticket.assert_unlocked()
