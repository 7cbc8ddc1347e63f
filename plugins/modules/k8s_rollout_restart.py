#!/usr/bin/python
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout_restart
version_added: 0.1.0
short_description: Restart Kubernetes workloads in order, and wait for their rollouts
author: restartx contributors (@restartx)
description:
  - Restarts Deployments, StatefulSets and DaemonSets as C(kubectl rollout restart) does, with an annotation on the pod template. The
    cluster then replaces the pods according to the update strategy of each workload.
  - One call restarts any number of workloads, in the order of their dependencies and within limits, and returns a verdict for each of
    them.
  - A workload counts as restarted when all its pods are available and the old pods have terminated, or have had their termination
    grace period to do so.
  - Each workload is restarted exactly once for each O(run_id), even if the call was interrupted. A workload that already carries the
    run is only waited for.
  - The same patch records operator, reason and ticket on the pod template, so that each revision keeps its own reason.
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
    details: With the same O(run_id).
options:
  workloads:
    description:
      - Several selections and their order, as in C(workloads) of a plan. Each entry has an C(id) and the selection options, and may
        have C(after), C(optional), C(timeout), C(settle), C(grace), C(max_parallel) and C(stagger).
      - O(kind), O(namespace), O(timeout), O(settle) and O(grace) of the module are the defaults of all entries.
      - The page on plans lists all options of an entry.
    type: list
    elements: dict
  run_id:
    description:
      - Identifies this run on the workloads. Another call with the same id does not restart them a second time.
      - By default a new id is generated.
    type: str
  reason:
    description: Why the workloads are restarted, recorded on the pod template as C(restartx.io/reason).
    type: str
  ticket:
    description: Ticket or change number, recorded on the pod template as C(restartx.io/ticket).
    type: str
  operator:
    description: The person on whose behalf they are restarted, recorded on the pod template as C(restartx.io/operator).
    type: str
  change_cause:
    description:
      - Sets C(kubernetes.io/change-cause) on the workload, the column CHANGE-CAUSE of C(kubectl rollout history). It stays there, so
        it is also the change cause of the next deployment, unless that one sets its own.
    type: str
  annotations:
    description: More annotations for the pod template.
    type: dict
  max_parallel:
    description: How many workloads may be in progress at once. No limit by default. As soon as one is done, the next one starts.
    type: int
  stagger:
    description: Minimum time between two restarts. A workload that already carries the run is only followed, and does not wait.
    type: str
    default: 0s
  settle:
    description:
      - How long a workload must stay healthy after its rollout before it counts as done and the workloads that depend on it may start.
      - For a workload that an earlier start of the run restarted, the time counts from the end of its rollout.
    type: str
    default: 0s
  failure_budget:
    description:
      - How many workloads may fail before O(on_failure) takes effect, as a number, or as a percentage of the workloads of the call such as
        V(10%), rounded down.
    type: str
    default: "0"
  fail_fast:
    description: Whether to end the call at the first failure, without waiting for rollouts in progress.
    type: bool
    default: false
  on_failure:
    description:
      - V(stop) starts nothing new once the failure budget is exceeded, and waits for rollouts in progress.
      - V(continue) restarts everything that does not depend on a failed workload.
      - V(undo) rolls each failed workload back to its previous revision, and stops like V(stop). If the undo fails too, or is refused,
        the workload keeps the outcome of its failure, and its message describes both.
      - V(pause) keeps each failed workload as it is, for inspection, and stops like V(stop). A Deployment is paused, and a StatefulSet
        gets a partition above which no further pod is replaced. A DaemonSet cannot be held. The message says how to continue.
    type: str
    choices: [stop, continue, undo, pause]
    default: stop
  undo_scope:
    description:
      - What is undone if a rollout fails with O(on_failure=undo). V(workload) undoes the failed workload only.
      - V(entry) undoes all workloads of its entry that the run restarted on this cluster, and V(run) all workloads that the run
        restarted on this cluster. Nothing new starts in that scope after the failure. When the rollouts in progress have ended, the
        others are undone in reverse order.
    type: str
    choices: [workload, entry, run]
    default: workload
  budgets:
    description:
      - What to do about PodDisruptionBudgets, which rolling updates ignore.
      - With V(honour), a workload is restarted only while each budget of its pods leaves room for as many pods as its strategy may stop
        at once. Until then it waits. A strategy that would undercut a budget even if all pods are healthy is refused before anything is
        touched. It needs C(rbac/budgets.yml) of the collection.
      - V(enforce) does the same, and also sets a strategy that undercuts no budget while the rollout is in progress. The strategy
        from before is given back afterwards. While somebody else uses up the room of a budget, a rollout in progress is held. It
        needs O(journal) and O(wait=true), so it is set in a O(plan).
      - V(report) restarts as kubectl does, and warns of what undercuts a budget.
    type: str
    choices: [honour, enforce, report]
    default: honour
  between_pods:
    description:
      - Restarts StatefulSets and DaemonSets with the update strategy OnDelete, which are refused otherwise. Their pods are evicted one
        at a time (or O(between_pods.max_unavailable)), each when its predecessor has been replaced by a pod that is ready. So
        PodDisruptionBudgets hold, and nothing is deleted.
      - Workloads with another update strategy are refused without a O(plan) and O(journal). With them, the partition of a StatefulSet
        goes down pod by pod, and a DaemonSet has the update strategy OnDelete until all its pods are evicted.
      - It needs O(wait=true) and C(rbac/between_pods.yml) of the collection.
    type: dict
    suboptions:
      order:
        description:
          - Which pod is next. V(ordinal) is the highest ordinal of a StatefulSet, V(age) the oldest pod, and V(zone) one zone after
            another, by the label C(topology.kubernetes.io/zone) of the nodes. V(zone) needs C(rbac/zones.yml) too.
          - Pods that are not ready are always replaced first.
        type: str
        choices: [ordinal, age, zone]
        required: true
      settle:
        description: How long each new pod must stay ready before the next one is evicted. C(minReadySeconds) counts too.
        type: str
      max_unavailable:
        description:
          - How many pods are replaced at a time, as a number or a percentage of the wanted pods, which is rounded down but at least 1.
            The next ones are evicted when all of them are ready.
          - With the order V(zone), they are of one zone. The leader is always evicted alone. The default is one pod.
        type: str
      leader:
        description:
          - How to find the pod that leads. It goes last. It is looked for before each eviction, and nothing is evicted while it is not
            known.
          - Either C(label), such as C(role=primary), which only the leader has. Or C(object) with C(api_version), C(kind), C(name) and
            perhaps C(namespace), and C(that), a JMESPath expression which gives the name of the pod.
          - Or C(http) with C(port) and perhaps C(path) and C(scheme), to which the leader answers with one of C(status) (200 by
            default), or with JSON of which C(that) is true. It needs C(rbac/leader_http.yml).
        type: dict
      snapshot:
        description:
          - A VolumeSnapshot of each PersistentVolumeClaim that the pods mount must be ready before the workload is restarted. It has
            C(class), the name of a VolumeSnapshotClass, and perhaps C(timeout) (10 minutes by default). The snapshots stay.
          - If one of them fails or is not ready in time, the workload is not started. It needs C(rbac/snapshots.yml).
        type: dict
  delete_stuck_pods:
    description:
      - Whether an undo after a failure deletes a broken pod of a StatefulSet if it blocks the return to the old revision, as
        M(restartx.core.k8s_rollout_undo) does with the option of this name. A healthy pod is never deleted.
      - It needs the ClusterRole C(restartx-delete-stuck-pods).
    type: bool
    default: false
  window:
    description: A maintenance window, as in a plan. Nothing is started outside the window.
    type: dict
  plan:
    description:
      - A whole plan, as in the variable C(restart_plan). It replaces O(workloads), the selection options, the limits and O(window).
      - O(workloads), O(kind), O(name), O(name_pattern), O(namespace), O(all_namespaces), O(label_selectors), O(field_selectors),
        O(select), O(uses), O(service_account), O(image), O(only), O(exclude), O(window), O(timeout), O(grace), O(settle),
        O(max_parallel), O(stagger), O(failure_budget), O(on_failure), O(undo_scope), O(budgets) and O(between_pods) are refused together
        with it. Set them in the plan.
      - A plan with C(canary) needs O(journal), which keeps the strategies from before, and O(wait=true). Pods of a DaemonSet are
        evicted for that, which needs C(rbac/between_pods.yml) and C(rbac/zones.yml) of the collection.
    type: dict
  gate_auth:
    description:
      - The credentials of the gates of O(plan), by the names that these have in C(auth). Each is a dictionary with C(token), or with
        C(username) and C(password), and perhaps C(ca_cert) (a path) and C(validate_certs).
    type: dict
  bake:
    description:
      - How long all workloads of O(plan) must stay healthy, counted from the end of the rollout of each. It is C(settle) for all of them, if
        that is shorter.
      - The playbook restart_prod sets it for a second call on each cluster of a wave, in which everything is restarted already.
    type: str
  wave_gates:
    description:
      - Gates by their names, as in C(gates) of a plan. They are asked when everything is restarted, and the call fails if one does not open.
        The playbook restart_prod sets them as O(bake).
    type: dict
  journal:
    description:
      - Records the run of the O(plan) in a journal on the cluster, so that it can be resumed. The module takes the lock of the plan,
        renews it while it works, and releases it at the end. The role staggered_restart sets this option.
    type: dict
    suboptions:
      namespace:
        description: Namespace of journals and locks, which must exist.
        type: str
        default: restartx-system
      clusters:
        description: The inventory hosts of the run.
        type: list
        elements: str
        default: []
      job:
        description: Id of the job that started the run, for the record.
        type: str
      period:
        description: The period that the run belongs to, such as C(2026-11), for the record.
        type: str
      expected_run:
        description:
          - The newest run of the plan at the time when this run was chosen; empty if there was none. If another run has begun since
            then, nothing is touched. By default this is not checked.
        type: str
      retry:
        description:
          - Which outcomes of earlier starts of the run are tried again. V(failed) always is. Workloads that are V(undone) or
            V(superseded) are not restarted again unless you name that outcome. V(all) means all three.
        type: list
        elements: str
        choices: [failed, undone, superseded, all]
        default: [failed]
      lock_holder:
        description:
          - The holder of the plan's lock, as returned by M(restartx.core.k8s_rollout_lock). The module renews the lock, and releases
            it only if its Ansible process is gone.
          - By default the module takes the lock before it reads the workloads, and releases it at its end.
        type: str
      lock_timeout:
        description: How long to wait if another start of the plan holds the lock.
        type: str
        default: 0s
      break_lock:
        description: Breaks the lock of another start for this reason, which is recorded on the lock. Use it only if that start is
          certainly dead.
        type: str
      break_circuit:
        description: Why the run could start although more restarts of the plan failed than its C(max_failure_rate) allows, for the
          record.
        type: str
