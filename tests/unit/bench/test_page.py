# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures as a reader sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from failure_table import PERMANENT, Row

from benchmarks import careful, causes
from benchmarks.figures import HONOUR, REPORT, Goal, Size, Taken
from benchmarks.page import BEGIN, END, figures, placed, table

PAGE = Path(__file__).parents[3] / "docs" / "benchmark.md"


def test_figures_hold_the_machine_each_size_and_the_goals():
    taken = {"kubectl": Taken(26.24, 1602, 3.14, 123_400_000), "floor": Taken(21, 202, 1, 30_000_000, 20.06)}
    sizes = [Size("200 Deployments", 200, 3, taken), Size("3,000 Deployments", 3000, 1, {})]
    goals = [Goal("fast", "1.05 times", True), Goal("small", "120 kB", False)]
    text = figures({"cores": "2"}, sizes, goals)
    assert "| cores | 2 |" in text
    assert "### 200 Deployments, median of 3 rounds" in text
    assert "### 3,000 Deployments, one round" in text
    assert "| kubectl | 26.2 s |  | 1,602 | 3.1 s | 123 MB |" in text
    assert "| floor | 21.0 s | 20.1 s | 202 | 1.0 s | 30 MB |" in text
    assert "| fast | 1.05 times | yes |\n| small | 120 kB | **no** |" in text


def test_a_table_has_a_line_below_its_head():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_new_figures_take_the_place_of_the_old_and_leave_the_words_around_them():
    page = f"Before.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n"
    assert placed(page, "new\n") == f"Before.\n\n{BEGIN}\n\nnew\n\n{END}\n\nAfter.\n"


@pytest.mark.parametrize("page", ["no marks", f"only {BEGIN}", f"{END} before {BEGIN}"])
def test_a_page_without_a_place_for_figures_is_refused(page):
    with pytest.raises(ValueError, match="no place for figures"):
        placed(page, "new")


def test_the_page_of_the_benchmark_has_a_place_for_figures():
    assert "new" in placed(PAGE.read_text(), "new")


def test_the_page_of_the_benchmark_has_a_place_for_the_figures_of_causes():
    page = placed(PAGE.read_text(), "new figures", causes.BEGIN, causes.END)
    assert "new figures" in page and placed(page, "x").count("new figures") == 1


def test_the_figures_of_causes_hold_each_code_with_its_goal():
    rows = [(Row("a", "oom", ""), 5.0), (Row("b", "oom", ""), 9.5), (Row("c", "image_pull", "", ends=PERMANENT), 2.0)]
    text = causes.told({"cores": "2"}, rows)
    assert "| `oom` | recoverable | 2 | 7.2 s | 9.5 s | 9 s | **no** |" in text
    assert "| `image_pull` | permanent | 1 | 2.0 s | 2.0 s | 5 s | yes |" in text


def test_what_care_costs_is_told_as_a_ratio_to_a_restart_without_it():
    size = Size("50 Deployments", 50, 3, {REPORT: Taken(10, 60, 1, 1), HONOUR: Taken(15, 90, 1.25, 1)})
    assert careful.table(size).splitlines()[2:] == [
        "| budgets: report | 10.0 s | 1.00 | 60 | 1.00 | 1.0 s |",
        "| budgets: honour | 15.0 s | 1.50 | 90 | 1.50 | 1.2 s |",
    ]
    assert placed(PAGE.read_text(), "new\n", careful.BEGIN, careful.END)
