# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a resumed run makes of each workload: decided by what is there, and by the journal where the object cannot say."""

from __future__ import annotations

import datetime

import pytest
from simulation import status_of, workload

from ansible_collections.restartx.core.plugins.module_utils.record import resume
from ansible_collections.restartx.core.plugins.module_utils.rollout import restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

AT = datetime.datetime(2026, 11, 24, 22, 0, tzinfo=datetime.UTC)
KINDS = ("Deployment", "StatefulSet", "DaemonSet")
DEFAULT = frozenset({"failed"})


def made(kind="Deployment", run=None, attempt=1, done=True, failed=False):
    """A workload whose template carries an attempt of a run, rolled out or not."""
    one = workload(kind, "api")
    if run:
        stamp = restart.Stamp(run=run, at=AT, attempt=attempt)
        one["spec"]["template"]["metadata"]["annotations"] = restart.patch(one, stamp)["spec"]["template"]["metadata"][
            "annotations"
        ]
    one["status"] = status_of(one, 2 if done else 1)
    if failed:
        one["status"]["conditions"] = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    return one


def entry(outcome, attempt=1, uid="uid-shop-api"):
    return {"uid": uid, "entry": "core", "attempt": attempt, "outcome": outcome}


def decide(entry, one, retry=DEFAULT, since=None, undoes=False):
    return resume.decide(entry, one, "r1", retry, "restartx", since, undoes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "known, carried, state, attempt",
    [
        # Done, whatever the journal says.
        ("restarted", 1, {}, 1),
        ("already_restarted", 1, {}, 1),
        ("failed", 1, {}, 1),
        ("unfinished", 1, {}, 1),
        (None, 1, {}, 1),
        ("undone", 1, {}, 1),
        ("superseded", 1, {}, 1),
        ("failed", 2, {}, 2),
        # Still rolling out: waited for, never restarted once more because a timeout was short.
        ("unfinished", 1, {"done": False}, 1),
        (None, 1, {"done": False}, 1),
        ("in_progress", 1, {"done": False}, 1),
        ("restarted", 1, {"done": False}, 1),
        # Failed.
        ("failed", 1, {"done": False}, 2),
        # A start that was killed before it could send the attempt that it had decided on.
        (None, 1, {"done": False, "known": 2}, 2),
        # Never sent, or not known whether.
        (None, 0, {}, 1),
        ("refused", 0, {}, 1),
        ("not_started", 0, {}, 1),
        # Failed, and somebody has changed the template since.
        ("failed", 0, {}, 2),
    ],
)
def test_the_attempt_that_a_restart_now_is(kind, known, carried, state, attempt):
    at = state.get("known", carried or 1)
    one = made(kind, "r1" if carried else None, carried or 1, done=state.get("done", True))
    earlier = decide(entry(known, at), one)
    assert (earlier.attempt, earlier.outcome) == (attempt, None)


def deployed(at="2026-11-24T22:00:01Z", manager="argocd", strategy="OnDelete", **state):
    """A workload whose pods are evicted one by one: it carries the run, and a manager has written the template at this time."""
    one = made("StatefulSet", "r1", **{"done": False, **state})
    one["spec"]["updateStrategy"] = {"type": strategy}
    written = {
        "restartx": ("2026-11-24T22:00:00Z", {"f:metadata": {"f:annotations": {f"f:{restart.RUN}": {}}}}),
        manager: (at, {"f:spec": {}}),
    }
    one["metadata"]["managedFields"] = [
        {"manager": who, "operation": "Update", "time": when, "fieldsV1": {"f:spec": {"f:template": owned}}}
        for who, (when, owned) in written.items()
    ]
    return one


@pytest.mark.parametrize(
    "known, outcome",
    [
        ("restarted", "already_restarted"),
        ("already_restarted", "already_restarted"),
        *((one, "superseded") for one in ("failed", "unfinished", "in_progress", "superseded", "undone", None)),
    ],
)
def test_pods_are_not_evicted_into_what_somebody_deployed_after_the_restart(known, outcome):
    earlier = decide(entry(known), deployed())
    assert earlier.outcome == outcome
    assert 'was changed after run "r1" had restarted it; the last other change of it was by "argocd"' in earlier.message
    again = decide(entry(known), deployed(), resume.retry_of(["superseded"]))
    assert (again.attempt, again.outcome) == ((1, outcome) if outcome == "already_restarted" else (2, None))
    for one in (
        deployed(at="2026-11-24T22:00:00Z"),  # that may have been before
        deployed(done=True),  # somebody has rolled it out
        deployed(strategy="RollingUpdate"),  # the controller rolls it out
    ):
        assert decide(entry(known), one).outcome is None


def test_what_the_cluster_says_has_failed_is_the_next_attempt_though_the_journal_does_not_know():
    for known in (entry("unfinished"), entry(None), None):
        assert decide(known, made(run="r1", done=False, failed=True)).attempt == 2


