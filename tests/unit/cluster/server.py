# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small server on the loopback that gives the answers no real API server can be made to give on demand."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; of `params` the last value of each."""

    method: str
    path: str
    params: dict
    headers: list[tuple[str, str]]
    body: object


@dataclass(frozen=True)
class Reply:
    """An ordinary answer; a body that is not bytes is sent as JSON."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: dict = field(default_factory=dict)

    def __call__(self, handler):
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        handler.send_response(self.status)
        for name, value in {"Content-Length": str(len(body)), **self.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def status(code, reason, message, **details):
    """The answer of an API server that refuses."""
    return Reply(code, {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details})


@dataclass(frozen=True)
class Chunks:
    """A chunked answer, piece by piece; then it is ended properly, broken off, or left `open` until the test ends."""

    pieces: tuple[bytes, ...]
    end: str = "proper"

    def __call__(self, handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in self.pieces:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
        if self.end == "proper":
            handler.wfile.write(b"0\r\n\r\n")
            return
        if self.end == "broken":
            handler.wfile.write(b"ff\r\nhalf a chu")
        if self.end == "open":
            handler.server.over.wait()
        handler.close_connection = True


def parsed(body):
    """JSON as data, no body as None, anything else as it is."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body


def hang_up(handler):
    """No answer at all: the connection ends."""
    handler.close_connection = True


def silence(handler):
    """No answer at all, and the connection stays open."""
    handler.server.over.wait()
    handler.close_connection = True


class Handler(BaseHTTPRequestHandler):
    """Takes the next answer of the server's script; the last one is for all that follows."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        seen = Seen(
            self.command,
            parts.path,
            {name: values[-1] for name, values in parse_qs(parts.query).items()},
            list(self.headers.items()),
            parsed(body),
        )
        with self.server.lock:
            self.server.seen.append(seen)
            self.server.asked.set()
            script = self.server.script
            reply = script.pop(0) if len(script) > 1 else script[0]
        try:
            reply(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_arguments):
        """Nothing on the test's output."""


class Server(ThreadingHTTPServer):
    """Serves `script` from its creation to `close`; `seen` holds what was asked. `tls` is a server's SSLContext."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, script=(), tls=None, handler=Handler, port=0):
        super().__init__(("127.0.0.1", port), handler)
        self.script = list(script)
        self.seen = []
        self.asked = threading.Event()
        self.lock = threading.Lock()
        self.over = threading.Event()
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that goes away is part of the tests."""

    def close(self):
        self.over.set()
        self.shutdown()
        self.server_close()
