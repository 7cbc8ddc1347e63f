# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was asked for and is not there: each of it is named, with what a person may have meant."""

from __future__ import annotations

import pytest
from simulation import FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import ALONE, Entry
from ansible_collections.restartx.core.plugins.module_utils.selection import missing, resolve

SHOP = [
    workload("StatefulSet", "redis", labels={"tier": "cache"}),
    workload("Deployment", "catalog", labels={"tier": "core"}),
    workload("Deployment", "cart", labels={"tier": "core"}),
    workload("Deployment", "web", labels={"tier": "web"}),
    workload("DaemonSet", "proxy", namespace="edge", labels={"tier": "edge"}),
    workload("Deployment", "web", namespace="billing", labels={"tier": "web"}),
]
PERMIT = "; to go on without it, set allow_empty: true"


def entry(id=ALONE, **options):
    return Entry(id, **{"namespaces": ("shop",), **options})


def said(*entries, look=None):
    """The error of a search, and the lists that were asked for beside those of the search itself."""
    cluster = FakeCluster(SHOP)
    extra: list[str] = []

    def ask(path):
        extra.append(path.removeprefix("/apis/apps/v1/namespaces/"))
        return cluster.list(path).items if look is None else look(path)

    with pytest.raises(RolloutError) as error:
        resolve.find(cluster, entries, look=ask)
    return str(error.value), extra


@pytest.mark.parametrize(
    "wanted, sentence",
    [
        # A name.
        (
            {"names": ("crat",)},
            'nothing found named "crat" in simulated: searched Deployment in namespace "shop"; '
            'for "crat" did you mean "cart"?',
        ),
        (
            {"names": ("web", "crat", "catalg")},
            'nothing found named "crat" or "catalg" in simulated: searched Deployment in namespace "shop"; '
            'for "crat" did you mean "cart"?; for "catalg" did you mean "catalog" or "cart"?',
        ),
        (
            {"names": ("nobody",)},
            'nothing found named "nobody" in simulated: searched Deployment in namespace "shop"; '
            "see what is there with: kubectl get deployments -n shop --context simulated",
        ),
        # A kind.
        (
            {"names": ("redis",)},
            'nothing found named "redis" in simulated: searched Deployment in namespace "shop"; '
            '"redis" is a StatefulSet: set kind: StatefulSet',
        ),
        (
            {"names": ("rediss",), "kinds": ("Deployment", "DaemonSet")},
            'nothing found named "rediss" in simulated: searched Deployment and DaemonSet in namespace "shop"; '
            'for "rediss" did you mean statefulset "redis"?',
        ),
        (
            {"namespaces": ("edge",)},
            'nothing found in simulated: searched Deployment in namespace "edge"; '
            'namespace "edge" has daemon set "proxy": set kind: DaemonSet',
        ),
        # A namespace.
        (
            {"names": ("cart",), "namespaces": ("shp",)},
            'nothing found named "cart" in simulated: searched Deployment in namespace "shp"; '
            'namespace "shp" does not exist, did you mean "shop"?',
        ),
        (
            {"namespaces": ("never-made",)},
            'nothing found in simulated: searched Deployment in namespace "never-made"; '
            'namespace "never-made" does not exist',
        ),
        (
            {"namespaces": ("shop", "biling")},
            'found nothing in namespace "biling" of simulated: searched Deployment in namespace "shop" or "biling"; '
            'namespace "biling" does not exist, did you mean "billing"?',
        ),
        (
            {"namespaces": ("shop", "edge")},
            'found nothing in namespace "edge" of simulated: searched Deployment in namespace "shop" or "edge"; '
            'namespace "edge" has daemon set "proxy": set kind: DaemonSet',
        ),
        (
            {"namespaces": ("billing", "shop"), "names": ("cart",)},
            'found nothing in namespace "billing" of simulated: searched Deployment in namespace "billing" or "shop"; '
            "see what is there with: kubectl get deployments -n billing --context simulated",
        ),
        # A selector.
        (
            {"names": ("web",), "select": "`false`"},
            'nothing found named "web" in simulated: searched Deployment in namespace "shop" with select `false`; '
            'deployment "web" in namespace "shop" is there, but select `false` leaves it out',
        ),
        (
            {"names": ("web",), "label_selectors": ("tier=core",)},
            'nothing found named "web" in simulated: searched Deployment in namespace "shop" with labels tier=core; '
            'deployment "web" in namespace "shop" is there, but labels tier=core leaves it out',
        ),
        (
            {"kinds": ("StatefulSet", "DaemonSet"), "label_selectors": ("a=b",), "namespaces": ("shop", "edge")},
            "nothing found in simulated: searched StatefulSet and DaemonSet in namespace "
            '"shop" or "edge" with labels a=b; see what is there with: '
            "kubectl get statefulsets,daemonsets -n shop --context simulated",
        ),
        (
            {"namespaces": (), "all_namespaces": True, "select": "metadata.labels.tier == 'none'"},
            "nothing found in simulated: searched Deployment in all namespaces with select metadata.labels.tier == 'none'; "
            "see what is there with: kubectl get deployments -A --context simulated",
        ),
        (
            {"namespaces": (), "all_namespaces": True, "names": ("crat",)},
            'nothing found named "crat" in simulated: searched Deployment in all namespaces; '
            'for "crat" did you mean "cart"?',
        ),
    ],
)
def test_what_is_not_found_is_named_with_what_may_be_meant(wanted, sentence):
    assert said(entry(**wanted))[0] == sentence + PERMIT


