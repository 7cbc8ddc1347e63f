# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options for waiting."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  wait:
    description: Whether to wait until the rollouts are done.
    type: bool
    default: true
  wait_timeout:
    description:
      - Deadline of the whole call, such as V(90s), V(15m), V(3h) or a number of seconds. None by default.
      - What is on its way then is C(unfinished). For at most ten seconds more its cause is asked for, and undone is what is to be
        undone when it fails, without waiting for that.
    type: str
  timeout:
    description:
      - How long one workload may take, counted from its own patch. After that its outcome is C(unfinished), which says
        that it was waited for long enough and not that it failed.
    type: str
    default: 10m
  grace:
    description:
      - How long pods that keep ending or run out of memory, or that get no image, no configuration or no node, may take to recover. A
        database that comes up late, or a node that an autoscaler adds, is given that long; then the workload has C(failed), before its
        O(timeout). A volume whose ConfigMap or Secret is missing is waited for until the O(timeout), for only events tell of it.
      - What no waiting heals, such as a command that is not in the image, ends the wait for its workload at once.
    type: str
    default: 5m
"""
