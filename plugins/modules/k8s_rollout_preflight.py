#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_preflight
version_added: 0.1.0
short_description: Look for what can go wrong in a restart, before anything is touched
author: restartx contributors (@restartx)
description:
  - Looks at the workloads of a selection or of a plan, at their pods, and at the quotas, budgets and nodes around them. It returns
    what the cluster would refuse, what would not fit, what users may notice, and what cannot be taken back. It changes nothing.
  - Each restart is sent as a dry run, and so is a pod made from each template. So admission policies and webhooks take part, and say
    what they would refuse.
  - What it may not read, it does not check. One finding C(not_checked) names all of that. C(rbac/preflight.yml) of the collection
    grants what is needed, in parts.
  - M(restartx.core.k8s_rollout_plan), and so each playbook, returns the same findings.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.selection
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
    description:
      - A whole plan, as for M(restartx.core.k8s_rollout_plan). Then the journals are checked too. Do not combine it with options that
        select workloads.
    type: dict
  stop_on:
    description:
      - The severity from which on a finding fails the module. Findings that the plan accepts do not.
      - V(blocker) if the restart would fail, V(risk) also if it may fail or users may notice it, V(never) to only report.
    type: str
    choices: [blocker, risk, never]
    default: blocker
  max_parallel:
    description: How many workloads would be restarted at once. No limit by default. A plan has its own limits.
    type: int
  budgets:
    description:
      - Whether the restarts would honour or enforce PodDisruptionBudgets, or only report them, as O(restartx.core.k8s_rollout_restart#module:budgets).
        A plan sets it itself.
    type: str
    choices: [honour, enforce, report]
    default: honour
  journal_namespace:
    description: Namespace of the journals of a plan.
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
  - module: restartx.core.k8s_rollout_plan
  - module: restartx.core.k8s_rollout_access
"""

EXAMPLES = r"""
- name: Look before the restart of all Deployments of a namespace
  restartx.core.k8s_rollout_preflight:
    namespace: shop

- name: Look at everything that uses a Secret, restarted three at a time, and only report
  restartx.core.k8s_rollout_preflight:
    namespace: shop
    kind: [Deployment, StatefulSet, DaemonSet]
    uses: [secret/internal-ca]
    max_parallel: 3
    stop_on: never

- name: Look at a plan that accepts one of the findings
  restartx.core.k8s_rollout_preflight:
    plan:
      version: 1
      name: rotate-internal-ca
      defaults: {namespace: shop}
      workloads:
        - {id: core, name: [catalog, cart]}
      accept:
        - {finding: one_replica, reason: catalog is a cache and may be empty for a moment}
"""

RETURN = r"""
findings:
  description: What was found, the worst first.
  returned: if the workloads could be read
  type: list
  elements: dict
  contains:
    code:
      description: What kind of finding it is. The guide C(docs/choosing.md) lists all codes.
      type: str
      returned: always
    severity:
      description: C(blocker) if the restart would fail, C(risk) if it may fail or users may notice it, C(note) if it is worth knowing.
      type: str
      returned: always
    object:
      description: What it is about, such as a workload, a quota or the nodes.
      type: str
      returned: always
    sentence:
      description: One sentence with the object and what was found.
      type: str
      returned: always
    advice:
      description: What to do.
      type: str
      returned: always
    accepted:
      description: The reason with which the plan accepts findings of this code.
      type: str
      returned: always, null if the plan does not accept them
  sample:
    - code: below_budget
      severity: risk
      object: deployment "api" in namespace "shop"
      sentence: a rolling update of deployment "api" in namespace "shop" may stop 2 of 4 pods at once, but the PodDisruptionBudget
        "api" wants 4 healthy pods of 4; a rolling update ignores budgets
      advice: "lower maxUnavailable, or restart it when more pods are healthy; see: kubectl get pdb api --namespace shop"
      accepted: null
results:
  description: One entry for each workload, as for M(restartx.core.k8s_rollout_plan). Its C(outcome) is C(planned) or C(refused). Its
    C(risks) are empty, because C(findings) tell them.
  returned: always
  type: list
  elements: dict
summary:
  description: How many findings have each severity.
  returned: always
  type: dict
  sample: {risk: 2, note: 5}
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
from ansible_collections.restartx.core.plugins.module_utils.options import CHANGING, CONNECTION, SELECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.preflight import preflight


def main() -> None:
    entry.run_module(
        preflight,
        {
            **CONNECTION,
            **SELECTION,
            "plan": {"type": "dict"},
            "stop_on": {"type": "str", "choices": ["blocker", "risk", "never"], "default": "blocker"},
            "max_parallel": {"type": "int"},
            "budgets": {"type": "str", "choices": ["honour", "enforce", "report"], "default": "honour"},
            "journal_namespace": {"type": "str", "default": "restartx-system"},
            **{name: {"type": "str"} for name in ("ticket", "reason", "operator")},
            **CHANGING,
        },
    )


if __name__ == "__main__":
    main()
