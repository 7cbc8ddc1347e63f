# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures as Markdown, and their place in a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.figures import Goal, Size, Taken

BEGIN = "<!-- figures of make bench -->"
END = "<!-- end of figures -->"
_COLUMNS = ("way", "wall time", "its own account", "API requests", "CPU", "largest process")


def figures(machine: Mapping[str, str], sizes: Sequence[Size], goals: Sequence[Goal]) -> str:
    """All of it: the machine's facts, a table for each size, and the goals if there are any."""
    parts = [table(("machine", ""), machine.items())]
    for size in sizes:
        rounds = "one round" if size.rounds == 1 else f"median of {size.rounds} rounds"
        rows = [_row(way, taken) for way, taken in size.taken.items()]
        parts += [f"### {size.title}, {rounds}", table(_COLUMNS, rows)]
    if goals:
        rows = [(goal.words, goal.measured, "yes" if goal.met else "**no**") for goal in goals]
        parts += ["### Goals", table(("goal", "measured", "met"), rows)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def placed(page: str, content: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with this content in the place of the old, between the two marks. Raises ValueError without them."""
    before, _mark, rest = page.partition(begin)
    _old, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"the page has no place for figures: it needs {begin} and, below, {end}")
    return f"{before}{begin}\n\n{content}\n{end}{after}"


def _row(way: str, taken: Taken) -> tuple[str, ...]:
    own = "" if taken.own is None else f"{taken.own:.1f} s"
    return way, f"{taken.wall:.1f} s", own, f"{taken.requests:,.0f}", f"{taken.cpu:.1f} s", f"{taken.peak / 1e6:.0f} MB"
