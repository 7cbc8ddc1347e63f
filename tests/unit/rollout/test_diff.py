# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two states of an object, and what of it is shown."""

from __future__ import annotations

from copy import deepcopy

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import diff
from tests.unit.rollout.objects import workload


def _texts(before, after):
    return [(diff.path_text(path), old, new) for path, old, new in diff.changes(before, after)]


def _containers(*containers):
    return {"containers": list(containers)}


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {"b": 2}, [("a", 1, None), ("b", None, 2)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({}, {"a": {"b": 1, "c.d/e": 2}}, [("a.b", None, 1), ("a[c.d/e]", None, 2)]),
        ({"a": {"b": 1}}, {}, [("a.b", 1, None)]),
        ({}, {"a": {}}, [("a", None, {})]),
        ({"a": {}}, {"a": {"b": 1}}, [("a.b", None, 1)]),
        ({"a": {"b": 1}}, {"a": 5}, [("a", {"b": 1}, 5)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a", [1, 2], [1, 3])]),
        ({"a": [{"x": 1}]}, {"a": [{"x": 2}]}, [("a", [{"x": 1}], [{"x": 2}])]),
        ({"a": 0}, {"a": None}, [("a", 0, None)]),
    ],
)
def test_leaves_that_differ(before, after, expected):
    assert _texts(before, after) == expected


@pytest.mark.parametrize(
    "before, after, expected",
    [
        (
            _containers({"name": "app", "image": "a:1"}),
            _containers({"name": "app", "image": "a:2"}),
            [("containers[app].image", "a:1", "a:2")],
        ),
        (
            _containers({"name": "app", "image": "a:1"}),
            _containers({"name": "proxy", "image": "p:1"}, {"name": "app", "image": "a:1"}),
            [("containers[proxy]", None, {"name": "proxy", "image": "p:1"})],
        ),
        (
            _containers({"name": "app", "image": "a:1"}),
            {},
            [("containers[app]", {"name": "app", "image": "a:1"}, None)],
        ),
        (
            _containers({"name": "x"}, {"name": "y"}),
            _containers({"name": "y"}, {"name": "x"}),
            [("containers", [{"name": "x"}, {"name": "y"}], [{"name": "y"}, {"name": "x"}])],
        ),
        (
            _containers({"name": "x"}, {"name": "x", "image": "b"}),
            _containers({"name": "x"}),
            [("containers", [{"name": "x"}, {"name": "x", "image": "b"}], [{"name": "x"}])],
        ),
    ],
)
def test_entries_of_lists_are_compared_by_name_and_order(before, after, expected):
    assert _texts(before, after) == expected


SECRET = {"name": "KEY", "value": "s3cret"}
OTHER = {"name": "KEY", "value": "0ther"}
REFERENCE = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}}


@pytest.mark.parametrize(
    "before, after",
    [
        (_containers({"name": "app", "env": [SECRET]}), _containers({"name": "app", "env": [OTHER]})),
        (_containers({"name": "app", "env": [SECRET]}), _containers({"name": "app", "env": [REFERENCE]})),
        (_containers({"name": "app", "env": [SECRET]}), _containers({"name": "app"})),
        (_containers({"name": "app"}), _containers({"name": "app", "env": [SECRET, {"name": "B", "value": "0ther"}]})),
        (_containers({"name": "app", "env": [SECRET]}), _containers({"name": "app", "env": [SECRET, SECRET]})),
        (_containers({"name": "app", "env": [SECRET, REFERENCE]}), {}),
        (_containers(), _containers({"name": "app", "env": [SECRET]})),
        ({}, {"a": [{"containers": [{"env": [SECRET]}]}]}),
        (_containers({"name": "app", "env": [SECRET]}), None),
        ({"metadata": {"annotations": {diff.LAST_APPLIED: "s3cret"}}}, {"metadata": {"annotations": {}}}),
        ({"metadata": {"annotations": {diff.LAST_APPLIED: "s3cret"}}}, {"metadata": {}}),
    ],
)
def test_values_that_may_be_secrets_never_show(before, after):
    for told in (_texts(before, after), _texts(after, before), diff.changed_fields(before or {}, after or {})):
        assert diff.HIDDEN in str(told)
        assert "s3cret" not in str(told) and "0ther" not in str(told)


def test_what_is_no_value_of_a_variable_shows():
    before = _containers({"name": "app", "env": [REFERENCE], "args": ["--value"]})
    assert _texts(before, {}) == [("containers[app]", before["containers"][0], None)]


def test_changed_fields_are_the_smallest_two_objects():
    before = workload(template={"restartx.io/run": "r0"})
    after = deepcopy(before)
    after["spec"]["template"]["metadata"]["annotations"] = {"restartx.io/run": "r1", "restartx.io/ticket": "CHG1"}
    after["spec"]["template"]["spec"]["containers"][0]["env"] = [SECRET]
    left, right = diff.changed_fields(before, after)
    assert left == {"spec": {"template": {"metadata": {"annotations": {"restartx.io/run": "r0"}}}}}
    assert right == {
        "spec": {
            "template": {
                "metadata": {"annotations": {"restartx.io/run": "r1", "restartx.io/ticket": "CHG1"}},
                "spec": {"containers": {"app": {"env": {"KEY": {"name": "KEY", "value": "(hidden)"}}}}},
            }
        }
    }


def test_hidden_values_that_differ_differ_in_the_diff_too():
    before = {"spec": _containers({"name": "app", "env": [SECRET]})}
    after = {"spec": _containers({"name": "app", "env": [OTHER]})}
    left, right = diff.changed_fields(before, after)
    assert left == {"spec": {"containers": {"app": {"env": {"KEY": {"value": "(hidden)"}}}}}}
    assert right == {"spec": {"containers": {"app": {"env": {"KEY": {"value": "(hidden, differs)"}}}}}}


def test_what_the_server_keeps_for_itself_is_no_change():
    before = workload()
    after = deepcopy(before)
    after["status"] = {"observedGeneration": 99}
    after["metadata"].update(resourceVersion="99", generation=99, managedFields=[{"manager": "x"}])
    after["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "9"}
    assert diff.changed_fields(before, after) == ({}, {})
    after["metadata"]["labels"] = {"generation": "9"}
    assert diff.changed_fields(before, after) == ({}, {"metadata": {"labels": {"generation": "9"}}})
