# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The meter sees what a command and its children took, whoever started it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import meter

BIG = "x = bytearray(200_000_000)"
BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def metered(tmp_path, *command):
    """(what it took, how it ended) of a command."""
    usage = tmp_path / "usage.json"
    done = subprocess.run([sys.executable, "-I", "-S", Path(meter.__file__), usage, *command], check=False)
    return json.loads(usage.read_text()), done.returncode


def test_the_exit_code_is_the_command_s(tmp_path):
    assert metered(tmp_path, "/bin/sh", "-c", "exit 3")[1] == 3


def test_cpu_of_children_counts(tmp_path):
    taken, code = metered(tmp_path, "/bin/sh", "-c", f"'{sys.executable}' -c '{BUSY}'; true")
    assert code == 0
    assert taken["cpu"] >= 0.3


def test_the_peak_is_that_of_the_largest_process_and_not_of_whoever_measures(tmp_path):
    ballast = bytearray(200_000_000)
    small, _code = metered(tmp_path, "/bin/sh", "-c", "true")
    large, _code = metered(tmp_path, "/bin/sh", "-c", f"'{sys.executable}' -c '{BIG}'; true")
    assert small["peak"] < 50_000_000 < len(ballast) <= large["peak"]
