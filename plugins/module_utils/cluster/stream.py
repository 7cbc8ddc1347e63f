# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An answer that comes line by line for as long as the server has something to tell."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.connection import Connection, Request
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3


class Stream:
    """The lines of one answer. `lines` belongs to one thread; `hang_up` may be called by any other."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection = connection
        self._request = request
        self._response = connection.open(request)

    def lines(self) -> Iterator[bytes]:
        """Whole lines, until the server ends the answer; a last line that broke off is not among them.

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
        raise self.error({"code": 502, "message": "a line of the answer is no JSON object"})

    def error(self, status: Mapping) -> ClusterError:
        """The error for a Status object that came in the middle of the answer, where no HTTP status can tell it."""
        code = status.get("code")
        return self._connection.error_of(self._request, code if isinstance(code, int) else 500, status, None)

    def hang_up(self) -> None:
        """End the answer now: `lines`, though blocked in another thread, ends or raises at once."""
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # it has ended by itself in the meantime
            if hasattr(self._response, "shutdown"):  # urllib3 >= 2.3
                self._response.shutdown()
            elif getattr(self._response.connection, "sock", None):  # else it ends when it has been silent for too long
                self._response.connection.sock.shutdown(socket.SHUT_RD)

    def _chunks(self) -> Iterator[bytes]:
        if self._response.chunked:
            return self._response.read_chunked(decode_content=True)
        return self._response.stream(1, decode_content=True)  # more at once would wait until there is more
