# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""States of workloads and what kubectl says of each: every row of its rules, and every trap beside them.

The unit tests hold our verdict against this table, and the parity test holds kubectl's own against it, on a cluster
whose controllers do not run. metadata.generation is 1, as of an object just made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FAILED, WAITING, DONE = "failed", "waiting", "done"


@dataclass(frozen=True)
class Case:
    """A workload named api; `spec` and `status` complete an ordinary one. `row` is the number of kubectl's rule."""

    kind: str
    row: int
    about: str
    state: str
    message: str
    status: dict
    spec: dict = field(default_factory=dict)
    annotations: dict = field(default_factory=dict)
    revision: int = 0

    @property
    def id(self) -> str:
        return f"{self.kind} {self.row}: {self.about}"


def of_deployment(row, about, state, message, pods, conditions=(), observed=1, revision="", pin=0):
    status = {"observedGeneration": observed, "conditions": list(conditions), **pods}
    annotations = {"deployment.kubernetes.io/revision": revision} if revision else {}
    return Case("Deployment", row, about, state, message, status, {"replicas": 3}, annotations, pin)


def of_daemon_set(row, about, state, message, pods, strategy=None, observed=1):
    status = {"observedGeneration": observed, **NO_DAEMONS, **pods}
    return Case(
        "DaemonSet", row, about, state, message, status, {"updateStrategy": strategy or {"type": "RollingUpdate"}}
    )


def of_stateful_set(row, about, state, message, pods, strategy=None, observed=1, replicas=3):
    status = {"observedGeneration": observed, "replicas": replicas, **pods}
    spec = {"replicas": replicas, "updateStrategy": strategy or partition(0)}
    return Case("StatefulSet", row, about, state, message, status, spec)


def partition(number):
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


ON_DELETE = {"type": "OnDelete"}
BARE = {"type": "RollingUpdate"}  # without a rollingUpdate block, in which the API server would fill in partition 0

DEADLINE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
GOING_ON = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}

