# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The revisions of a workload, read from what its controller keeps."""

from __future__ import annotations

from copy import deepcopy

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import history
from tests.unit.rollout.objects import controller_revision, history_of, owned_by, replica_set, template, workload

KINDS = ["Deployment", "DaemonSet", "StatefulSet"]
MAKE = {"Deployment": replica_set, "DaemonSet": controller_revision, "StatefulSet": controller_revision}
RESTART = {
    "kubectl.kubernetes.io/restartedAt": "2026-11-24T22:15:30Z",
    "restartx.io/run": "r1",
    "restartx.io/reason": "certificates renewed",
    "restartx.io/ticket": "CHG0042",
    "restartx.io/operator": "ada",
}


def _at(kind, pods, **more):
    """A workload whose template is `pods`."""
    return workload(kind, spec={"template": pods, **more})


@pytest.mark.parametrize("kind", KINDS)
def test_a_revision_tells_what_was_written_down_when_it_was_made(kind):
    owner = workload(kind)
    cause = {"kubernetes.io/change-cause": "rotate CA"}
    owned = MAKE[kind](owner, 4, template(RESTART), annotations=cause)
    (revision,) = history.revisions(owner, [owned])
    assert revision == history.Revision(
        number=4,
        name="api-4",
        template=template(RESTART),
        change_cause="rotate CA",
        run="r1",
        reason="certificates renewed",
        ticket="CHG0042",
        operator="ada",
        restarted_at="2026-11-24T22:15:30Z",
        created_at="2026-11-24T06:00:00Z",
        object=owned,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_revision_tells_nothing(kind):
    owner = workload(kind)
    (revision,) = history.revisions(owner, history_of(owner, template()))
    said = (
        revision.change_cause,
        revision.run,
        revision.reason,
        revision.ticket,
        revision.operator,
        revision.restarted_at,
    )
    assert said == (None,) * 6


@pytest.mark.parametrize("kind", KINDS)
def test_revisions_ascend_by_number_not_by_name_or_age(kind):
    owner = workload(kind)
    owned = [
        MAKE[kind](owner, 10, template(image="a"), created="2026-01-01T00:00:00Z"),
        MAKE[kind](owner, 9, template(image="b"), created="2026-03-01T00:00:00Z"),
        MAKE[kind](owner, 2, template(image="c"), created="2026-02-01T00:00:00Z"),
    ]
    assert [revision.number for revision in history.revisions(owner, owned)] == [2, 9, 10]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        {"ownerReferences": []},
        {"ownerReferences": owned_by(workload(uid="of an earlier object of that name"))},
        {"ownerReferences": [{**owned_by(workload())[0], "controller": False}]},
        {"labels": {"app": "web"}},
        {"labels": {}},
        {"labels": None},
    ],
)
def test_only_what_the_workload_controls_and_selects_is_its_history(kind, change):
    owner = workload(kind)
    stranger = MAKE[kind](owner, 7, template(), **change)
    own = MAKE[kind](owner, 1, template())
    assert [revision.number for revision in history.revisions(owner, [stranger, own])] == [1]


