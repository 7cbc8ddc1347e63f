# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries with conditions on names, templates and pods, and with what they exclude."""

from __future__ import annotations

import datetime

import pytest
from simulation import START, FakeCluster, workload

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check_entries
from ansible_collections.restartx.core.plugins.module_utils.selection import resolve, selectors

DAY = datetime.timedelta(days=1)
DEPLOY, STS, DS = "Deployment", "StatefulSet", "DaemonSet"


def made(kind, name, namespace="shop", labels=None, image="shop/main:1", **spec):
    one = workload(kind, name, namespace, labels=labels)
    one["spec"]["template"]["spec"] |= {"containers": [{"name": "main", "image": image}], **spec}
    return one


def pod(owner, age, **status):
    """A running pod of a workload that started so many days ago."""
    name, namespace = owner["metadata"]["name"], owner["metadata"]["namespace"]
    labels = {"pod-template-hash": "abc"} if owner["kind"] == DEPLOY else {}
    reference = {"kind": owner["kind"], "name": name, "uid": owner["metadata"]["uid"], "controller": True}
    if owner["kind"] == DEPLOY:
        reference |= {"kind": "ReplicaSet", "name": f"{name}-abc", "uid": "uid-of-abc"}
    started = (START - age * DAY).isoformat().replace("+00:00", "Z")
    return {
        "metadata": {
            "name": f"{name}-{age}",
            "namespace": namespace,
            "labels": labels,
            "creationTimestamp": started,
            "ownerReferences": [reference],
        },
        "status": {"phase": "Running", "startTime": started, **status},
    }


SECRET = {"volumes": [{"name": "ca", "secret": {"secretName": "internal-ca"}}]}
CONFIG = {"volumes": [{"name": "app", "projected": {"sources": [{"configMap": {"name": "app-cart"}}]}}]}
API = made(DEPLOY, "api", labels={"tier": "core"}, **SECRET)
CART = made(DEPLOY, "cart", labels={"tier": "core", "canary": "yes"}, serviceAccountName="cart", **CONFIG)
WEB = made(DEPLOY, "web", labels={"tier": "web", "weight": "7"}, image="registry.example.com/web:2")
REDIS = made(STS, "redis", image="redis:7@sha256:0000", serviceAccountName="redis")
PROXY = made(DS, "proxy", "edge", **SECRET)
SHOP = [API, CART, WEB, REDIS, PROXY]


def search(*rows, pods=(), allow_empty=False, **defaults):
    """What entries find that are written as in a plan, and the lists that were asked for."""
    cluster = FakeCluster(SHOP)
    cluster.pods = list(pods)
    kinds = [DEPLOY, STS, DS]
    entries = check_entries(
        [{"id": f"e{number}", **row} for number, row in enumerate(rows)],
        {"namespace": "shop", "kind": kinds, **defaults},
    )
    resolve.check(entries, START)
    return resolve.find(cluster, entries, allow_empty, now=START), cluster.lists


def names(*rows, **options):
    found, _lists = search(*rows, **options)
    return [key[2] for key in found.objects]


@pytest.mark.parametrize(
    "options, selected",
    [
        ({"name_pattern": "*a*"}, ["api", "cart"]),
        ({"name_pattern": ["c*", "w*"]}, ["cart", "web"]),
        ({"name_pattern": "web"}, ["web"]),
        ({"name": ["web", "cart"], "name_pattern": "c*", "optional": True}, ["cart"]),
        ({"uses": "secret/internal-ca"}, ["api"]),
        ({"uses": "Secrets/internal-*"}, ["api"]),
        ({"uses": "configmap/internal-ca", "optional": True}, []),
        ({"uses": "cm/app-*"}, ["cart"]),
        ({"uses": "configmaps/app-cart"}, ["cart"]),
        ({"uses": ["secret/internal-ca", "configMap/app-*"]}, ["api", "cart"]),
        ({"uses": ["secret/none", "configmap/app-*"]}, ["cart"]),
        ({"uses": "secret/*"}, ["api"]),
        ({"uses": "secret/*", "all_namespaces": True}, ["api", "proxy"]),
        ({"service_account": "cart"}, ["cart"]),
        ({"service_account": "default"}, ["api", "web"]),
        ({"service_account": ["cart", "redis"]}, ["cart", "redis"]),
        ({"image": "shop/main"}, ["api", "cart"]),
        ({"image": "registry.example.com/*"}, ["web"]),
        ({"image": ["redis", "registry.example.com/web:2"]}, ["web", "redis"]),
        # All conditions together.
        ({"uses": ["secret/*", "cm/*"], "service_account": "default"}, ["api"]),
        ({"uses": ["secret/*", "cm/*"], "label_selectors": "canary=yes"}, ["cart"]),
        ({"uses": ["secret/*", "cm/*"], "kind": "sts", "optional": True}, []),
        ({"image": "shop/*", "select": "metadata.name == 'cart'"}, ["cart"]),
        # What is excluded: one match is enough.
        ({"exclude": {"name": "api"}}, ["cart", "web", "redis"]),
        ({"exclude": {"name": ["api", "nobody"]}}, ["cart", "web", "redis"]),
        ({"exclude": {"name_pattern": "*e*"}}, ["api", "cart"]),
        ({"exclude": {"name": "api", "service_account": "redis"}}, ["cart", "web"]),
        ({"exclude": {"label_selectors": "tier=core"}}, ["web", "redis"]),
        ({"exclude": {"label_selectors": "tier=core,canary"}}, ["api", "web", "redis"]),
        ({"exclude": {"label_selectors": ["tier in (core,web)", "!canary"]}}, ["cart", "redis"]),
        ({"exclude": {"uses": "secret/internal-ca"}}, ["cart", "web", "redis"]),
        ({"exclude": {"uses": ["secret/none"], "image": "shop/none"}}, ["api", "cart", "web", "redis"]),
        ({"exclude": {"image": ["shop/main", "redis:*"]}}, ["web"]),
        ({"label_selectors": "tier=core", "exclude": {"uses": "cm/app-*"}}, ["api"]),
        # A name that is left out is not missing.
        ({"name": ["cart", "web"], "exclude": {"label_selectors": "canary"}}, ["web"]),
    ],
)
def test_conditions_narrow_a_selection_and_add_no_list(options, selected):
    found, lists = search(options)
    assert [key[2] for key in found.objects] == selected
    assert len(lists) == (1 if "kind" in options else 3)  # no pods, and each kind once


