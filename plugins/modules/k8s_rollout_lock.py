#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_lock
version_added: 0.1.0
short_description: Take or release the lock of a plan on a cluster
author: restartx contributors (@restartx)
description:
  - Takes or releases the lock of a plan on a cluster, so that only one run of the plan works there at a time. The lock is a Lease in
    the namespace of the journals.
  - M(restartx.core.k8s_rollout_restart) takes this lock itself when it keeps a journal
    (O(restartx.core.k8s_rollout_restart#module:journal)). Use this module to keep others away while you work, or to hold the lock
    around a restart. The restart module then renews it while it works, and starts nothing new after the lock is lost.
  - This module never compares the clocks of two machines. It takes over a Lease that it has seen unchanged for the whole duration of
    the Lease. If the holder renews the Lease meanwhile, the module names the holder and fails.
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
    description: "Name of the plan: lower-case letters, digits and C(-), at most 50."
    type: str
    required: true
  holder:
    description:
      - Identifies this start of the playbook. Never use a name twice. By default a name is generated from the name of the machine.
      - Required to release the lock.
    type: str
  state:
    description: Whether to take the lock or to release it. Releasing a lock that is no longer held changes nothing.
    type: str
    choices: [held, released]
    default: held
  namespace:
    description: Namespace of the Lease, which must exist.
    type: str
    default: restartx-system
  run_id:
    description: The run, shown to others who want the lock.
    type: str
  operator:
    description: The person on whose behalf the lock is held, shown to others who want it.
    type: str
  wait_timeout:
    description:
      - How long to wait for a holder that renews the lock.
      - A holder that does not renew the lock loses it when the Lease expires. The module waits up to 30 seconds longer for that.
    type: str
    default: 0s
  break_lock:
    description:
      - Takes the lock from its holder at once, for this reason, which is recorded on the Lease. If the holder is still alive, it
        starts nothing new after it notices.
    type: str
seealso:
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: Keep others from restarting this plan
  restartx.core.k8s_rollout_lock:
    plan: rotate-internal-ca
    operator: ada
  register: lock

- name: Release the lock
  restartx.core.k8s_rollout_lock:
    plan: rotate-internal-ca
    holder: "{{ lock.holder }}"
    state: released
"""

RETURN = r"""
holder:
  description: The holder of the lock, or its last holder. Give it to M(restartx.core.k8s_rollout_restart) as C(lock_holder), and to
    this module to release the lock.
  returned: success
  type: str
  sample: bastion-4f9a1c
results:
  description: Always empty, because no workload is touched.
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
  description: The cluster that answered. Its uid is that of the namespace C(kube-system), or null without permission to read it.
  returned: always
  type: dict
  sample: {host: "https://10.0.0.1:6443", context: eu-west, uid: 0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21}
api_requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
duration:
  description: How many seconds the module ran.
  returned: always
  type: float
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.lock import lock


def main() -> None:
    entry.run_module(
        lock,
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
