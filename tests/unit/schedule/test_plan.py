# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans that are right: what they come to."""

from __future__ import annotations

import copy
import json
from datetime import date
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.schedule.days import Freeze, Hours
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, Plan, check, check_entries
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

EXAMPLE = yaml.safe_load("""
    version: 1
    name: rotate-internal-ca
    defaults: {namespace: shop, timeout: 10m, max_parallel: 3, settle: 30s, on_failure: stop}
    workloads:
      - {id: cache, kind: StatefulSet, name: redis, optional: true}
      - {id: core, name: [catalog, cart, orders], after: [cache]}
      - {id: web, label_selectors: [tier=web], after: [core], max_parallel: 1}
      - {id: edge, kind: DaemonSet, namespace: edge, name: proxy, after: [web]}
    window: {days: [tue, thu], hours: "22:00-01:00", timezone: Europe/Berlin, freezes: [2026-12-20/2027-01-06]}
    failure_budget: 0
    """)


def plan(text):
    return check({"version": 1, "name": "rotate", **yaml.safe_load(text)})


def entry(text):
    return plan(f"workloads: [{{id: api, {text}}}]").entries[0]


def test_the_example_of_the_design():
    common = {"timeout": 600, "settle": 30, "grace": 300}
    checked = check(EXAMPLE)
    assert checked == Plan(
        version=1,
        name="rotate-internal-ca",
        entries=(
            Entry("cache", ("StatefulSet",), ("redis",), ("shop",), optional=True, **common),
            Entry("core", ("Deployment",), ("catalog", "cart", "orders"), ("shop",), after=("cache",), **common),
            Entry(
                "web",
                namespaces=("shop",),
                label_selectors=("tier=web",),
                after=("core",),
                max_parallel=1,
                **common,
            ),
            Entry("edge", ("DaemonSet",), ("proxy",), ("edge",), after=("web",), **common),
        ),
        digest=checked.digest,
        window=Window(
            ZoneInfo("Europe/Berlin"),
            frozenset({1, 3}),
            (Hours(22 * 60, 25 * 60),),
            (Freeze(date(2026, 12, 20), date(2027, 1, 6)),),
        ),
        failure_budget=0,
        max_parallel=3,
        stagger=0,
        on_failure="stop",
    )


def test_the_shortest_plan_has_no_limits_and_stops_at_the_first_failure():
    shortest = plan("workloads: [{id: api, namespace: shop}]")
    assert shortest.entries == (Entry("api", namespaces=("shop",), timeout=600, grace=300),)
    assert (shortest.window, shortest.max_parallel, shortest.stagger) == (None, None, 0)
    assert (shortest.failure_budget, shortest.on_failure) == (0, "stop")
    assert (shortest.entries[0].settle, shortest.warnings) == (0, ())


def test_defaults_hold_for_entries_that_do_not_say():
    first, second = plan("""
        defaults: {kind: sts, namespace: [a, b], timeout: 1m, settle: 2m}
        workloads:
          - {id: first}
          - {id: second, kind: DaemonSet, namespace: c, timeout: 3m, settle: 0}
        """).entries
    assert first == Entry("first", ("StatefulSet",), namespaces=("a", "b"), timeout=60, settle=120, grace=300)
    assert second == Entry("second", ("DaemonSet",), namespaces=("c",), timeout=180, settle=0, grace=300)


def test_limits_in_defaults_hold_over_the_run_and_not_within_each_entry():
    checked = plan("""
        defaults: {namespace: shop, max_parallel: 3, stagger: 10s}
        workloads: [{id: first}, {id: second, max_parallel: 2, stagger: 5s, name: b}]
        """)
    assert (checked.max_parallel, checked.stagger) == (3, 10)
    assert [(e.max_parallel, e.stagger) for e in checked.entries] == [(None, None), (2, 5)]


@pytest.mark.parametrize(
    "option",
    [
        "name",
        "name_pattern",
        "namespace",
        "label_selectors",
        "field_selectors",
        "service_account",
        "image",
        "after",
        "kind",
    ],
)
def test_one_value_may_be_written_without_a_list(option):
    value = "Deployment" if option == "kind" else "first"
    one, many = (
        check_entries([{"id": "first"}, {"id": "second", option: written}], {"namespace": "shop", "name": None})
        for written in (value, [value])
    )
    assert one == many


@pytest.mark.parametrize(
    "written, kinds",
    [
        ("Deployment", ("Deployment",)),
        ("deployments", ("Deployment",)),
        ("deploy", ("Deployment",)),
        ("[ds, StatefulSets]", ("DaemonSet", "StatefulSet")),
        ("deployments.apps", ("Deployment",)),
    ],
)
def test_kinds_are_read_as_kubectl_reads_them(written, kinds):
    assert entry(f"namespace: shop, kind: {written}").kinds == kinds


