# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate before a real API server that lets requests through, or does to them what networks and proxies do."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import ssl
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import yaml

LOSE_REQUEST = "lose the request"  # the connection breaks before the server has seen it
LOSE_ANSWER = "lose the answer"  # the server has carried it out, and the connection breaks
_PASSED_ON = ("Content-Type", "Content-Encoding", "Retry-After", "Warning", "Audit-Id")


@dataclass(frozen=True)
class Reply:
    """An answer in place of the server's."""

    status: int
    body: bytes = b"{}"
    headers: dict = field(default_factory=dict)


class Gate:
    """Listens while it is entered. `rule(method, target)` says what becomes of each request: None lets it through.

    It is asked by one request at a time, so that it may count.
    """

    def __init__(self, cluster, rule=lambda method, target: None):
        self.rule = rule
        self._lock = threading.Lock()
        self._watches: set[socket.socket] = set()
        self._upstream = urlsplit(cluster.server)
        self._tls = ssl.create_default_context(cafile=str(cluster.authority.certificate_path))
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self):
                with contextlib.suppress(OSError, ValueError):
                    super().handle_one_request()
                    return
                self.close_connection = True

            def log_message(self, format, *args):
                pass

            def _any(self):
                gate._handle(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._server.shutdown()
        self._server.server_close()
        self.drop_watches()

    def kubeconfig(self, operator):
        """The operator's kubeconfig, as data, leading through this gate."""
        config = yaml.safe_load(operator.kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": self.url}
        return config

    def drop_watches(self):
        """Break the connection of every watch that is open now."""
        with self._lock:
            dropped, self._watches = self._watches, set()
        for watch in dropped:
            with contextlib.suppress(OSError):
                watch.shutdown(socket.SHUT_RDWR)

    def _handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self._lock:
            deed = self.rule(handler.command, handler.path)
        if isinstance(deed, Reply):
            _answer(handler, deed.status, {"Content-Type": "application/json", **deed.headers}, deed.body)
            return
        if deed != LOSE_REQUEST:
            self._forward(handler, body, deed == LOSE_ANSWER)
        if deed:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)

    def _forward(self, handler, body, lose):
        upstream = http.client.HTTPSConnection(self._upstream.hostname, self._upstream.port, context=self._tls)
        with contextlib.closing(upstream):
            headers = {name: value for name, value in handler.headers.items() if name not in ("Host", "Connection")}
            upstream.request(handler.command, handler.path, body or None, headers)
            response = upstream.getresponse()
            passed = {name: response.headers[name] for name in _PASSED_ON if name in response.headers}
            if "watch=true" in handler.path and response.status == 200:
                self._stream(handler, response, passed)
            elif not lose:
                _answer(handler, response.status, passed, response.read())
            else:
                response.read()

    def _stream(self, handler, response, headers):
        with self._lock:
            self._watches.add(handler.connection)
        _head(handler, 200, headers | {"Transfer-Encoding": "chunked"})
        while chunk := response.read1(65536):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")


def _answer(handler, status, headers, body):
    _head(handler, status, headers | {"Content-Length": str(len(body))})
    handler.wfile.write(body)


def _head(handler, status, headers):
    handler.send_response_only(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
