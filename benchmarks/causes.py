# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How soon a cause is known: `python -m benchmarks.causes`, five minutes. It writes its table into docs/benchmark.md.

Failures of the table of tests/system/failure_table.py are restarted, a few at a time. A watch of the benchmark's own
sees when the failure is reported: by a pod's status or by an event. The progress of the module says when it gave up.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from failure_table import CRASHES, IMAGES, PERMANENT, PLACES, PROBES, RECOVERABLE, REFUSALS, STARTS, VOLUMES, Row
from house import Operator
from kubelet import Kubelet
from refusals import Webhook
from stage import GRACE, Stage

from benchmarks import ROOT, machine, page
from lab import Cluster, Lab, LabError
from lab.api import Api, Object
from tools.shipped_role import shipped_role

PAGE = ROOT / "docs" / "benchmark.md"
BEGIN = "<!-- figures of benchmarks.causes -->"
END = "<!-- end of figures of benchmarks.causes -->"
AT_ONCE = 8  # restarts in one call
GOAL = 5.0  # seconds
_BEGINS = ("ContainerCreating", "PodInitializing")
_SECONDS = 5  # of one watch


class Reports:
    """When each failure was reported first, by the name of its workload, as the API server's watches show it."""

    def __init__(self, api: Api, namespaces: Sequence[str], names: Sequence[str]):
        self.at: dict[str, float] = {}
        self._api = api
        self._names = sorted(names, key=len, reverse=True)
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=[f"/api/v1/namespaces/{namespace}/{kind}", tells], daemon=True)
            for namespace in namespaces
            for kind, tells in (("pods", _pod_tells), ("events", _event_tells))
        ]

    def __enter__(self) -> Reports:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(_SECONDS + 1)

    def _watch(self, path: str, tells: Any) -> None:
        version = self._api.request("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        while not self._stopped.is_set():
            for event in self._api.watch(path, version, _SECONDS):
                version = event["object"]["metadata"]["resourceVersion"]
                about = tells(event["object"]) if event["type"] in ("ADDED", "MODIFIED") else None
                name = next((name for name in self._names if about and about.startswith(name)), None)
                if name:
                    self.at.setdefault(name, time.monotonic())


def _pod_tells(pod: Object) -> str | None:
    """The name of a pod of a restart whose status shows a failure."""
    status = pod.get("status", {})
    states = [one["state"] for key in ("initContainerStatuses", "containerStatuses") for one in status.get(key, [])]
    fails = any(state.get("waiting", {}).get("reason", _BEGINS[0]) not in _BEGINS for state in states)
    ended = any(state.get("terminated", {}).get("exitCode") for state in states)
    unplaced = any((one["type"], one["status"]) == ("PodScheduled", "False") for one in status.get("conditions", []))
    new = "restartx.io/run" in pod["metadata"].get("annotations", {})
    return pod["metadata"]["name"] if new and (fails or ended or unplaced) else None


def _event_tells(event: Object) -> str | None:
    """The name of what a warning is about."""
    return event["involvedObject"]["name"] if event.get("type") == "Warning" else None


class Progress:
    """When the module gave up each workload, from the lines that it writes for its Ansible process."""

    def __init__(self, path: Path):
        os.mkfifo(path)
        self.at: dict[str, float] = {}
        self.address = f"{path}:bench"
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        os.close(self._fd)

    def _read(self) -> None:
        rest = b""
        while not self._stopped.is_set():
            if not select.select([self._fd], [], [], 0.2)[0]:
                continue
            now = time.monotonic()
            *lines, rest = (rest + os.read(self._fd, 1 << 16)).split(b"\n")
            for line in map(json.loads, lines):
                if line["event"] == "task" and "outcome" in line:
                    self.at[line["name"].rpartition("/")[2]] = now


def scenarios() -> list[Row]:
    """The failures that end the wait at once or after the grace, and that pods or events report: not a pause."""
    rows = [*IMAGES, *STARTS, *CRASHES, *PROBES, *VOLUMES, *PLACES, *REFUSALS]
    return [row for row in rows if row.ends in (PERMANENT, RECOVERABLE) and row.code != "paused"]


def measured(cluster: Cluster, folder: Path) -> Iterator[tuple[Row, float]]:
    """Each failure, and the seconds from its report to the moment in which the module gave up."""
    rows = scenarios()
    kubeconfig = shipped_role(cluster, [], folder / "kubeconfig")

    def make_namespace(name: str) -> str:
        shipped_role(cluster, [name], kubeconfig)
        return name

    stage = Stage(cluster, Operator(kubeconfig), make_namespace, rows)
    spaces = [namespace.name for namespace in stage.namespaces.values()]
    webhook = Webhook(cluster.authority, "team.example.com", "team", "no team label")
    with webhook, Kubelet(stage.api, spaces, stage.script):
        stage.before()
        stage.workloads()
        stage.worsen(webhook)
        for number, some in enumerate(_batches(rows)):
            progress = Progress(folder / f"progress-{number}")
            with Reports(stage.api, spaces, [row.id for row in some]) as reports:
                stage.restart(some, progress=progress.address)
            progress.close()
            print(f"{number * AT_ONCE + len(some)} of {len(rows)}", file=sys.stderr, flush=True)
            yield from ((row, progress.at[row.id] - reports.at[row.id]) for row in some)


def _batches(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[first : first + AT_ONCE] for first in range(0, len(rows), AT_ONCE)]


def told(facts: Mapping[str, str], found: Sequence[tuple[Row, float]]) -> str:
    """The table: for each code the median and the maximum."""
    by: dict[tuple[str, str], list[float]] = {}
    for row, seconds in found:
        by.setdefault((row.code, "permanent" if row.ends == PERMANENT else "recoverable"), []).append(seconds)
    lines = []
    for (code, kind), each in sorted(by.items()):
        most = GOAL + (GRACE if kind == "recoverable" else 0)
        met = "yes" if max(each) <= most else "**no**"
        median, longest = f"{statistics.median(each):.1f} s", f"{max(each):.1f} s"
        lines.append((f"`{code}`", kind, str(len(each)), median, longest, f"{most:.0f} s", met))
    head = ("code", "kind", "failures", "median", "longest", "goal", "met")
    machine_table = page.table(("machine", ""), facts.items())
    return f"{machine_table}\n\n{page.table(head, lines)}\n"


def main(arguments: list[str]) -> None:
    """Measure, print the table, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.causes", description=__doc__)
    parser.add_argument("--print", action="store_true", help="write nothing down")
    options = parser.parse_args(arguments)
    facts = machine.facts(load=os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as folder, Lab(f"{folder}/lab", owned=True) as lab:
        (cluster,) = lab.up(["bench"])
        found = list(measured(cluster, Path(folder)))
    text = told(facts, found)
    print(text)
    if not options.print:
        PAGE.write_text(page.placed(PAGE.read_text(), text, BEGIN, END))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LabError as error:
        sys.exit(f"benchmark: {error}")
