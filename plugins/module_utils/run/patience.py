# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for a maintenance window, without a cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.run.controller import LOOK_EVERY, Abandoned
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window


def await_window(window: Window, outside: str, patience: float | None, clock: t.Any, controller: t.Any) -> dict:
    """Looks at the window, and waits for it when `outside` is "wait"; `patience` seconds at most, None for no limit.

    Returns the module's result; an `msg` in it says why the window is closed. Raises Abandoned.
    """
    start = clock.monotonic()
    opens = window.opens(clock.now())
    if not window.is_open(clock.now()) and outside == "wait":
        left = None if opens is None else (opens - clock.now()).total_seconds()
        if left is None or (patience is not None and left > patience):
            limit = "" if patience is None else f", and wait_timeout is {duration.text(patience)}"
            return {**_state(window, clock, start), "msg": window.explain(clock.now()) + limit}
        while not window.is_open(clock.now()):
            if not controller.alive():
                raise Abandoned(controller.reason)
            clock.sleep(LOOK_EVERY)
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
