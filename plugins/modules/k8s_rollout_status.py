#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_status
version_added: 0.1.0
short_description: Show the status of Kubernetes rollouts, with causes
author: restartx contributors (@restartx)
description:
  - Shows whether Deployments, StatefulSets and DaemonSets are rolled out, by the rules and in the words of C(kubectl rollout status).
    If a rollout is not done, it shows the cause, as far as pods and events reveal it.
  - The verdict is that of C(kubectl), except for a DaemonSet that a canary holds, which is in progress. C(missing) adds what
    C(kubectl) does not check.
  - Looks once, or waits for all of them with one deadline.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.selection
  - restartx.core.waiting
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
      - A whole plan, as for M(restartx.core.k8s_rollout_plan), whose workloads are shown. Do not combine it with options that select
        workloads.
      - If some of its workloads do not exist, the module shows the others, and fails.
    type: dict
  wait:
    description: Whether to wait until the rollouts are done.
    type: bool
    default: false
seealso:
  - module: restartx.core.k8s_rollout_restart
  - module: restartx.core.k8s_rollout_history
"""

EXAMPLES = r"""
- name: Look at all workloads of a namespace
  restartx.core.k8s_rollout_status:
    namespace: shop
    kind: [Deployment, StatefulSet, DaemonSet]

- name: Look at everything that uses a Secret or runs an image of one registry
  restartx.core.k8s_rollout_status:
    namespace: shop
    kind: [Deployment, StatefulSet, DaemonSet]
    uses: [secret/internal-ca, configmap/app-*]
    image: localhost/shop*

- name: Wait up to five minutes for all of them together
  restartx.core.k8s_rollout_status:
    namespace: shop
    label_selectors: [tier=web]
    wait: true
    wait_timeout: 5m

- name: Look at the workloads of a plan
  restartx.core.k8s_rollout_status:
    plan:
      version: 1
      name: rotate-internal-ca
      workloads:
        - {id: core, namespace: shop, name: [cart, catalog]}
"""

RETURN = r"""
results:
  description: One entry for each workload, in the order of the selection. Whole objects are not returned, because they contain
    environment values.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the workload.
      type: str
      returned: always
    namespace:
      description: Its namespace.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    uid:
      description: Its uid.
      type: str
      returned: always
    outcome:
      description:
        - C(rolled_out) if the rollout is done, C(in_progress) if it is not (without O(wait)), C(unfinished) if the time was up,
          C(failed) if the cluster says so or the workload cannot recover.
      type: str
      returned: always
    changed:
      description: Whether this call changed it.
      type: bool
      returned: always
    revision_before:
      description: The revision before the call. A number for a Deployment, a name for a StatefulSet, null for a DaemonSet, whose
        status has none.
      type: str
      returned: always
    revision_after:
      description: The revision after the call, as last seen.
      type: str
      returned: always
    message:
      description: The last known status of the rollout, in the words of C(kubectl) where it has any, or why nothing was done.
      type: str
      returned: always
    cause:
      description:
        - Why the workload did not come up, as far as its pods and events show it. Its keys are C(code), C(object), C(pods) (how many
          of the new pods show it, and on which nodes), C(pod), C(container), C(exit_code), C(reason), C(sentence), C(advice), C(log)
          (the last lines of that container's log) and C(also) (further causes, the worst first, each with C(code) and C(sentence)).
      type: dict
      returned: always, null if nothing is wrong or nothing is known
    pods:
      description:
        - Its pods at the end of the call. C(new) counts pods of the newest revision, C(available) counts available pods of any
          revision, and C(total) is how many pods the workload should have.
      type: dict
      returned: always
    missing:
      description:
        - What is missing although C(kubectl) calls the rollout done. For example, pods are ready but not yet available, old pods are
          still terminating, a partition holds pods back, or there are no pods at all.
      type: str
      returned: always, null if nothing is missing
    nothing_to_replace:
      description: Whether the workload has no pods, so that a restart replaces none.
      type: bool
      returned: always
    risks:
      description: How a restart of this workload may affect its users, as short sentences.
      type: list
      elements: str
      returned: always
    last_progress:
      description: When its rollout last made progress or was done (RFC 3339). For a StatefulSet and a DaemonSet, whose status does not
        show it, when it was last restarted, or else created.
      type: str
      returned: always, null if the object does not show it
    started_at:
      description: When work on it started, in UTC.
      type: str
      returned: always, null if it never started
    finished_at:
      description: When its outcome was known, in UTC.
      type: str
      returned: always, null if it never started
    duration:
      description: Seconds between C(started_at) and C(finished_at).
      type: float
      returned: always, null if it never started
  sample:
    - kind: Deployment
      namespace: shop
      name: api
      uid: 6a3c5c0e-8f0e-4a4e-8d6c-2f7a3a1f0c11
      outcome: rolled_out
      changed: false
      revision_before: null
      revision_after: "8"
      message: deployment "api" successfully rolled out
      cause: null
      pods: {new: 3, available: 3, total: 3}
      missing: null
      nothing_to_replace: false
      risks: []
      last_progress: "2026-11-24T22:15:24Z"
      started_at: null
      finished_at: null
      duration: null
plan:
  description: The name of the plan.
  returned: with O(plan)
  type: str
absent:
  description: A sentence on the workloads of the plan that do not exist.
  returned: with O(plan), null if all exist
  type: str
summary:
  description: How many workloads have each outcome.
  returned: always
  type: dict
  sample: {rolled_out: 12}
cluster:
  description: The cluster that answered. Its uid is that of the namespace C(kube-system), or null without permission to read it.
  returned: always
  type: dict
  sample: {host: "https://10.0.0.1:6443", context: eu-west, uid: 0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21}
api_requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
  sample: 15
duration:
  description: How many seconds the module ran.
  returned: always
  type: float
  sample: 21.4
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION, SELECTION, WAITING, but
from ansible_collections.restartx.core.plugins.module_utils.verbs.status import status


def main() -> None:
    entry.run_module(
        status,
        {
            **CONNECTION,
            **SELECTION,
            **but(WAITING, wait={"default": False}),
            "plan": {"type": "dict"},
        },
    )


if __name__ == "__main__":
    main()