notes:
  - Workloads are refused if a restart would replace no pod. These are paused Deployments, workloads with the update strategy OnDelete
    (unless O(between_pods) is given), and StatefulSets whose partition holds back all pods. A StatefulSet is also refused while it
    waits for a pod that cannot become ready.
  - If somebody else restarts a workload later, for example with C(kubectl rollout restart), it no longer counts as restarted by the
    run.
  - A restart changes nothing about configuration that is part of the image. It pulls a moved tag only if the pull policy is C(Always).
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

- name: Restart everything that uses the rotated secret, three at a time, and undo what fails
  restartx.core.k8s_rollout_restart:
    context: eu-west
    namespace: [shop, billing]
    kind: [Deployment, StatefulSet]
    uses: [secret/internal-ca]
    max_parallel: 3
    settle: 10s
    on_failure: undo

- name: Restart only Deployments with more than one replica
  restartx.core.k8s_rollout_restart:
    namespace: shop
    select: "spec.replicas > `1`"

- name: Restart what has run for more than 30 days, except for the canary
  restartx.core.k8s_rollout_restart:
    namespace: shop
    only: {started_before: 30d}
    exclude: {name_pattern: ["*-canary"]}
    allow_empty: true # nothing may be that old

- name: Restart workloads in order
  restartx.core.k8s_rollout_restart:
    namespace: [shop]
    workloads:
      - {id: cache, kind: StatefulSet, name: redis, optional: true}
      - {id: core, name: [catalog, cart], after: [cache]}
      - {id: web, label_selectors: [tier=web], after: [core], max_parallel: 1}

