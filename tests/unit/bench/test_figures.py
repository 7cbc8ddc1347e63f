# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows from measurements: medians, what a sample stands for, and which goals are met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.figures import (
    CHECK,
    FLOOR,
    KUBECTL,
    KUBERNETES_CORE,
    MODULE,
    ONE,
    PING,
    PROD,
    RESTARTX,
    SILENT,
    Size,
    Taken,
    extrapolated,
    goals,
    goals_of_many,
    goals_of_short,
    growth,
    median,
)

MB = 1_000_000


def test_the_median_is_taken_of_each_figure_by_itself():
    rounds = [Taken(3, 10, 0.3, 30, 2), Taken(1, 30, 0.2, 10, 3), Taken(2, 20, 0.1, 20, 1)]
    assert median(rounds) == Taken(2, 20, 0.2, 20, 2)


def test_what_has_no_account_of_its_own_has_no_median_of_it():
    assert median([Taken(1, 1, 1, 1), Taken(3, 3, 3, 3)]) == Taken(2, 2, 2, 2, None)


def test_a_sample_grows_by_its_workloads_and_not_by_the_start_of_the_command():
    first, sample = Taken(4, 6, 1.5, 50), Taken(24, 46, 6.5, 60)
    assert extrapolated(first, sample, 11, 200) == Taken(4 + 2 * 199, 6 + 4 * 199, 1.5 + 0.5 * 199, 60)


def sizes():
    """All goals are just met."""
    us, floor = Taken(23, 210, 3, 90 * MB, 22), Taken(21, 202, 1, 30 * MB, 20)
    module = Taken(22, 210, 1, 60 * MB, 22)
    ways = {KUBECTL: Taken(23.1, 602, 3, 0), KUBERNETES_CORE: Taken(345, 800, 90, 0)}
    small = Size("200", 200, 3, {**ways, RESTARTX: us, SILENT: replace(us, own=21.6), MODULE: module, FLOOR: floor})
    many = {RESTARTX: Taken(0, 3010, 0, 0, 110), MODULE: replace(module, peak=339 * MB), FLOOR: Taken(0, 0, 0, 0, 100)}
    return small, Size("3,000", 3000, 1, many)


def test_goals_that_are_just_met_are_met():
    small, large = sizes()
    assert growth(small, large) == pytest.approx(279 * MB / 2800)
    found = goals([small, large])
    assert [goal.met for goal in found] == [True] * 8
    assert [goal.measured for goal in found][:4] == [
        "1.10 times",
        "1.10 times",
        "1.00 times as fast",
        "15.0 times as fast",
    ]


@pytest.mark.parametrize(
    "size, way, changes, missed",
    [
        (0, FLOOR, {"own": 19.9}, "200: the module's own duration"),
        (1, FLOOR, {"own": 99.9}, "3,000: the module's own duration"),
        (0, KUBECTL, {"wall": 23}, "faster than kubectl"),
        (0, KUBERNETES_CORE, {"wall": 344}, "15 times faster"),
        (0, RESTARTX, {"requests": 211}, "200: at most 10 requests"),
        (1, RESTARTX, {"requests": 3011}, "3,000: at most 10 requests"),
        (0, SILENT, {"own": 21.5}, "showing the progress"),
        (1, MODULE, {"peak": 340 * MB}, "the memory grows"),
    ],
)
def test_a_goal_that_is_just_missed_is_missed_alone(size, way, changes, missed):
    measured = list(sizes())
    taken = dict(measured[size].taken)
    taken[way] = replace(taken[way], **changes)
    measured[size] = replace(measured[size], taken=taken)
    (goal,) = [goal for goal in goals(measured) if not goal.met]
    assert missed in goal.words


@pytest.mark.parametrize(
    ("cpu", "wall", "met"), [(24, 39, [True, True]), (24.1, 39, [False, True]), (24, 39.1, [True, False])]
)
def test_restart_prod_is_judged_for_each_cluster_and_beside_kubectl(cpu, wall, met):
    many = Size("12 clusters", 240, 3, {KUBECTL: Taken(30, 504, 3, 0), PROD: Taken(wall, 600, cpu, 0)})
    assert [goal.met for goal in goals_of_many(many, 12)] == met


@pytest.mark.parametrize(
    ("wall", "own", "check", "more", "met"),
    [
        (3.375, 2, 2.9, "0.38 s more", [True, True]),
        (2.5, 2, 2.9, "0.50 s less", [True, True]),
        (3.5, 2, 2.9, "0.50 s more", [False, True]),
        (3.375, 2, 3, "0.38 s more", [True, False]),
    ],
)
def test_a_short_command_is_judged_beside_a_ping_and_without_its_rollout(wall, own, check, more, met):
    ways = {PING: Taken(1.0, 0, 1, 0), ONE: Taken(wall, 4, 1, 0, own), CHECK: Taken(check, 130, 3, 0)}
    found = goals_of_short(Size("short", 1, 7, ways))
    assert [goal.met for goal in found] == met
    assert found[0].measured == more