def test_everything_that_is_missing_is_said_at_once_with_the_entry_it_is_for():
    message, _extra = said(
        entry("core", names=("crat", "web")),
        entry("rest", namespaces=("billing", "sohp"), names=("web", "gone")),
        entry("fine", names=("catalog",)),
        entry("maybe", names=("absent",), optional=True),
    )
    assert [line.partition(":")[0] for line in message.splitlines()] == ["core", "rest", "rest"]
    assert [line.rpartition("; ")[2] for line in message.splitlines()] == [
        "to go on without it, set optional: true"
    ] * 3
    first, second, third = message.splitlines()
    assert 'named "crat" in' in first and 'did you mean "cart"?' in first
    assert 'named "gone" in' in second
    assert 'found nothing in namespace "sohp"' in third and 'did you mean "shop"?' in third


def test_a_name_that_is_in_another_namespace_which_the_plan_lists_is_found_there():
    message, _extra = said(
        entry("core", names=("cart",), namespaces=("billing",)), entry("rest", kinds=("StatefulSet",))
    )
    assert "there is deployment" not in message
    message, _extra = said(entry("core", names=("cart",), namespaces=("billing",)), entry("rest"))
    assert 'there is deployment "cart" in namespace "shop"' in message


def test_who_may_not_list_more_is_told_what_was_not_found_all_the_same():
    message, _extra = said(entry(names=("redis", "cart", "crat")), look=lambda path: None)
    assert 'named "redis" or "crat"' in message and 'for "crat" did you mean "cart"?' in message
    message, _extra = said(entry(namespaces=("biling",)), look=lambda path: None)
    assert message == (
        'nothing found in simulated: searched Deployment in namespace "biling"; '
        "see what is there with: kubectl get deployments -n biling --context simulated" + PERMIT
    )
    # The other namespaces of the plan are known all the same.
    message, _extra = said(
        entry("a", namespaces=("shop", "biling")), entry("b", namespaces=("billing",)), look=lambda path: None
    )
    assert 'a: found nothing in namespace "biling" of simulated' in message
    assert 'for namespace "biling" did you mean "billing"?' in message


def test_a_few_lists_are_asked_for_and_only_when_something_is_missing():
    cluster = FakeCluster(SHOP)
    resolve.find(cluster, [entry()], look=lambda path: pytest.fail("nothing is missing"))
    _message, extra = said(entry(names=("redis", "crat", "shp", "nobody")))
    assert extra == ["/api/v1/namespaces", "shop/daemonsets", "shop/statefulsets"]
    many = tuple(f"shop-{number}" for number in range(40))
    _message, extra = said(entry(names=("nobody",), namespaces=many), look=lambda path: None)
    assert len(extra) == missing.MOST_LISTS
