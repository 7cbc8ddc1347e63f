# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From entries to workloads: what is listed, what is selected, and what is said when nothing is."""

from __future__ import annotations

import pytest
from simulation import FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.selection import resolve

SHOP = [
    workload("StatefulSet", "redis", labels={"tier": "cache"}),
    workload("Deployment", "catalog", labels={"tier": "core"}),
    workload("Deployment", "cart", labels={"tier": "core"}),
    workload("Deployment", "web", labels={"tier": "web"}),
    workload("DaemonSet", "proxy", namespace="edge", labels={"tier": "edge"}),
    workload("Deployment", "web", namespace="billing", labels={"tier": "web"}),
]


def entry(id="it", **options):
    return Entry(id, **{"namespaces": ("shop",), **options})


def find(*entries, allow_empty=False):
    """What is found, and each list that was asked for: its path and its parameters."""
    cluster = FakeCluster(SHOP)
    found = resolve.find(cluster, entries, allow_empty)
    paths = [path.removeprefix("/apis/apps/v1/").removeprefix("namespaces/") for path in cluster.lists]
    return found, list(zip(paths, cluster.params))


def names(found, id=None):
    return [f"{key[1]}/{key[2]}" for key, of in found.entry_of.items() if id in (None, of)]


def test_an_entry_of_names_is_one_list_in_the_order_of_the_names():
    found, lists = find(entry(names=("web", "cart", "catalog")))
    assert names(found) == ["shop/web", "shop/cart", "shop/catalog"]
    assert lists == [("shop/deployments", {})]


def test_a_single_name_is_asked_for_by_a_field_selector():
    found, lists = find(entry(names=("web",)))
    assert names(found) == ["shop/web"]
    assert lists == [("shop/deployments", {"fieldSelector": "metadata.name=web"})]


def test_a_single_name_narrows_the_field_selectors_that_are_given():
    _found, lists = find(entry(names=("web",), field_selectors=("metadata.name!=cart",)))
    assert lists == [("shop/deployments", {"fieldSelector": "metadata.name!=cart,metadata.name=web"})]


def test_a_name_cannot_say_more_than_a_name():
    with pytest.raises(RolloutError, match='nothing found named "web,metadata.name=cart"'):
        find(entry(names=("web,metadata.name=cart",)))
    cluster = FakeCluster(SHOP)
    resolve.find(cluster, [entry(names=(r"a\b,c=d",))], allow_empty=True)
    assert cluster.params == [{"fieldSelector": r"metadata.name=a\\b\,c\=d"}]


def test_entries_that_name_workloads_of_one_namespace_share_its_list():
    found, lists = find(entry("core", names=("catalog",)), entry("web", names=("web",)))
    assert lists == [("shop/deployments", {})]
    assert (names(found, "core"), names(found, "web")) == (["shop/catalog"], ["shop/web"])
    assert len(found.versions) == 1


def test_entries_of_the_same_single_name_in_two_namespaces_are_two_lists():
    _found, lists = find(entry("a", names=("web",)), entry("b", names=("web",), namespaces=("billing",)))
    assert lists == [
        ("shop/deployments", {"fieldSelector": "metadata.name=web"}),
        ("billing/deployments", {"fieldSelector": "metadata.name=web"}),
    ]


def test_each_kind_namespace_and_selector_is_a_list_of_its_own():
    found, lists = find(
        entry("all", kinds=("Deployment", "DaemonSet"), namespaces=("billing", "edge")),
        entry("core", label_selectors=("tier=core",)),
        entry("rest", names=("web", "absent"), optional=True),
    )
    assert lists == [
        ("billing/deployments", {}),
        ("edge/deployments", {}),
        ("billing/daemonsets", {}),
        ("edge/daemonsets", {}),
        ("shop/deployments", {"labelSelector": "tier=core"}),
        ("shop/deployments", {}),
    ]
    assert names(found, "all") == ["billing/web", "edge/proxy"]
    assert names(found, "core") == ["shop/catalog", "shop/cart"]
    assert names(found, "rest") == ["shop/web"]


def test_label_selectors_all_hold():
    _found, lists = find(entry(label_selectors=("tier=web", "app=web")))
    assert lists == [("shop/deployments", {"labelSelector": "tier=web,app=web"})]


