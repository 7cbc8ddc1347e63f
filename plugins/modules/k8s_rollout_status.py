#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_status
version_added: 0.1.0
short_description: Status of Kubernetes rollouts, with causes
author: restartx contributors (@restartx)
description:
  - Says of any number of Deployments, StatefulSets and DaemonSets whether they are rolled out, by the rules and in the words of
    C(kubectl rollout status), and why not where their pods or events tell.
  - Looks once, or waits under one deadline for all of them.
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

- name: Wait up to five minutes for all of them together
  restartx.core.k8s_rollout_status:
    namespace: shop
    label_selectors: [tier=web]
    wait: true
    wait_timeout: 5m
"""

RETURN = r"""
results:
  description: One entry for each workload, in the order of the selection. No whole objects, for they carry environment values.
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
        - C(rolled_out) where the rollout is done, C(in_progress) where it is not (without O(wait)), C(unfinished) where the time was up,
          C(failed) where the cluster says so or no waiting heals it.
      type: str
      returned: always
    changed:
      description: Whether this call changed it.
      type: bool
      returned: always
    revision_before:
      description: A Deployment's revision number or a StatefulSet's revision name before; null for a DaemonSet, which does not say.
      type: str
      returned: always
    revision_after:
      description: The same afterwards, as last seen.
      type: str
      returned: always
    message:
      description: What was last seen of the rollout, in C(kubectl)'s words where it has some; or why nothing was done.
      type: str
      returned: always
    cause:
      description:
        - Why it did not come up, as far as its pods and events tell. Its keys are C(code), C(object), C(pod), C(container), C(reason),
          C(sentence), C(advice) and C(log), the last lines of that container's log.
      type: dict
      returned: always, null where nothing is wrong or nothing is known
    risks:
      description: What a restart of this workload may do to its users, as short sentences.
      type: list
      elements: str
      returned: always
    started_at:
      description: When its turn came, in UTC.
      type: str
      returned: always, null where it did not come
    finished_at:
      description: When its outcome was known, in UTC.
      type: str
      returned: always, null where it was never started
    duration:
      description: Seconds between the two.
      type: float
      returned: always, null where it was never started
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
      risks: []
      started_at: null
      finished_at: null
      duration: null
summary:
  description: How many workloads had which outcome.
  returned: always
  type: dict
  sample: {rolled_out: 12}
cluster:
  description: The cluster that answered. Its uid is that of the namespace C(kube-system), null where that may not be read.
  returned: always
  type: dict
  sample: {host: "https://10.0.0.1:6443", context: eu-west, uid: 0b5a0c4e-6d8e-4a7e-9a6c-3a0f5f6f4d21}
api_requests:
  description: How many requests were sent to the API server.
  returned: always
  type: int
  sample: 15
duration:
  description: Seconds that the module worked.
  returned: always
  type: float
  sample: 21.4
"""

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION, SELECTION, WAITING, but
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


def main() -> None:
    entry.run_module(
        verbs.status,
        {
            **CONNECTION,
            **SELECTION,
            **but(WAITING, wait={"default": False}),
        },
    )


if __name__ == "__main__":
    main()
