# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network of a real node on this machine: a bridge for its pods, and what was there before."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import subprocess
from pathlib import Path
from typing import TypedDict

from lab.components import SERVICE_RANGE
from lab.errors import LabError

_POOL = ipaddress.IPv4Network("10.88.0.0/16")
_PROXY_TABLE = "kube-proxy"
_BEFORE = "sysctls.json"

# What kubelet, kube-proxy and the bridge plugin change on the machine; put back at the end.
_SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)


class Plan(TypedDict):
    """A bridge, its subnet and the machine's address in it."""

    bridge: str
    subnet: str
    address: str


def plan(directory: Path) -> Plan:
    """What the network of the node in `directory` will be: bridge, subnet, and the machine's address in it."""
    digest = hashlib.sha256(os.fsencode(directory)).digest()
    subnet = _free_subnet(digest[0])
    return {
        # Its own, because what is left of another node on the same one would take its pods' packets.
        "bridge": f"rx-{digest.hex()[:8]}",
        "subnet": str(subnet),
        "address": str(next(subnet.hosts())),
    }


def make(directory: Path, state: Plan) -> None:
    """Make the bridge with its address, unless it is there."""
    bridge = state["bridge"]
    if _exists(bridge):
        return
    if _tables():
        raise LabError(
            "This machine routes services of Kubernetes already: it is the node of a cluster, or one that ended badly "
            f"has left its nftables behind. If that is so: nft delete table ip {_PROXY_TABLE}"
        )
    before = {name: _sysctl(name).read_text().strip() for name in _SYSCTLS if _sysctl(name).exists()}
    (directory / _BEFORE).write_text(json.dumps(before))
    prefix = ipaddress.ip_network(state["subnet"]).prefixlen
    _run("ip", "link", "add", bridge, "type", "bridge")
    _run("ip", "address", "add", f"{state['address']}/{prefix}", "dev", bridge)
    _run("ip", "link", "set", bridge, "up")
    # kube-proxy redirects what is sent to services before it gets anywhere. What it does not
    # know (yet, or any more) must not leave the machine.
    _run("ip", "route", "add", SERVICE_RANGE, "dev", bridge)


def remove(directory: Path, state: Plan) -> None:
    """Remove the bridge and kube-proxy's tables, and put the sysctls back; without a bridge nothing else was made."""
    if not _exists(state["bridge"]):
        return
    for family in _tables():
        _run("nft", "delete", "table", family, _PROXY_TABLE)
    for name, value in json.loads((directory / _BEFORE).read_text()).items():
        if _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)
    _run("ip", "link", "delete", state["bridge"])


def _tables() -> list[str]:
    """The families in which kube-proxy has its table."""
    lines = _run("nft", "list", "tables").splitlines()
    words = [line.split() for line in lines]
    return [family for _table, family, name in words if name == _PROXY_TABLE]


def _free_subnet(first: int) -> ipaddress.IPv4Network:
    """A /24 to which nothing on this machine routes yet; the search begins with number `first`."""
    routes = [route["dst"] for route in json.loads(_run("ip", "-json", "-4", "route") or "[]")]
    taken = [ipaddress.IPv4Network(dst, strict=False) for dst in routes if dst != "default"]
    subnets = list(_POOL.subnets(new_prefix=24))
    for subnet in subnets[first:] + subnets[:first]:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise LabError(f"All of {_POOL} is in use on this machine, so pods can have no addresses.")


def _exists(bridge: str) -> bool:
    return Path("/sys/class/net", bridge).exists()


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", name)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