def test_all_namespaces_are_one_list():
    found, lists = find(entry(names=("web",), namespaces=(), all_namespaces=True))
    assert names(found) == ["shop/web", "billing/web"]
    assert lists == [("deployments", {"fieldSelector": "metadata.name=web"})]


def test_a_condition_selects_from_the_answer():
    found, lists = find(entry(select="metadata.labels.tier == 'core'"))
    assert names(found) == ["shop/catalog", "shop/cart"]
    assert len(lists) == 1


def test_a_workload_that_an_entry_means_twice_is_found_once():
    found, _lists = find(entry(names=("web", "cart", "web")))
    assert names(found) == ["shop/web", "shop/cart"]


def test_each_workload_is_tied_to_the_scope_and_version_it_was_listed_with():
    found, _lists = find(entry("core", label_selectors=("tier=core",)), entry("web", names=("web",)))
    scope = found.scope_of["Deployment", "shop", "cart"]
    assert scope == resolve.Scope("Deployment", "shop", "tier=core")
    assert found.versions[scope] == "1"
    assert str(scope) == 'Deployment in namespace "shop" with labels tier=core'


@pytest.mark.parametrize(
    "entries, named",
    [
        ((entry("a", names=("web",)), entry("b", label_selectors=("tier=web",))), "web"),
        ((entry("a"), entry("b", names=("cart",))), "cart"),
        ((entry("a"), entry("b", names=("cart",), namespaces=(), all_namespaces=True)), "cart"),
    ],
)
def test_a_workload_that_two_entries_mean_is_an_error_that_names_all_three(entries, named):
    with pytest.raises(
        RolloutError,
        match=f'deployment "{named}" in namespace "shop" is selected by two entries of the plan, "a" and "b"',
    ):
        find(*entries)


def test_an_optional_entry_may_find_nothing_or_some():
    found, _lists = find(entry("a", names=("absent",), optional=True), entry("b", names=("web", "gone"), optional=True))
    assert names(found) == ["shop/web"]


def test_with_allow_empty_every_entry_may():
    found, _lists = find(entry(label_selectors=("tier=none",)), allow_empty=True)
    assert not found.objects


def test_names_may_be_spread_over_the_namespaces_as_long_as_each_has_one():
    found, _lists = find(entry(names=("cart", "web"), namespaces=("billing", "shop")))
    assert names(found) == ["shop/cart", "billing/web", "shop/web"]


@pytest.mark.parametrize(
    "options, word",
    [
        ({"label_selectors": ("tier web",)}, "label_selectors"),
        ({"field_selectors": ("spec.replicas=1",)}, "field_selectors"),
        ({"select": "spec.["}, "select"),
        ({"select": "no_such_function(spec)"}, "select"),
    ],
)
def test_a_selector_that_is_none_is_told_of_before_anything_is_asked(options, word):
    with pytest.raises(RolloutError, match=word):
        resolve.check([entry(), entry("b", **options)])


def test_selectors_that_are_some_pass():
    resolve.check([entry(label_selectors=("a in (b,c)", "!d"), field_selectors=("metadata.name!=x",), select="spec")])


def test_no_list_may_take_longer_than_the_call():
    cluster = FakeCluster(SHOP)
    resolve.find(cluster, [entry(kinds=("Deployment", "StatefulSet"))], deadline=7.0)
    assert cluster.deadlines == [("list", 7.0), ("list", 7.0)]


def test_all_lists_are_asked_for_together_and_each_once():
    asked = []

    def together(call, scopes):
        asked.append([str(scope) for scope in scopes])
        return map(call, scopes)

    cluster = FakeCluster(SHOP)
    entries = [entry("a", names=("catalog", "cart")), entry("b", names=("redis",), kinds=("StatefulSet",))]
    found = resolve.find(cluster, [*entries, entry("c", label_selectors=("tier=web",))], together=together)
    assert names(found) == ["shop/catalog", "shop/cart", "shop/redis", "shop/web"]
    assert asked == [
        [
            'Deployment in namespace "shop"',
            'StatefulSet in namespace "shop" with fields metadata.name=redis',
            'Deployment in namespace "shop" with labels tier=web',
        ]
    ]
    assert len(cluster.lists) == 3
