# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The patch that restarts, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.rollout.objects import owned_by, workload

AT = datetime(2026, 11, 24, 22, 15, 30, 999_999, tzinfo=UTC)
KINDS = ["Deployment", "DaemonSet", "StatefulSet"]


def _template_annotations(body):
    return body["spec"]["template"]["metadata"]["annotations"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_patch(kind):
    assert restart.patch(workload(kind), restart.Stamp("r1", AT)) == {
        "metadata": {"resourceVersion": "7"},
        "spec": {
            "template": {
                "metadata": {
                    "annotations": {
                        "restartx.io/run": "r1",
                        "kubectl.kubernetes.io/restartedAt": "2026-11-24T22:15:30Z",
                        "restartx.io/restarted-at": "2026-11-24T22:15:30Z",
                    }
                }
            }
        },
    }


def test_all_that_is_given_is_written_on_the_template_and_only_the_change_cause_on_the_workload():
    stamp = restart.Stamp("r1", AT, "certificates renewed", "CHG0042", "ada", "rotate CA", {"example.com/by": "team a"})
    body = restart.patch(workload(), stamp)
    assert body["metadata"] == {"resourceVersion": "7", "annotations": {"kubernetes.io/change-cause": "rotate CA"}}
    assert _template_annotations(body) == {
        "restartx.io/run": "r1",
        "restartx.io/reason": "certificates renewed",
        "restartx.io/ticket": "CHG0042",
        "restartx.io/operator": "ada",
        "kubectl.kubernetes.io/restartedAt": "2026-11-24T22:15:30Z",
        "restartx.io/restarted-at": "2026-11-24T22:15:30Z",
        "example.com/by": "team a",
    }


def test_what_an_earlier_run_said_and_this_one_does_not_is_removed():
    earlier = {"restartx.io/run": "r0", "restartx.io/ticket": "CHG0001", "restartx.io/reason": "old", "team": "a"}
    body = restart.patch(workload(template=earlier), restart.Stamp("r1", AT, reason="new"))
    assert _template_annotations(body) == {
        "restartx.io/run": "r1",
        "restartx.io/ticket": None,
        "restartx.io/reason": "new",
        "kubectl.kubernetes.io/restartedAt": "2026-11-24T22:15:30Z",
        "restartx.io/restarted-at": "2026-11-24T22:15:30Z",
    }


@pytest.mark.parametrize(
    "at, text",
    [
        (AT, "2026-11-24T22:15:30Z"),
        (AT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-25T03:45:30+05:30"),
        (AT.astimezone(timezone(timedelta(hours=-8))), "2026-11-24T14:15:30-08:00"),
    ],
)
def test_times_are_written_as_kubectl_does_and_read_back(at, text):
    assert restart.rfc3339(at) == text
    assert restart.parse_time(text) == AT.replace(microsecond=0)


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_none(text):
    assert restart.parse_time(text) is None


def test_a_time_without_a_zone_is_no_time_of_a_restart():
    with pytest.raises(ValueError):
        restart.Stamp("r1", AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"run": ""}, "run_id is empty; leave it out to generate one"),
        ({"run": "a\nb"}, r"run_id: 'a\nb' contains a line break or a control character; write it as one line"),
        (
            {"reason": "one\ntwo"},
            r"reason: 'one\ntwo' contains a line break or a control character; write it as one line",
        ),
        (
            {"operator": "\x1b[1m"},
            r"operator: '\x1b[1m' contains a line break or a control character; write it as one line",
        ),
        ({"ticket": 42}, "ticket: 42 is not a string; put it in quotes"),
        ({"change_cause": "x" * 1025}, "change_cause has 1025 characters; at most 1024 are kept on a workload"),
        ({"annotations": {"team": None}}, "annotations.team: None is not a string; put it in quotes"),
        ({"annotations": {"x": 5}}, "annotations.x: 5 is not a string; put it in quotes"),
        (
            {"annotations": {"a b": "x"}},
            'annotations: "a b" is not a valid annotation name; write it like example.com/team',
        ),
        ({"annotations": {"": "x"}}, 'annotations: "" is not a valid annotation name; write it like example.com/team'),
        (
            {"annotations": {"Up/x": "x"}},
            'annotations: "Up/x" is not a valid annotation name; write it like example.com/team',
        ),
        (
            {"annotations": {"/x": "x"}},
            'annotations: "/x" is not a valid annotation name; write it like example.com/team',
        ),
        (
            {"annotations": {"x" * 64: "x"}},
            f'annotations: "{"x" * 64}" is not a valid annotation name; write it like example.com/team',
        ),
        (
            {"annotations": {"restartx.io/run": "r2"}},
            'annotations: "restartx.io/run" is set by the restart itself; use the options for it',
        ),
        (
            {"annotations": {"restartx.io/new": "r2"}},
            'annotations: "restartx.io/new" is set by the restart itself; use the options for it',
        ),
        (
            {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}},
            'annotations: "kubectl.kubernetes.io/restartedAt" is set by the restart itself; use the options for it',
        ),
    ],
)
def test_values_that_cannot_be_annotations_are_refused_before_anything_is_touched(given, message):
    with pytest.raises(RolloutError) as error:
        restart.Stamp(**{"run": "r1", "at": AT, **given})
    assert str(error.value) == message


