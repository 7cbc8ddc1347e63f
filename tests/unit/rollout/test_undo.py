# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which revision an undo takes, the patch that brings it back, and what stands in its way."""

from __future__ import annotations

from copy import deepcopy

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, undo
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.rollout.objects import controller_revision, history_of, owned_by, replica_set, template, workload

KINDS = ["Deployment", "DaemonSet", "StatefulSet"]
MAKE = {"Deployment": replica_set, "DaemonSet": controller_revision, "StatefulSet": controller_revision}
LABEL = {
    "Deployment": 'deployment "api" in namespace "shop"',
    "DaemonSet": 'daemon set "api" in namespace "shop"',
    "StatefulSet": 'statefulset "api" in namespace "shop"',
}
A, B, C = template(image="a"), template(image="b"), template(image="c")


def _restarted(pods, run, **more):
    annotations = {"restartx.io/run": run, "kubectl.kubernetes.io/restartedAt": f"at {run}", **more}
    metadata = pods["metadata"]
    return {**pods, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}


def _executor(kind, *templates, now=None, **more):
    """A workload with these revisions, numbered from 1; its template is the last one or `now`."""
    owner = workload(kind, spec={"template": now or templates[-1], **more})
    return owner, history.revisions(owner, history_of(owner, *templates))


def _message(workload, revisions, **choice):
    with pytest.raises(RolloutError) as error:
        undo.choose(workload, revisions, **choice)
    return str(error.value)


def _no_history(kind):
    words = {"Deployment": 'no rollout history found for deployment "api"'}.get(
        kind, "no last revision to roll back to"
    )
    return f"{words}: {LABEL[kind]} has no earlier revision"


@pytest.mark.parametrize("kind", KINDS)
class TestThePreviousRevision:
    def test_is_the_second_highest(self, kind):
        owner, known = _executor(kind, A, B, C)
        assert undo.choose(owner, known).number == 2

    def test_need_not_be_the_number_before(self, kind):
        owner = workload(kind, spec={"template": B})
        known = history.revisions(owner, [MAKE[kind](owner, 3, A), MAKE[kind](owner, 9, B)])
        assert undo.choose(owner, known).number == 3

    def test_toggles_when_undone_twice(self, kind):
        owner, known = _executor(kind, A, B)
        assert undo.choose(owner, known).template == A
        # The controller gives the revision that is used again the highest number.
        back = workload(kind, spec={"template": A})
        known = history.revisions(back, [MAKE[kind](back, 2, B), MAKE[kind](back, 3, A)])
        assert undo.choose(back, known).template == B

    def test_is_not_there_without_history(self, kind):
        owner = workload(kind, spec={"template": A})
        assert _message(owner, []) == _no_history(kind)
        assert _message(*_executor(kind, A)) == _no_history(kind)

    def test_is_the_highest_of_another_template_while_the_current_one_has_no_revision_yet(self, kind):
        owner, known = _executor(kind, A, B, now=C)
        owner["metadata"]["generation"] = 3
        assert undo.choose(owner, known).number == 2
        # Back to an old template, and the controller has not renumbered it yet.
        owner, known = _executor(kind, A, B, now=A)
        owner["metadata"]["generation"] = 3
        assert undo.choose(owner, known).number == 2
        owner, known = _executor(kind, A, now=A)
        owner["metadata"]["generation"] = 3
        assert _message(owner, known) == _no_history(kind)

    def test_that_holds_the_current_template_already_changes_nothing(self, kind):
        owner, known = _executor(kind, A, B, now=A)
        with pytest.raises(undo.Unchanged) as unchanged:
            undo.choose(owner, known)
        assert str(unchanged.value) == "skipped rollback (current template already matches revision 1)"
        assert unchanged.value.revision.number == 1


