# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Containerd for a real node: its configuration, its images, and the end of what it has started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.apps import image
from lab.errors import LabError
from lab.network import Plan
from lab.poll import wait_until

CNI_PLUGINS = Path("/usr/lib/cni")

SOCKET = "/run/containerd/containerd.sock"  # as the node sees it

_NAMESPACE = "k8s.io"  # the one of containerd's that kubelets use
_CLOSED = "http://127.0.0.1:1"  # nobody listens there

_CONFIG = """\
version = 2
root = "{directory}/containerd/root"
state = "{directory}/containerd/state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  netns_mounts_under_state_dir = true
  # Without CAP_SYS_RESOURCE, as in many sandboxes, runc could not set what is asked for.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = "{directory}/containerd/runc"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni}"
  conf_dir = "{directory}/cni"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{directory}/containerd/registries"
"""


def command(directory: Path) -> list[str]:
    """The command line of containerd."""
    return ["containerd", f"--config={directory}/containerd.toml"]


def prepare(directory: Path, state: Plan) -> None:
    """Write what containerd reads: its configuration and the pods' network."""
    settings = {"directory": directory, "socket": SOCKET, "pause": image.PAUSE, "cni": CNI_PLUGINS}
    (directory / "containerd.toml").write_text(_CONFIG.format(**settings))
    # Whatever registry an image names, nobody is asked.
    registries = directory / "containerd" / "registries" / "_default"
    registries.mkdir(parents=True)
    (registries / "hosts.toml").write_text(f'server = "{_CLOSED}"\n[host."{_CLOSED}"]\n')
    bridge = {
        "type": "bridge",
        "bridge": state["bridge"],
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "dataDir": f"{directory}/cni-addresses",
            "ranges": [[{"subnet": state["subnet"], "gateway": state["address"]}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    config = {"cniVersion": "0.4.0", "name": state["bridge"], "plugins": [bridge]}
    (directory / "cni").mkdir()
    (directory / "cni" / "10-pods.conflist").write_text(json.dumps(config, indent=2))


def answers(inside: Sequence[str]) -> bool:
    """Whether containerd is up; `inside` is the beginning of a command that runs where the node's programs do."""
    return _ctr(inside, "version").returncode == 0


def import_images(inside: Sequence[str], archive: Path) -> None:
    """Bring all images of `archive` to the node; `inside` as for answers()."""
    done = _ctr(inside, "images", "import", archive)
    if done.returncode:
        raise LabError(f"containerd does not take the images in {archive}: {done.stderr.strip()}")


def end_containers(directory: Path) -> None:
    """End all containers that this containerd, which has ended, has left running; then their shims."""
    root = directory / "containerd" / "runc" / _NAMESPACE
    identities = [path.name for path in root.glob("*")]
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda identity: _delete(root, identity), identities))
    wait_until(lambda: not _kill_helpers(directory), "the containers' shims to end", timeout=15)
    for group in (Path("/sys/fs/cgroup", _NAMESPACE), *Path("/sys/fs/cgroup").glob(f"*/{_NAMESPACE}")):
        with contextlib.suppress(OSError):  # another containerd's containers are in it
            group.rmdir()


def _delete(root: Path, identity: str) -> None:
    # By the state that runc has written: kills what is in the container and removes its cgroup.
    subprocess.run(["runc", "--root", root, "delete", "--force", identity], capture_output=True, check=False)


def _kill_helpers(directory: Path) -> bool:
    """Kill shims and runcs that work for this node; returns whether there were any.

    Shims work in the folders of their containers; runc is told where its own are.
    """
    found = False
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            arguments = os.fsdecode((entry / "cmdline").read_bytes())
            program = os.path.basename(arguments.split("\0", 1)[0])
            ours = f"{directory}/" in arguments or (entry / "cwd").readlink().is_relative_to(directory)
            if ours and (program == "runc" or program.startswith("containerd-shim")):
                found = True
                os.kill(int(entry.name), signal.SIGKILL)
    return found


def _ctr(inside: Sequence[str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    call = [*inside, "ctr", "--address", SOCKET, "--namespace", _NAMESPACE, *arguments]
    return subprocess.run(list(map(str, call)), capture_output=True, text=True, check=False)
