# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for a maintenance window, without a cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.controller import LOOK_EVERY, Abandoned
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window


def await_window(
    window: Window,
    outside_window: str,
    max_wait: float | None,
    clock: t.Any,
    controller: t.Any,
    tell: t.Callable[[str], None],
) -> dict:
    """Checks the window, and waits for it if `outside_window` is "wait", for at most `max_wait` seconds (None: no
    limit). `tell` is called with the reason for which it waits, and with an empty text when it no longer waits.

    Returns the result of the module. A `msg` in it says why the window is closed. Raises Abandoned.
    """
    start = clock.monotonic()
    opens = window.opens(clock.now())
    if not window.is_open(clock.now()) and outside_window == "wait":
        left = None if opens is None else (opens - clock.now()).total_seconds()
        if left is None or (max_wait is not None and left > max_wait):
            limit = "" if max_wait is None else f", and wait_timeout is {duration.text(max_wait)}"
            return {**_state(window, clock, start), "msg": window.explain(clock.now()) + limit}
        tell(window.explain(clock.now()))
        while not window.is_open(clock.now()):
            if not controller.alive():
                raise Abandoned(controller.reason)
            clock.sleep(LOOK_EVERY)
        tell("")
    result = _state(window, clock, start)
    if not result["open"]:
        result["msg"] = window.explain(clock.now())
    return result


def _state(window: Window, clock: t.Any, start: float) -> dict:
    now = clock.now()
    opens, closes = window.opens(now), window.closes(now)
    return {
        "changed": False,
        "open": window.is_open(now),
        "opens": opens.isoformat() if opens else None,
        "closes": closes.isoformat() if closes else None,
        "message": window.explain(now),
        "waited": round(clock.monotonic() - start, 3),
    }
