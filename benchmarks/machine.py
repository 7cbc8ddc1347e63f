# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a reader must know of the machine and the versions that were measured."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from lab.binary import build
from tools.peers import VERSION, collections


def facts(load: float) -> dict[str, str]:
    """Facts by name; `load` is the load average before anything began, which should be next to nothing."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(next(re.finditer(r"^MemTotal: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE))[1])
    manifest = collections() / "ansible_collections" / "kubernetes" / "core" / "MANIFEST.json"
    peer = json.loads(manifest.read_text())["collection_info"]["version"]
    kubectl: list[str | Path] = [build(), "kubectl", "version", "--client", "--output=json"]
    version = json.loads(subprocess.run(kubectl, check=True, capture_output=True).stdout)
    return {
        "date": datetime.date.today().isoformat(),
        "cores": f"{len(os.sched_getaffinity(0))} ({model[1] if model else platform.machine()})",
        "memory": f"{memory / 1e6:.0f} GB",
        "load before": f"{load:.1f}",
        "Kubernetes": f"{version['clientVersion']['gitVersion']}, kubectl too",
        "Python": platform.python_version(),
        "ansible-core": importlib.metadata.version("ansible-core"),
        "kubernetes (Python)": importlib.metadata.version("kubernetes"),
        "kubernetes.core": f"{peer} (of ansible {VERSION})",
    }
