# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verdicts agree with kubectl's rules to the letter; counts and risks are read from the same object."""

from __future__ import annotations

from datetime import datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import status
from tests.unit.rollout.objects import workload
from tests.unit.rollout.status_cases import (
    CASES,
    DAEMONS,
    DEPLOYED,
    NOT_ROLLING,
    ROLLED_OUT,
    STATEFUL,
    UNSEEN,
    UNSEEN_DAEMONS,
    UNSEEN_STATEFUL,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_rule_gives_kubectls_verdict_and_words(case):
    thing = workload(case.kind, spec=case.spec, status=case.status, annotations=case.annotations, generation=1)
    assert status.judge(thing, revision=case.revision) == status.Verdict(case.state, case.message)


def test_every_rule_has_a_case():
    rules = {"Deployment": 7, "DaemonSet": 5, "StatefulSet": 7}
    wanted = {(kind, row) for kind, last in rules.items() for row in range(1, last + 1)}
    assert {(case.kind, case.row) for case in CASES} == wanted


@pytest.mark.parametrize(
    "kind, api_version, named",
    [
        ("Job", "batch/v1", "Job.batch"),
        ("Pod", "v1", "Pod"),
        ("Deployment", "example.com/v1", "Deployment.example.com"),
    ],
)
def test_other_kinds_have_no_status(kind, api_version, named):
    thing = {**workload(kind), "apiVersion": api_version}
    words = f"no status viewer has been implemented for {named}"
    assert status.judge(thing) == status.Verdict("failed", words)


@pytest.mark.parametrize("kind, pods", [("DaemonSet", DAEMONS), ("StatefulSet", STATEFUL)])
def test_a_pinned_revision_is_ignored_for_other_kinds_than_deployment(kind, pods):
    thing = workload(kind, status={"observedGeneration": 2, **pods})
    assert status.judge(thing, revision=99) == status.judge(thing)


@pytest.mark.parametrize(
    "kind, pods, unseen, finished",
    [
        ("Deployment", DEPLOYED, UNSEEN, ROLLED_OUT),
        ("DaemonSet", DAEMONS, UNSEEN_DAEMONS, 'daemon set "api" successfully rolled out'),
        ("StatefulSet", STATEFUL, UNSEEN_STATEFUL, "statefulset rolling update complete 3 pods at revision ..."),
    ],
)
def test_a_copy_older_than_our_patch_is_not_done(kind, pods, unseen, finished):
    stale = workload(kind, status={"observedGeneration": 2, **pods}, generation=2)
    assert status.judge(stale) == status.Verdict("done", finished)
    assert status.judge(stale, generation=3) == status.Verdict("waiting", unseen)
    seen = workload(kind, status={"observedGeneration": 3, **pods}, generation=3)
    assert status.judge(seen, generation=3) == status.Verdict("done", finished)


def test_a_later_change_by_someone_else_is_waited_for_too():
    changed = workload(status={"observedGeneration": 3, **DEPLOYED}, generation=4)
    assert status.judge(changed, generation=3) == status.Verdict("waiting", UNSEEN)


def test_our_patchs_generation_does_not_hide_a_failure():
    stale = workload("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}, generation=2)
    assert status.judge(stale, generation=3) == status.Verdict("failed", NOT_ROLLING)


@pytest.mark.parametrize("kind, message", [("Deployment", ROLLED_OUT), ("StatefulSet", None)])
def test_replicas_that_are_not_set_are_not_waited_for(kind, message):
    thing = workload(kind, spec={"replicas": None}, status={"observedGeneration": 2})
    verdict = status.judge(thing)
    assert verdict.state == "done"
    assert message in (None, verdict.message)


def test_a_daemon_set_without_a_strategy_is_not_judged():
    thing = workload("DaemonSet", spec={"updateStrategy": None})
    assert status.judge(thing) == status.Verdict("failed", NOT_ROLLING)


def test_a_paused_deployment_waits_for_its_updates():
    pods = {**DEPLOYED, "updatedReplicas": 0}
    thing = workload(spec={"paused": True}, status={"observedGeneration": 2, **pods})
    words = 'Waiting for deployment "api" rollout to finish: 0 out of 3 new replicas have been updated...'
    assert status.judge(thing) == status.Verdict("waiting", words)


def test_a_stateful_set_that_was_never_observed_waits_whatever_its_generation():
    thing = workload("StatefulSet", status=STATEFUL, generation=0)
    assert status.judge(thing) == status.Verdict("waiting", UNSEEN_STATEFUL)


def test_an_object_without_a_status_waits():
    thing = workload()
    del thing["status"]
    assert status.judge(thing) == status.Verdict("waiting", UNSEEN)


@pytest.mark.parametrize(
    "kind, spec, pods, expected",
    [
        ("Deployment", {"replicas": 3}, {}, (3, 0, 0, 0, 0)),
        ("Deployment", {"replicas": None}, {}, (1, 0, 0, 0, 0)),
        (
            "Deployment",
            {"replicas": 4},
            {"replicas": 5, "updatedReplicas": 2, "readyReplicas": 4, "availableReplicas": 3},
            (4, 2, 4, 3, 3),
        ),
        (
            "DaemonSet",
            {},
            {
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 4,
                "updatedNumberScheduled": 1,
                "numberReady": 3,
                "numberAvailable": 2,
            },
            (5, 1, 3, 2, 3),
        ),
        ("StatefulSet", {"replicas": 2}, {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}, (2, 1, 2, 0, 1)),
        ("StatefulSet", {"replicas": 2}, {"replicas": 1, "updatedReplicas": 2}, (2, 2, 0, 0, 0)),
    ],
)
def test_counts(kind, spec, pods, expected):
    assert status.counts(workload(kind, spec=spec, status=pods)) == status.Counts(*expected)


def deployed(replicas, updated, available):
    pods = {"replicas": replicas, "updatedReplicas": updated, "availableReplicas": available}
    return {"observedGeneration": 99, **pods}


@pytest.mark.parametrize(
    "kind, wanted, pods, expected",
    [
        ("Deployment", 3, deployed(3, 0, 3), "0 of 3 new pods"),
        ("Deployment", 3, deployed(4, 1, 3), "1 of 3 new pods, waiting for readiness"),
        ("Deployment", 3, deployed(4, 1, 4), "1 of 3 new pods"),
        # The old pod is available, and the new one is not.
        ("Deployment", 1, deployed(2, 1, 1), "1 of 1 new pods, waiting for readiness"),
        ("Deployment", 1, deployed(2, 1, 2), "1 of 1 new pods, waiting for old pods to end"),
        ("Deployment", 3, deployed(3, 3, 2), "3 of 3 new pods, waiting for readiness"),
        ("Deployment", 3, deployed(3, 3, 3), "3 of 3 new pods, waiting for old pods to end"),
        ("StatefulSet", 3, deployed(3, 1, 2), "1 of 3 new pods, waiting for readiness"),
        ("StatefulSet", 3, deployed(3, 1, 3), "1 of 3 new pods"),
    ],
)
def test_what_a_rollout_waits_for_in_short(kind, wanted, pods, expected):
    assert status.waits_for(workload(kind, spec={"replicas": wanted}, status=pods)) == expected


def test_pods_of_a_spec_that_was_not_observed_are_not_new():
    thing = workload("Deployment", spec={"replicas": 3}, status=deployed(3, 3, 3) | {"observedGeneration": 1})
    thing["metadata"]["generation"] = 2
    assert status.waits_for(thing) == "0 of 3 new pods"


PROGRESSING = {"conditions": [{"type": "Progressing", "lastUpdateTime": "2026-11-24T22:15:03Z"}]}
RESTARTED = {"kubectl.kubernetes.io/restartedAt": "2026-11-24T23:10:00+01:00"}


@pytest.mark.parametrize(
    "kind, thing, expected",
    [
        ("Deployment", {"status": PROGRESSING, "template": RESTARTED}, "2026-11-24T22:15:03+00:00"),
        ("StatefulSet", {"template": RESTARTED}, "2026-11-24T23:10:00+01:00"),
        ("DaemonSet", {"creationTimestamp": "2026-11-01T00:00:00Z"}, "2026-11-01T00:00:00+00:00"),
        ("DaemonSet", {"template": {"kubectl.kubernetes.io/restartedAt": "today"}}, None),
    ],
)
def test_the_last_progress_is_what_the_object_shows_of_it(kind, thing, expected):
    found = status.last_progress(workload(kind, **thing))
    assert found == (datetime.fromisoformat(expected) if expected else None)
