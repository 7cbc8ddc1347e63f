# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and paths of the three kinds."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.rollout.objects import workload

SPELLINGS = {
    "Deployment": ["Deployment", "deployment", "deployments", "deploy", "DEPLOYMENT", "deployment.apps", " deploy "],
    "DaemonSet": ["DaemonSet", "daemonset", "daemonsets", "ds", "daemonsets.apps"],
    "StatefulSet": ["StatefulSet", "statefulset", "statefulsets", "sts", "sts.apps"],
}


@pytest.mark.parametrize("name, text", [(name, text) for name, texts in SPELLINGS.items() for text in texts])
def test_kubectls_spellings_name_a_kind(name, text):
    assert kinds.kind_named(text) is kinds.KINDS[name]


@pytest.mark.parametrize("text", ["Job", "", "ReplicaSet", "deployment.example.com", "pod/x", None])
def test_other_words_are_refused_with_the_three_kinds(text):
    with pytest.raises(RolloutError) as error:
        kinds.kind_named(text)
    assert str(error.value) == (
        f'kind "{text}" has no rollout; the kinds that have one are Deployment, DaemonSet, StatefulSet'
    )


@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_the_kind_of_an_object(kind):
    assert kinds.kind_of(workload(kind)).name == kind


@pytest.mark.parametrize(
    "kind, api_version", [("Job", "batch/v1"), ("Deployment", "example.com/v1"), ("Deployment", "v1")]
)
def test_an_object_of_another_kind_or_group_is_refused(kind, api_version):
    with pytest.raises(RolloutError, match='"api" in namespace "shop" has no rollout'):
        kinds.kind_of({**workload(kind), "apiVersion": api_version})


@pytest.mark.parametrize(
    "path, expected",
    [
        (kinds.path("Deployment"), "/apis/apps/v1/deployments"),
        (kinds.path(kinds.KINDS["DaemonSet"], "shop"), "/apis/apps/v1/namespaces/shop/daemonsets"),
        (kinds.path("sts", "shop", "db"), "/apis/apps/v1/namespaces/shop/statefulsets/db"),
        (kinds.history_path("Deployment", "shop"), "/apis/apps/v1/namespaces/shop/replicasets"),
        (kinds.history_path("DaemonSet"), "/apis/apps/v1/controllerrevisions"),
        (kinds.history_path("StatefulSet", "shop"), "/apis/apps/v1/namespaces/shop/controllerrevisions"),
        (kinds.pods_path("shop"), "/api/v1/namespaces/shop/pods"),
        (kinds.pods_path(), "/api/v1/pods"),
        (kinds.pods_path("shop", "db-0"), "/api/v1/namespaces/shop/pods/db-0"),
        (
            kinds.path("Deployment", "../kube-system", "a?b/c"),
            "/apis/apps/v1/namespaces/..%2Fkube-system/deployments/a%3Fb%2Fc",
        ),
    ],
)
def test_paths(path, expected):
    assert path == expected


def test_labels_and_keys():
    assert kinds.label(workload("DaemonSet", "proxy")) == 'daemon set "proxy" in namespace "shop"'
    assert kinds.label({"kind": "Node", "metadata": {"name": "n1"}}) == 'Node "n1"'
    assert kinds.key(workload("StatefulSet", "db")) == ("StatefulSet", "shop", "db")


@pytest.mark.parametrize(
    "thing, dotted, expected",
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a": {"b": 0}}, "a.b", 0),
        ({"a": {"b": None}}, "a.b", "default"),
        ({"a": 1}, "a.b", "default"),
        ({"a": {}}, "a.b.c", "default"),
        (None, "a", "default"),
    ],
)
def test_fields(thing, dotted, expected):
    assert kinds.field(thing, dotted, "default") == expected
