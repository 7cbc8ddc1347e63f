#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_history
version_added: 0.1.0
short_description: List revisions of Kubernetes workloads, with reason, ticket, run and differences
author: restartx contributors (@restartx)
description:
  - Lists the revisions of Deployments, StatefulSets and DaemonSets that the cluster keeps, oldest first. Each has the change cause
    that C(kubectl rollout history) shows, the marks of restartx, and the changes of the pod template.
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
    description: Return only this revision.
    type: int
seealso:
  - module: restartx.core.k8s_rollout_undo
"""

EXAMPLES = r"""
- name: Show what happened to the API lately
  restartx.core.k8s_rollout_history:
    namespace: shop
    name: api
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
        - Always C(unchanged).
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
    revisions:
      description:
        - The revisions, oldest first, each with C(revision), C(change_cause), C(reason), C(ticket), C(operator), C(run_id),
          C(restarted_at), C(created_at) and C(differences) from the revision before it. Each difference has C(path), C(before) and
          C(after).
        - Values of environment variables are not shown, because they may be secrets.
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
      pods: {new: 3, available: 3, total: 3}
      missing: null
      nothing_to_replace: false
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
  description: How many workloads have each outcome.
  returned: always
  type: dict
  sample: {unchanged: 1}
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
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION, SELECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.history import history


def main() -> None:
    entry.run_module(
        history,
        {
            **CONNECTION,
            **SELECTION,
            "revision": {"type": "int"},
        },
    )


if __name__ == "__main__":
    main()