@pytest.mark.parametrize("name", ["a", "api-v2", "api.v2", "0day", "a" * 253, "a" * 64 + ".b"])
def test_names_are_those_that_the_api_server_takes(name):
    assert entry(f"namespace: shop, name: {name}").names == (name,)


@pytest.mark.parametrize("name", ["a", "a" * 50, "0-9"])
def test_the_name_of_a_plan_has_room_for_what_objects_on_the_cluster_add_to_it(name):
    assert check({**EXAMPLE, "name": name}).name == name
    for other in ("a" * 51, "a.b", "a_b", "A", "-a", "a-"):
        with pytest.raises(PlanError, match=r"restart_plan.name: .* is not the name of a plan: .*, at most 50"):
            check({**EXAMPLE, "name": other})


@pytest.mark.parametrize(
    "written, terms",
    [
        ("tier in (web,api)", ("tier in (web,api)",)),
        ("tier in (web,api),!canary", ("tier in (web,api)", "!canary")),
        (["tier in (web", "api)"], ("tier in (web,api)",)),  # as Ansible splits the text of a list option
        (["tier in (web", "api)", " app=a"], ("tier in (web,api)", "app=a")),
        (["app in (b", "a)", "tier notin (b", "a)"], ("app in (b,a)", "tier notin (b,a)")),
        ("a=b,c=d", ("a=b", "c=d")),
        (["a=b", "c=d"], ("a=b", "c=d")),
        ("app in (a,)", ("app in (a,)",)),
    ],
)
def test_commas_in_parentheses_belong_to_a_label_selector(written, terms):
    (first,) = check_entries([{"id": "a", "label_selectors": written}], {"namespace": "shop"})
    assert first.label_selectors == terms


@pytest.mark.parametrize("written", ["a=b,", ",a=b", "a=b,,c=d", ["a=b", ",c"], "a in (b,c),"])
def test_an_empty_label_selector_is_refused(written):
    with pytest.raises(PlanError, match="label_selectors: .* has an empty selector next to a comma"):
        check_entries([{"id": "a", "label_selectors": written}], {"namespace": "shop"})


@pytest.mark.parametrize(
    "name, words",
    [
        ("deployment/cart", "; write kind: Deployment and name: cart"),
        ("sts/redis", "; write kind: StatefulSet and name: redis"),
        ("deployments.apps/cart", "; write kind: Deployment and name: cart"),
        ("ca*", "; to select names by a pattern, use name_pattern: ca*"),
        ("*-api", "; to select names by a pattern, use name_pattern: *-api"),
        ("c?rt", "; for patterns, use name_pattern, in which * stands for any text"),
        ("Cart", '; did you mean "cart"?'),
        ("pod/cart", "; for patterns, use name_pattern, in which * stands for any text"),
    ],
)
def test_a_name_that_is_none_comes_with_what_to_write_instead(name, words):
    with pytest.raises(PlanError) as failure:
        entry(f"namespace: shop, name: '{name}'")
    assert failure.value.errors[0].endswith(f'lower-case letters, digits, "-" and "."{words}')


@pytest.mark.parametrize("name", ["-api", "api-", "Api", "a..b", ".a", "a_b", "a" * 254, "a/b"])
def test_other_names_are_refused(name):
    with pytest.raises(PlanError):
        entry(f"namespace: shop, name: {name}")


def test_an_entry_may_look_in_all_namespaces_and_then_the_default_namespace_is_nothing_to_it():
    (everywhere,) = plan(
        "{defaults: {namespace: shop}, workloads: [{id: a, all_namespaces: true, label_selectors: tier=web}]}"
    ).entries
    assert (everywhere.all_namespaces, everywhere.namespaces) == (True, ())


@pytest.mark.parametrize(
    "selector",
    [
        "name: api",
        "name_pattern: a*",
        "label_selectors: a=b",
        "field_selectors: a=b",
        "select: spec.x",
        "uses: secret/ca",
        "service_account: api",
        "image: shop/api",
    ],
)
def test_each_selector_narrows_all_namespaces(selector):
    assert entry(f"all_namespaces: true, {selector}").all_namespaces


def test_numbers_and_booleans_may_come_as_text_from_templates():
    checked = plan("""
        failure_budget: "2"
        defaults: {max_parallel: " 3 ", namespace: shop, on_failure: Continue}
        workloads: [{id: api, optional: "True", all_namespaces: "no", timeout: "90"}]
        """)
    assert (checked.failure_budget, checked.max_parallel, checked.on_failure) == (2, 3, "continue")
    assert (checked.entries[0].optional, checked.entries[0].all_namespaces) == (True, False)
    assert checked.entries[0].timeout == 90


