# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The marks of restarts: which of them count, and who took them away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, marks, restart, undo
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.rollout.objects import history_of, template, workload

AT = datetime(2026, 11, 24, 22, 15, 30, 999_999, tzinfo=UTC)
NOW, LATER = "2026-11-24T22:15:30Z", "2026-11-24T23:00:00Z"
KUBECTL, OURS = "kubectl.kubernetes.io/restartedAt", "restartx.io/restarted-at"
RUN = {"restartx.io/run": "r1"}
OF_TODAY = {**RUN, KUBECTL: NOW, OURS: NOW, "restartx.io/ticket": "CHG0042", "restartx.io/attempt": "2"}
OF_0_1_0 = {**RUN, KUBECTL: NOW, "restartx.io/ticket": "CHG0042", "restartx.io/attempt": "2"}
ALL_KINDS = pytest.mark.parametrize("kind", kinds.KINDS)


@ALL_KINDS
@pytest.mark.parametrize(
    "annotations, run",
    [
        ({}, None),
        ({KUBECTL: NOW}, None),
        ({KUBECTL: NOW, OURS: NOW}, None),
        (OF_TODAY, "r1"),
        (OF_0_1_0, "r1"),
        (RUN, "r1"),
        ({**OF_TODAY, KUBECTL: LATER}, None),  # kubectl rollout restart
        ({**OF_TODAY, KUBECTL: "2026-11-24T23:15:30+01:00"}, None),  # the same time, and yet written by somebody else
        ({**RUN, OURS: NOW}, None),  # somebody took kubectl's away
    ],
    ids=str,
)
def test_marks_count_only_beside_the_very_time_that_was_written_with_them(kind, annotations, run):
    thing = workload(kind, template=annotations)
    assert marks.run_of(thing) == run
    assert bool(marks.attempt_of(thing, "r1")) is restart.carries(thing, restart.Stamp("r1", AT)) is bool(run)
    (revision,) = history.revisions(thing, history_of(thing, template(annotations)))
    assert (revision.run, revision.ticket) == (run, annotations.get("restartx.io/ticket") if run else None)
    assert revision.restarted_at == annotations.get(KUBECTL)


@ALL_KINDS
def test_a_restart_writes_both_times_and_its_marks_count(kind):
    thing = workload(kind, template={**OF_0_1_0, KUBECTL: LATER})
    body = restart.patch(thing, restart.Stamp("r2", AT))
    written = body["spec"]["template"]["metadata"]["annotations"]
    assert written[KUBECTL] == written[OURS] == NOW
    after = workload(kind, template={name: value for name, value in written.items() if value})
    assert marks.run_of(after) == "r2"
    assert restart.made_by(after, restart.Stamp("r2", AT))
    assert not restart.made_by(workload(kind, template={**written, KUBECTL: LATER}), restart.Stamp("r2", AT))


def test_annotations_of_the_workload_itself_are_no_marks():
    assert marks.run_of(workload(annotations=OF_TODAY)) is None


@ALL_KINDS
def test_a_later_restart_by_somebody_else_is_not_undone_by_run(kind):
    older, newer = template(), template({**OF_TODAY, KUBECTL: LATER})
    thing = workload(kind, spec={"template": newer})
    known = history.revisions(thing, history_of(thing, older, template(OF_TODAY), newer))
    with pytest.raises(RolloutError) as error:
        undo.choose(thing, known, run_id="r1")
    assert str(error.value) == (
        f'{kinds.label(thing)} does not carry run "r1" but a later restart that is not from restartx, at {LATER}; '
        "there is nothing of that run to undo"
    )
    assert undo.choose(thing, known).number == 2


@pytest.mark.parametrize(
    "annotations, words",
    [
        ({}, "no run"),
        (OF_TODAY, 'run "r1"'),
        ({**OF_TODAY, KUBECTL: LATER}, f"a later restart that is not from restartx, at {LATER}"),
        ({**RUN, OURS: NOW}, "a later restart that is not from restartx"),
    ],
)
def test_what_a_workload_carries_in_words(annotations, words):
    assert marks.carried(workload(template=annotations)) == words


