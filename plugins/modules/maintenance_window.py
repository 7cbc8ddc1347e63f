#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_window
version_added: 0.1.0
short_description: Check a maintenance window, or wait for it
author: restartx contributors (@restartx)
description:
  - Shows whether a maintenance window is open, and when that changes. Outside the window, the module fails or waits.
  - The days are those on which the window starts, so Friday 22:00 to 04:00 covers Saturday 02:00. Daylight saving time is taken into
    account, and the repeated hour never shortens a window.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
options:
  window:
    description:
      - The window, with C(timezone) and any of C(days), C(hours) and C(freezes), as in a plan.
      - A time zone that is a fixed offset, such as C(Etc/GMT+2), causes a warning that shows the offset.
    type: dict
    required: true
  outside_window:
    description: What to do outside the window.
    type: str
    choices: [fail, wait]
    default: fail
  wait_timeout:
    description: How long to wait at most. If the window does not open within that time, the module fails at once.
    type: str
  controller:
    description:
      - The process for which the module waits, as C(PID:START TIME). When it is gone, the module ends.
      - The action plugin sets it where the module runs on the controller itself (connection local).
    type: str
  progress:
    description:
      - Where the module writes its progress, as C(FIFO:HOST).
      - The action plugin sets it where the callback plugin P(restartx.core.progress#callback) is enabled.
    type: str
seealso:
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: Wait for the night of Tuesday or Thursday, but not over Christmas
  restartx.core.maintenance_window:
    window:
      days: [tue, thu]
      hours: "22:00-01:00"
      timezone: Europe/Berlin
      freezes: [2026-12-20/2027-01-06]
    outside_window: wait
    wait_timeout: 12h
"""

RETURN = r"""
open:
  description: Whether the window is open now.
  returned: always
  type: bool
opens:
  description: When the window opens next. The current time if it is open, null if it does not open within 400 days.
  returned: always
  type: str
  sample: "2026-11-26T22:00:00+01:00"
closes:
  description: When the window closes next. The current time if it is closed, null if it does not close within 400 days.
  returned: always
  type: str
  sample: "2026-11-27T01:00:00+01:00"
message:
  description: The state of the window in one sentence.
  returned: always
  type: str
  sample: outside the window tue, thu 22:00-01:00 Europe/Berlin; opens Thu 2026-11-26 22:00 CET (in 1d 15h)
waited:
  description: How many seconds the module waited.
  returned: always
  type: float
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.verbs.maintenance_window import maintenance_window


def main() -> None:
    entry.run_module_without_cluster(
        maintenance_window,
        {
            "window": {"type": "dict", "required": True},
            "outside_window": {"type": "str", "choices": ["fail", "wait"], "default": "fail"},
            "wait_timeout": {"type": "str"},
            "controller": {"type": "str"},
            "progress": {"type": "str"},
        },
    )


if __name__ == "__main__":
    main()
