# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of an undo: what was restarted last comes first."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.schedule import backwards
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry


def keys(*names, kind="Deployment", namespace="shop"):
    return [(kind, namespace, name) for name in names]


def order(entries):
    """Each entry with its names and what it waits for."""
    return [(entry.id, entry.names, entry.after) for entry in entries]


CHAIN = [Entry("web", after=("core",)), Entry("core", after=("cache",)), Entry("cache")]


def test_an_entry_waits_for_those_that_waited_for_it_and_its_last_workload_comes_first():
    members = {"cache": keys("redis"), "core": keys("cart", "orders"), "web": keys("web")}
    assert order(backwards.entries(CHAIN, members)) == [
        ("web", ("web",), ()),
        ("core", ("orders", "cart"), ("web",)),
        ("cache", ("redis",), ("core", "web")),
    ]


def test_an_entry_without_workloads_passes_the_order_on():
    members = {"cache": keys("redis"), "web": keys("web")}
    assert order(backwards.entries(CHAIN, members)) == [("web", ("web",), ()), ("cache", ("redis",), ("web",))]


def test_nothing_but_the_workloads_of_the_run_is_selected():
    plan = [Entry("web", label_selectors=("tier=web",), select="true", all_namespaces=True, settle=5, max_parallel=2)]
    (entry,) = backwards.entries(plan, {"web": keys("web")})
    assert (entry.label_selectors, entry.select, entry.all_namespaces) == ((), None, False)
    assert (entry.kinds, entry.namespaces, entry.names) == (("Deployment",), ("shop",), ("web",))
    assert (entry.settle, entry.max_parallel) == (5, 2)


def test_an_entry_with_several_kinds_or_namespaces_is_split_and_all_its_parts_are_waited_for():
    plan = [Entry("core"), Entry("web", after=("core",))]
    members = {"core": keys("cart"), "web": [*keys("web"), *keys("proxy", kind="DaemonSet", namespace="edge")]}
    *both, core = backwards.entries(plan, members)
    assert {entry.id for entry in both} == {"web (Deployment in shop)", "web (DaemonSet in edge)"}
    assert (core.id, set(core.after)) == ("core", {entry.id for entry in both})


def test_entries_that_the_plan_no_longer_has_wait_for_nothing():
    members = {"gone": keys("old"), "cache": keys("redis"), "web": keys("web")}
    found = {entry.id: entry.after for entry in backwards.entries(CHAIN, members)}
    assert found == {"gone": (), "web": (), "cache": ("web",)}


def test_without_a_plan_the_journal_is_undone_from_its_end():
    members = {"cache": keys("redis"), "core": keys("cart"), "web": keys("web")}
    assert [(entry.id, entry.after) for entry in backwards.entries(None, members)] == [
        ("web", ()),
        ("core", ("web",)),
        ("cache", ("core", "web")),
    ]
    assert all(entry.timeout == 600 for entry in backwards.entries(None, members))


def test_without_workloads_there_is_nothing_to_undo():
    assert backwards.entries(CHAIN, {}) == []
    assert backwards.entries(None, {}) == []
