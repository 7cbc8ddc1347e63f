# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which workloads a module means."""

from __future__ import annotations

import pytest

from house import KINDS, RUN, Namespace, outcomes, workload


@pytest.fixture(scope="module")
def shops(cluster, operator, make_namespace):
    """Two namespaces with the same workloads: the first one's names end in -a, the other's in -b."""
    found = []
    for letter in "ab":
        namespace = Namespace(cluster, operator, make_namespace(f"shop-{letter}"))
        namespace.create(
            workload("Deployment", f"web-{letter}", 2, {"tier": "web"}),
            workload("Deployment", f"cart-{letter}", 1, {"tier": "core"}),
            workload("Deployment", f"search-{letter}", 1, {"tier": "core", "canary": "yes"}),
            workload("StatefulSet", f"cache-{letter}", 1, {"tier": "core"}),
            workload("DaemonSet", f"edge-{letter}", labels={"tier": "web"}),
        )
        found.append(namespace)
    return found


def meant(shops, **options):
    """The names of what a restart with these options would restart, as check mode tells."""
    options.setdefault("namespace", [shops[0].name])
    result = shops[0].operator.run("k8s_rollout_restart", check=True, **options)
    assert not result.get("failed"), result["msg"]
    assert set(result["summary"]) <= {"restarted"}
    return sorted(outcomes(result))


@pytest.mark.parametrize(
    "options, names",
    [
        ({}, ["cart-a", "search-a", "web-a"]),
        ({"kind": "sts"}, ["cache-a"]),
        ({"kind": ["deploy", "daemonsets", "StatefulSet"]}, ["cache-a", "cart-a", "edge-a", "search-a", "web-a"]),
        ({"kind": list(KINDS), "name": ["edge-a", "cache-a"]}, ["cache-a", "edge-a"]),
        ({"label_selectors": ["tier=core"]}, ["cart-a", "search-a"]),
        ({"label_selectors": ["tier=core", "!canary"]}, ["cart-a"]),
        ({"label_selectors": ["tier in (web,core)", "canary=yes"]}, ["search-a"]),
        ({"kind": list(KINDS), "label_selectors": ["tier=web"]}, ["edge-a", "web-a"]),
        ({"field_selectors": ["metadata.name!=web-a"]}, ["cart-a", "search-a"]),
        ({"select": "spec.replicas > `1`"}, ["web-a"]),
        ({"select": "starts_with(metadata.name, 's')", "label_selectors": ["tier=core"]}, ["search-a"]),
        ({"name": ["web-a", "cart-a"], "select": "metadata.labels.tier == 'core'", "allow_empty": True}, ["cart-a"]),
        ({"name": ["web-a", "nobody"], "allow_empty": True}, ["web-a"]),
        ({"name": "nobody", "allow_empty": True}, []),
    ],
)
def test_the_options_narrow_the_selection_together(shops, options, names):
    assert meant(shops, **options) == names


def test_several_namespaces(shops):
    both = [shop.name for shop in shops]
    assert meant(shops, namespace=both, label_selectors=["canary"]) == ["search-a", "search-b"]
    assert meant(shops, namespace=both, name=["web-a", "cart-b"]) == ["cart-b", "web-a"]


@pytest.mark.parametrize(
    "options, missing, searched",
    [
        ({"name": "nobody"}, ' named "nobody"', 'Deployment in namespace "{0}" with fields metadata.name=nobody'),
        ({"name": ["web-a", "one", "two"]}, ' named "one" or "two"', 'Deployment in namespace "{0}"'),
        ({"name": ["cache-a"]}, ' named "cache-a"', 'Deployment in namespace "{0}" with fields metadata.name=cache-a'),
        (
            {"kind": ["ds", "sts"], "label_selectors": ["tier=db"]},
            "",
            'DaemonSet in namespace "{0}" with labels tier=db; StatefulSet in namespace "{0}" with labels tier=db',
        ),
        ({"select": "spec.replicas > `9`"}, "", 'Deployment in namespace "{0}", select spec.replicas > `9`'),
    ],
)
def test_nothing_found_is_an_error_that_says_what_was_searched(shops, operator, options, missing, searched):
    options = {"namespace": [shops[0].name], **options}
    result = operator.run("k8s_rollout_restart", **options)
    assert result["failed"] and not result["changed"] and result["results"] == []
    assert result["msg"] == (
        f"nothing found{missing} in eu-west: searched {searched.format(shops[0].name)}; "
        "check the spelling and the cluster, or allow it with allow_empty (in a plan: optional)"
    )


def test_one_missing_name_keeps_the_others_from_being_restarted(shops):
    result = shops[0].run("restart", name=["web-a", "nobody"])
    assert result["failed"]
    assert RUN not in shops[0].annotations("Deployment", "web-a")


def test_one_workload_that_two_entries_mean_is_named(shops):
    workloads = [{"id": "core", "label_selectors": ["tier=core"]}, {"id": "find", "name": "search-a"}]
    result = shops[0].run("restart", workloads=workloads)
    assert result["msg"].startswith(
        f'deployment "search-a" in namespace "{shops[0].name}" is meant by two workloads of the plan, "core" and "find"'
    )
    assert RUN not in shops[0].annotations("Deployment", "search-a")


def test_all_namespaces_needs_a_selector_and_the_right_to_look_there(shops, operator):
    alone = operator.run("k8s_rollout_restart", all_namespaces=True)
    assert alone["msg"] == "all_namespaces: true alone would change the whole cluster; add a name or a selector"
    both = operator.run("k8s_rollout_restart", all_namespaces=True, namespace=[shops[0].name])
    assert both["msg"] == "namespace and all_namespaces: true contradict each other; keep one of the two"
    refused = operator.run("k8s_rollout_restart", all_namespaces=True, name="web-a")
    assert "may not list deployments.apps" in refused["msg"]
