# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every kind promises, whatever it is: a new kind must pass all of this, and needs a row in no other table."""

from __future__ import annotations

import copy
import itertools

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, owner, restart, status, undo
from tests.unit.rollout.objects import history_of, pod_of, rolled_out, template, workload

OLD, NEW = template(image="shop/api:1"), template({"team": "a"}, image="shop/api:2")
ALL = pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=lambda kind: kind.name)
pytestmark = ALL


def _merge(held, change):
    """A merge patch, which is what a strategic one is where it holds no lists."""
    for name, value in change.items():
        if value is None:
            held.pop(name, None)
        elif isinstance(value, dict) and value.get("$patch") != "replace":
            _merge(held.setdefault(name, {}), value)
        else:
            held[name] = {key: part for key, part in value.items() if key != "$patch"} if "$patch" in value else value


def _patched(thing, patch):
    """The object as the API server makes it, and the version that the patch asked for."""
    after = copy.deepcopy(thing)
    if patch.content == "strategic":
        _merge(after, copy.deepcopy(patch.body))
    else:
        for change in patch.body:
            *way, last = change["path"].strip("/").split("/")
            inner = after
            for part in way:
                inner = inner[part]
            inner[last] = copy.deepcopy(change["value"])
    return after


def test_its_names_lead_to_it_and_to_no_other(kind):
    assert kinds.KINDS[kind.name] is kind
    for spelling in kind.spellings:
        assert kinds.kind_named(spelling) is kinds.kind_named(f"{spelling.upper()}.apps") is kind
    others = [other for other in kinds.KINDS.values() if other is not kind]
    assert not {*kind.spellings} & {spelling for other in others for spelling in other.spellings}


def test_its_objects_are_known_by_kind_and_group(kind):
    thing = workload(kind.name)
    assert kinds.kind_of(thing) is kinds.known(thing) is kind
    assert kinds.known({**thing, "apiVersion": "example.com/v1"}) is None
    assert kind.label(thing) == kinds.label(thing) == f'{kind.words} "api" in namespace "shop"'
    assert kind.path("shop", "api") == kinds.path(kind.name, "shop", "api") == kinds.path(*kinds.key(thing))


def test_a_rollout_is_waited_for_until_it_is_observed_and_done_when_all_pods_are_there(kind):
    done = rolled_out(kind.name)
    assert kind.judge(done, 2, 0).state == status.judge(done).state == status.DONE
    assert kind.judge(done, 3, 0).state == status.WAITING
    assert kind.counts(done) == status.Counts(wanted=3, updated=3, ready=3, available=3, old=0)


@pytest.mark.parametrize("missing", ["updated", "available"])
def test_pods_that_are_missing_are_counted(kind, missing):
    thing = rolled_out(kind.name)
    thing["status"][getattr(kind, missing)] = 1
    assert getattr(kind.counts(thing), missing) == 1


@pytest.mark.parametrize("seen", [{}, None, {"conditions": None}, {"observedGeneration": 2}])
def test_an_object_without_numbers_is_judged_all_the_same(kind, seen):
    thing = workload(kind.name, status={})
    thing["status"] = seen
    assert kind.judge(thing, 0, 0).state in (status.DONE, status.WAITING)
    assert kind.counts(thing).updated == 0
    assert isinstance(kind.strategy_risks(thing), list)


def test_a_rollout_lacks_nothing_when_all_pods_are_there(kind):
    thing = rolled_out(kind.name)
    assert kind.given_up(thing) == {}
    told = [kind.unavailable_pods(thing), kind.terminating_pods(thing), kind.held_back(thing), kind.no_pods(thing)]
    assert told == [None] * 4


def test_a_workload_without_pods_says_so(kind):
    assert kind.no_pods(rolled_out(kind.name, pods=0))


