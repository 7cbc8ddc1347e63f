# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong in a schedule: always something that a person wrote; and how that is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable


class ScheduleError(Exception):
    """One clear sentence: what was written, what is wrong with it, what to write instead."""


class PlanError(ScheduleError):
    """Everything that is wrong with a plan or a window, found in one reading.

    `errors` holds one sentence for each finding, each starting with the path of what it is about:
    `restart_plan.workloads[2].after: no workload "cach"; did you mean "cache"?`
    """

    def __init__(self, errors: Iterable[str]):
        self.errors = list(errors)
        super().__init__("\n".join(self.errors))


def show(value: object) -> str:
    """A value as it is shown in a message: as JSON, cut when long."""
    shown = json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)  # YAML takes dates as keys, JSON not
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
