# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Loopback ports that are free."""

import contextlib
import random
import socket

# Below the range from which Linux takes ports for outgoing connections, so that a
# component that was stopped finds its port free again.
_RANGE = range(20000, 32000)


def free_ports(names):
    """A free loopback port for each name."""
    with contextlib.ExitStack() as stack:
        ports = {}
        while len(ports) < len(names):
            probe = stack.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", random.choice(_RANGE)))
            except OSError:
                continue
            ports[names[len(ports)]] = probe.getsockname()[1]
        return ports
