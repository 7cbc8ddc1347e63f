# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which workloads a module means."""

from __future__ import annotations

import datetime

import pytest
from house import KINDS, RUN, Namespace, now, outcomes, workload

from lab.poll import wait_until


@pytest.fixture(scope="module")
def shops(cluster, operator, make_namespace):
    """Two namespaces with the same workloads: the first one's names end in -a, the other's in -b."""
    found = []
    uses = {
        "cart": [{"name": "ca", "secret": {"secretName": "internal-ca"}}],
        "cache": [{"name": "app", "projected": {"sources": [{"configMap": {"name": "app-cache", "optional": True}}]}}],
    }
    for letter in "ab":
        namespace = Namespace(cluster, operator, make_namespace(f"shop-{letter}"))
        things = [
            workload("Deployment", f"web-{letter}", 2, {"tier": "web"}),
            workload("Deployment", f"cart-{letter}", 1, {"tier": "core"}),
            workload("Deployment", f"search-{letter}", 1, {"tier": "core", "canary": "yes"}),
            workload("StatefulSet", f"cache-{letter}", 1, {"tier": "core"}),
            workload("DaemonSet", f"edge-{letter}", labels={"tier": "web"}),
        ]
        for thing in things:
            name = thing["metadata"]["name"].removesuffix(f"-{letter}")
            thing["spec"]["template"]["spec"]["volumes"] = uses.get(name, [])
        namespace.create(*things)
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
        ({"label_selectors": "tier in (web,core),!canary"}, ["cart-a", "web-a"]),
        ({"kind": list(KINDS), "label_selectors": ["tier=web"]}, ["edge-a", "web-a"]),
        ({"field_selectors": ["metadata.name!=web-a"]}, ["cart-a", "search-a"]),
        ({"select": "spec.replicas > `1`"}, ["web-a"]),
        ({"select": "starts_with(metadata.name, 's')", "label_selectors": ["tier=core"]}, ["search-a"]),
        ({"name": ["web-a", "cart-a"], "select": "metadata.labels.tier == 'core'", "allow_empty": True}, ["cart-a"]),
        ({"name": ["web-a", "nobody"], "allow_empty": True}, ["web-a"]),
        ({"name": "nobody", "allow_empty": True}, []),
        ({"kind": list(KINDS), "uses": ["secret/internal-ca", "cm/app-*"]}, ["cache-a", "cart-a"]),
        ({"kind": list(KINDS), "uses": "secret/*", "exclude": {"name_pattern": "*e*"}}, ["cart-a"]),
        ({"name_pattern": ["c*", "s*"], "exclude": {"label_selectors": "tier in (core,web),!canary"}}, ["search-a"]),
        (
            {"image": "localhost/shop", "service_account": "default", "exclude": {"name": "web-a"}},
            ["cart-a", "search-a"],
        ),
    ],
)
def test_the_options_narrow_the_selection_together(shops, options, names):
    assert meant(shops, **options) == names


def test_several_namespaces(shops):
    both = [shop.name for shop in shops]
    assert meant(shops, namespace=both, label_selectors=["canary"]) == ["search-a", "search-b"]
    assert meant(shops, namespace=both, name=["web-a", "cart-b"]) == ["cart-b", "web-a"]


def test_only_workloads_with_old_pods_are_restarted_and_then_none_is_left(shops):
    shop = shops[1]
    started = max(pod["status"]["startTime"] for pod in shop.list("pods"))
    after = datetime.datetime.fromisoformat(started) + datetime.timedelta(seconds=1)
    wait_until(lambda: now() > after, "all pods to be a second old")
    options = {"kind": ["Deployment", "StatefulSet"], "only": {"started_before": after.isoformat()}}
    assert set(outcomes(shop.run("restart", **options, name_pattern="ca*"))) == {"cart-b", "cache-b"}
    names = ["cart-b", "cache-b", "web-b"]
    result = shop.run("restart", **options, name=names)
    assert outcomes(result) == {"web-b": "restarted"}
    result = shop.run("restart", **options, name=names)
    assert result["failed"] and "leaves out all 3 workloads, because no pod is that old" in result["msg"]
    assert shop.run("restart", **options, name=names, allow_empty=True)["results"] == []


SEE = "see what is there with: kubectl get {kinds} -n {{0}} --context eu-west"


