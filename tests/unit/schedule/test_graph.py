# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of entries: what is wrong with it, and how it is laid out."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.restartx.core.plugins.module_utils.schedule import graph


def nodes(**after):
    return [SimpleNamespace(id=name, after=tuple(needed)) for name, needed in after.items()]


@pytest.mark.parametrize(
    "entries, errors",
    [
        ([], []),
        (nodes(a="", b="a", c="ab"), []),
        (nodes(b="a", a=""), []),
        (nodes(a="a"), ["workloads[0].after: goes in a circle: a -> a"]),
        (nodes(a="b", b="a"), ["workloads[0].after: goes in a circle: a -> b -> a"]),
        (nodes(x="a", a="b", b="c", c="b"), ["workloads[2].after: goes in a circle: b -> c -> b"]),
        (nodes(a="z"), ['workloads[0].after: no workload "z"']),
        (
            nodes(cache=[], core=["cach"], web=["cor"]),
            [
                'workloads[1].after: no workload "cach"; did you mean "cache"?',
                'workloads[2].after: no workload "cor"; did you mean "core"?',
            ],
        ),
        # An entry is never offered as its own dependency.
        (nodes(web=["wep"]), ['workloads[0].after: no workload "wep"']),
        (nodes(a="") + nodes(a="") + nodes(b="a"), ['workloads[1].id: "a" is the id of workloads[0] already']),
    ],
)
def test_what_is_wrong_with_the_order(entries, errors):
    assert graph.check(entries) == errors


def test_paths_begin_with_the_root():
    assert graph.check(nodes(a="z"), root="restart_plan.workloads") == [
        'restart_plan.workloads[0].after: no workload "z"'
    ]


def test_a_long_chain_is_no_problem():
    chain = nodes(**{f"n{number}": [f"n{number + 1}"] for number in range(3000)}, n3000=[])
    assert graph.check(chain) == []
    assert len(graph.levels(chain[-500:])) == 500


@pytest.mark.parametrize(
    "entries, levels",
    [
        ([], []),
        (nodes(a="", b=""), [["a", "b"]]),
        (nodes(web="d", core="", d="c", c=""), [["core", "c"], ["d"], ["web"]]),
        # The longest way counts.
        (nodes(a="", b="a", c="ab"), [["a"], ["b"], ["c"]]),
    ],
)
def test_levels(entries, levels):
    assert graph.levels(entries) == levels


@st.composite
def any_graph(draw):
    names = [f"n{number}" for number in range(draw(st.integers(1, 6)))]
    return nodes(**{name: draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) for name in names})


def reachable(entries):
    """All pairs (a, b) where b is needed by a, near or far, by repeated joining."""
    pairs = {(entry.id, needed) for entry in entries for needed in entry.after}
    while True:
        more = {(a, d) for (a, b), (c, d) in itertools.product(pairs, pairs) if b == c} - pairs
        if not more:
            return pairs
        pairs |= more


@settings(deadline=None)
@given(any_graph())
def test_a_circle_is_named_exactly_where_there_is_one(entries):
    pairs = reachable(entries)
    errors = graph.check(entries)
    assert bool(errors) == any((entry.id, entry.id) in pairs for entry in entries)
    if errors:
        circle = errors[0].split("circle: ")[1].split(" -> ")
        after = {entry.id: entry.after for entry in entries}
        assert circle[0] == circle[-1]
        assert all(second in after[first] for first, second in itertools.pairwise(circle))
    else:
        level = {name: depth for depth, names in enumerate(graph.levels(entries)) for name in names}
        assert set(level) == {entry.id for entry in entries}
        assert all(level[a] > level[b] for a, b in pairs)
        assert all(depth == 0 or any(level[b] == depth - 1 for a, b in pairs if a == n) for n, depth in level.items())
