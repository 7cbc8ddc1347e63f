# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Loopback ports that are free."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator, Sequence

# Below the range from which Linux takes ports for outgoing connections, so that a
# component that was stopped finds its port free again.
_RANGE = range(20000, 32000)


@contextlib.contextmanager
def held_ports(names: Sequence[str]) -> Iterator[dict[str, int]]:
    """Yield a free loopback port for each name; nobody else can choose one of them in here.

    A server that sets SO_REUSEADDR, as every Go program does, can listen on its port
    meanwhile: so they are held until the servers listen, and no two clusters that are
    founded at the same time can meet.
    """
    with contextlib.ExitStack() as stack:
        ports: dict[str, int] = {}
        while len(ports) < len(names):
            holder = stack.enter_context(socket.socket())
            try:
                holder.bind(("127.0.0.1", random.choice(_RANGE)))
            except OSError:
                continue
            # Only now: to bind with it would share a port that another one holds.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ports[names[len(ports)]] = holder.getsockname()[1]
        yield ports
