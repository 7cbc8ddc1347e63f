# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab: named clusters in one folder, with one kubeconfig."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from lab import kubeconfig
from lab.binary import build
from lab.cluster import Cluster
from lab.errors import LabError
from lab.lock import locked
from lab.process import Process, start_time

NAMES = ("eu-west", "us-east")
_ROOT = Path(__file__).parent.parent


class Lab:
    """The clusters in `directory`. Several labs can run side by side, and several processes
    can use one lab.

    An `owned` lab belongs to the calling process: when that ends, however it ends, the
    lab is taken down and its directory removed.
    """

    def __init__(self, directory: str | Path, owned: bool = False):
        self.directory = Path(directory).resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self._owned = owned
        if owned:
            self._be_owned()

    @property
    def binary(self) -> Path:
        """Path of the binary whose first argument is `kubectl` or a component's name."""
        return build()

    @property
    def names(self) -> list[str]:
        """The names of the clusters that were started and not taken down, sorted."""
        found = (path.parent.name for path in self.directory.glob("clusters/*/state.json"))
        return sorted(found)

    def cluster(self, name: str) -> Cluster:
        """The Cluster called `name`, running or not."""
        return Cluster(name, self.directory / "clusters" / name, self._lock(f"cluster-{name}"), self.kubeconfig)

    def up(
        self,
        names: Sequence[str] = NAMES,
        nodes: int = 3,
        zones: Sequence[str] = ("a", "b", "c"),
        controllers: bool = True,
    ) -> list[Cluster]:
        """Start the clusters `names`, all at once, and return them when they are ready to use.

        What runs already is kept. Without `controllers` a cluster has an API server and its
        store only: no nodes, and every status stays as it is set. Raises LabError with the
        reason if one does not start.
        """
        for name in names:
            _check_name(name)
        build()
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda name: self._up(name, nodes, tuple(zones), controllers), names))

    def down(self, names: Sequence[str] | None = None) -> Sequence[str]:
        """End the clusters `names`, by default all, with their data; returns the names."""
        names = self._known() if names is None else names
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._down, names))
        return names

    def close(self) -> None:
        """Take an owned lab down now, with its directory, instead of when its owner ends."""
        self.down()
        self._supervisor.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._owned:
            self.close()

    def _up(self, name: str, nodes: int, zones: Sequence[str], controllers: bool) -> Cluster:
        cluster = self.cluster(name)
        cluster.up(nodes, zones, controllers)
        kubeconfig.merge(self.kubeconfig, cluster.admin_entry(), self._lock("kubeconfig"))
        return cluster

    def _down(self, name: str) -> None:
        self.cluster(name).down()
        kubeconfig.remove(self.kubeconfig, name, self._lock("kubeconfig"))

    def _known(self) -> list[str]:
        # Also what was never completed, because its `up` was killed.
        return sorted(path.name for path in self.directory.glob("clusters/*"))

    def _lock(self, name: str) -> Path:
        return self.directory / "locks" / name

    @property
    def _supervisor(self) -> Process:
        return Process(self.directory / "supervisor", self.directory / "supervisor.log")

    def _be_owned(self) -> None:
        owner = [str(os.getpid()), str(start_time(os.getpid()))]
        command: list[str | Path] = [sys.executable, "-m", "lab.supervisor", self.directory, *owner]
        with locked(self._lock("supervisor")) as lock:
            if self._supervisor.pid:
                raise LabError(f"The lab in {self.directory} has an owner already.")
            self._supervisor.start(command, lock, os.environ | {"PYTHONPATH": str(_ROOT)})


def _check_name(name: str) -> None:
    # It becomes a folder, a context and part of file names.
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
        raise LabError(f'"{name}" cannot name a cluster; use lower-case letters, digits and "-".')
