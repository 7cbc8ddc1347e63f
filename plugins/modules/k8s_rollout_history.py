#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_history
version_added: 0.1.0
short_description: Revisions of Kubernetes workloads, with reason, ticket, run and differences
author: restartx contributors (@restartx)
description:
  - Lists the revisions that the cluster keeps of Deployments, StatefulSets and DaemonSets, oldest first, with the change cause that
    C(kubectl rollout history) shows, with what restartx wrote on each, and with what each changed in the pod template.
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
  revision:
    description: Only this revision.
    type: int
seealso:
  - module: restartx.core.k8s_rollout_undo
"""

EXAMPLES = r"""
- name: What has happened to the API lately
  restartx.core.k8s_rollout_history:
    namespace: shop
    name: api
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
        - Always C(unchanged).
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
    revisions:
      description:
        - The revisions, oldest first, each with C(revision), C(change_cause), C(reason), C(ticket), C(operator), C(run_id),
          C(restarted_at), C(created_at) and C(differences) to the one before, of which each has C(path), C(before) and C(after).
        - Values of environment variables are not shown, for they may be secrets.
      type: list
      elements: dict
      returned: always
  sample:
    - kind: Deployment
      namespace: shop
      name: api
      uid: 6a3c5c0e-8f0e-4a4e-8d6c-2f7a3a1f0c11
      outcome: unchanged
      changed: false
      revision_before: null
      revision_after: "8"
      message: 2 revisions
      cause: null
      risks: []
      started_at: null
      finished_at: null
      duration: null
      revisions:
        - revision: 8
          change_cause: null
          reason: certificates renewed
          ticket: CHG0042
          operator: ada
          run_id: 20261124-221503-4f9a1c
          restarted_at: "2026-11-24T22:15:03Z"
          created_at: "2026-11-24T22:15:03Z"
          differences: []
summary:
  description: How many workloads had which outcome.
  returned: always
  type: dict
  sample: {unchanged: 1}
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
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION, SELECTION
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


def main() -> None:
    entry.run_module(
        verbs.history,
        {
            **CONNECTION,
            **SELECTION,
            "revision": {"type": "int"},
        },
    )


if __name__ == "__main__":
    main()
