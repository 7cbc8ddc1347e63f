# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An answer that arrives line by line until the server ends it."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.connection import Connection, Request
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3


class Stream:
    """The lines of one answer. Only one thread may use `lines`; any other may call `hang_up`."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection = connection
        self._request = request
        self._response = connection.open(request)

    def lines(self) -> Iterator[bytes]:
        """Complete lines, until the server ends the answer. An incomplete last line is dropped.

        Raises ClusterError when the connection breaks or stays silent for longer than allowed.
        """
        rest = b""
        try:
            for chunk in self._chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._connection.trouble(error, self._request.path) from None
        finally:
            self._response.close()

    def parse(self, line: bytes) -> dict:
        """The event in a line."""
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            return event
        raise self.error({"code": 502, "message": "a line of the answer is not a JSON object"})

    def error(self, status: Mapping) -> ClusterError:
        """The error for a Status object in the middle of the answer, after its HTTP status was sent."""
        code = status.get("code")
        return self._connection.error_of(self._request, code if isinstance(code, int) else 500, status, None)

    def hang_up(self) -> None:
        """End the answer now: `lines` ends or raises at once, even if it is blocked in another thread."""
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # it has already ended
            if hasattr(self._response, "shutdown"):  # urllib3 >= 2.3
                self._response.shutdown()
                return
            connected: socket.socket | None = getattr(self._response.connection, "sock", None)
            if connected is not None:  # otherwise it ends after the longest allowed silence
                connected.shutdown(socket.SHUT_RD)

    def _chunks(self) -> Iterator[bytes]:
        if self._response.chunked:
            return self._response.read_chunked(decode_content=True)
        return self._response.stream(1, decode_content=True)  # more at once would wait until there is more