@pytest.mark.parametrize("kind", KINDS)
class TestANumberedRevision:
    def test_is_matched_exactly(self, kind):
        owner, known = _executor(kind, A, B, C)
        assert undo.choose(owner, known, to_revision=1).template == A

    @pytest.mark.parametrize("number", [4, -1, -2])
    def test_that_is_not_there_is_refused(self, kind, number):
        owner, known = _executor(kind, A, B, C)
        words = f"unable to find specified revision {number} in history"
        assert _message(owner, known, to_revision=number) == f"{words}; {LABEL[kind]} has 1, 2, 3"
        assert _message(owner, [], to_revision=number) == f"{words}; {LABEL[kind]} has no revisions"

    def test_that_is_current_changes_nothing(self, kind):
        owner, known = _executor(kind, A, B)
        with pytest.raises(undo.Unchanged) as unchanged:
            undo.choose(owner, known, to_revision=2)
        assert str(unchanged.value) == "skipped rollback (current template already matches revision 2)"


def test_a_negative_revision_is_refused_even_where_a_replica_set_has_that_number():
    owner = workload(spec={"template": B})
    known = history.revisions(owner, [replica_set(owner, -1, A), replica_set(owner, 1, B)])
    assert _message(owner, known, to_revision=-1).startswith("unable to find specified revision -1 in history")


def test_a_paused_deployment_is_refused_once_the_revision_is_known():
    owner, known = _executor("Deployment", A, B, paused=True)
    words = "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
    assert _message(owner, known) == f"{words}: {LABEL['Deployment']} is paused"
    assert _message(owner, known, to_revision=2) == f"{words}: {LABEL['Deployment']} is paused"
    assert _message(owner, known, to_revision=7).startswith("unable to find specified revision 7 in history")
    assert _message(owner, []).startswith("no rollout history found")


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_on_delete_is_not_looked_at(kind):
    owner, known = _executor(kind, A, B, updateStrategy={"type": "OnDelete"})
    assert undo.choose(owner, known).number == 1


@pytest.mark.parametrize("kind", KINDS)
class TestTheRevisionBeforeARun:
    def test_is_the_one_below(self, kind):
        owner, known = _executor(kind, A, B, _restarted(B, "r1"))
        assert undo.choose(owner, known, run_id="r1").number == 2

    def test_may_be_a_restart_of_another_run(self, kind):
        owner, known = _executor(kind, A, _restarted(A, "r0"), _restarted(A, "r1"))
        assert undo.choose(owner, known, run_id="r1").number == 2

    def test_lies_before_all_attempts_of_the_run(self, kind):
        first, second = _restarted(A, "r1"), _restarted(A, "r1", **{"restartx.io/attempt": "2"})
        owner, known = _executor(kind, A, first, second)
        assert undo.choose(owner, known, run_id="r1").number == 1

    def test_is_found_while_the_restart_has_no_revision_yet(self, kind):
        owner, known = _executor(kind, A, B, now=_restarted(B, "r1"))
        assert undo.choose(owner, known, run_id="r1").number == 2

    def test_is_refused_when_the_template_carries_no_run(self, kind):
        owner, known = _executor(kind, A, B)
        rest = "there is nothing of that run to undo"
        assert _message(owner, known, run_id="r1") == f'{LABEL[kind]} does not carry run "r1" but no run; {rest}'

    def test_is_refused_when_another_run_came_after(self, kind):
        owner, known = _executor(kind, A, _restarted(A, "r1"), _restarted(A, "r2"))
        rest = "there is nothing of that run to undo"
        assert _message(owner, known, run_id="r1") == f'{LABEL[kind]} does not carry run "r1" but run "r2"; {rest}'

    def test_is_refused_when_the_run_was_undone_already(self, kind):
        owner = workload(kind, spec={"template": A})
        known = history.revisions(owner, [MAKE[kind](owner, 2, _restarted(A, "r1")), MAKE[kind](owner, 3, A)])
        assert "does not carry run" in _message(owner, known, run_id="r1")

    def test_is_refused_when_somebody_deployed_after_the_restart(self, kind):
        # kubectl apply leaves our annotations where they are.
        owner, known = _executor(kind, A, _restarted(A, "r1"), _restarted(B, "r1"))
        assert _message(owner, known, run_id="r1") == (
            f'{LABEL[kind]} differs from revision 1, the one before run "r1", in more than that restart '
            f"(spec.containers[app].image): somebody deployed; use to_revision: 1 to undo that too"
        )

    def test_is_refused_when_only_the_order_of_variables_was_changed(self, kind):
        variables = [{"name": "X", "value": "1"}, {"name": "Y", "value": "$(X)"}]
        before, after = template(env=variables), template(env=variables[::-1])
        owner, known = _executor(kind, before, _restarted(after, "r1"))
        assert "(spec.containers[app].env): somebody deployed" in _message(owner, known, run_id="r1")

    @pytest.mark.parametrize(
        "before, after",
        [({}, {"checksum/config": "2"}), ({"checksum/config": "1"}, {"checksum/config": "2"}), ({"vault": "a"}, {})],
        ids=["added", "changed", "removed"],
    )
    def test_is_refused_when_annotations_of_the_template_were_changed_since(self, kind, before, after):
        restarted = _restarted(template(before, image="a"), "r1")
        owner, known = _executor(
            kind, template(before, image="a"), restarted, _restarted(template(after, image="a"), "r1")
        )
        (name,) = {**before, **after}
        path = f"metadata.annotations[{name}]" if "/" in name else f"metadata.annotations.{name}"
        assert f"({path}): somebody deployed" in _message(owner, known, run_id="r1")

    def test_is_taken_when_the_other_annotations_were_given_with_the_restart(self, kind):
        owner, known = _executor(kind, A, _restarted(A, "r1", team="b"))
        owned = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {"f:restartx.io/run": {}, "f:team": {}}}}}}
        owner["metadata"]["managedFields"] = [{"manager": "restartx", "operation": "Update", "fieldsV1": owned}]
        assert undo.choose(owner, known, run_id="r1").number == 1

    def test_is_the_one_under_the_template_while_the_restart_has_no_revision_and_is_observed(self, kind):
        # Strategy Recreate, and an old pod that does not end: the controller makes no ReplicaSet until it is gone.
        owner, known = _executor(kind, A, B, now=_restarted(B, "r1"))
        assert owner["status"]["observedGeneration"] == owner["metadata"]["generation"]
        assert undo.choose(owner, known, run_id="r1").number == undo.choose(owner, known).number == 2

    def test_is_not_there_when_the_run_made_the_first_revision(self, kind):
        owner, known = _executor(kind, _restarted(A, "r1"))
        assert _message(owner, known, run_id="r1") == _no_history(kind)

    def test_is_never_a_newer_one(self, kind):
        owner = workload(kind, spec={"template": _restarted(A, "r1")})
        known = history.revisions(owner, [MAKE[kind](owner, 2, _restarted(A, "r1")), MAKE[kind](owner, 3, A)])
        assert _message(owner, known, run_id="r1") == _no_history(kind)


