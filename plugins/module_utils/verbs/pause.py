# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pauses or resumes Deployments."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.permission import RunOptions
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def pause(call: Call) -> dict:
    """Pauses or resumes the selected Deployments. Returns the module's result."""
    paused = call.params["state"] == "paused"
    entries = call.entries()
    found = pipeline.find(call, entries, call.params["allow_empty"])
    tasks = pipeline.tasks_of(found, entries, steps.PauseStep(call.mode, paused, call.params["allow_owned"]))
    pipeline.carry_out(call, found, entries, tasks, RunOptions(wait=False))
    return pipeline.result(tasks, call.params["state"])
