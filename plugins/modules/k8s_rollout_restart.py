#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_restart
version_added: 0.1.0
short_description: Restart Kubernetes workloads in order, wait, judge and react
author: restartx contributors (@restartx)
description:
  - Restarts Deployments, StatefulSets and DaemonSets as C(kubectl rollout restart) does, by an annotation on the pod template, so that
    the cluster replaces their pods one after another by its own rules.
  - Any number of workloads in one call, in the order of a dependency graph and under limits, with a verdict for each of them.
  - Exactly once for each O(run_id), whatever happened in between. What already carries the run is only waited for.
  - Who, why and under which ticket is written on the pod template in the same patch, so that each revision keeps its own reason.
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
    details: With the same O(run_id).
options:
  workloads:
    description:
      - Several selections with an order among them, as the C(workloads) of a plan. Each entry has an C(id) and the selection options,
        and may have C(after), C(optional), C(timeout), C(settle), C(grace), C(max_parallel) and C(stagger).
      - O(kind), O(namespace), O(timeout), O(settle) and O(grace) of the module are what entries have by default.
      - The page on plans lists all options of an entry.
    type: list
    elements: dict
  run_id:
    description:
      - Identifies this run on the workloads. With the same one again, what it has restarted is not restarted a second time.
      - Made anew by default.
    type: str
  reason:
    description: Why, kept on the pod template as C(restartx.io/reason).
    type: str
  ticket:
    description: Ticket or change number, kept on the pod template as C(restartx.io/ticket).
    type: str
  operator:
    description: On whose behalf, kept on the pod template as C(restartx.io/operator).
    type: str
  change_cause:
    description:
      - Sets C(kubernetes.io/change-cause) on the workload, the column CHANGE-CAUSE of C(kubectl rollout history). It stays there, and so
        is the change cause of the next deployment too unless that sets its own.
    type: str
  annotations:
    description: More annotations for the pod template.
    type: dict
  max_parallel:
    description: How many workloads may be on their way at once. No limit by default. The next one starts as soon as one has ended.
    type: int
  stagger:
    description: Least time between two starts.
    type: str
    default: 0s
  settle:
    description: How long a workload is watched after it rolled out, before it counts as done and what depends on it may start.
    type: str
    default: 0s
  failure_budget:
    description: How many workloads may fail before O(on_failure) takes effect.
    type: int
    default: 0
  fail_fast:
    description: Whether to end the call at the first failure, without waiting for what is under way.
    type: bool
    default: false
  on_failure:
    description:
      - V(stop) starts nothing new once the failure budget is spent, and waits for what is under way.
      - V(continue) goes on with all that does not depend on what failed.
      - V(undo) brings what failed back to its previous revision, and stops like V(stop). Where the undo does not come up either, or
        may not be, the workload keeps the outcome of its failure, and its message tells of both.
    type: str
    choices: [stop, continue, undo]
    default: stop
  window:
    description: A maintenance window, written as in a plan. Nothing is started outside it.
    type: dict
  journal:
    description: Keeps the state of a plan's run in a ConfigMap of the cluster, so that it can be resumed. The role staggered_restart sets it.
    type: dict
    suboptions:
      plan:
        description: Name of the plan; the ConfigMap is called C(restartx-) and this name.
        type: str
        required: true
      digest:
        description: Digest of the plan.
        type: str
        required: true
      namespace:
        description: Namespace of the ConfigMap, which must exist.
        type: str
        default: restartx-system
      clusters:
        description: The inventory hosts that the run is meant for.
        type: list
        elements: str
        default: []
      job:
        description: Id of the job that started the run, for the record.
        type: str
      seen_run:
        description:
          - The run that the journal told of when it was decided which run this is; empty where there was no journal. Should it by now
            tell of a third one, another start was faster, and nothing is touched. Not looked at by default.
        type: str
      holder:
        description:
          - Who holds the plan's lock, as told to M(restartx.core.k8s_rollout_lock). The module renews the lock while it works, and begins
            nothing any more once it is lost. Without it no lock is asked for.
        type: str
notes:
  - A restart brings no new configuration into a pod whose configuration is part of the image, and no new image behind a tag unless the
    pull policy asks for it.
seealso:
  - module: restartx.core.k8s_rollout_status
  - module: restartx.core.k8s_rollout_undo
"""

EXAMPLES = r"""
- name: Restart one Deployment and wait until it is rolled out
  restartx.core.k8s_rollout_restart:
    namespace: shop
    name: api
    reason: certificates renewed
    ticket: CHG0042

- name: Restart all that read the rotated secret, three at a time, and undo what does not come back
  restartx.core.k8s_rollout_restart:
    context: eu-west
    namespace: [shop, billing]
    kind: [Deployment, StatefulSet]
    label_selectors: [uses-ca=internal]
    max_parallel: 3
    settle: 10s
    on_failure: undo

- name: Only what has more than one replica
  restartx.core.k8s_rollout_restart:
    namespace: shop
    select: "spec.replicas > `1`"

- name: In order
  restartx.core.k8s_rollout_restart:
    namespace: [shop]
    workloads:
      - {id: cache, kind: StatefulSet, name: redis, optional: true}
      - {id: core, name: [catalog, cart], after: [cache]}
      - {id: web, label_selectors: [tier=web], after: [core], max_parallel: 1}
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
        - C(restarted), C(already_restarted) (by the same run) and C(rolled_out) are good.
        - C(failed) where the cluster says so or no waiting heals it, C(unfinished) where the time was up, C(refused) where nothing was tried,
          C(superseded) where someone took the restart back, C(undone) with O(on_failure=undo), C(not_started) where its turn never came.
        - C(in_progress) where O(fail_fast) ended the wait.
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
      outcome: restarted
      changed: true
      revision_before: "7"
      revision_after: "8"
      message: deployment "api" successfully rolled out
      cause: null
      risks: []
      started_at: "2026-11-24T22:15:03Z"
      finished_at: "2026-11-24T22:15:24Z"
      duration: 21.2
summary:
  description: How many workloads had which outcome.
  returned: always
  type: dict
  sample: {restarted: 11, failed: 1}
run_id:
  description: Identifies the run on the workloads; give it to undo or to resume.
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
from ansible_collections.restartx.core.plugins.module_utils.options import CHANGING, CONNECTION, PACING, SELECTION, WAITING
from ansible_collections.restartx.core.plugins.module_utils.run import verbs


JOURNAL = {
    "plan": {"type": "str", "required": True},
    "digest": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": "restartx-system"},
    "clusters": {"type": "list", "elements": "str", "default": []},
    "job": {"type": "str"},
    "seen_run": {"type": "str"},
    "holder": {"type": "str"},
}


def main() -> None:
    entry.run_module(
        verbs.restart,
        {
            **CONNECTION,
            **SELECTION,
            **WAITING,
            **PACING,
            **CHANGING,
            "workloads": {"type": "list", "elements": "dict"},
            "run_id": {"type": "str"},
            "reason": {"type": "str"},
            "ticket": {"type": "str"},
            "operator": {"type": "str"},
            "change_cause": {"type": "str"},
            "annotations": {"type": "dict"},
            "on_failure": {"type": "str", "choices": ["stop", "continue", "undo"], "default": "stop"},
            "window": {"type": "dict"},
            "journal": {"type": "dict", "options": JOURNAL},
        },
        mutually_exclusive=[("workloads", option) for option in ("name", "label_selectors", "field_selectors", "select")],
    )


if __name__ == "__main__":
    main()