- name: Restart one Deployment as kubectl does, although a PodDisruptionBudget may leave no room for it
  restartx.core.k8s_rollout_restart:
    namespace: shop
    name: api
    budgets: report

- name: Restart a StatefulSet with the update strategy OnDelete, one pod after another
  restartx.core.k8s_rollout_restart:
    namespace: shop
    kind: [StatefulSet]
    name: db
    between_pods: {order: ordinal, settle: 30s, leader: {label: role=primary}}
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
        - C(restarted), C(already_restarted) (by the same run) and C(rolled_out) are good.
        - C(failed) if the cluster says so or the workload cannot recover, C(unfinished) if it may still succeed, C(refused) if nothing was
          tried, C(superseded) if somebody reverted the restart, C(undone) with O(on_failure=undo), C(not_started) if its turn never
          came.
        - C(in_progress) if O(fail_fast) ended the wait.
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
    reaction:
      description:
        - What followed a failure. With O(on_failure=undo) it says what came of the undo. With O(on_failure=pause) it says how the
          workload is held, with the command that releases it.
      type: str
      returned: always, null if nothing failed or nothing followed
    undo_cause:
      description:
        - Why the undo after a failure did not come up, with the same keys as C(cause). It is found in the rollout of the undo, while
          C(cause) is that of the restart.
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
      description:
        - How a restart of this workload may affect its users, as short sentences. Empty with O(plan), because the C(findings) of
          M(restartx.core.k8s_rollout_plan) tell them.
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
      reaction: null
      undo_cause: null
      pods: {new: 3, available: 3, total: 3}
      missing: null
      nothing_to_replace: false
      risks: []
      started_at: "2026-11-24T22:15:03Z"
      finished_at: "2026-11-24T22:15:24Z"
      duration: 21.2
