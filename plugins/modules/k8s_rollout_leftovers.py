#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_leftovers
version_added: 0.1.0
short_description: Find what runs have left half done on a cluster, and repair it
author: restartx contributors (@restartx)
description:
  - Finds what the runs of plans have left paused, held by a partition, locked, failed, undone or unfinished on one cluster, each with
    the command that repairs it. With O(repair=true), it repairs it.
  - Only the present state counts. A run that is finished or over has left nothing. A workload is no leftover of a run if a later run
    of the plan has it, if somebody restarted it or reverted its restart since, or if it is gone.
  - What a run that is at work has not done yet is no leftover. The module reads the lock of the plan. If somebody holds the lock, it
    watches whether the lock is renewed, for the duration of the lock (30 seconds) at most. Clocks of different machines are never
    compared.
  - A run on several clusters may not have begun on some of them. One cluster cannot tell that, so the playbook
    restartx.core.leftovers passes it with O(other_runs). Use the playbook for several clusters, because it also keeps the order of
    the waves.
  - It needs only the permissions that a restart needs. Without O(plan), it also lists Leases, which the Role in C(rbac/leftovers.yml)
    allows.
extends_documentation_fragment:
  - restartx.core.connection
  - restartx.core.changing
  - restartx.core.attributes
attributes:
  check_mode:
    support: full
    details: With O(repair=true), RV(notes) says what would be repaired. Nothing is tried.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  plan:
    description: Name of the plan. By default, the runs of B(all) plans whose journals are in O(journal_namespace) are examined.
    type: str
  run_id:
    description: Only what this run has left. By default all runs are examined.
    type: str
  journal_namespace:
    description: Namespace of journals and locks.
    type: str
    default: restartx-system
  codes:
    description: Only leftovers of these codes are returned and repaired. By default all are. RV(leftovers) explains the codes.
    type: list
    elements: str
    choices: [locked, paused, partitioned, tightened, undoing, failed, undone, unfinished]
  gate_auth:
    description:
      - The credentials of the gates of a plan whose run is continued, as for
        O(restartx.core.k8s_rollout_restart#module:gate_auth).
    type: dict
  repair:
    description:
      - Repairs what was found, in this order. Locks of dead holders are released. Paused Deployments are resumed, and StatefulSets get
        back the partition that they had before the run. Undos that were begun are finished. Then the newest run of each plan is
        continued with the plan in its journal, as M(restartx.core.k8s_rollout_restart) does with
        O(restartx.core.k8s_rollout_restart#module:journal), under the lock and within the window of the plan. Undone workloads are
        restarted too.
      - A run that a later run of its plan has followed is not continued, and neither is one whose plan this version cannot read. Both
        are only named.
    type: bool
    default: false
  operator:
    description: The person on whose behalf it is repaired, recorded on every workload that is restarted and in the journals.
    type: str
  reason:
    description: Why it is repaired, recorded on every workload that is restarted.
    type: str
  lock_timeout:
    description: How long to wait for the lock of a plan if another start holds it.
    type: str
    default: 0s
  wait_timeout:
    description: Deadline of the whole call, such as V(15m) or V(3h). No deadline by default.
    type: str
  delete_stuck_pods:
    description: Whether an undo deletes a broken pod of a StatefulSet that blocks its return to the old revision. It needs the
      ClusterRole C(restartx-delete-stuck-pods).
    type: bool
    default: false
  logs:
    description: Whether the last lines of a container's log are read for the cause of a failure.
    type: bool
    default: true
  other_runs:
    description:
      - What other clusters know of runs that concern this cluster. The playbook restartx.core.leftovers sets it.
      - A run without a journal on this cluster counts as unfinished here, and O(repair=true) begins it.
    type: list
    elements: dict
    suboptions:
      plan:
        description: Name of the plan.
        type: str
        required: true
      run:
        description: Id of the run.
        type: str
        required: true
      undoing:
        description: Whether the undo of the run has begun on another cluster. It is then undone here too, and not continued.
        type: bool
        default: false
      between_waves:
        description:
          - Whether something must be good after the wave before, such as C(restartx_gates). Only a start of the run asks that, so
            O(repair=true) does not begin the run here.
        type: bool
        default: false
      ticket:
        description: Ticket of the run.
        type: str
      period:
        description: Period of the run, such as C(2026-11).
        type: str
      clusters:
        description: The inventory hosts of the run.
        type: list
        elements: str
      document:
        description: The plan of the run, as in the variable C(restart_plan).
        type: dict
  dead_locks:
    description:
      - By plan, the version of a Lease whose holder an earlier call has found dead, as RV(dead_locks) of that call. As long as the Lease
        has this version, its holder has not renewed it since, so the module does not watch it again.
    type: dict
notes:
  - A workload whose restart failed and that somebody then reverted by hand is still a leftover, because the journal does not tell it
    from one whose restart the API server refused.
seealso:
  - module: restartx.core.k8s_rollout_journal
  - module: restartx.core.k8s_rollout_restart
  - module: restartx.core.k8s_rollout_undo
"""

EXAMPLES = r"""
- name: See what the runs of all plans have left
  restartx.core.k8s_rollout_leftovers:
  register: left

- name: Repair what the runs of one plan have left
  restartx.core.k8s_rollout_leftovers:
    plan: rotate-internal-ca
    repair: true
    operator: ada
    reason: the machine of the last run is gone
"""

RETURN = r"""
leftovers:
  description: What runs have left, in the order of the repair. Empty if there is nothing.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description:
        - C(locked) (the lock of a plan has a holder that does not renew it), C(paused) (a Deployment that a run paused after a
          failure), C(partitioned) (a StatefulSet that a run held by its partition after a failure),
          C(tightened) (a workload that the canary of a run still holds, or whose strategy a run has set for budgets, or whose rollout
          it has held for them, and that no start of that run takes on).
        - C(undoing) (the undo of a run was begun and not finished), C(failed), C(undone) (by the run, after a failure), C(unfinished)
          (in progress, refused or never started, and nobody works on the run).
      type: str
      returned: always
    plan:
      description: Name of the plan.
      type: str
      returned: always
    run:
      description: Id of the run; null for a lock that names none.
      type: str
      returned: always
    object:
      description: The object, such as C(Deployment shop/api), or the run.
      type: str
      returned: always
    sentence:
      description: What is wrong.
      type: str
      returned: always
    command:
      description: The command that repairs it.
      type: str
      returned: always
    repairable:
      description: Whether O(repair=true) can repair it.
      type: bool
      returned: always
    repaired:
      description: Whether it was repaired by this call.
      type: bool
      returned: always
notes:
  description: Plans that somebody works on now, and in check mode what O(repair=true) would do.
  returned: success
  type: list
  elements: str
at_work:
  description: The locks of these plans, as M(restartx.core.k8s_rollout_journal) returns them.
  returned: success
  type: list
  elements: dict
runs:
  description: The runs, as M(restartx.core.k8s_rollout_journal) returns them. A run that is not over has its plan in C(document).
  returned: success
  type: list
  elements: dict
dead_locks:
  description: By plan, the version of each Lease whose holder is dead, for O(dead_locks) of a later call.
  returned: success
  type: dict
  sample: {rotate-internal-ca: "48213"}
unread:
  description: A sentence for each journal that this version cannot read. Such a run may have left more.
  returned: success
  type: list
  elements: str
summary:
  description: How many leftovers remain, by code.
  returned: always
  type: dict
  sample: {failed: 1, unfinished: 2}
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
from ansible_collections.restartx.core.plugins.module_utils.verbs.leftovers import find

OTHER_RUN = {
    "plan": {"type": "str", "required": True},
    "run": {"type": "str", "required": True},
    "undoing": {"type": "bool", "default": False},
    "between_waves": {"type": "bool", "default": False},
    "ticket": {"type": "str"},
    "period": {"type": "str"},
    "clusters": {"type": "list", "elements": "str"},
    "document": {"type": "dict"},
}
CODES = ["locked", "paused", "partitioned", "tightened", "undoing", "failed", "undone", "unfinished"]


def main() -> None:
    entry.run_module(
        find,
        {
            **CONNECTION,
            **CHANGING,
            "plan": {"type": "str"},
            "run_id": {"type": "str"},
            "journal_namespace": {"type": "str", "default": "restartx-system"},
            "codes": {"type": "list", "elements": "str", "choices": CODES},
            "gate_auth": {"type": "dict", "no_log": True},
            "repair": {"type": "bool", "default": False},
            "operator": {"type": "str"},
            "reason": {"type": "str"},
            "lock_timeout": {"type": "str", "default": "0s"},
            "wait_timeout": {"type": "str"},
            "delete_stuck_pods": {"type": "bool", "default": False},
            "logs": {"type": "bool", "default": True},
            "dead_locks": {"type": "dict"},
            "other_runs": {"type": "list", "elements": "dict", "options": OTHER_RUN},
        },
    )


if __name__ == "__main__":
    main()