def test_the_patch_of_a_deployment_replaces_template_and_annotations():
    kept = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "deployment.kubernetes.io/revision": "2",
        "deployment.kubernetes.io/revision-history": "1",
        "deployment.kubernetes.io/desired-replicas": "5",
        "deployment.kubernetes.io/max-replicas": "6",
        "deprecated.deployment.rollback.to": "1",
    }
    owner = workload(spec={"template": B}, annotations={**kept, "added-later": "x", "team": "new"})
    old = replica_set(
        owner,
        1,
        A,
        annotations={
            **{name: "of the ReplicaSet" for name in kept if name != "deployment.kubernetes.io/revision"},
            "team": "old",
            "kubernetes.io/change-cause": "first",
        },
    )
    (revision,) = history.revisions(owner, [old])
    assert undo.patch(owner, revision) == (
        "json",
        [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "replace", "path": "/spec/template", "value": A},
            {
                "op": "add",
                "path": "/metadata/annotations",
                "value": {**kept, "team": "old", "kubernetes.io/change-cause": "first"},
            },
        ],
    )
    assert undo.lost_annotations(owner, revision) == {"added-later": "x", "team": "new"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_template_alone_can_be_brought_back(kind):
    annotations = {"team": "new", "deployment.kubernetes.io/revision": "2"}
    owner = workload(kind, spec={"template": B}, annotations=annotations)
    (revision,) = history.revisions(owner, [MAKE[kind](owner, 1, A, annotations={"team": "old"})])
    content, body = undo.patch(owner, revision, template_only=True)
    if content == "json":
        assert [change["path"] for change in body] == ["/metadata/resourceVersion", "/spec/template"]
    else:
        assert body["metadata"] == {"resourceVersion": "7"} and list(body["spec"]) == ["template"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choice", [{}, {"to_revision": 1}, {"run_id": "r1"}])
def test_without_a_history_limit_the_refusal_says_why_there_is_no_way_back(kind, choice):
    reason = (
        ", because its spec.revisionHistoryLimit is 0 and so the cluster keeps none; deploy the version that you want, "
        "and raise the limit to be able to undo"
    )
    for limit, end in ((0, reason), (1, None), (None, None)):
        owner = workload(kind, spec={"template": _restarted(A, "r1"), "revisionHistoryLimit": limit})
        known = history.revisions(owner, [MAKE[kind](owner, 2, _restarted(A, "r1"))])
        message = _message(owner, known, **choice)
        assert message.endswith(reason) is bool(end), message


def test_annotations_that_only_the_replica_set_has_are_not_given_to_the_deployment():
    owner = workload(spec={"template": B})
    (revision,) = history.revisions(owner, [replica_set(owner, 1, A)])
    _content, operations = undo.patch(owner, revision)
    assert operations[2]["value"] == {}
    assert undo.lost_annotations(owner, revision) == {}


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_the_patch_of_other_kinds_is_what_the_revision_stores(kind):
    owner = workload(kind, spec={"template": B}, annotations={"added-later": "x"})
    owned = controller_revision(owner, 1, A, annotations={"team": "old"})
    (revision,) = history.revisions(owner, [owned])
    before = deepcopy(owned)
    body = {"metadata": {"resourceVersion": "7"}, "spec": {"template": {**A, "$patch": "replace"}}}
    assert undo.patch(owner, revision) == ("strategic", body)
    assert owned == before
    assert undo.lost_annotations(owner, revision) == {}


@pytest.mark.parametrize("kind, plural", [("Deployment", "deployments"), ("StatefulSet", "statefulsets")])
def test_objects_of_kubectl_apply_are_warned_of_in_kubectls_words(kind, plural):
    assert undo.stale_last_applied(workload(kind, annotations={"team": "a"})) is None
    applied = workload(kind, annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    assert undo.stale_last_applied(applied) == (
        f"resource {plural}/api was previously managed with 'kubectl apply'. Rolling back will not update the "
        "kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future "
        "'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead."
    )


@pytest.mark.parametrize("kind", KINDS)
class TestTheLastDeploy:
    def _warning(self, kind, *templates, limit=None):
        return undo.last_deploy_warning(*_executor(kind, *templates, revisionHistoryLimit=limit))

    def test_is_warned_of_when_one_more_restart_drops_it(self, kind):
        restarts = [_restarted(B, f"r{number}") for number in range(2)]
        assert self._warning(kind, A, B, *restarts, limit=4) is None
        assert self._warning(kind, A, B, *restarts, limit=3) == (
            f"one more restart of {LABEL[kind]} drops revision 1, the last one that differs in more than restarts; "
            f"raise spec.revisionHistoryLimit (3) to keep it for an undo"
        )

    def test_is_safe_for_ten_restarts_by_default(self, kind):
        restarts = [_restarted(B, f"r{number}") for number in range(9)]
        assert self._warning(kind, A, B, *restarts[:8]) is None
        assert "(10)" in self._warning(kind, A, B, *restarts)

    def test_is_not_warned_of_when_it_is_gone_or_never_was(self, kind):
        assert self._warning(kind, B, _restarted(B, "r1"), limit=1) is None
        assert self._warning(kind, B, limit=0) is None

    def test_is_the_nearest_one(self, kind):
        assert self._warning(kind, A, A, C, B, limit=2) is None

    def test_is_not_known_while_the_current_template_has_no_revision(self, kind):
        assert undo.last_deploy_warning(*_executor(kind, A, B, now=C, revisionHistoryLimit=1)) is None


def _stateful_set(spec=None, generation=5, **status):
    known = {"observedGeneration": 5, "updateRevision": "good", "currentRevision": "good", "currentReplicas": 2}
    strategy = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}
    return workload(
        "StatefulSet", "db", spec={**strategy, **(spec or {})}, status={**known, **status}, generation=generation
    )


def _pod(ordinal, revision="bad", ready=False, phase="Running", name="db", conditions=None, **metadata):
    ready_condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {
            "name": f"{name}-{ordinal}",
            "namespace": "shop",
            "labels": {"controller-revision-hash": revision} if revision else {},
            "ownerReferences": owned_by(_stateful_set()),
            **metadata,
        },
        "status": {"phase": phase, "conditions": [ready_condition] if conditions is None else conditions},
    }


HEALTHY = [_pod(0, "good", ready=True), _pod(1, "good", ready=True)]


def _stuck(statefulset, pods):
    return [pod["metadata"]["name"] for pod in undo.stuck_pods(statefulset, pods)]


def test_the_broken_pod_of_an_undone_revision_is_stuck():
    assert _stuck(_stateful_set(), [*HEALTHY, _pod(2)]) == ["db-2"]


@pytest.mark.parametrize("phase", ["Pending", "Running", "Unknown"])
def test_a_pod_that_has_not_even_started_is_stuck_too(phase):
    assert _stuck(_stateful_set(), [*HEALTHY, _pod(2, phase=phase, conditions=[])]) == ["db-2"]


@pytest.mark.parametrize(
    "pod",
    [
        _pod(2, ready=True),
        _pod(2, "good"),
        _pod(2, revision=None),
        _pod(2, deletionTimestamp="2026-11-24T22:00:00Z"),
        _pod(2, phase="Failed"),
        _pod(2, phase="Succeeded"),
        _pod(2, ownerReferences=[]),
        _pod(2, ownerReferences=owned_by(workload("StatefulSet", "other"))),
        _pod("x"),
    ],
    ids=["ready", "wanted", "unlabelled", "terminating", "failed", "succeeded", "unowned", "of another", "no ordinal"],
)
def test_no_other_pod_is_ever_named(pod):
    assert _stuck(_stateful_set(), [*HEALTHY, pod]) == []


@pytest.mark.parametrize(
    "statefulset",
    [
        _stateful_set({"podManagementPolicy": "Parallel"}),
        _stateful_set({"updateStrategy": {"type": "OnDelete"}}),
        _stateful_set(generation=6),
        _stateful_set(updateRevision=None),
        {**_stateful_set(), "status": {}},
    ],
    ids=["parallel", "OnDelete", "not observed", "no wanted revision", "no status"],
)
def test_nothing_is_stuck_where_the_controller_goes_on_by_itself_or_the_wanted_revision_is_not_known(statefulset):
    assert _stuck(statefulset, [*HEALTHY, _pod(2)]) == []


def test_the_policy_and_strategy_that_the_api_server_fills_in_count():
    assert _stuck(_stateful_set({"podManagementPolicy": "OrderedReady"}), [_pod(2)]) == ["db-2"]
    assert _stuck(_stateful_set({"updateStrategy": None}), [_pod(2)]) == ["db-2"]


def test_pods_that_a_partition_holds_back_are_not_named():
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    broken = [_pod(0), _pod(1), _pod(2), _pod(3)]
    assert _stuck(_stateful_set({"updateStrategy": rolling}), broken) == ["db-3", "db-2"]
    shifted = {"updateStrategy": rolling, "ordinals": {"start": 1}}
    assert _stuck(_stateful_set(shifted), broken) == ["db-3"]


def test_ordinals_are_numbers():
    assert _stuck(_stateful_set(), [_pod(9), _pod(10), _pod(2)]) == ["db-10", "db-9", "db-2"]


@pytest.mark.parametrize(
    "status, pods, expected",
    [
        ({}, [_pod(2)], ["db-2"]),
        ({"currentRevision": "bad", "currentReplicas": 3}, [_pod(0), _pod(1), _pod(2)], ["db-2"]),
        ({"currentRevision": "bad", "currentReplicas": 2}, [_pod(0), _pod(1)], ["db-1"]),
        ({"currentRevision": "old", "currentReplicas": 2}, [_pod(1), _pod(2)], ["db-2"]),
    ],
)
def test_without_a_rolling_update_block_only_pods_that_come_back_as_wanted_are_named(status, pods, expected):
    spec = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": None}}
    assert _stuck(_stateful_set(spec, **status), pods) == expected
