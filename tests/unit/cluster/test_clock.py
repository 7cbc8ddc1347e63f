# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deadlines notice that the machine was suspended, and all parts of a run read the same clock."""

from __future__ import annotations

import time

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import clock
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from ansible_collections.restartx.core.plugins.module_utils.engine.clock import SystemClock

READERS = {"the cluster": lambda: Retry().clock(), "the engine": lambda: SystemClock().monotonic()}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_every_deadline_is_an_instant_of_the_clock_that_counts_suspension(monkeypatch, read):
    """In a machine that was suspended for an hour since it was started."""
    clocks = {time.CLOCK_MONOTONIC: 100.0, time.CLOCK_BOOTTIME: 3700.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: clocks[time.CLOCK_MONOTONIC])
    assert read() == 3700.0


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_where_there_is_no_such_clock_the_usual_one_is_read(monkeypatch, read):
    monkeypatch.setattr(clock, "_COUNTS_SUSPENSION", None)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert read() == 100.0