def test_what_one_entry_excludes_another_may_select():
    found, _lists = search({"exclude": {"uses": "secret/*"}}, {"uses": "secret/*"})
    assert found.entry_of[DEPLOY, "shop", "api"] == "e1"
    assert found.entry_of[DEPLOY, "shop", "web"] == "e0"


@pytest.mark.parametrize(
    "term, selected",
    [
        ("tier=core", ["api", "cart"]),
        ("tier==core", ["api", "cart"]),
        ("tier = core", ["api", "cart"]),
        ("tier!=core", ["web", "redis", "proxy"]),  # also without the label
        ("tier in (core, web)", ["api", "cart", "web"]),
        ("tier notin (core)", ["web", "redis", "proxy"]),
        ("tier", ["api", "cart", "web"]),
        ("!tier", ["redis", "proxy"]),
        ("! tier", ["redis", "proxy"]),
        ("weight>6", ["web"]),
        ("weight>7", []),
        ("weight<8", ["web"]),
        ("tier>1", []),
        ("tier=", []),
        ("app in (api,proxy)", ["api", "proxy"]),
    ],
)
def test_a_label_selector_means_here_what_it_means_for_the_api_server(term, selected):
    selects = selectors.compile_label_term(term)
    assert [one["metadata"]["name"] for one in SHOP if selects(one)] == selected


# -- only ------------------------------------------------------------------------------------------------------------

OLD = {"only": {"started_before": "30d"}}


@pytest.mark.parametrize(
    "pods, selected",
    [
        ([], []),
        ([pod(API, 31)], ["api"]),
        ([pod(API, 29)], []),
        ([pod(API, 29), pod(API, 31)], ["api"]),
        ([pod(REDIS, 40), pod(WEB, 1)], ["redis"]),
        ([pod(PROXY, 40)], []),  # in another namespace
        ([pod(made(DEPLOY, "api", "edge"), 40)], []),  # its name is the same
        ([pod(API, 40, phase="Failed")], []),
        ([pod(API, 40, phase="Succeeded")], []),
        ([pod(API, 40, startTime=None)], ["api"]),  # it has not started: then its creation counts
        ([pod(API, 40, startTime="2026-11-20T00:00:00Z")], []),
        ([{**pod(API, 40), "metadata": {**pod(API, 40)["metadata"], "deletionTimestamp": "2026-11-24T21:59:00Z"}}], []),
        ([{**pod(API, 40), "metadata": {**pod(API, 40)["metadata"], "ownerReferences": []}}], []),
        ([{"metadata": {"name": "bare", "namespace": "shop"}}], []),
    ],
)
def test_only_old_pods_make_a_workload_one_that_is_meant(pods, selected):
    assert names({**OLD, "optional": True}, pods=pods) == selected


@pytest.mark.parametrize(
    "written, selected",
    [
        ("2d", ["api"]),
        ("3d", []),
        (2 * 86400, ["api"]),
        ("2026-11-23T00:00Z", ["api"]),
        ("2026-11-21T22:00Z", []),
        ("2026-11-22T08:00+03:00", []),
        ("2026-11-22T08:00-03:00", ["api"]),
        (datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC), ["api"]),
    ],
)
def test_an_age_or_an_instant_may_be_given(written, selected):
    found = names({"only": {"started_before": written}, "optional": True}, pods=[pod(API, 2.5)])
    assert found == selected