@pytest.mark.parametrize(
    "text, number",
    [(None, 0), ("3", 3), ("003", 3), ("+3", 3), ("-1", -1), ("", None), (" 3", None), ("3_0", None), ("x", None)],
)
def test_the_number_of_a_replica_set(text, number):
    owner = workload()
    owned = replica_set(owner, None, template())
    if text is not None:
        owned["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = text
    assert [revision.number for revision in history.revisions(owner, [owned])] == ([] if number is None else [number])


@pytest.mark.parametrize("kind, cause", [("Deployment", "on the template"), ("DaemonSet", None), ("StatefulSet", None)])
def test_a_change_cause_on_the_template_counts_for_replica_sets_only(kind, cause):
    owner = workload(kind)
    pods = template({"kubernetes.io/change-cause": "on the template"})
    (revision,) = history.revisions(owner, history_of(owner, pods))
    assert revision.change_cause == cause
    owned = MAKE[kind](owner, 1, pods, annotations={"kubernetes.io/change-cause": "on the object"})
    assert history.revisions(owner, [owned])[0].change_cause == "on the object"


@pytest.mark.parametrize("kind", KINDS)
def test_the_current_revision_is_the_one_with_the_current_template(kind):
    old, new = template(image="a"), template(image="b")
    owner = _at(kind, new)
    known = history.revisions(owner, history_of(owner, old, new, old))
    assert history.current_number(owner, known) == 2
    assert [history.same_template(owner, revision) for revision in known] == [False, True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_current_revision_while_the_controller_has_not_seen_the_template(kind):
    owner = _at(kind, template(image="c"))
    assert history.current_number(owner, history.revisions(owner, history_of(owner, template(image="a")))) is None
    assert history.current_number(owner, []) is None


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_revisions_with_the_current_template_the_newer_is_current(kind):
    owner = _at(kind, template())
    known = history.revisions(owner, history_of(owner, template(), template()))
    assert history.current_number(owner, known) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_api_versions_write_differently_makes_no_other_template(kind):
    owner = _at(kind, template())
    owned = history_of(owner, template())
    stored = owned[0]["spec"] if kind == "Deployment" else owned[0]["data"]["spec"]
    stored["template"] = deepcopy(stored["template"])
    stored["template"]["metadata"].update(creationTimestamp=None, annotations={})
    assert history.current_number(owner, history.revisions(owner, owned)) == 1


def test_templates_without_metadata_are_equal_too():
    bare = {"spec": {"containers": []}}
    owner = workload("StatefulSet", spec={"template": {**bare, "metadata": {"creationTimestamp": None}}})
    owned = controller_revision(owner, 1, template())
    owned["data"] = {"spec": {"template": {**bare, "$patch": "replace"}}}
    (revision,) = history.revisions(owner, [owned])
    assert revision.template == bare
    assert history.same_template(owner, revision)


def test_nothing_of_what_was_read_is_changed():
    owner = workload()
    owned = history_of(owner, template(RESTART))
    before = deepcopy((owner, owned))
    history.current_number(owner, history.revisions(owner, owned))
    assert (owner, owned) == before


def test_templates_without_restarts_differ_only_where_somebody_deployed():
    plain = template({"team": "a"})
    assert history.without_restarts(template({"team": "a", **RESTART, "restartx.io/attempt": "2"})) == plain
    assert history.without_restarts(template(RESTART)) == template()
    assert history.without_restarts(plain) == plain
    assert history.without(plain, ["team"]) == template()


def test_differences_name_the_path_and_hide_what_may_be_secret():
    owner = workload()
    older, newer = history.revisions(
        owner,
        history_of(
            owner,
            template(image="a", env=[{"name": "KEY", "value": "old secret"}]),
            template(RESTART, image="b", env=[{"name": "KEY", "value": "new secret"}]),
        ),
    )
    assert history.differences(older, older) == []
    assert history.differences(older, newer) == [
        *({"path": f"metadata.annotations[{name}]", "before": None, "after": value} for name, value in RESTART.items()),
        {"path": "spec.containers[app].image", "before": "a", "after": "b"},
        {"path": "spec.containers[app].env[KEY].value", "before": "(hidden)", "after": "(hidden)"},
    ]


EXPRESSIONS = [
    {"key": "tier", "operator": "In", "values": ["web", "api"]},
    {"key": "zone", "operator": "NotIn", "values": ["test"]},
    {"key": "app", "operator": "Exists"},
    {"key": "canary", "operator": "DoesNotExist"},
]


@pytest.mark.parametrize(
    "selector, text",
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchLabels": {"a": ""}}, "a="),
        ({"matchExpressions": EXPRESSIONS}, "tier in (api,web),zone notin (test),app,!canary"),
        ({"matchLabels": {"a": "1"}, "matchExpressions": EXPRESSIONS[2:]}, "a=1,app,!canary"),
        ({}, ""),
    ],
)
def test_the_selector_is_written_in_full(selector, text):
    assert history.selector(workload(spec={"selector": selector})) == text


@pytest.mark.parametrize(
    "labels, selected",
    [
        ({"a": "1", "tier": "web", "app": "x"}, True),
        ({"a": "1", "tier": "api", "app": "x", "zone": "prod"}, True),
        ({"a": "2", "tier": "web", "app": "x"}, False),
        ({"a": "1", "tier": "db", "app": "x"}, False),
        ({"a": "1", "app": "x"}, False),
        ({"a": "1", "tier": "web", "app": "x", "zone": "test"}, False),
        ({"a": "1", "tier": "web"}, False),
        ({"a": "1", "tier": "web", "app": "x", "canary": ""}, False),
    ],
)
def test_all_of_the_selector_decides_what_belongs_to_a_workload(labels, selected):
    owner = workload(spec={"selector": {"matchLabels": {"a": "1"}, "matchExpressions": EXPRESSIONS}})
    owned = replica_set(owner, 1, template(), labels=labels)
    assert bool(history.revisions(owner, [owned])) is selected
