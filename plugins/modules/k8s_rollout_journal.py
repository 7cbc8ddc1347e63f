#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_journal
version_added: 0.1.0
short_description: Read the journals of runs and the locks of plans, and mark a run as over
author: restartx contributors (@restartx)
description:
  - Each run of a plan has a journal on each of its clusters. This module reads those of one plan or of all plans. It also tells who
    holds the locks of these plans.
  - With O(state=over), it writes into the journal of a run on this cluster that the run is finished on all its clusters. From then on,
    the run stays finished even if a cluster is rebuilt or does not answer. The playbook restart_prod.yml does this at its end for a
      run on several clusters.
  - It refuses to do so if the run is not finished on this cluster, or if the journal names clusters that are not in O(clusters).
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
    description: Name of the plan. Required with O(state=over). By default, the runs of all plans are returned.
    type: str
  run_id:
    description: Id of the run. Required with O(state=over). Otherwise all runs are returned by default.
    type: str
  state:
    description: V(present) only reads. V(over) marks the run as over.
    type: str
    choices: [present, over]
    default: present
  clusters:
    description: With O(state=over), the inventory hosts on which the run is finished, which are all clusters of the run.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the journals.
    type: str
    default: restartx-system
seealso:
  - module: restartx.core.k8s_rollout_restart
  - module: restartx.core.k8s_rollout_plan
"""

EXAMPLES = r"""
- name: Show the runs of the plan that the cluster knows
  restartx.core.k8s_rollout_journal:
    plan: rotate-internal-ca

- name: Show the runs and the locks of all plans
  restartx.core.k8s_rollout_journal:
"""

RETURN = r"""
runs:
  description:
    - The runs, the newest first, each with C(run), C(plan), C(digest), C(ticket), C(period), C(clusters), C(operator) (who
      started it last), C(undone_by), C(started_at), C(updated_at), C(state) on this cluster (C(running), C(stopped), C(finished),
      C(undone), or C(undoing) until all of its workloads were undone), C(stopped_by) (C(window) if only the end of the
      window stopped it, here or on clusters of a later wave), C(over) (whether it is finished on all its clusters), C(done) of C(total) workloads,
      C(counts) of workloads by outcome, and C(waits_for) (of each gate that was closed when the journal was written, a sentence with
      its last answer, and of each rollout that was held for a PodDisruptionBudget).
  returned: success
  type: list
  elements: dict
locks:
  description:
    - The locks that somebody holds, each with C(plan), C(holder), C(run), C(operator), C(since) and C(renewed_at). The lock of a start
      that was killed is held until somebody else takes it.
  returned: with O(state=present)
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
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.verbs.journal import journal


def main() -> None:
    entry.run_module(
        journal,
        {
            **CONNECTION,
            "plan": {"type": "str"},
            "run_id": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "over"], "default": "present"},
            "clusters": {"type": "list", "elements": "str", "default": []},
            "namespace": {"type": "str", "default": "restartx-system"},
        },
        required_if=[("state", "over", ["plan", "run_id"])],
    )


if __name__ == "__main__":
    main()
