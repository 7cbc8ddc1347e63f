# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks a maintenance window, or waits for it."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window
from ansible_collections.restartx.core.plugins.module_utils.verbs.wait_for_window import await_window


def maintenance_window(params: dict, clock: t.Any, controller: t.Any, progress: ProgressWriter) -> dict:
    """Checks a maintenance window, or waits for it. Returns the module's result."""
    window = Window.from_dict(params["window"])
    try:
        max_wait = None if params["wait_timeout"] is None else duration.parse(params["wait_timeout"])
    except ScheduleError as error:
        raise ScheduleError(f"wait_timeout: {error}") from error
    result = await_window(window, params["outside_window"], max_wait, clock, controller, progress.waits)
    return {**result, "warnings": list(window.warnings())}
