# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmark: `python -m benchmarks` takes half an hour and writes docs/benchmark.md; `--quick` only proves that it works."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from benchmarks import ROOT, course, machine, page
from benchmarks.figures import goals, goals_of_many, goals_of_short
from lab import Lab, LabError

PAGE = ROOT / "docs" / "benchmark.md"


def main(arguments: list[str]) -> None:
    """Measure, print the tables, and write them down unless it was quick."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few Deployments and one round; writes nothing down")
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="how often, 3 by default; the most once only"
    )
    options = parser.parse_args(arguments)
    scale = course.QUICK if options.quick else course.Scale(options.rounds)
    facts = machine.facts(load=os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as folder, Lab(f"{folder}/lab", owned=True) as lab:
        sizes = [course.small(lab, scale), *(course.large(lab, scale, *size) for size in scale.large)]
        many = course.fleet(lab, scale)
        short = course.short(lab, scale.short)
        # The goals are for many Deployments: with few, the start of the command is most of it.
        judged = [] if options.quick else [*goals(sizes), *goals_of_many(many, scale.clusters), *goals_of_short(short)]
        told = page.figures(facts, [*sizes, many, short], judged)
    print(told)
    if not options.quick:
        PAGE.write_text(page.placed(PAGE.read_text(), told))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabError as error:
        sys.exit(f"benchmark: {error}")
