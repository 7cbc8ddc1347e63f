# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import LabError

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, timeout: float = 120.0, interval: float = 0.05) -> T:
    """Call `condition` until it returns something true, and return that.

    After `timeout` seconds raises LabError, which says it waited for `what`.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise LabError(f"Waited {timeout:.0f} s in vain for {what}.")
        time.sleep(interval)
