# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The patch that restarts, what is refused, and who took a restart back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.rollout.objects import owned_by, workload

AT = datetime(2026, 11, 24, 22, 15, 30, 999_999, tzinfo=timezone.utc)
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
        ({"run": ""}, "run_id is empty; leave it out to have one made"),
        ({"run": "a\nb"}, r"run_id: 'a\nb' holds a line break or a control character; write it as one line"),
        ({"reason": "one\ntwo"}, r"reason: 'one\ntwo' holds a line break or a control character; write it as one line"),
        (
            {"operator": "\x1b[1m"},
            r"operator: '\x1b[1m' holds a line break or a control character; write it as one line",
        ),
        ({"ticket": 42}, "ticket: 42 is no string; put it in quotes"),
        ({"change_cause": "x" * 1025}, "change_cause has 1025 characters; at most 1024 are kept on a workload"),
        ({"annotations": {"team": None}}, "annotations.team: None is no string; put it in quotes"),
        ({"annotations": {"x": 5}}, "annotations.x: 5 is no string; put it in quotes"),
        (
            {"annotations": {"a b": "x"}},
            'annotations: "a b" is no valid annotation name; write it like example.com/team',
        ),
        ({"annotations": {"": "x"}}, 'annotations: "" is no valid annotation name; write it like example.com/team'),
        (
            {"annotations": {"Up/x": "x"}},
            'annotations: "Up/x" is no valid annotation name; write it like example.com/team',
        ),
        ({"annotations": {"/x": "x"}}, 'annotations: "/x" is no valid annotation name; write it like example.com/team'),
        (
            {"annotations": {"x" * 64: "x"}},
            f'annotations: "{"x" * 64}" is no valid annotation name; write it like example.com/team',
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
            "pod; set it to RollingUpdate, or delete the pods one by one",
        ),
        (
            workload("DaemonSet", spec={"updateStrategy": {"type": "OnDelete"}}),
            'daemon set "api" in namespace "shop" has the update strategy OnDelete, so a restart would replace no '
            "pod; set it to RollingUpdate, or delete the pods one by one",
        ),
        (
            workload("StatefulSet", ownerReferences=owned_by(KAFKA)),
            'statefulset "api" in namespace "shop" is managed by Kafka "events" (apps/v1), which may undo a change '
            "made behind its back; change it through its owner, or set allow_owned: true",
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


def test_the_run_of_a_template():
    assert restart.run_of(workload()) is None
    assert restart.run_of(workload(annotations={"restartx.io/run": "r1"})) is None
    assert restart.run_of(workload(template={"restartx.io/run": "r1"})) == "r1"


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


def _manager(name, *annotations, at="2026-11-24T22:16:00Z", operation="Update", subresource=None, spec=None):
    owned = {f"f:{annotation}": {} for annotation in annotations}
    fields = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": owned}}}} if spec is None else {"f:spec": spec}
    entry = {"manager": name, "operation": operation, "time": at, "fieldsV1": fields}
    return {**entry, "subresource": subresource} if subresource else entry


HEAD = 'the restart of deployment "api" in namespace "shop" was taken back: its template'
IMAGE = {"f:template": {"f:spec": {"f:containers": {}}}}


@pytest.mark.parametrize(
    "managers, sentence",
    [
        ([], 'no longer carries run "r1"; the object does not say who did it'),
        (
            [_manager("restartx", "restartx.io/run"), _manager("argocd-controller", spec=IMAGE)],
            'no longer carries run "r1"; the last other change of the template was by '
            '"argocd-controller" (Update at 2026-11-24T22:16:00Z)',
        ),
        (
            [
                _manager("kubectl-edit", spec=IMAGE, at="2026-11-01T00:00:00Z"),
                _manager("helm", spec=IMAGE, at="2026-11-24T22:17:00Z", operation="Apply"),
                _manager("flux", spec=IMAGE, at="2026-11-02T00:00:00Z"),
            ],
            'no longer carries run "r1"; the last other change of the template was by '
            '"helm" (Apply at 2026-11-24T22:17:00Z)',
        ),
        (
            [
                _manager("hpa", spec={"f:replicas": {}}),
                _manager("kube-controller-manager", spec=IMAGE, subresource="status"),
            ],
            'no longer carries run "r1"; the object does not say who did it',
        ),
    ],
)
def test_whoever_changed_the_template_last_is_named_when_our_run_has_vanished(managers, sentence):
    assert restart.taken_back(workload(managedFields=managers), "r1", "restartx") == f"{HEAD} {sentence}"


@pytest.mark.parametrize(
    "changed, named",
    [("2026-11-24T22:15:29Z", False), ("2026-11-24T22:15:30Z", True), ("2026-11-24T22:15:31Z", True), (None, False)],
)
def test_nobody_is_named_for_a_change_from_before_the_run(changed, named):
    # An undo by kubectl removes our annotations and leaves no trace of itself; the object's author is none.
    thing = workload(managedFields=[_manager("kubectl-create", spec=IMAGE, at=changed)])
    sentence = restart.taken_back(thing, "r1", "restartx", since=AT)
    assert ("kubectl-create" in sentence) is named
    assert ("the object does not say who did it" in sentence) is not named


def test_the_owner_of_the_new_run_is_named_when_ours_was_replaced():
    managers = [
        _manager("helm", "team", at="2026-11-24T23:00:00Z"),
        _manager("restartx", "restartx.io/run", at="2026-11-24T22:20:00Z"),
    ]
    thing = workload(template={"restartx.io/run": "r2"}, managedFields=managers)
    words = f'{HEAD} now carries run "r2", set by "restartx" (Update at 2026-11-24T22:20:00Z)'
    assert restart.taken_back(thing, "r1", "restartx") == words
