# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors in what a user wrote, and how values are shown in them."""

from __future__ import annotations

import json
from collections.abc import Iterable


class ScheduleError(Exception):
    """One clear sentence: what was written, what is wrong with it, what to write instead."""


class PlanError(ScheduleError):
    """All mistakes in a plan or a window.

    `errors` has one sentence for each mistake, which starts with the path of the option:
    `restart_plan.workloads[2].after: no workload "cach"; did you mean "cache"?`
    """

    def __init__(self, errors: Iterable[str]):
        self.errors = list(errors)
        super().__init__("\n".join(self.errors))


def show(value: object) -> str:
    """A value for a message: as JSON, shortened if it is long."""
    shown = json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)  # YAML allows dates as keys
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
