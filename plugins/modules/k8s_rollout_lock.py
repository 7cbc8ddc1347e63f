#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_lock
version_added: 0.1.0
short_description: One run at a time for each plan and cluster
author: restartx contributors (@restartx)
description:
  - Takes or releases the lock of a plan on a cluster, a Lease beside the plan's journal.
  - M(restartx.core.k8s_rollout_restart) renews it while it works (O(restartx.core.k8s_rollout_restart#module:journal)), and begins
    nothing any more once it is lost.
  - Whether a holder is gone is judged by what this module itself observes, never by comparing the clocks of two machines. A Lease that
    has not changed for its whole duration is taken over; a holder that shows life is named, and the module fails.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
    details: Nothing is locked in check mode.
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  plan:
    description: Name of the plan.
    type: str
    required: true
  holder:
    description:
      - Identifies this start of the playbook; never use one twice. Made from the name of the machine by default.
      - Needed to release.
    type: str
  state:
    description: Whether to take the lock or to release it. Releasing one that is not held any more changes nothing.
    type: str
    choices: [held, released]
    default: held
  namespace:
    description: Namespace of the Lease, which must exist.
    type: str
    default: restartx-system
  run_id:
    description: The run, told to others who want the lock.
    type: str
  operator:
    description: On whose behalf, told to others who want the lock.
    type: str
  wait_timeout:
    description: How long to wait for a holder that shows life.
    type: str
    default: 0s
  break_lock:
    description:
      - Takes the lock from whoever holds it, at once, for this reason, which is kept on the Lease. The other one, should it live, begins
        nothing any more as soon as it notices.
    type: str
seealso:
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: Nobody else restarts this plan while we look around
  restartx.core.k8s_rollout_lock:
    plan: rotate-internal-ca
    operator: ada
  register: lock

- name: Now others may
  restartx.core.k8s_rollout_lock:
    plan: rotate-internal-ca
    holder: "{{ lock.holder }}"
    state: released
"""

RETURN = r"""
holder:
  description: Who holds the lock now, or held it until now; given to M(restartx.core.k8s_rollout_restart), and to release it.
  returned: success
  type: str
  sample: bastion-4f9a1c
results:
  description: Always empty, for no workload is touched.
  returned: always
  type: list
  elements: dict
summary:
  description: Always empty.
  returned: always
  type: dict
run_id:
  description: The run that was given.
  returned: always
  type: str
cluster:
  description: The cluster that answered. Its uid is that of the namespace C(kube-system), null where that may not be read.
  returned: always
  type: dict
  sample: {host: "https://10.0.0.1:6443", context: eu-west, uid: 0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21}
api_requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
duration:
  description: Seconds that the module worked.
  returned: always
  type: float
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


def main() -> None:
    entry.run_module(
        verbs.lock,
        {
            **CONNECTION,
            "plan": {"type": "str", "required": True},
            "holder": {"type": "str"},
            "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
            "namespace": {"type": "str", "default": "restartx-system"},
            "run_id": {"type": "str"},
            "operator": {"type": "str"},
            "wait_timeout": {"type": "str", "default": "0s"},
            "break_lock": {"type": "str"},
        },
        required_if=[("state", "released", ("holder",))],
    )


if __name__ == "__main__":
    main()
