# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a workload itself tells: refused pods, a pause, a controller that does not act."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import find, of_workload
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.evidence import Evidence
from tests.unit.rollout.cause_objects import (
    CHANGED,
    DENIED,
    NOW,
    QUOTA,
    READY,
    event,
    find_in,
    owner,
    pod_of,
    running,
    waiting,
)
from tests.unit.rollout.objects import replica_set, template, workload

NAME = {
    "Deployment": 'deployment "api" in namespace "shop"',
    "StatefulSet": 'statefulset "api" in namespace "shop"',
    "DaemonSet": 'daemon set "api" in namespace "shop"',
}
LACKING = {
    "Deployment": {"replicas": 2},
    "StatefulSet": {"replicas": 2},
    "DaemonSet": {"desiredNumberScheduled": 3, "currentNumberScheduled": 2},
}
FULL = {"StatefulSet": {"replicas": 3}, "DaemonSet": {"desiredNumberScheduled": 3, "currentNumberScheduled": 3}}
SAYS = {"quota": "may not have more pods", "pod_security": "gets no new pods, because Pod Security does not allow them"}
ACCOUNT = 'error looking up service account shop/api: serviceaccount "api" not found'
REFUSED = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": DENIED}
REFUSED["lastTransitionTime"] = "2026-11-24T22:16:00Z"
RS = "uid-api-2"  # the newest ReplicaSet's


def _sets(api, **status):
    """Its ReplicaSets, of which the second is of the present template."""
    sets = [replica_set(api, 1, template()), replica_set(api, 2, api["spec"]["template"])]
    sets[1]["status"] = status
    return sets


