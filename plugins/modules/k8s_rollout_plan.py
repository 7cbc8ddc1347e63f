#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_plan
version_added: 0.1.0
short_description: Check a restart plan against a cluster, and read its journals
author: restartx contributors (@restartx)
description:
  - Checks a restart plan as a whole, finds its workloads on the cluster, names those that cannot be restarted, and returns the runs of
    the plan that the cluster knows. It changes nothing.
  - It checks everything that a run needs. The namespace of the journals must exist, each permission must be granted, and the API
    server must accept the patch of each workload in a dry run, which includes admission.
  - The playbook restart_prod.yml uses it on all clusters before it changes any of them.
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
    description: The plan, as in the variable C(restart_plan).
    type: dict
    required: true
  gate_auth:
    description:
      - The credentials of the gates of O(plan), by the names that these have in C(auth). Each is a dictionary with C(token), or with
        C(username) and C(password), and perhaps C(ca_cert) (a path) and C(validate_certs).
    type: dict
  bake:
    description: How long a wave of clusters must stay healthy before the next one begins, as for M(restartx.core.k8s_rollout_restart). It
      is only checked.
    type: str
  wave_gates:
    description: The gates that a wave of clusters must pass, as for M(restartx.core.k8s_rollout_restart). They are only checked, and
      not asked.
    type: dict
  journal_namespace:
    description: Namespace of the journals.
    type: str
    default: restartx-system
  ticket:
    description: Ticket to send with the dry run of each restart, for admission policies that require one.
    type: str
  reason:
    description: Reason to send with the dry run of each restart.
    type: str
  operator:
    description: Operator to send with the dry run of each restart.
    type: str
  field_manager:
    description: Field manager of the restarts.
    type: str
    default: restartx
  allow_owned:
    description: Whether workloads that another controller owns may be restarted.
    type: bool
    default: false
seealso:
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: Show what would be restarted, and in which order
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
  description: One entry for each workload, as for M(restartx.core.k8s_rollout_restart). Its C(outcome) is C(planned) or C(refused). Its
    C(risks) are empty, because C(findings) tell them.
  returned: always
  type: list
  elements: dict
summary:
  description: How many workloads have each outcome.
  returned: always
  type: dict
  sample: {planned: 12}
plan:
  description:
    - Its C(name), its C(digest), its C(order) (lists of the ids of entries that may be restarted at the same time), the C(workloads)
      that each entry selects, the current state of its C(window) (C(open) and a C(message), or null without a window), and the
      C(periods) of a run that starts now (C(day), C(week) and C(month)), and its C(circuit) (C(max_failure_rate) and C(last_restarts),
      or null without a limit).
  returned: when the plan is valid
  type: dict
findings:
  description:
    - What the preflight found, as M(restartx.core.k8s_rollout_preflight) returns it. What is missing or refused fails this module, other
      findings do not.
    - Of many risks or notes with the same code, it holds the first three, and one for all others. C(count) is the number of findings
      that an item stands for.
  returned: when the plan is valid
  type: list
  elements: dict
runs:
  description:
    - The runs of the plan that the cluster knows, newest first, as M(restartx.core.k8s_rollout_journal) returns them. C(changes) lists
      what has changed in the plan since each of them.
  returned: when the plan is valid
  type: list
  elements: dict
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
from ansible_collections.restartx.core.plugins.module_utils.options import CHANGING, CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.plan import plan


def main() -> None:
    entry.run_module(
        plan,
        {
            **CONNECTION,
            "plan": {"type": "dict", "required": True},
            "gate_auth": {"type": "dict", "no_log": True},
            "bake": {"type": "str"},
            "wave_gates": {"type": "dict"},
            "journal_namespace": {"type": "str", "default": "restartx-system"},
            **{name: {"type": "str"} for name in ("ticket", "reason", "operator")},
            **CHANGING,
        },
    )


if __name__ == "__main__":
    main()
