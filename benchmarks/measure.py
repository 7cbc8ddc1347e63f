# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One measurement of one way."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from house import now

from benchmarks import ROOT
from benchmarks.bed import Bed
from benchmarks.figures import Taken
from benchmarks.ways import Way
from lab import LabError

_METER = Path(__file__).with_name("meter.py")


def measure(way: Way, beds: Sequence[Bed]) -> Taken:
    """Run it on beds that are at rest, and wait until they are so again. Raises LabError where it fails."""
    began = now()
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage.json"
        # Without site-packages and the like, for it must be small.
        command = [sys.executable, "-I", "-S", _METER, usage, *way.command]
        done = subprocess.run(
            list(map(str, command)), cwd=ROOT, env=way.env, input=way.stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LabError(
                f"{' '.join(map(str, way.command))[:200]} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        taken = json.loads(usage.read_text())
    requests = sum(len(bed.cluster.requests(way.agent, began)) for bed in beds)
    for bed in beds:
        bed.settle()
    return Taken(**taken, requests=requests, own=way.own(done.stdout) if way.own else None)
