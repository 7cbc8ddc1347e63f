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
      - Deadline of the whole call, such as V(90s), V(15m), V(3h) or a number of seconds. No deadline by default.
      - Workloads that are in progress at the deadline are C(unfinished). The module takes at most ten more seconds to find their
        causes and to send undos that are due after a failure. It does not wait for these undos.
    type: str
  timeout:
    description:
      - How long one workload may take, counted from its own patch. After that its outcome is C(unfinished), which means that the time
        was up and not that the workload failed. It is C(failed) if a cause shows that its containers are broken.
    type: str
    default: 10m
  grace:
    description:
      - How long a problem that stops a rollout may take to recover. This gives time to a database that comes up late, or to an
        autoscaler that adds a node. After that the wait for the workload ends, even before its O(timeout). The workload is C(failed) if
        its containers are broken, and C(unfinished) if its rollout can continue once the rest is repaired.
      - It applies to pods that keep ending, run out of memory, do not terminate, have a node that is not ready, or get no image, no
        volume, no configuration or no node. It also applies if a quota or an admission policy refuses pods, if a Deployment is paused
        during its rollout, or if a controller does not act. A container that runs but is not ready is waited for until the O(timeout).
      - If a workload cannot recover, for example because its command is not in the image, the wait for it ends at once.
    type: str
    default: 5m
  logs:
    description:
      - Whether to show the last lines of a container's log with the cause of a failure, up to 20. After ten failures in
        a call, there are up to five. Text that looks like a password, a token or a key is masked.
      - With V(false), no logs are read.
    type: bool
    default: true
"""