@pytest.mark.parametrize("message, code", [(QUOTA, "quota"), (DENIED, "pod_security")])
class TestPodsThatAreNotCreated:
    def test_a_deployment_says_so_in_a_condition(self, message, code):
        refused = {**REFUSED, "message": message}
        found = find_in([], owner(status={"conditions": [refused]}))
        assert (found.code, found.recoverable, found.object) == (code, True, NAME["Deployment"])
        assert found.sentence == f"{NAME['Deployment']} {SAYS[code]} (FailedCreate): {message}"
        refused["status"] = "False"
        assert find_in([], owner(status={"conditions": [refused]})) is None

    @pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
    def test_other_kinds_say_so_in_events_that_count_while_pods_are_lacking(self, message, code, kind):
        events = [event("FailedCreate", message, "uid-api")]
        found = find_in([], owner(kind, status=LACKING[kind]), events=events)
        assert found.code == code and found.sentence.endswith(f"{SAYS[code]} (FailedCreate): {message}")
        assert find_in([], owner(kind, status=FULL[kind]), events=events) is None
        foreign = [event("FailedCreate", message, "uid-other")]
        assert find_in([], owner(kind, status=LACKING[kind]), events=foreign) is None

    def test_a_deployment_whose_replica_set_is_refused(self, message, code):
        words = f'Failed to create new replica set "api-2": {message}'
        told = {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": words}
        found = find_in([], owner(generation=3, status={"conditions": [told]}), now=NOW)
        assert (found.code, found.recoverable) == (code, True)
        assert " new ReplicaSet" in found.sentence and "(ReplicaSetCreateError): Failed to create" in found.sentence


class TestOfSeveralRefusals:
    """What was refused for another revision, or before, is not the cause."""

    EVENTS = (
        event("FailedCreate", ACCOUNT, RS, "2026-11-24T22:16:00Z"),
        event("FailedCreate", f"(combined from similar events): {QUOTA}", RS, "2026-11-24T22:17:00Z"),
        event("FailedCreate", DENIED, "uid-api-1", "2026-11-24T22:19:00Z"),
    )

    def test_the_newest_event_of_the_newest_replica_set_speaks(self):
        first = {**REFUSED, "message": ACCOUNT}
        api = owner(changed=CHANGED, status={"conditions": [first]})
        sets = _sets(api, conditions=[first])
        for events in (self.EVENTS, self.EVENTS[::-1]):
            found = find_in([], api, events=events, owned=sets)
            assert (found.code, found.sentence.partition("): ")[2]) == ("quota", QUOTA)

    def test_a_condition_speaks_that_is_younger_than_all_events(self):
        last = {**REFUSED, "lastTransitionTime": "2026-11-24T22:18:00Z"}
        api = owner(changed=CHANGED, status={"conditions": [last]})
        found = find_in([], api, events=self.EVENTS, owned=_sets(api, conditions=[last]))
        assert found.code == "pod_security"

    def test_what_is_refused_to_an_older_replica_set_is_not_the_cause(self):
        api = owner(changed=CHANGED, status={"conditions": [REFUSED]})
        assert find_in([], api, events=self.EVENTS, owned=_sets(api)) is None

    @pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
    @pytest.mark.parametrize(
        "at, created, counts",
        [
            ("2026-11-24T22:15:29Z", None, False),  # before the template was changed
            ("2026-11-24T22:15:30Z", None, True),
            ("2026-11-24T22:17:00Z", "2026-11-24T22:17:01Z", False),  # a pod was created since
            ("2026-11-24T22:17:00Z", "2026-11-24T22:17:00Z", True),
        ],
    )
    def test_an_event_counts_that_is_about_this_rollout(self, kind, at, created, counts):
        api = owner(kind, changed=CHANGED, status=LACKING[kind])
        pods = [pod_of(kind=kind, created=created)] if created else []
        found = find_in(pods, api, events=[event("FailedCreate", QUOTA, "uid-api", at)])
        assert (found is not None) is counts

    @pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
    def test_of_two_events_the_newer_one_speaks(self, kind):
        events = [
            event("FailedCreate", QUOTA, "uid-api", "2026-11-24T22:17:00Z"),
            {
                **event("FailedCreate", ACCOUNT, "uid-api"),
                "lastTimestamp": None,
                "eventTime": "2026-11-24T22:16:50.123456Z",
            },
        ]
        for order in (events, events[::-1]):
            assert find_in([], owner(kind, status=LACKING[kind]), events=order).code == "quota"

    @pytest.mark.parametrize("changed, counts", [("2026-11-24T22:15:59Z", True), ("2026-11-24T22:16:01Z", False)])
    def test_a_replica_set_that_was_refused_before_the_last_change_is_not_the_cause(self, changed, counts):
        told = {"type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": QUOTA}
        told["lastUpdateTime"] = "2026-11-24T22:16:00Z"
        api = owner(changed=changed, generation=3, status={"conditions": [told]})
        then = [event("ReplicaSetCreateError", QUOTA, "uid-api", "2026-11-24T22:16:00Z")]
        for events in ([], then):
            assert find_in([], api, events=events, now=NOW).code == ("quota" if counts else "not_observed")
        again = [event("ReplicaSetCreateError", QUOTA, "uid-api", "2026-11-24T22:17:00Z")]
        assert find_in([], api, events=again, now=NOW).code == "quota"

    @pytest.mark.parametrize(
        "changed, generation, counts",
        [("2026-11-24T22:15:59Z", 2, True), ("2026-11-24T22:16:01Z", 2, False), ("2026-11-24T22:15:59Z", 3, False)],
    )
    def test_a_deadline_that_passed_before_the_last_change_is_not_the_cause(self, changed, generation, counts):
        late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        late["lastUpdateTime"] = "2026-11-24T22:16:00Z"
        found = find_in([], owner(changed=changed, generation=generation, status={"conditions": [late]}), now=NOW)
        assert (found is not None and found.code == "progress_deadline") is counts


@pytest.mark.parametrize("kind", NAME)
def test_a_controller_that_does_not_see_a_change_is_the_cause(kind):
    api = owner(kind, changed=CHANGED, generation=3, status=FULL.get(kind))
    found = find_in([], api, now=NOW, context="eu")
    assert (found.code, found.recoverable) == ("not_observed", True)
    assert found.sentence == (
        f"{NAME[kind]} was changed, but its controller has not acted on the change "
        "(generation 3, observed 2, since 2026-11-24T22:15:30Z)"
    )
    assert "kubectl --context eu get pods --namespace kube-system" in found.advice
    just_now = owner(kind, changed="2026-11-24T22:19:59Z", generation=3, status=FULL.get(kind))
    assert find_in([], just_now, now=NOW) is None


GOING = {"deletionTimestamp": "2026-11-24T22:19:00Z", "deletionGracePeriodSeconds": 30, "annotations": {}}
RECREATE = {"strategy": {"type": "Recreate"}}


@pytest.mark.parametrize("kind, spec", [("Deployment", RECREATE), ("StatefulSet", {}), ("DaemonSet", {})])
class TestAPodThatDoesNotTerminate:
    def _find(self, kind, spec, now=NOW, **more):
        pod = pod_of("a", "old", kind=kind, phase="Running", spec={"nodeName": "n1", "containers": []}, **GOING, **more)
        return find_in([pod], owner(kind, spec=spec, status=FULL.get(kind)), now=now, context="eu")

    def test_is_named_with_its_node_and_since_when(self, kind, spec):
        found = self._find(kind, spec)
        assert (found.code, found.pod, found.recoverable) == ("not_terminated", "api-old-a", True)
        assert found.sentence == (
            'pod "api-old-a" in namespace "shop" does not terminate, and holds up the rollout '
            "(node n1, since 2026-11-24T22:19:00Z)"
        )
        assert "kubectl --context eu get node n1" in found.advice
        assert "kubectl --context eu delete pod api-old-a --namespace shop --grace-period=0 --force" in found.advice

    def test_is_named_with_its_finalizer(self, kind, spec):
        found = self._find(kind, spec, finalizers=["example.com/backup"])
        assert "finalizer example.com/backup" in found.sentence
        assert "kubectl --context eu describe pod api-old-a --namespace shop" in found.advice
        assert "--force" not in found.advice

    def test_is_no_cause_while_its_time_is_not_over(self, kind, spec):
        assert self._find(kind, spec, now=datetime(2026, 11, 24, 22, 18, 59, tzinfo=UTC)) is None

    def test_is_named_with_what_its_hook_or_its_node_says(self, kind, spec):
        pod = pod_of("a", "old", kind=kind, phase="Running", spec={"nodeName": "n1", "containers": []}, **GOING)
        events = [event("FailedPreStopHook", "PreStopHook failed", "uid-old-a")]
        lost = {"metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
        api = owner(kind, spec=spec, status=FULL.get(kind))
        found = find_in([pod], api, now=NOW, events=events, nodes=[lost])
        assert found.code == "not_terminated" and "(node n1 is not ready, since " in found.sentence
        assert (found.reason, found.sentence.endswith(": PreStopHook failed")) == ("FailedPreStopHook", True)

    @pytest.mark.parametrize(
        "given, until, code",
        [
            (600, "2026-11-24T22:29:29Z", "terminates"),
            (600, "2026-11-24T22:29:31Z", None),  # it has had less than 30 s
            (30, "2026-11-24T22:20:00Z", None),  # the default
        ],
    )
    def test_is_a_mild_cause_while_it_uses_a_long_grace_period(self, kind, spec, given, until, code):
        hook = {"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": 500}}}}
        going = {**GOING, "deletionTimestamp": until, "deletionGracePeriodSeconds": given}
        more = {"kind": kind, "phase": "Running", "spec": {"nodeName": "n1", "containers": [hook]}}
        found = find_in([pod_of("a", "old", **more, **going)], owner(kind, spec=spec, status=FULL.get(kind)), now=NOW)
        assert (found and found.code) == code
        if found:
            assert (found.recoverable, found.permanent) == (False, False)
            assert "(31 of 600 s, until 2026-11-24T22:29:29Z, preStop hook of container app, node n1)" in found.sentence