@pytest.mark.parametrize("noted, attempt", [("2026-11-24T21:59:00Z", 1), ("2026-11-24T22:00:00Z", 1), (None, 2)])
def test_a_deadline_that_an_earlier_rollout_exceeded_is_no_failure_of_this_one(noted, attempt):
    one = made(run="r1", done=False, failed=True)
    one["status"]["conditions"][0]["lastUpdateTime"] = noted
    marks = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{restart.RUN}": {}}}}}}
    ours = {"manager": "restartx", "operation": "Update", "time": "2026-11-24T22:00:00Z", "fieldsV1": marks}
    one["metadata"]["managedFields"] = [ours]
    for known in (entry("in_progress"), entry(None), None):
        assert decide(known, one).attempt == attempt


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "known, stands, retry",
    [
        ("undone", "undone", "undone"),
        ("superseded", "superseded", "superseded"),
        ("restarted", "superseded", "superseded"),
        ("already_restarted", "superseded", "superseded"),
        ("in_progress", "superseded", "superseded"),
        ("unfinished", "superseded", "superseded"),  # it was only slow, and somebody did not want to wait
    ],
)
def test_what_was_undone_or_taken_back_stays_so_unless_it_is_asked_for(kind, known, stands, retry):
    one = made(kind)
    earlier = decide(entry(known), one)
    assert (earlier.outcome, earlier.attempt) == (stands, 1)
    assert f"-e restartx_retry={retry}" in earlier.message
    for asked in (retry, "all"):
        again = decide(entry(known), one, resume.retry_of([asked]))
        assert (again.outcome, again.attempt) == (None, 2)
    other = ({"undone", "superseded"} - {retry}).pop()
    assert decide(entry(known), one, resume.retry_of([other])).outcome == stands


TEMPLATE = {"f:spec": {"f:template": {"f:spec": {}}}}


def changed_by(manager, at="2026-11-24T22:00:30Z"):
    one = made()
    one["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "time": at, "fieldsV1": TEMPLATE}]
    return one


@pytest.mark.parametrize(
    "one, outcome",
    [
        (made(), "undone"),
        (changed_by("restartx"), "undone"),
        (changed_by("helm", "2026-11-24T21:00:00Z"), "undone"),
        (changed_by("helm"), "superseded"),
        (made(run="r2"), "superseded"),
    ],
    ids=["no trace", "our own change", "an older change", "somebody's change", "a later restart"],
)
def test_a_start_that_was_killed_between_its_undo_and_the_journal_has_undone_the_workload(one, outcome):
    known = entry("in_progress")
    earlier = decide(known, one, since=AT, undoes=True)
    assert earlier.outcome == outcome and f"-e restartx_retry={outcome}" in earlier.message
    again = decide(known, one, resume.retry_of([outcome]), since=AT, undoes=True)
    assert (again.outcome, again.attempt) == (None, 2)
    assert decide(known, one, since=AT).outcome == "superseded"  # a run that undoes nothing
    for done in ("restarted", "unfinished"):  # it had ended before somebody changed it
        assert decide(entry(done), one, since=AT, undoes=True).outcome == "superseded"


def test_who_took_a_restart_back_is_named():
    one = made(run="r2")
    assert 'now carries run "r2"' in decide(entry("restarted"), one).message


@pytest.mark.parametrize("known", ["restarted", "undone", "superseded", "failed", "unfinished", None])
def test_a_workload_with_another_uid_is_new(known):
    earlier = decide(entry(known, attempt=3, uid="uid-of-its-predecessor"), made())
    assert (earlier.attempt, earlier.outcome) == (1, None)


def test_a_workload_that_the_journal_does_not_know_is_new_or_carries_the_run_already():
    assert decide(None, made()).attempt == 1
    assert decide(None, made(run="r1", attempt=2, done=False)).attempt == 2
    assert decide(None, made(run="r0")).attempt == 1


def test_what_failed_is_always_tried_again_and_an_unknown_word_is_refused():
    assert resume.retry_of(None) == resume.retry_of([]) == resume.retry_of(["failed"]) == {"failed"}
    assert resume.retry_of(["undone"]) == {"failed", "undone"}
    assert resume.retry_of(["all"]) == {"failed", "undone", "superseded"}
    with pytest.raises(RolloutError, match="everything"):
        resume.retry_of(["everything"])


def test_whoever_changed_the_template_before_the_run_began_did_not_take_its_restart_back():
    one = made()
    template = {"f:spec": {"f:template": {"f:spec": {}}}}
    helm = {"manager": "helm", "operation": "Update", "time": "2026-11-24T20:00:00Z", "fieldsV1": template}
    one["metadata"]["managedFields"] = [helm]
    assert '"helm"' in decide(entry("restarted"), one, since=AT - datetime.timedelta(hours=3)).message
    assert "the object does not say who did it" in decide(entry("restarted"), one, since=AT).message
