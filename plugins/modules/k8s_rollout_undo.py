#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_undo
version_added: 0.1.0
short_description: Undo Kubernetes rollouts, or everything that one run restarted
author: restartx contributors (@restartx)
description:
  - Rolls Deployments, StatefulSets and DaemonSets back to an earlier pod template, as C(kubectl rollout undo) does.
  - With O(run_id) it undoes exactly what that run restarted, and refuses if anything else in the pod template has changed since.
    Annotations of the workload itself stay as they are.
  - With O(journal) the journal of the run names the workloads. They are undone in the reverse order of the plan, under the lock of
    the plan, and the journal notes it, so that no later start of the run restarts them again.
  - Without O(run_id) the annotations of a Deployment itself are restored too, as C(kubectl rollout undo) does. A warning names those
    that are lost.
  - It restores the template and keeps the old pods that still run. It cannot restore a changed Secret or ConfigMap, or the image that
    a moved tag used to mean.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.selection
  - restartx.core.waiting
  - restartx.core.changing
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
    details: The request is sent to the API server as a dry run, so admission is checked.
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
      - Undoes only workloads that carry this run, to the revision before it. A workload that somebody else restarted later no longer
        carries it. An id that none of the selected workloads knows is an error.
    type: str
  journal:
    description:
      - Undoes everything that the run O(run_id) restarted on this cluster, according to its journal. Entries of the plan are undone in
        reverse order. C(max_parallel), C(stagger), C(timeout) and C(grace) are those of the plan. Its window does not apply. Pods are
        also deleted as with O(delete_stuck_pods) if the plan says so, and no logs are read if the plan says so.
      - A workload that the run left paused or held by its partition for inspection is released together with its undo.
      - A workload whose undo fails or is refused does not hold back the others, because it may need them to recover.
      - Do not combine it with options that select workloads.
    type: dict
    suboptions:
      plan:
        description: Name of the plan of the run.
        type: str
        required: true
      namespace:
        description: Namespace of journals and locks.
        type: str
        default: restartx-system
      across_gates:
        description:
          - Whether workloads that were restarted before a gate on a Job of the plan had opened, such as a migration of the database, are undone
            too. The playbook restart_prod undoes a run without them after a failure, unless the plan has C(undo_across_gates).
        type: bool
        default: true
      operator:
        description: The person on whose behalf the run is undone, for the record.
        type: str
      lock_timeout:
        description: How long to wait if a start of the plan holds the lock.
        type: str
        default: 0s
      break_lock:
        description: Breaks the lock of a start for this reason, which is recorded on the lock. Use it only if that start is certainly
          dead.
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
      - Deletes a broken pod of a StatefulSet if it blocks the return to the old revision. Kubernetes does not do this. A healthy pod
        is never deleted.
      - With O(to_revision) this also works if the template already is that of the revision, after an undo without this option.
    type: bool
    default: false
notes:
  - While the current template of a Deployment has no revision yet, the previous revision is the newest one. With the strategy
    Recreate, this is the case until all old pods have terminated. In this case C(kubectl) goes back one revision too far.
  - As with C(kubectl), a second undo restores the first state unless O(run_id) is given.
seealso:
  - module: restartx.core.k8s_rollout_history
  - module: restartx.core.k8s_rollout_restart
"""

EXAMPLES = r"""
- name: Go back to the previous revision
  restartx.core.k8s_rollout_undo:
    namespace: shop
    name: api

- name: Undo what one run restarted
  restartx.core.k8s_rollout_undo:
    namespace: shop
    run_id: 20261124-221503-4f9a1c

- name: Undo everything that one run of a plan restarted, in reverse order
  restartx.core.k8s_rollout_undo:
    run_id: 20261124-221503-4f9a1c
    journal:
      plan: rotate-internal-ca

- name: Undo a StatefulSet that is blocked by a broken pod
  restartx.core.k8s_rollout_undo:
    namespace: shop
    kind: StatefulSet
    name: redis
    delete_stuck_pods: true
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
        - C(undone) and C(unchanged) (the workload already is as requested) are good.
        - C(failed), C(unfinished), C(refused), C(superseded) (somebody deployed before all pods were replaced) and C(not_started)
          are not.
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
    undo_cause:
      description:
        - The same as C(cause), under the name that M(restartx.core.k8s_rollout_restart) has for the cause of a failed undo.
      type: dict
      returned: always, null if no undo failed or nothing is known
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
      undo_cause: null
      pods: {new: 3, available: 3, total: 3}
      missing: null
      nothing_to_replace: false
      risks: []
      started_at: "2026-11-24T22:20:03Z"
      finished_at: "2026-11-24T22:20:24Z"
      duration: 21.2
summary:
  description: How many workloads have each outcome.
  returned: always
  type: dict
  sample: {undone: 2}
kept:
  description: The workloads that were not undone, because a gate on a Job has opened since their restart.
  returned: when O(journal.across_gates=false) left something alone
  type: list
  elements: str
  sample: [Deployment shop/cart]
run_id:
  description: The run that was undone, null if none was given.
  returned: always
  type: str
  sample: 20261124-221503-4f9a1c
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
from ansible_collections.restartx.core.plugins.module_utils.options import CHANGING, CONNECTION, SELECTION, WAITING, but
from ansible_collections.restartx.core.plugins.module_utils.verbs.undo import undo


def main() -> None:
    entry.run_module(
        undo,
        {
            **CONNECTION,
            **but(SELECTION, kind={"default": None}),
            **WAITING,
            **CHANGING,
            "to_revision": {"type": "int", "default": 0},
            "run_id": {"type": "str"},
            "delete_stuck_pods": {"type": "bool", "default": False},
            "journal": {
                "type": "dict",
                "options": {
                    "plan": {"type": "str", "required": True},
                    "namespace": {"type": "str", "default": "restartx-system"},
                    "across_gates": {"type": "bool", "default": True},
                    "operator": {"type": "str"},
                    "lock_timeout": {"type": "str", "default": "0s"},
                    "break_lock": {"type": "str"},
                },
            },
        },
        mutually_exclusive=[("to_revision", "run_id")],
    )


if __name__ == "__main__":
    main()