def test_a_deployment_that_is_paused_half_way_stands_still():
    told = {"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "lastUpdateTime": CHANGED}
    found = find_in([], owner(spec={"paused": True}, status={"updatedReplicas": 1, "conditions": [told]}))
    assert (found.code, found.recoverable) == ("paused", True)
    assert found.sentence == (
        f"{NAME['Deployment']} is paused half-way through its rollout (1 of 3 pods are new, since {CHANGED})"
    )
    assert "kubectl rollout resume deployment/api --namespace shop" in found.advice
    assert find_in([], owner(spec={"paused": True}, status={"updatedReplicas": 3})) is None


def test_a_rollout_that_does_not_move_though_its_pods_are_ready_blames_the_controller():
    found = of_workload.no_progress(Evidence(owner(status={"updatedReplicas": 1})), "5m")
    assert found.sentence == (
        f"{NAME['Deployment']} makes no progress, although nothing is wrong with its pods (for 5m, 1 of 3 pods are new)"
    )


def test_a_progress_deadline_is_the_cause_where_nothing_better_is_known():
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}
    api = owner(status={"conditions": [late]})
    sentence = f"{NAME['Deployment']} exceeded its progress deadline: has timed out"
    assert (find_in([], api).code, find_in([], api).sentence) == ("progress_deadline", sentence)
    assert find_in([pod_of(container=waiting("ErrImagePull"))], api).code == "image_pull"