def test_pods_are_listed_once_for_each_namespace_in_which_something_else_is_selected():
    pods = [pod(API, 40), pod(PROXY, 40)]
    rows = [{**OLD, "uses": "secret/*", "namespace": ["shop", "edge"]}, {**OLD, "name": ["cart"], "optional": True}]
    found, lists = search(*rows, pods=pods)
    assert [key[2] for key in found.objects] == ["api", "proxy"]
    assert [path for path in lists if path.endswith("/pods")] == [
        "/api/v1/namespaces/shop/pods",
        "/api/v1/namespaces/edge/pods",
    ]
    _found, lists = search({**OLD, "uses": "secret/*", "all_namespaces": True, "kind": "ds"}, pods=pods)
    assert [path for path in lists if path.endswith("/pods")] == ["/api/v1/namespaces/edge/pods"]


def test_a_name_or_a_namespace_whose_pods_are_all_new_is_not_missing():
    pods = [pod(API, 40)]
    assert names({**OLD, "name": ["api", "web"]}, pods=pods) == ["api"]
    assert names({**OLD, "namespace": ["shop", "edge"]}, pods=pods) == ["api"]
    with pytest.raises(RolloutError, match='nothing found named "wbe".* did you mean "web"'):
        names({**OLD, "name": ["api", "wbe"]}, pods=pods)


def test_an_instant_in_the_future_is_refused_before_anything_is_asked():
    with pytest.raises(RolloutError) as refused:
        search({"only": {"started_before": "2026-11-24T22:00:01Z"}})
    assert str(refused.value) == (
        "e0: only.started_before: 2026-11-24T22:00:01+00:00 is in the future, so it would select everything; "
        "write an instant in the past, or a duration such as 30d"
    )
    resolve.check(check_entries([{"id": "a", "only": {"started_before": START}}], {"namespace": "shop"}), START)


# -- nothing found ---------------------------------------------------------------------------------------------------

WHERE = 'Deployment in namespace "shop"'
SEE = "see what is there with: kubectl get deployments -n shop --context simulated"


@pytest.mark.parametrize(
    "options, sentence",
    [
        (
            {"uses": "secret/internal-cs"},
            f"nothing found in simulated: searched {WHERE} with uses secret/internal-cs; "
            'for "secret/internal-cs" did you mean "secret/internal-ca"?',
        ),
        (
            {"uses": ["cm/none", "secret/x*"]},
            f"nothing found in simulated: searched {WHERE} with uses configmap/none, secret/x*; {SEE}",
        ),
        (
            {"name_pattern": "x*", "image": "shop/main"},
            f"nothing found in simulated: searched {WHERE} with name_pattern x* and image shop/main; {SEE}",
        ),
        (
            {"service_account": "nobody"},
            f"nothing found in simulated: searched {WHERE} with service_account nobody; {SEE}",
        ),
        (
            {"name": "web", "uses": "secret/internal-ca"},
            f'nothing found named "web" in simulated: searched {WHERE} with uses secret/internal-ca; '
            'deployment "web" in namespace "shop" is there, but uses secret/internal-ca leaves it out',
        ),
        (
            {"exclude": {"name_pattern": ["*a*", "*e*"]}},
            f"nothing to select in simulated: searched {WHERE}; exclude leaves out all 3 workloads",
        ),
        (
            {"name": "web", "exclude": {"name": "web"}},
            f"nothing to select in simulated: searched {WHERE}; exclude leaves out the only workload",
        ),
        (
            OLD,
            f"nothing to select in simulated: searched {WHERE}; only.started_before: 30d leaves out all "
            "3 workloads, because no pod is that old",
        ),
        (
            {"uses": "secret/*", "only": {"started_before": "2026-11-01T00:00Z"}},
            f"nothing to select in simulated: searched {WHERE} with uses secret/*; only.started_before: "
            "2026-11-01T00:00:00+00:00 leaves out the only workload, because no pod is that old",
        ),
    ],
)
def test_a_condition_that_leaves_nothing_is_named(options, sentence):
    with pytest.raises(RolloutError) as error:
        search(options, kind=DEPLOY)
    assert str(error.value) == f"e0: {sentence}; to go on without it, set optional: true"
    assert names({**options, "optional": True}, kind=DEPLOY) == []
    assert names(options, kind=DEPLOY, allow_empty=True) == []


def test_everything_that_leaves_nothing_is_told_at_once():
    with pytest.raises(RolloutError) as error:
        search({"name": "web", "exclude": {"name": "web"}}, {"name": "api"}, {"name": "cart", **OLD}, kind=DEPLOY)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == ["e0", "e2"]


def test_two_entries_with_conditions_may_name_the_same_workload():
    rows = [{"name": ["web"], "image": "shop/*", "optional": True}, {"name": ["web"]}]
    assert names(*rows) == ["web"]
    with pytest.raises(PlanError, match="is named by"):
        names({"name": "web"}, {"name": ["api", "web"]})
