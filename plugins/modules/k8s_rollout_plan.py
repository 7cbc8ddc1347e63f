#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_plan
version_added: 0.1.0
short_description: Check a restart plan against a cluster, and read its journal
author: restartx contributors (@restartx)
description:
  - Checks a restart plan as a whole, finds its workloads on the cluster, names those that could not be restarted, and returns what
    the journal of the plan tells of its last run. It changes nothing.
  - The playbook restart_prod.yml uses it on all clusters before it touches any.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  plan:
    description: The plan, as written in the variable C(restart_plan).
    type: dict
    required: true
  journal_namespace:
    description: Namespace of the journal.
    type: str
    default: restartx-system
  allow_owned:
    description: Whether workloads that another controller owns count as fit for a restart.
    type: bool
    default: false
seealso:
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: What would be restarted here, and in which order
  restartx.core.k8s_rollout_plan:
    plan:
      version: 1
      name: rotate-internal-ca
      defaults: {namespace: shop}
      workloads:
        - {id: core, name: [catalog, cart]}
        - {id: web, label_selectors: [tier=web], after: [core]}
"""

RETURN = r"""
results:
  description: One entry for each workload, as of M(restartx.core.k8s_rollout_restart); its C(outcome) is C(planned) or C(refused).
  returned: always
  type: list
  elements: dict
summary:
  description: How many workloads had which outcome.
  returned: always
  type: dict
  sample: {planned: 12}
plan:
  description:
    - Its C(name), its C(digest), its C(order) (lists of the ids of entries that may be restarted at the same time), the C(workloads)
      that each entry means, and its C(window) at the moment (C(open) and a C(message)), null when it has none.
  returned: when the plan is fit
  type: dict
journal:
  description: The journal of the plan on this cluster, null when there is none.
  returned: when the plan is fit
  type: dict
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
from ansible_collections.restartx.core.plugins.module_utils.options import CHANGING, CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


def main() -> None:
    entry.run_module(
        verbs.plan,
        {
            **CONNECTION,
            "plan": {"type": "dict", "required": True},
            "journal_namespace": {"type": "str", "default": "restartx-system"},
            "allow_owned": CHANGING["allow_owned"],
        },
    )


if __name__ == "__main__":
    main()
