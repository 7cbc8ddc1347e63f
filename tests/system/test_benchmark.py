# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmark still measures every way, on few Deployments; what it measures is not judged here."""

from __future__ import annotations

import re
import subprocess
import sys

from house import ROOT

LONGEST = 600  # seconds


def test_every_way_is_measured_on_every_size():
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert done.returncode == 0, done.stderr
    tables = {
        title: re.findall(r"^\| ([a-z][^|]*?) \| [0-9.]+ s", rows, re.MULTILINE)
        for title, _nl, rows in (part.partition("\n") for part in done.stdout.split("### ")[1:])
    }
    ours = ["restartx", "restartx, the module alone", "floor"]
    assert tables == {
        "20 Deployments of 2 pods, one round": ["kubectl", "kubernetes.core", *ours],
        "40 Deployments of 1 pod, one round": ours,
        "2 clusters at once, 5 Deployments of 2 pods on each, one round": ["kubectl", "restartx", "floor"],
    }