def test_names_may_repeat_between_kinds_namespaces_and_selectors():
    entries = """
      - {id: a, namespace: shop, name: api}
      - {id: b, namespace: shop, name: api, kind: StatefulSet}
      - {id: c, namespace: edge, name: api}
      - {id: d, namespace: shop, name: api, label_selectors: tier=web}
    """
    assert len(plan(f"workloads: {entries}").entries) == 4


def test_the_same_plan_has_the_same_digest_and_any_change_another():
    reordered = dict(reversed(copy.deepcopy(EXAMPLE).items()))
    sent = json.loads(json.dumps(EXAMPLE, default=str))
    assert check(EXAMPLE).digest == check(reordered).digest == check(sent).digest
    assert len(check(EXAMPLE).digest) == 64
    assert check({**EXAMPLE, "failure_budget": 1}).digest != check(EXAMPLE).digest


def test_a_date_has_the_digest_of_its_text():
    window = "{version: 1, name: a, workloads: [{id: a, namespace: b}], window: {timezone: UTC, freezes: %s}}"
    digests = {check(yaml.safe_load(window % freeze)).digest for freeze in ("2026-12-24", '"2026-12-24"')}
    assert len(digests) == 1


def test_a_list_of_workloads_stands_alone_with_defaults_from_elsewhere():
    defaults = {"namespace": ["shop"], "timeout": 90.0, "settle": None, "kind": ["Deployment"]}
    assert check_entries([{"id": "api"}, {"id": "web", "after": "api"}], defaults) == (
        Entry("api", namespaces=("shop",), timeout=90),
        Entry("web", namespaces=("shop",), timeout=90, after=("api",)),
    )


@pytest.mark.parametrize(
    "data, defaults, error",
    [
        ([], {}, "workloads: [] is not a list with at least one entry"),
        ({"id": "api"}, {}, 'workloads: {"id": "api"} is not a list with at least one entry'),
        ([{"id": "a"}], {}, "workloads[0].namespace: is required, here or as a default, unless all_namespaces is true"),
        ([{"id": "a", "after": "b"}], {"namespace": "shop"}, 'workloads[0].after: no workload "b"'),
        (
            [{"id": "a"}],
            {"namespace": "shop", "timeout": "soon"},
            'timeout: "soon" is not a duration; write "90s", "15m", "3h", "1h30m" or a number of seconds',
        ),
        ([{"id": "a"}], {"namespace": "Shop", "timeout": None}, None),
    ],
)
def test_errors_of_such_a_list_have_its_own_paths(data, defaults, error):
    with pytest.raises(PlanError) as failure:
        check_entries(data, defaults)
    expected = error or (
        'namespace: "Shop" is not the name of a namespace: lower-case letters, digits and "-", at most 63'
    )
    assert failure.value.errors == [expected]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.booleans() | st.none() | st.dates(), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    """The paths of all values inside a plan."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(places(EXAMPLE))), VALUES)
def test_whatever_stands_anywhere_in_a_plan_it_is_checked_or_refused_with_paths(place, value):
    data = {"restart_plan": copy.deepcopy(EXAMPLE)}
    parent = data
    for key in ("restart_plan", *place)[:-1]:
        parent = parent[key]
    parent[("restart_plan", *place)[-1]] = value
    try:
        assert isinstance(check(data["restart_plan"]), Plan)
    except ScheduleError as failure:
        assert failure.errors and all(error.startswith("restart_plan") for error in failure.errors)


def test_what_a_canary_compares_names_its_pods_and_the_others():
    compare = {"prometheus": "a / b", "url": "http://prometheus", "max_ratio": 1.2}
    workloads = [{"id": "a", "namespace": "b", "canary": {"hold": "2m", "compare": compare}}]
    with pytest.raises(PlanError) as told:
        check({"version": 1, "name": "a", "workloads": workloads})
    path = "restart_plan.workloads[0].canary.compare.prometheus"
    words = "; write it where the pattern of these pods belongs"
    assert told.value.errors == [f"{path}: has no {name}{words}" for name in ("$canary", "$stable")]


def test_a_canary_of_an_entry_replaces_that_of_the_defaults():
    plan = {
        "version": 1,
        "name": "a",
        "defaults": {"namespace": "b", "canary": {"pods": "10%", "hold": "2m"}},
        "workloads": [{"id": "a", "name": "a", "canary": {"hold": "5m"}}, {"id": "b", "name": "b"}],
    }
    found = [entry.canary for entry in check(plan).entries]
    assert [(one.pods, one.hold) for one in found] == [(1, 300.0), ("10%", 120.0)]
