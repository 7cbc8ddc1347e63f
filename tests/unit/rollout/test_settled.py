# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Since when a rollout has been done, from conditions as the API has them."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import settled

EARLY, LATE = "2026-11-24T20:00:00Z", "2026-11-24T21:00:00Z"


def at(hour):
    return datetime.datetime(2026, 11, 24, hour, tzinfo=datetime.UTC)


def progressing(reason="NewReplicaSetAvailable", updated=EARLY):
    return {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": updated}


def available(status="True", since=EARLY):
    return {"type": "Available", "status": status, "lastTransitionTime": since}


@pytest.mark.parametrize(
    "conditions, known",
    [
        ([progressing(), available()], at(20)),
        ([progressing(updated=LATE), available()], at(21)),
        ([progressing(), available(since=LATE)], at(21)),  # it broke and came back after the rollout
        ([progressing(reason="ReplicaSetUpdated"), available()], None),
        ([progressing(), available(status="False")], None),
        ([progressing()], None),
        ([available()], None),
        ([progressing(updated="yesterday"), available()], None),
        ([progressing(updated=None), available()], None),
        ([progressing(updated="2026-11-24T20:00:00"), available()], None),
        ([], None),
    ],
)
def test_a_deployment_tells_since_when_it_is_complete_and_available(conditions, known):
    assert settled.since({"kind": "Deployment", "status": {"conditions": conditions}}) == known


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_do_not_tell(kind):
    assert settled.since({"kind": kind, "status": {"conditions": [progressing(), available()]}}) is None
    assert settled.since({"kind": kind}) is None


def pod(status="True", since=EARLY):
    return {"status": {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": since}]}}


@pytest.mark.parametrize(
    "pods, known",
    [
        ([pod()], at(20)),
        ([pod(), pod(since=LATE)], at(21)),
        ([pod(), pod(status="False")], None),
        ([pod(), {"status": {}}], None),
        ([pod(since="")], None),
        ([], None),
    ],
)
def test_pods_tell_since_when_all_are_ready(pods, known):
    assert settled.since_pods(pods) == known