@pytest.mark.parametrize("value", ["", "Zertifikate erneuert: äöü ✓", "a=b,c:d/e", "x" * 1024])
def test_one_line_of_text_is_a_reason(value):
    assert restart.Stamp("r1", AT, reason=value).reason == value


@pytest.mark.parametrize("name", ["team", "example.com/team", "a.b-c.example/Team_1.x", "x" * 63])
def test_names_of_annotations(name):
    assert restart.Stamp("r1", AT, annotations={name: "x"}).annotations == {name: "x"}


def _partition(number):
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


@pytest.mark.parametrize(
    "partition, replicas, refused",
    [
        (0, 3, False),
        (2, 3, False),
        (3, 3, True),
        (9, 3, True),
        (1, 1, True),
        (0, 0, False),
        (9, 0, False),
        (1, None, True),
    ],
)
def test_a_partition_that_holds_back_all_pods_is_refused(partition, replicas, refused):
    thing = workload("StatefulSet", spec={"updateStrategy": _partition(partition), "replicas": replicas})
    assert bool(restart.refusal(thing)) is refused


KAFKA = {"kind": "Kafka", "metadata": {"name": "events", "uid": "u"}}


@pytest.mark.parametrize("kind", KINDS)
def test_an_ordinary_workload_is_not_refused(kind):
    assert restart.refusal(workload(kind)) is None


@pytest.mark.parametrize(
    "thing, sentence",
    [
        (
            workload(spec={"paused": True}),
            'can\'t restart paused deployment (run rollout resume first): deployment "api" in namespace "shop" is '
            "paused; resume it with k8s_rollout_pause and state: resumed",
        ),
        (
            workload("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}),
            'statefulset "api" in namespace "shop" has the update strategy OnDelete, so a restart would replace no '
            "pod; set it to RollingUpdate, or have its pods evicted one by one with the option between_pods",
        ),
        (
            workload("DaemonSet", spec={"updateStrategy": {"type": "OnDelete"}}),
            'daemon set "api" in namespace "shop" has the update strategy OnDelete, so a restart would replace no '
            "pod; set it to RollingUpdate, or have its pods evicted one by one with the option between_pods",
        ),
        (
            workload("StatefulSet", spec={"updateStrategy": _partition(3)}),
            'statefulset "api" in namespace "shop" has the partition 3 for its 3 pods, so a restart would replace no '
            "pod; lower spec.updateStrategy.rollingUpdate.partition below 3",
        ),
        (
            workload("StatefulSet", ownerReferences=owned_by(KAFKA)),
            'statefulset "api" in namespace "shop" is managed by Kafka "events" (apps/v1), which may revert the change; '
            "change it through its owner, or set allow_owned: true",
        ),
        (
            workload(deletionTimestamp="2026-11-24T22:00:00Z", spec={"paused": True}),
            'deployment "api" in namespace "shop" is being deleted; wait until it is gone, or leave it out',
        ),
    ],
)
def test_what_must_not_be_restarted_is_refused_with_the_way_out(thing, sentence):
    assert restart.refusal(thing) == sentence


def test_owned_workloads_are_allowed_on_request_and_nothing_else_is():
    owned = {"ownerReferences": owned_by(KAFKA)}
    assert restart.refusal(workload(**owned), allow_owned=True) is None
    assert "paused" in restart.refusal(workload(spec={"paused": True}, **owned), allow_owned=True)


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_only_deployments_can_be_paused(kind):
    assert restart.refusal(workload(kind, spec={"paused": True})) is None


@pytest.mark.parametrize(
    "template, carried",
    [
        ({}, False),
        ({"restartx.io/run": "r0", "restartx.io/attempt": "9"}, False),
        ({"restartx.io/run": "r1"}, False),
        ({"restartx.io/run": "r1", "restartx.io/attempt": "1"}, False),
        ({"restartx.io/run": "r1", "restartx.io/attempt": "2"}, True),
        ({"restartx.io/run": "r1", "restartx.io/attempt": "3"}, True),
        ({"restartx.io/run": "r1", "restartx.io/attempt": "many"}, False),
    ],
)
def test_a_template_carries_an_attempt_or_a_later_one(template, carried):
    assert restart.carries(workload(template=template), restart.Stamp("r1", AT, attempt=2)) is carried


def test_the_first_attempt_is_not_written_down():
    first, second = restart.Stamp("r1", AT), restart.Stamp("r1", AT, attempt=2)
    assert "restartx.io/attempt" not in _template_annotations(restart.patch(workload(), first))
    assert _template_annotations(restart.patch(workload(), second))["restartx.io/attempt"] == "2"
    again = workload(template={"restartx.io/run": "r0", "restartx.io/attempt": "2"})
    assert _template_annotations(restart.patch(again, first))["restartx.io/attempt"] is None
    assert restart.carries(workload(template={"restartx.io/run": "r1"}), first)
