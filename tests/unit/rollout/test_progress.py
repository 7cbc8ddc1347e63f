# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is waited for beyond kubectl's verdict, and what results tell beside it."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, status
from tests.unit.rollout.objects import rolled_out, workload
from tests.unit.rollout.status_cases import CASES, DEADLINE, GOING_ON

ALL_KINDS = pytest.mark.parametrize("kind", kinds.KINDS)
EARLIER = DEADLINE | {
    "lastUpdateTime": "2026-11-24T22:00:00Z",
    "message": 'ReplicaSet "api-1" has timed out progressing.',
}
THIS_ONE = DEADLINE | {
    "lastUpdateTime": "2026-11-24T22:10:00Z",
    "message": 'ReplicaSet "api-2" has timed out progressing.',
}
PATCHED = datetime(2026, 11, 24, 22, 9, 59, tzinfo=UTC)


@pytest.mark.parametrize("case", [case for case in CASES if not case.revision], ids=lambda case: case.id)
def test_what_kubectl_does_not_call_done_is_not_done(case):
    thing = workload(case.kind, spec=case.spec, status=case.status, annotations=case.annotations, generation=1)
    seen = status.follow(thing)
    if case.state != status.DONE:
        assert (seen.state, seen.message, seen.lingering) == (case.state, case.message, None)
    else:
        assert seen.state in (status.DONE, status.WAITING)


@ALL_KINDS
def test_a_rollout_that_lacks_nothing_is_done_in_kubectls_words(kind):
    thing = rolled_out(kind)
    assert status.follow(thing) == status.Progress(status.DONE, status.judge(thing).message)
    assert status.missing(thing) is None
    assert status.pods(thing) == {"new": 3, "available": 3, "total": 3}
    assert not status.nothing_to_replace(thing)


@ALL_KINDS
def test_an_older_copy_than_our_patch_is_waited_for(kind):
    assert status.follow(rolled_out(kind), generation=3).state == status.WAITING


def _failed_before(conditions, **pods):
    """A Deployment of one replica, whose counts say that it waits for an old pod to end."""
    return rolled_out("Deployment", pods=1, conditions=conditions, **{"replicas": 2, **pods})


class TestAConditionOfAnEarlierRollout:
    def test_is_kubectls_verdict(self):
        assert status.judge(_failed_before([EARLIER])).state == status.FAILED

    def test_is_not_believed_after_our_own_change_until_the_controller_replaces_it(self):
        before = _failed_before([EARLIER])
        seen = status.follow(_failed_before([EARLIER]), before=before)
        assert seen.state == status.WAITING and "1 old replicas are pending termination" in seen.message
        assert status.follow(_failed_before([THIS_ONE]), before=before).state == status.FAILED

    def test_leaves_the_others_and_the_object_as_they_are(self):
        thing = _failed_before([{"type": "Available", "status": "True"}, EARLIER])
        kept = deepcopy(thing)
        status.follow(thing, before=_failed_before([EARLIER]))
        assert thing == kept

    def test_that_was_not_there_before_is_of_this_rollout(self):
        for conditions in ([], [GOING_ON]):
            assert status.follow(_failed_before([EARLIER]), before=_failed_before(conditions)).state == status.FAILED

    @pytest.mark.parametrize(
        "conditions, since, state",
        [
            ([EARLIER], PATCHED, status.WAITING),
            ([THIS_ONE], PATCHED, status.FAILED),
            ([THIS_ONE], PATCHED.replace(minute=10, second=0), status.WAITING),  # a deadline takes a second at least
            ([EARLIER], None, status.FAILED),
            ([DEADLINE], PATCHED, status.FAILED),  # without a time
        ],
    )
    def test_is_told_by_when_it_was_updated_where_an_earlier_start_made_the_change(self, conditions, since, state):
        assert status.follow(_failed_before(conditions), since=since).state == state

    @ALL_KINDS
    def test_is_none_of_other_kinds(self, kind):
        thing = rolled_out(kind, conditions=[EARLIER])
        expected = status.FAILED if kind == "Deployment" else status.DONE
        assert status.follow(thing).state == expected
        assert status.follow(thing, before=thing, since=PATCHED).state == status.DONE

    def test_does_not_stand_in_the_way_of_kinds_that_have_no_status(self):
        job = {**workload("Job"), "apiVersion": "batch/v1"}
        assert status.follow(job, before=job, since=PATCHED).state == status.FAILED