DEPLOYED = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
NO_DAEMONS = {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0}
DAEMONS = {"currentNumberScheduled": 3, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
STATEFUL = {"readyReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3}
SAME = {"currentRevision": "api-2", "updateRevision": "api-2"}
OTHER = {"currentRevision": "api-1", "updateRevision": "api-2"}

UNSEEN = "Waiting for deployment spec update to be observed..."
UNSEEN_DAEMONS = "Waiting for daemon set spec update to be observed..."
UNSEEN_STATEFUL = "Waiting for statefulset spec update to be observed..."
ROLLED_OUT = 'deployment "api" successfully rolled out'
DAEMONS_OUT = 'daemon set "api" successfully rolled out'
TOO_LATE = 'deployment "api" exceeded its progress deadline'
GOES_ON = 'Waiting for deployment "api" rollout to finish:'
DAEMONS_GO_ON = 'Waiting for daemon set "api" rollout to finish:'
STATEFUL_GO_ON = "Waiting for partitioned roll out to finish:"
NOT_ROLLING = "rollout status is only available for RollingUpdate strategy type"
PIN_3_OF_4 = "desired revision (3) is different from the running revision (4)"
PIN_3_OF_0 = "desired revision (3) is different from the running revision (0)"
UNREADABLE = 'cannot get the revision of deployment "api": strconv.ParseInt: parsing "four": invalid syntax'

CASES = [
    of_deployment(1, "another revision than the pinned one", FAILED, PIN_3_OF_4, DEPLOYED, revision="4", pin=3),
    of_deployment(1, "pin comes before observation", FAILED, PIN_3_OF_4, DEPLOYED, revision="4", pin=3, observed=0),
    of_deployment(1, "no revision counts as 0", FAILED, PIN_3_OF_0, DEPLOYED, pin=3),
    of_deployment(1, "unreadable revision", FAILED, UNREADABLE, DEPLOYED, revision="four", pin=3),
    of_deployment(1, "the pinned revision", DONE, ROLLED_OUT, DEPLOYED, revision="4", pin=4),
    of_deployment(2, "not observed", WAITING, UNSEEN, DEPLOYED, observed=0),
    of_deployment(2, "observation comes before the deadline", WAITING, UNSEEN, DEPLOYED, [DEADLINE], observed=0),
    of_deployment(2, "observed further than needed", DONE, ROLLED_OUT, DEPLOYED, observed=5),
    of_deployment(3, "deadline exceeded", FAILED, TOO_LATE, {}, [GOING_ON | {"type": "Available"}, DEADLINE]),
    of_deployment(3, "status of the condition is not looked at", FAILED, TOO_LATE, {}, [DEADLINE | {"status": "True"}]),
    of_deployment(3, "deadline comes before the counts", FAILED, TOO_LATE, DEPLOYED, [DEADLINE]),
    of_deployment(3, "progress in time", DONE, ROLLED_OUT, DEPLOYED, [GOING_ON]),
    of_deployment(3, "the first such condition counts", DONE, ROLLED_OUT, DEPLOYED, [GOING_ON, DEADLINE]),
    of_deployment(3, "reason of another condition", DONE, ROLLED_OUT, DEPLOYED, [DEADLINE | {"type": "Available"}]),
    of_deployment(4, "missing numbers are 0", WAITING, f"{GOES_ON} 0 out of 3 new replicas have been updated...", {}),
    of_deployment(
        4,
        "some updated, old ones left, none available",
        WAITING,
        f"{GOES_ON} 2 out of 3 new replicas have been updated...",
        {"replicas": 4, "updatedReplicas": 2},
    ),
    of_deployment(
        5,
        "old ones left, none available",
        WAITING,
        f"{GOES_ON} 2 old replicas are pending termination...",
        {"replicas": 5, "updatedReplicas": 3},
    ),
    of_deployment(
        5,
        "one old one left",
        WAITING,
        f"{GOES_ON} 1 old replicas are pending termination...",
        {**DEPLOYED, "replicas": 4},
    ),
    of_deployment(
        6,
        "some not available",
        WAITING,
        f"{GOES_ON} 1 of 3 updated replicas are available...",
        {**DEPLOYED, "availableReplicas": 1},
    ),
    of_deployment(
        6,
        "more updated than wanted, all must be available",
        WAITING,
        f"{GOES_ON} 3 of 4 updated replicas are available...",
        {**DEPLOYED, "replicas": 4, "updatedReplicas": 4},
    ),
    of_deployment(7, "all available", DONE, ROLLED_OUT, DEPLOYED),
    of_daemon_set(1, "OnDelete", FAILED, NOT_ROLLING, DAEMONS, ON_DELETE),
    of_daemon_set(1, "strategy comes before observation", FAILED, NOT_ROLLING, DAEMONS, ON_DELETE, observed=0),
    of_daemon_set(2, "not observed", WAITING, UNSEEN_DAEMONS, DAEMONS, observed=0),
    of_daemon_set(
        3,
        "some updated, none available",
        WAITING,
        f"{DAEMONS_GO_ON} 1 out of 3 new pods have been updated...",
        {**DAEMONS, "updatedNumberScheduled": 1, "numberAvailable": 0},
    ),
    of_daemon_set(
        4,
        "some not available",
        WAITING,
        f"{DAEMONS_GO_ON} 2 of 3 updated pods are available...",
        {**DAEMONS, "numberAvailable": 2},
    ),
    of_daemon_set(5, "all available", DONE, DAEMONS_OUT, DAEMONS),
    of_daemon_set(5, "no node wants it", DONE, DAEMONS_OUT, {}),
    of_stateful_set(1, "OnDelete", FAILED, NOT_ROLLING, STATEFUL, ON_DELETE),
    of_stateful_set(1, "strategy comes before observation", FAILED, NOT_ROLLING, STATEFUL, ON_DELETE, observed=0),
    of_stateful_set(2, "never observed", WAITING, UNSEEN_STATEFUL, STATEFUL, observed=0),
    of_stateful_set(3, "none ready", WAITING, "Waiting for 3 pods to be ready...", {}),
    of_stateful_set(3, "one not ready", WAITING, "Waiting for 1 pods to be ready...", {**STATEFUL, "readyReplicas": 2}),
    of_stateful_set(
        4,
        "partition 0, some updated",
        WAITING,
        f"{STATEFUL_GO_ON} 1 out of 3 new pods have been updated...",
        {**STATEFUL, "updatedReplicas": 1},
    ),
    of_stateful_set(
        4,
        "partition 2, none updated",
        WAITING,
        f"{STATEFUL_GO_ON} 0 out of 1 new pods have been updated...",
        {**STATEFUL, "updatedReplicas": 0},
        partition(2),
    ),
    of_stateful_set(
        5,
        "partition 2, the rest updated",
        DONE,
        "partitioned roll out complete: 1 new pods have been updated...",
        {**STATEFUL, "updatedReplicas": 1},
        partition(2),
    ),
    of_stateful_set(
        5,
        "revisions are not compared",
        DONE,
        "partitioned roll out complete: 3 new pods have been updated...",
        {**STATEFUL, **OTHER},
    ),
    of_stateful_set(
        5,
        "partition beyond the replicas is done at once",
        DONE,
        "partitioned roll out complete: 0 new pods have been updated...",
        {**STATEFUL, "updatedReplicas": 0},
        partition(7),
    ),
    of_stateful_set(
        5, "no replicas", DONE, "partitioned roll out complete: 0 new pods have been updated...", {}, replicas=0
    ),
    of_stateful_set(
        6,
        "no rollingUpdate block, revisions differ",
        WAITING,
        "waiting for statefulset rolling update to complete 1 pods at revision api-2...",
        {**STATEFUL, "updatedReplicas": 1, **OTHER},
        BARE,
    ),
    of_stateful_set(
        7,
        "no rollingUpdate block, one revision",
        DONE,
        "statefulset rolling update complete 2 pods at revision api-2...",
        {**STATEFUL, "currentReplicas": 2, **SAME},
        BARE,
    ),
    of_stateful_set(
        7,
        "no rollingUpdate block, no revisions",
        DONE,
        "statefulset rolling update complete 0 pods at revision ...",
        {},
        BARE,
        replicas=0,
    ),
]