@pytest.mark.parametrize(
    "options, found, searched, hint",
    [
        ({"name": "nobody"}, 'nothing found named "nobody" in', "Deployment in", SEE.format(kinds="deployments")),
        (
            {"name": ["web-a", "one", "two"]},
            'nothing found named "one" or "two" in',
            "Deployment in",
            SEE.format(kinds="deployments"),
        ),
        ({"name": "crat-a"}, 'nothing found named "crat-a" in', "Deployment in", 'for "crat-a" did you mean "cart-a"?'),
        (
            {"name": ["cache-a"]},
            'nothing found named "cache-a" in',
            "Deployment in",
            '"cache-a" is a StatefulSet: set kind: StatefulSet',
        ),
        (
            {"name": "web-a", "select": "spec.replicas > `9`"},
            'nothing found named "web-a" in',
            "Deployment in",
            'deployment "web-a" in namespace "{0}" is there, but select spec.replicas > `9` leaves it out',
        ),
        (
            {"kind": ["ds", "sts"], "label_selectors": ["tier=db"]},
            "nothing found in",
            "DaemonSet and StatefulSet in",
            SEE.format(kinds="daemonsets,statefulsets"),
        ),
        ({"select": "spec.replicas > `9`"}, "nothing found in", "Deployment in", SEE.format(kinds="deployments")),
    ],
)
def test_nothing_found_is_an_error_that_says_what_was_searched_and_what_may_be_meant(
    shops, operator, options, found, searched, hint
):
    name = shops[0].name
    result = operator.run("k8s_rollout_restart", namespace=[name], **options)
    assert result["failed"] and not result["changed"] and result["results"] == []
    parts = [f"labels {options['label_selectors'][0]}"] if "label_selectors" in options else []
    parts += [f"select {options['select']}"] if "select" in options else []
    by = "".join(f" with {part}" for part in parts)
    assert result["msg"] == (
        f'{found} eu-west: searched {searched} namespace "{name}"{by}; {hint.format(name)}; '
        "to go on without it, set allow_empty: true"
    )


def test_a_namespace_that_has_nothing_of_the_selection_is_named(shops, operator):
    both = [shop.name for shop in shops]
    result = operator.run("k8s_rollout_restart", namespace=both, name="web-a")
    assert result["failed"] and result["msg"].startswith(f'found nothing in namespace "{both[1]}" of eu-west: searched')
    assert RUN not in shops[0].annotations("Deployment", "web-a")
    assert meant(shops, namespace=both, name="web-a", allow_empty=True) == ["web-a"]


def test_all_that_a_plan_misses_is_said_at_once(shops, operator):
    entries = [
        {"id": "core", "namespace": shops[0].name, "name": ["crat-a", "web-a"]},
        {"id": "rest", "namespace": shops[1].name, "name": "cache-b"},
    ]
    plan = {"version": 1, "name": "names", "workloads": entries}
    first, second = operator.run("k8s_rollout_plan", plan=plan)["msg"].splitlines()
    assert first.startswith('core: nothing found named "crat-a" in eu-west') and 'did you mean "cart-a"?' in first
    assert second.startswith('rest: nothing found named "cache-b" in eu-west') and "set kind: StatefulSet" in second


def test_one_missing_name_keeps_the_others_from_being_restarted(shops):
    result = shops[0].run("restart", name=["web-a", "nobody"])
    assert result["failed"]
    assert RUN not in shops[0].annotations("Deployment", "web-a")


def test_one_workload_that_two_entries_mean_is_named(shops):
    workloads = [{"id": "core", "label_selectors": ["tier=core"]}, {"id": "find", "name": "search-a"}]
    result = shops[0].run("restart", workloads=workloads)
    assert result["msg"].startswith(
        f'deployment "search-a" in namespace "{shops[0].name}" is selected by two entries of the plan, "core" and "find"'
    )
    assert RUN not in shops[0].annotations("Deployment", "search-a")


def test_all_namespaces_needs_a_selector_and_the_right_to_look_there(shops, operator):
    alone = operator.run("k8s_rollout_restart", all_namespaces=True)
    assert alone["msg"] == "all_namespaces: true alone would change the whole cluster; add a name or a selector"
    both = operator.run("k8s_rollout_restart", all_namespaces=True, namespace=[shops[0].name])
    assert both["msg"] == "namespace and all_namespaces: true contradict each other; keep one of the two"
    refused = operator.run("k8s_rollout_restart", all_namespaces=True, name="web-a")
    assert "may not list deployments.apps" in refused["msg"]
