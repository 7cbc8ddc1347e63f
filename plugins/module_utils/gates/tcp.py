# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate on a TCP port that accepts connections."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.gates.provider import ASK_SECONDS, Answer, Asking


@dataclass(frozen=True)
class Tcp:
    """A connection can be opened. It is closed at once, and nothing is sent."""

    host: str
    port: int

    def about(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"port {host}:{self.port}"

    def ask(self, asking: Asking) -> Answer:
        try:
            with socket.create_connection((self.host, self.port), timeout=ASK_SECONDS):
                return Answer(True, f"{self.about()} accepts connections")
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            return Answer(False, f"{self.about()} accepts no connection: {why.lower()}")