def _manager(name, *annotations, at="2026-11-24T22:16:00Z", operation="Update", subresource=None, spec=None):
    owned = {f"f:{annotation}": {} for annotation in annotations}
    fields = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": owned}}}} if spec is None else {"f:spec": spec}
    entry = {"manager": name, "operation": operation, "time": at, "fieldsV1": fields}
    return {**entry, "subresource": subresource} if subresource else entry


HEAD = 'the restart of deployment "api" in namespace "shop" was reverted: its template'
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
    assert marks.taken_back(workload(managedFields=managers), "r1", "restartx") == f"{HEAD} {sentence}"


@pytest.mark.parametrize(
    "changed, named",
    [("2026-11-24T22:15:29Z", False), ("2026-11-24T22:15:30Z", True), ("2026-11-24T22:15:31Z", True), (None, False)],
)
def test_nobody_is_named_for_a_change_from_before_the_run(changed, named):
    # An undo by kubectl removes our annotations and leaves no trace of itself; the object's author is none.
    thing = workload(managedFields=[_manager("kubectl-create", spec=IMAGE, at=changed)])
    sentence = marks.taken_back(thing, "r1", "restartx", since=AT)
    assert ("kubectl-create" in sentence) is named
    assert ("the object does not say who did it" in sentence) is not named


def test_the_owner_of_the_new_run_is_named_when_ours_was_replaced():
    managers = [
        _manager("helm", "team", at="2026-11-24T23:00:00Z"),
        _manager("restartx", "restartx.io/run", at="2026-11-24T22:20:00Z"),
    ]
    thing = workload(template={"restartx.io/run": "r2"}, managedFields=managers)
    words = f'{HEAD} now carries run "r2", set by "restartx" (Update at 2026-11-24T22:20:00Z)'
    assert marks.taken_back(thing, "r1", "restartx") == words


def test_who_restarted_it_again_is_named():
    managers = [
        _manager("restartx", "restartx.io/run", OURS, at="2026-11-24T22:15:30Z"),
        _manager("kubectl-rollout", KUBECTL, at=LATER),
    ]
    thing = workload(template={**OF_TODAY, KUBECTL: LATER}, managedFields=managers)
    assert marks.taken_back(thing, "r1", "restartx") == (
        'deployment "api" in namespace "shop" was restarted again after run "r1", at 2026-11-24T23:00:00Z, by '
        '"kubectl-rollout" (Update at 2026-11-24T23:00:00Z)'
    )


def test_a_restart_whose_time_was_removed_was_taken_back():
    assert marks.taken_back(workload(template={**RUN, OURS: NOW}), "r1", "restartx").startswith(
        f'{HEAD} no longer carries run "r1"'
    )


@pytest.mark.parametrize(
    "managers, names",
    [
        ([], set()),
        ([("restartx", "restartx.io/run", OURS, KUBECTL)], set()),
        ([("restartx", "restartx.io/run", "example.com/why")], {"example.com/why"}),
        ([("restartx", "restartx.io/run"), ("helm", "example.com/why")], set()),
        ([("restartx", "restartx.io/run", "a", "b"), ("flux", "restartx.io/run", "b", "c")], {"b"}),
    ],
)
def test_what_a_restart_wrote_beside_its_marks(managers, names):
    thing = workload(template=OF_TODAY, managedFields=[_manager(*one) for one in managers])
    assert marks.written_beside(thing) == names


@pytest.mark.parametrize(
    "managers, at",
    [
        ([], None),
        ([_manager("helm", "team")], None),
        (
            [_manager("restartx", "restartx.io/run", at=NOW), _manager("helm", "team", at=LATER)],
            AT.replace(microsecond=0),
        ),
        ([_manager("restartx", "restartx.io/run", at=None)], None),
    ],
)
def test_when_the_marks_were_written(managers, at):
    assert marks.written_at(workload(template=OF_TODAY, managedFields=managers)) == at