def _undone_with_a_stuck_pod():
    good = workload("StatefulSet", status={"observedGeneration": 2, "updateRevision": "old", "replicas": 3})
    pods = [
        pod_of("0", "old", kind="StatefulSet", annotations={}, conditions=[READY]),
        pod_of("1", "bad", kind="StatefulSet", container=waiting("ErrImageNeverPull")),
    ]
    return good, pods


def test_a_broken_pod_that_keeps_an_undone_stateful_set_back_is_told_first():
    good, pods = _undone_with_a_stuck_pod()
    found = find_in(pods, good)
    assert (found.code, found.recoverable) == ("stuck_pod", True)
    assert found.sentence == (
        'pod "api-bad-1" in namespace "shop" is of an older revision and never becomes ready, so its successor is not '
        "created"
    )
    assert "delete_stuck_pods" in found.advice and "kubectl delete pod api-bad-1 --namespace shop" in found.advice


def test_without_pods_and_events_there_is_nothing_to_tell():
    assert find_in([]) is None
    assert find_in([{"metadata": {"name": "x", "namespace": "shop"}, "status": {}, "spec": {}}]) is None


BEGINS = pod_of(container=waiting("ContainerCreating"))
READY_POD = pod_of(phase="Running", conditions=[READY])
GOING_POD = pod_of("b", "old", kind="StatefulSet", phase="Running", **GOING)


@pytest.mark.parametrize(
    "api, pods, expected",
    [
        (owner(), [READY_POD], []),
        (owner(), [BEGINS], [("uid-new-a", "not_begun", 0.0)]),
        (owner(), [pod_of(container=running(), phase="Running")], []),
        (owner(), [pod_of(container=waiting("ContainerCreating"), annotations={})], []),  # of an older revision
        (owner(generation=3), [], [("", "not_observed", 0.0)]),
        (owner(spec={"paused": True}), [], [("", "paused", 0.0)]),
        (owner(status={"conditions": [REFUSED]}), [], [("", "refused", 0.0)]),
        (owner("StatefulSet", status=LACKING["StatefulSet"]), [], [("", "refused", 0.0)]),
        (owner("DaemonSet", status=LACKING["DaemonSet"]), [], [("", "refused", 0.0)]),
        (owner("StatefulSet", status=FULL["StatefulSet"]), [GOING_POD], [("uid-old-b", "not_terminated", 30)]),
        (_undone_with_a_stuck_pod()[0], _undone_with_a_stuck_pod()[1], [("uid-bad-1", "stuck_pod", 0.0)]),
    ],
)
def test_what_may_hold_a_rollout_up_is_seen_without_a_request(api, pods, expected):
    seen = list(find.standstills(Evidence(api, pods)))
    assert [(one.uid, one.code, one.allowed) for one in seen] == expected