def test_a_restart_changes_the_marks_and_nothing_else(kind):
    thing = workload(kind.name, template={"team": "a", "restartx.io/ticket": "old"}, annotations={"by": "hand"})
    marks = {"restartx.io/run": "r1", "restartx.io/ticket": None}
    patch = kind.restart_patch(thing, marks, {"kubernetes.io/change-cause": "rotate CA"})
    after = _patched(thing, patch)
    assert kind.marks(after) == {"team": "a", "restartx.io/run": "r1"}
    assert kinds.annotations_of(after) == {"by": "hand", "kubernetes.io/change-cause": "rotate CA"}
    assert restart.run_of(after) == "r1" and restart.run_of(thing) is None
    after["spec"]["template"]["metadata"]["annotations"] = kind.marks(thing)
    assert after["spec"] == thing["spec"]


def test_a_restart_is_for_the_version_that_was_read_only(kind):
    patch = kind.restart_patch(workload(kind.name, resourceVersion="99"), {"restartx.io/run": "r1"}, {})
    assert patch.body["metadata"] == {"resourceVersion": "99"}


def test_an_ordinary_workload_may_be_restarted_and_undone(kind):
    thing = rolled_out(kind.name)
    assert kind.restart_refusal(thing) is None
    assert kind.undo_refusal(thing) is None


def test_pods_that_nobody_replaces_are_a_refusal_and_a_risk(kind):
    thing = workload(kind.name, spec={kind.strategy: {"type": "OnDelete"}})
    assert kind.restart_refusal(thing).startswith(f"{kind.label(thing)} has the update strategy OnDelete")
    assert [risk for risk in kind.strategy_risks(thing) if "OnDelete" in risk]


def test_its_history_tells_numbers_and_templates(kind):
    thing = workload(kind.name, spec={"template": NEW})
    held = history_of(thing, OLD, NEW)
    assert [kind.revision_number(one) for one in held] == [1, 2]
    assert [one.template for one in history.revisions(thing, held)] == [OLD, NEW]
    assert [kind.revision_cause(one) for one in held] == [None, None]
    assert kind.no_earlier_revision(thing)


def test_an_undo_brings_the_template_of_a_revision_back(kind):
    thing = workload(kind.name, spec={"template": NEW}, annotations={"by": "hand"}, resourceVersion="99")
    first = history.revisions(thing, history_of(thing, OLD, NEW))[0]
    patch = undo.patch(thing, first)
    after = _patched(thing, patch)
    assert after["spec"] == {**thing["spec"], "template": OLD}
    assert kinds.annotations_of(after) == kind.annotations_after_undo(thing, first.object)
    assert after["metadata"]["resourceVersion"] == "99"
    assert "99" in str(patch.body)


def test_an_undo_of_the_template_alone_leaves_the_workloads_own_annotations(kind):
    thing = workload(kind.name, spec={"template": NEW}, annotations={"by": "hand"})
    first = history.revisions(thing, history_of(thing, OLD, NEW))[0]
    after = _patched(thing, undo.patch(thing, first, template_only=True))
    assert after == {**thing, "spec": {**thing["spec"], "template": OLD}}


def test_its_pods_lead_to_it_and_to_no_other_workload(kind):
    thing, pod = workload(kind.name), pod_of(workload(kind.name), "r1")
    assert kind.owns(thing, pod) and kind.workload_name(pod) == "api"
    assert owner.workload_of(pod) == kinds.key(thing)
    assert kind.revision_of(pod) == "r1"
    assert not kind.owns(workload(kind.name, "other"), pod)
    strangers = [pod_of(workload(other), "r1") for other in kinds.KINDS if other != kind.name]
    assert [kind.workload_name(stranger) for stranger in strangers] == [None] * len(strangers)
    assert kind.workload_name({"metadata": {"name": "alone", "namespace": "shop"}}) is None


@pytest.mark.parametrize("revision, ready", [*itertools.product(["old", "new"], [True, False])])
def test_only_pods_of_older_revisions_that_are_not_ready_can_be_in_the_way(kind, revision, ready):
    thing = rolled_out(kind.name, updateRevision="new")
    named = kind.stuck_pods(thing, [pod_of(thing, revision, ready=ready)])
    assert bool(named) == (kind.may_stick(thing) and revision == "old" and not ready)
