#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_undo
version_added: 0.1.0
short_description: Undo Kubernetes rollouts, to the previous revision, a given one, or what one run restarted
author: restartx contributors (@restartx)
description:
  - Brings Deployments, StatefulSets and DaemonSets back to an earlier pod template, as C(kubectl rollout undo) does.
  - With O(run_id) it undoes exactly what that run restarted, and refuses where someone has deployed since.
  - It brings back the template, and with it the old pods that still run. It cannot bring back a changed Secret or ConfigMap, nor the
    image that a moved tag used to mean.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.selection
  - restartx.core.waiting
  - restartx.core.changing
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
    details: The server is asked with a dry run, so that admission has its say.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: With O(to_revision) or O(run_id).
options:
  to_revision:
    description: The revision to go back to. V(0) is the previous one.
    type: int
    default: 0
  run_id:
    description:
      - Undoes only workloads that carry this run, to the revision below it.
    type: str
  kind:
    description:
      - V(Deployment), V(StatefulSet), V(DaemonSet), or several of them; C(kubectl)'s other spellings are understood.
      - By default V(Deployment), and with O(run_id) all three.
    type: list
    elements: str
    default: null
  delete_stuck_pods:
    description:
      - Frees a StatefulSet whose broken pod keeps the old revision from coming back, which Kubernetes alone cannot do, by deleting
        that pod. No healthy pod is ever deleted.
      - With O(to_revision) this also helps where the template is that revision's already, after an undo without this option.
    type: bool
    default: false
notes:
  - As with C(kubectl), undoing twice brings back the first state unless O(run_id) is given.
seealso:
  - module: restartx.core.k8s_rollout_history
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: Back to the previous revision
  restartx.core.k8s_rollout_undo:
    namespace: shop
    name: api

- name: Undo what one run restarted
  restartx.core.k8s_rollout_undo:
    namespace: shop
    run_id: 20261124-221503-4f9a1c

- name: A StatefulSet that is stuck on a broken pod
  restartx.core.k8s_rollout_undo:
    namespace: shop
    kind: StatefulSet
    name: redis
    delete_stuck_pods: true
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
        - C(undone) and C(unchanged) (nothing to go back to was asked for) are good.
        - C(failed), C(unfinished), C(refused) and C(not_started) are not.
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
    - kind: StatefulSet
      namespace: shop
      name: redis
      uid: 6a3c5c0e-8f0e-4a4e-8d6c-2f7a3a1f0c11
      outcome: undone
      changed: true
      revision_before: redis-6d4b75cb6d
      revision_after: redis-5c9d8f7b4f
      message: "partitioned roll out complete: 3 new pods have been updated..."
      cause: null
      risks: []
      started_at: "2026-11-24T22:20:03Z"
      finished_at: "2026-11-24T22:20:24Z"
      duration: 21.2
summary:
  description: How many workloads had which outcome.
  returned: always
  type: dict
  sample: {undone: 2}
run_id:
  description: The run that was undone, null where none was named.
  returned: always
  type: str
  sample: 20261124-221503-4f9a1c
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
from ansible_collections.restartx.core.plugins.module_utils.options import CHANGING, CONNECTION, SELECTION, WAITING, but
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


def main() -> None:
    entry.run_module(
        verbs.undo,
        {
            **CONNECTION,
            **but(SELECTION, kind={"default": None}),
            **WAITING,
            **CHANGING,
            "to_revision": {"type": "int", "default": 0},
            "run_id": {"type": "str"},
            "delete_stuck_pods": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("to_revision", "run_id")],
    )


if __name__ == "__main__":
    main()
