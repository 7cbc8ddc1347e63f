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
    on_one = ["kubectl", "kubernetes.core", "restartx", "restartx, without progress", *ours[1:]]
    assert tables == {
        "8 Deployments of 2 pods, one round": on_one,
        "12 Deployments of 1 pod, one round": ours,
        "2 clusters at once, 3 Deployments of 2 pods on each, one round": [
            "kubectl",
            "restartx",
            "restart_prod",
            "floor",
        ],
        "Commands with little to do, on 2 clusters, one round": [
            "ansible -m ping",
            "restartx, one Deployment",
            "floor",
            "restart_prod --check",
        ],
    }


def test_every_way_to_restart_with_care_is_measured():
    command = [sys.executable, "-m", "benchmarks.careful", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert done.returncode == 0, done.stderr
    title, _nl, rows = done.stdout.partition("### ")[2].partition("\n")
    assert title == "3 Deployments of 4 pods, each with a budget of minAvailable 3, one round"
    assert re.findall(r"^\| ([a-z][^|]*?) \| [0-9.]+ s \| [0-9.]+ \| [0-9]+ \|", rows, re.MULTILINE) == [
        "budgets: report",
        "budgets: honour",
        "budgets: enforce",
        "canary of 1 pod, held for 1s",
    ]
