# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What care costs: `python -m benchmarks.careful`, five minutes. It writes its table into docs/benchmark.md.

The same Deployments are restarted without regard to their PodDisruptionBudgets, while these are honoured, while they are
enforced, and with a canary. All ways take turns, so that what else goes on at the machine affects each of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from benchmarks import ROOT, course, machine, page
from benchmarks.figures import REPORT, Size
from lab import Lab, LabError

PAGE = ROOT / "docs" / "benchmark.md"
BEGIN = "<!-- figures of benchmarks.careful -->"
END = "<!-- end of figures of benchmarks.careful -->"
_COLUMNS = ("way", "wall time", "as a ratio", "API requests", "as a ratio", "CPU")


def table(size: Size) -> str:
    """The figures of each way, and their ratio to a restart that only reports on budgets."""
    plain, rows = size.taken[REPORT], []
    for way, taken in size.taken.items():
        wall, requests = taken.wall / plain.wall, taken.requests / plain.requests
        cells = (
            f"{taken.wall:.1f} s",
            f"{wall:.2f}",
            f"{taken.requests:,.0f}",
            f"{requests:.2f}",
            f"{taken.cpu:.1f} s",
        )
        rows.append((way, *cells))
    return page.table(_COLUMNS, rows)


def main(arguments: list[str]) -> None:
    """Measure, print the table, and write it down unless it was quick."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.careful", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few Deployments and one round; writes nothing down")
    parser.add_argument(
        "--rounds", type=int, default=course.CAREFUL.rounds, metavar="N", help="how often, 5 by default"
    )
    parser.add_argument("--print", action="store_true", help="write nothing down")
    options = parser.parse_args(arguments)
    scale = course.CAREFUL_QUICK if options.quick else course.Careful(options.rounds)
    facts = machine.facts(load=os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as folder, Lab(f"{folder}/lab", owned=True) as lab:
        size = course.careful(lab, scale)
    rounds = "one round" if size.rounds == 1 else f"median of {size.rounds} rounds"
    told = f"{page.table(('machine', ''), facts.items())}\n\n### {size.title}, {rounds}\n\n{table(size)}\n"
    print(told)
    if not (options.quick or options.print):
        PAGE.write_text(page.placed(PAGE.read_text(), told, BEGIN, END))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabError as error:
        sys.exit(f"benchmark: {error}")
