# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The part of the benchmark with commands that have little to do: `python -m benchmarks.short`, a minute or two."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from benchmarks import course, machine, page
from benchmarks.figures import goals_of_short
from lab import Lab, LabError


def main(arguments: list[str]) -> None:
    """Measure and print the tables. Nothing is written down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.short", description=__doc__)
    parser.add_argument("--rounds", type=int, default=course.Scale.short, metavar="N", help="how often, 7 by default")
    options = parser.parse_args(arguments)
    facts = machine.facts(load=os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as folder, Lab(f"{folder}/lab", owned=True) as lab:
        short = course.short(lab, options.rounds)
    print(page.figures(facts, [short], goals_of_short(short)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabError as error:
        sys.exit(f"benchmark: {error}")