def _stateful_set(partition=None, **seen):
    rolling = {"rollingUpdate": {"partition": partition}} if partition is not None else {}
    thing = rolled_out("StatefulSet", **seen)
    thing["spec"]["updateStrategy"] = {"type": "RollingUpdate", **rolling}
    return thing


MISSING = [
    (_stateful_set(0, availableReplicas=1), "1 of 3 pods are available", True, False),
    (_stateful_set(availableReplicas=0), "0 of 3 pods are available", True, False),
    (rolled_out("Deployment", terminatingReplicas=1), "1 old pod is still terminating", True, True),
    (rolled_out("Deployment", terminatingReplicas=2), "2 old pods are still terminating", True, True),
    (rolled_out("Deployment", terminatingReplicas=0), None, False, False),
    (_stateful_set(2, updatedReplicas=1), "its partition 2 holds back 2 of 3 pods", False, False),
    (_stateful_set(3, updatedReplicas=0), "its partition 3 holds back all 3 pods", False, False),
    (_stateful_set(2), None, False, False),  # nothing is to be rolled out
    (
        _stateful_set(2, updatedReplicas=1, availableReplicas=2),
        "2 of 3 pods are available; its partition 2 holds back 2 of 3 pods",
        True,
        False,
    ),
    (rolled_out("Deployment", pods=0), "there are no pods to replace: spec.replicas is 0", False, False),
    (rolled_out("StatefulSet", pods=0), "there are no pods to replace: spec.replicas is 0", False, False),
    (rolled_out("DaemonSet", pods=0), "there are no pods to replace: no node should run its pods", False, False),
]


@pytest.mark.parametrize("thing, words, waits, lingering", MISSING)
def test_what_is_missing_is_told_and_waited_for_where_it_comes_by_itself(thing, words, waits, lingering):
    kubectls = status.judge(thing)
    assert kubectls.state == status.DONE
    assert status.missing(thing) == words
    seen = status.follow(thing)
    assert seen.state == (status.WAITING if waits else status.DONE)
    assert seen.lingering == (status.Verdict(status.DONE, f"{kubectls.message}; {words}") if lingering else None)
    if waits:
        kind = kinds.kind_of(thing)
        first = words.partition(";")[0]
        assert seen.message == f'Waiting for {kind.words} "api" rollout to finish: {first}...'
    else:
        assert seen.message == kubectls.message


def test_a_server_that_does_not_count_available_pods_is_taken_at_its_word_on_ready_ones():
    thing = _stateful_set()
    del thing["status"]["availableReplicas"]
    assert status.follow(thing).state == status.DONE


@ALL_KINDS
def test_nothing_is_missing_of_what_kubectl_does_not_call_done(kind):
    thing = rolled_out(kind, pods=0, terminatingReplicas=1, observedGeneration=1)
    assert status.judge(thing).state == status.WAITING
    assert status.missing(thing) is None


@ALL_KINDS
def test_no_pod_is_new_before_the_newest_spec_is_observed(kind):
    thing = rolled_out(kind, observedGeneration=1)
    assert status.pods(thing) == {"new": 0, "available": 3, "total": 3}


@ALL_KINDS
def test_pods_that_are_replaced_are_counted(kind):
    thing = rolled_out(kind)
    thing["status"] |= {kinds.KINDS[kind].updated: 1, kinds.KINDS[kind].available: 2}
    assert status.pods(thing) == {"new": 1, "available": 2, "total": 3}


@ALL_KINDS
@pytest.mark.parametrize("observed, generation", [(2, 2), (2, 3), (0, 1)])
def test_whether_there_is_anything_to_replace_is_known_of_a_daemon_set_once_its_nodes_are_counted(
    kind, observed, generation
):
    thing = rolled_out(kind, pods=0, observedGeneration=observed)
    thing["metadata"]["generation"] = generation
    assert status.nothing_to_replace(thing) is (kind != "DaemonSet" or observed > 0)


@pytest.mark.parametrize("grace, seconds", [(None, 40), (0, 10), (3600, 3610)])
def test_old_pods_are_waited_for_as_long_as_they_may_take_to_end(grace, seconds):
    pod = {"containers": []} if grace is None else {"containers": [], "terminationGracePeriodSeconds": grace}
    assert status.linger_time(workload(pod=pod)) == seconds