summary:
  description:
    - How many workloads have each outcome. Workloads that were restarted but have no pods are counted as C(nothing_to_replace)
      instead.
  returned: always
  type: dict
  sample: {restarted: 11, failed: 1}
gates:
  description:
    - What came of each gate of O(plan). C(name) is its name, and C(gate) what was asked. C(place) is V(before) or V(after) the
      restarts, V(entry) (the C(entry) of the plan that it is), V(run) (after the whole run) or V(wave) (of O(wave_gates)).
    - C(state) is V(open), V(passed) (it did not open in time, and C(on_timeout) is V(continue)), V(closed), V(failed) or
      V(not_asked).
    - C(message) is its last answer, C(log) the last lines of a Job that failed, without passwords and tokens, and C(opened_at)
      when it was open for the first time.
  returned: when O(plan) has gates
  type: list
  elements: dict
  sample:
    - name: schema
      place: entry
      entry: schema
      gate: job "migrate-0042" in namespace "shop"
      state: open
      message: job "migrate-0042" in namespace "shop" is complete
      log: []
      opened_at: "2026-11-24T22:16:11Z"
locked:
  description: True if another start holds the lock of the plan, so that nothing was touched.
  returned: when another start holds the lock
  type: bool
undo_scope:
  description: What was undone because of a failure, V(entry) or V(run), beside the workload that failed.
  returned: when O(undo_scope) is V(entry) or V(run) and a rollout failed
  type: str
  sample: run
kept:
  description: The workloads that were not undone, because a gate on a Job has opened since their restart.
  returned: when an undo after a failure left something alone
  type: list
  elements: str
  sample: [Deployment shop/cart]
run_id:
  description: Identifies the run on the workloads. Use it to undo or to resume the run.
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
from ansible_collections.restartx.core.plugins.module_utils.options import (
    CHANGING,
    CONNECTION,
    PACING,
    SELECTION,
    WAITING,
)
from ansible_collections.restartx.core.plugins.module_utils.verbs.restart import restart

JOURNAL = {
    "namespace": {"type": "str", "default": "restartx-system"},
    "clusters": {"type": "list", "elements": "str", "default": []},
    "job": {"type": "str"},
    "period": {"type": "str"},
    "expected_run": {"type": "str"},
    "retry": {
        "type": "list",
        "elements": "str",
        "choices": ["failed", "undone", "superseded", "all"],
        "default": ["failed"],
    },
    "lock_holder": {"type": "str"},
    "lock_timeout": {"type": "str", "default": "0s"},
    "break_lock": {"type": "str"},
    "break_circuit": {"type": "str"},
}

BETWEEN_PODS = {
    "order": {"type": "str", "choices": ["ordinal", "age", "zone"], "required": True},
    "settle": {"type": "str"},
    "max_unavailable": {"type": "str"},
    "leader": {"type": "dict"},
    "snapshot": {"type": "dict"},
}


def main() -> None:
    entry.run_module(
        restart,
        {
            **CONNECTION,
            **SELECTION,
            **WAITING,
            **PACING,
            **CHANGING,
            "plan": {"type": "dict"},
            "gate_auth": {"type": "dict", "no_log": True},
            "bake": {"type": "str"},
            "wave_gates": {"type": "dict"},
            "workloads": {"type": "list", "elements": "dict"},
            "run_id": {"type": "str"},
            "reason": {"type": "str"},
            "ticket": {"type": "str"},
            "operator": {"type": "str"},
            "change_cause": {"type": "str"},
            "annotations": {"type": "dict"},
            "delete_stuck_pods": {"type": "bool", "default": False},
            "on_failure": {"type": "str", "choices": ["stop", "continue", "undo", "pause"], "default": "stop"},
            "undo_scope": {"type": "str", "choices": ["workload", "entry", "run"], "default": "workload"},
            "budgets": {"type": "str", "choices": ["honour", "enforce", "report"], "default": "honour"},
            "between_pods": {"type": "dict", "options": BETWEEN_PODS},
            "window": {"type": "dict"},
            "journal": {"type": "dict", "options": JOURNAL},
        },
        mutually_exclusive=[
            ("workloads", option)
            for option in (
                "name",
                "name_pattern",
                "label_selectors",
                "field_selectors",
                "select",
                "uses",
                "service_account",
                "image",
                "only",
                "exclude",
            )
        ],
    )


if __name__ == "__main__":
    main()
