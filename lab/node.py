# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real node: a kubelet that runs real containers on this machine.

Needs root and Debian's packages (see `missing`). The machine has one at a time, for all
real nodes share its network.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lab import kubelet, network, runtime
from lab.apps import image
from lab.binary import build
from lab.errors import LabError
from lab.poll import wait_until
from lab.ports import held_ports
from lab.process import Process

if TYPE_CHECKING:
    from lab.control_plane import ControlPlane

# The order of starting: each needs those before it.
COMPONENTS = ("node-mounts", "containerd", "kubelet", "kube-proxy")

PACKAGES = ("containerd", "runc", "containernetworking-plugins", "nftables", "iproute2", "util-linux")

_PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "flock": "util-linux",
}

# Whoever holds this lock has the machine's one real node; it holds the folder of that.
_MACHINE_LOCK = Path("/run/lock/restartx-lab-node")

# Mounts of the node are seen by the node only, and vanish with its last process. Folders
# that its programs have at fixed places are the node's own there; the path of a socket in
# them is short enough for the kernel, wherever the lab is.
_HOLD = """
echo "$0" > "$1" || exit 1
while read -r place own; do
    mkdir -p "$place" "$own" && mount --bind "$own" "$place" || exit 1
done < "$0/places"
touch "$0/ready"
trap '' CHLD
exec sleep infinity
"""
_PLACES = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")


def missing() -> list[str]:
    """What this machine lacks for a real node, as words for a person; [] when nothing."""
    lacking = [] if os.geteuid() == 0 else ["root"]
    packages = {package for program, package in _PROGRAMS.items() if not shutil.which(program)}
    if not (runtime.CNI_PLUGINS / "bridge").exists():
        packages.add("containernetworking-plugins")
    return lacking + [f"the package {package}" for package in sorted(packages)]


class Node:
    """The real node of a cluster, whether it was started or not."""

    def __init__(self, cluster: ControlPlane):
        self.cluster = cluster
        self.directory = cluster.directory / "node"
        self._state_path = self.directory / "state.json"

    @property
    def exists(self) -> bool:
        """Whether it was started and not removed since."""
        return self._state_path.exists()

    @property
    def state(self) -> kubelet.State:
        """What was decided when it was founded."""
        state: kubelet.State = json.loads(self._state_path.read_text())
        return state

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return self.state["name"]

    def start(self, name: str, lock: IO[str]) -> None:
        """Start what does not run yet, and return when pods can run on it.

        `lock` is the cluster's, held open by the caller.
        """
        lacking = missing()
        if lacking:
            raise LabError(
                f"A real node needs {', '.join(lacking)}; as root on Debian: apt-get install {' '.join(PACKAGES)}"
            )
        with contextlib.ExitStack() as until_ready:
            if not self.exists:
                self._found(name, until_ready.enter_context(held_ports(kubelet.PORTS)))
            if self.name != name:
                raise LabError(
                    f'The real node of cluster "{self.cluster.name}" is called "{self.name}"; take it down first.'
                )
            archive = image.build()
            try:
                self._hold(lock)
            except LabError:
                self.remove()  # nothing was started, and the plan may be old when it is
                raise
            for component in COMPONENTS:
                self.start_component(component, lock)
            runtime.import_images(self._inside, archive)
            self.cluster.wait_for(self._ready, f'node "{name}" to be ready', (*COMPONENTS, "kube-apiserver"))

    def start_component(self, component: str, lock: IO[str]) -> None:
        """Start one of COMPONENTS unless it runs; returns when those after it can be started."""
        if component == "node-mounts":
            self._hold(lock)
            return
        inside = self._inside
        self.cluster.process(component).start([*inside, *self._command(component)], lock)
        if component == "containerd":
            self.cluster.wait_for(lambda: runtime.answers(inside), "containerd to answer", [component])

    def _command(self, component: str) -> list[str | Path]:
        match component:
            case "containerd":
                return [*runtime.command(self.directory)]
            case "kubelet":
                return [build(), *kubelet.kubelet_arguments(self.directory, self.state)]
            case "kube-proxy":
                return [build(), *kubelet.proxy_arguments(self.directory)]
        raise KeyError(component)

    def remove(self) -> None:
        """End it with everything that it made, its containers too; the cluster need not run."""
        if not self.directory.exists():
            return
        for component in ("kubelet", "kube-proxy", "containerd"):
            self.cluster.process(component).stop(max_wait=0)
        runtime.end_containers(self.directory)
        self.cluster.process("node-mounts").stop(max_wait=0)
        if self.exists:
            network.remove(self.directory, self.state)
        for place in _PLACES:
            with contextlib.suppress(OSError):  # another program has it too
                os.rmdir(place)
        shutil.rmtree(self.directory)

    def _found(self, name: str, ports: dict[str, int]) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)  # what a killed start left
        self.directory.mkdir(parents=True)
        state: kubelet.State = {"name": name, "ports": ports, **network.plan(self.directory)}
        runtime.prepare(self.directory, state)
        kubelet.prepare(self.directory, state, self.cluster)
        own = self.directory / "places"
        own.write_text("".join(f"{place} {self.directory}{place}\n" for place in _PLACES))
        draft = self._state_path.with_suffix(".new")
        draft.write_text(json.dumps(state))
        draft.rename(self._state_path)

    def _hold(self, lock: IO[str]) -> None:
        """Take the machine's lock and make the mounts; then the network, which only its owner may touch."""
        holder = self.cluster.process("node-mounts")
        if not holder.pid:
            ready = self.directory / "ready"
            ready.unlink(missing_ok=True)
            _MACHINE_LOCK.parent.mkdir(parents=True, exist_ok=True)
            claim: list[str | Path] = ["flock", "--nonblock", "--no-fork", _MACHINE_LOCK]
            unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _HOLD]
            with contextlib.suppress(LabError):  # why it ended at once is said below
                holder.start([*claim, *unshare, self.directory, _MACHINE_LOCK], lock)
            wait_until(lambda: ready.exists() or not holder.pid, "the node's mounts", timeout=10)
            if not ready.exists():
                raise LabError(self._why_not_held(holder))
        network.make(self.directory, self.state)

    def _why_not_held(self, holder: Process) -> str:
        said = holder.tail()
        if said:
            return f"The mounts of a real node could not be made: {said}"
        other = _MACHINE_LOCK.read_text().strip()
        return (
            f"This machine has a real node already, and can have one only: that in {other}. "
            f"End it first: python -m lab --dir {Path(other).parents[2]} down"
        )

    @property
    def _inside(self) -> list[str]:
        """The beginning of a command that runs where the node's programs do."""
        holder = self.cluster.process("node-mounts").pid
        if not holder:
            raise LabError(f'The mounts of node "{self.name}" have ended, and with them the node: stop it.')
        return ["nsenter", f"--mount=/proc/{holder}/ns/mnt", "--"]

    def _ready(self) -> bool:
        return self.cluster.node_is_ready(self.name)
