#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_window
version_added: 0.1.0
short_description: Look at a maintenance window, or wait for it
author: restartx contributors (@restartx)
description:
  - Says whether a maintenance window is open, and when that changes. Outside it the module fails, or waits.
  - Days are those on which the window starts, so that Friday 22:00 to 04:00 covers Saturday 02:00. Daylight saving is
    taken into account, and the repeated hour never makes a window shorter.
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
      - The window, with C(timezone) and any of C(days), C(hours) and C(freezes), written as in a plan.
    type: dict
    required: true
  outside:
    description: What to do outside the window.
    type: str
    choices: [fail, wait]
    default: fail
  wait_timeout:
    description: How long to wait for it at most. When it does not open within that time, the module fails at once.
    type: str
  controller:
    description: The process for which the module waits, as C(PID:START TIME). When it is gone, the module ends. Nothing sets it by itself.
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
    outside: wait
    wait_timeout: 12h
"""

RETURN = r"""
open:
  description: Whether the window is open now.
  returned: always
  type: bool
opens:
  description: When it opens next, now if it is open; null when not within 400 days.
  returned: always
  type: str
  sample: "2026-11-26T22:00:00+01:00"
closes:
  description: When it closes next, now if it is closed; null when not within 400 days.
  returned: always
  type: str
  sample: "2026-11-27T01:00:00+01:00"
message:
  description: The same as a sentence.
  returned: always
  type: str
  sample: outside the window tue, thu 22:00-01:00 Europe/Berlin; opens Thu 2026-11-26 22:00 CET (in 1d 15h)
waited:
  description: Seconds that were waited.
  returned: always
  type: float
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


def main() -> None:
    entry.run_module_without_cluster(
        verbs.maintenance_window,
        {
            "window": {"type": "dict", "required": True},
            "outside": {"type": "str", "choices": ["fail", "wait"], "default": "fail"},
            "wait_timeout": {"type": "str"},
            "controller": {"type": "str"},
        },
    )


if __name__ == "__main__":
    main()
