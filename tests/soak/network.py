# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A network of a client's own, with API servers behind it, in which connections can be made to fall silent."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import threading
import uuid
from urllib.parse import urlsplit

from relay import Relay

_CLONE_NEWNET = 0x40000000  # sched.h
_RULES = """
table inet soak {{
  chain input {{
    type filter hook input priority 0;
    tcp sport {server} tcp dport {{ {clients} }} counter drop
    tcp dport {server} tcp sport {{ {clients} }} counter drop
  }}
}}
"""


def lacking():
    """What this machine lacks for it, as a sentence; None where it lacks nothing."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    missing = [program for program in ("ip", "nft") if not shutil.which(program)]
    return f"{' and '.join(missing)} not found (Debian: iproute2, nftables)" if missing else None


class Network:
    """A network namespace while it is entered. In it the clusters are found under the addresses that they have outside."""

    def __init__(self, clusters):
        self._name = f"soak-{uuid.uuid4().hex[:8]}"
        self._ports = [urlsplit(cluster.server).port for cluster in clusters]
        self._relay = Relay()
        self.within = ["ip", "netns", "exec", self._name]  # what is put before a command that is to run in it

    def __enter__(self):
        _run("ip", "netns", "add", self._name)
        _run(*self.within, "ip", "link", "set", "lo", "up")
        for port in self._ports:
            self._relay.listen(self._listen(port), port)
        return self

    def __exit__(self, *_exception):
        self._relay.close()
        _run("ip", "netns", "delete", self._name)

    def silence(self, cluster):
        """Drop from now on every packet of the connections that are open to a cluster now, without telling either side.

        Returns their number.
        """
        port = urlsplit(cluster.server).port
        shown = _run(*self.within, "ss", "-Htn", "state", "established", "dport", "=", f":{port}")
        clients = ", ".join(line.split()[2].rpartition(":")[2] for line in shown.splitlines())
        rules = _RULES.format(server=port, clients=clients)
        _run(*self.within, "nft", "-f", "-", input=rules)
        return len(shown.splitlines())

    def dropped(self):
        """How many packets were dropped so far."""
        rules = json.loads(_run(*self.within, "nft", "--json", "list", "ruleset"))["nftables"]
        parts = [part for rule in rules if "rule" in rule for part in rule["rule"]["expr"]]
        return sum(part["counter"]["packets"] for part in parts if "counter" in part)

    def _listen(self, port):
        """A socket belongs to the namespace of the thread that makes it, whoever uses it then."""
        made = []

        def listen():
            with open(f"/run/netns/{self._name}", "rb") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server(("127.0.0.1", port)))

        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
        return made[0]


def _run(*command, input=None):
    done = subprocess.run(command, input=input, check=True, capture_output=True, text=True)
    return done.stdout
