# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection to one server: sends single requests and turns every failure into a ClusterError."""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from ansible_collections.restartx.core.plugins.module_utils.cluster import replies
from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Permitted, Reply
from ansible_collections.restartx.core.plugins.module_utils.cluster.api_errors import (
    Answer,
    error_of,
    one_line,
    parse_retry_after,
    parse_status,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential, Credentials
from ansible_collections.restartx.core.plugins.module_utils.cluster.endpoint import Endpoint
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Invalid,
    NotPermitted,
    ServerFailed,
    Unauthorized,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.info import (
    ConnectionInfo,
    ServerInfo,
    certificate_of,
    connection_info,
    server_info,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.pools import make_pools
from ansible_collections.restartx.core.plugins.module_utils.cluster.redaction import hide
from ansible_collections.restartx.core.plugins.module_utils.cluster.transport_errors import trouble_of

R = t.TypeVar("R")
USER_AGENT = "restartx/0.1.0"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # the API server itself ends a request after that time
_SETTLING = 10.0  # seconds after an outage, from the first answer on, in which a 401 or 403 counts as temporary
_REFUSED = 60.0  # seconds for which a 401 counts as temporary if the server accepted the credentials before
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')  # RFC 7234 section 5.5


@dataclass(frozen=True)
class Request:
    """One request. `silence` is the longest time in seconds without a byte from the server."""

    method: str
    path: str
    params: Mapping[str, object] = field(default_factory=dict)
    body: object = None  # sent as JSON; None: no body
    content_type: str = "application/json"
    silence: float = READ_SECONDS
    permitted: Permitted | None = None  # called right before the request is sent
    accept: str = "application/json"

    def target(self) -> str:
        """Path and query as they are sent. A path such as `.../pods/..` would reach another object, so it is
        refused."""
        parts = self.path.removesuffix("/") if self.path.endswith("/proxy/") else self.path
        if not self.path.startswith("/") or any(part in ("", ".", "..") for part in parts[1:].split("/")):
            raise Invalid(f'"{self.path}" is not a path of the API: correct the names in it', path=self.path)
        params = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in self.params.items()
            if value not in (None, "")
        }
        query = f"?{urlencode(params)}" if params else ""
        return quote(self.path, safe="/%:@!$&'()*+,;=~") + query


class Connection:
    """Sends each request once, or twice if the credentials had to be renewed. Thread-safe.

    An API server that has just started does not know all tokens and roles yet, and refuses requests that it allows a
    moment later (seen on 1.37). So a 401 or 403 soon after an outage is transient if the server accepted the
    credentials before. A 401 at any other time is transient for a while too: the server's token webhook may have
    failed.

    `requests` counts the requests that were sent, `answered` tells whether the server ever answered, and `warnings` are
    the server's.
    """

    def __init__(self, endpoint: Endpoint, now: Callable[[], float] = time.time) -> None:
        self.endpoint = endpoint
        self.requests = 0
        self.answered = False
        self._accepted = False
        self._outage = False
        self._settled_at = 0.0  # the time of day
        self._refused_at: float | None = None  # when the first 401 came since the last accepted request
        self.warnings: list[str] = []
        self._now = now
        self._credentials = Credentials(endpoint.source, now)
        self._lock = threading.Lock()
        self._pools: urllib3.PoolManager | None = None
        self._certificate: bytes | None = None  # the one that the pools use

    @property
    def secrets(self) -> frozenset[str]:
        """All strings known to be secret, including those from credential plugins so far."""
        return self.endpoint.secrets | self._credentials.secrets

    def prepare(self) -> None:
        """Get credentials and load certificates, so that problems with them are reported before the first request."""
        self._pools_for(self._credentials.current()[1])

    def open(self, request: Request) -> urllib3.response.BaseHTTPResponse:
        """Send it and return urllib3's response with its body unread. The caller reads or closes it.

        Raises ClusterError for every answer that is not 2xx, and if no answer came.
        """
        return self._with_credentials(request, self._send)

    def fetch(self, request: Request) -> dict:
        """Send it and return the whole answer as JSON."""
        return self._json_of(self._body_of(self.open(request), request), request)

    def ask(self, request: Request) -> Reply:
        """Send it to a pod through the API server, and return what the pod answers, with any status. Raises ClusterError if the
        API server could not ask it."""
        return self._with_credentials(request, self._asked)

    def info(self) -> ConnectionInfo:
        """How the server is reached, and with which credentials. Sends no request."""
        return connection_info(self.endpoint, self._credentials.current()[1])

    def server_info(self) -> ServerInfo:
        """What an answer to a request that everybody may send shows of the server."""
        request = Request("GET", "/version")
        response = self.open(request)
        now, certificate, date = self._now(), certificate_of(response), response.headers.get("Date")
        return server_info(self._json_of(self._body_of(response, request), request), certificate, date, now)

    def _json_of(self, body: bytes, request: Request) -> dict:
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ServerFailed(
                f"{self.endpoint.host} answered {request.path} with something that is not a JSON object: "
                "check that the host is the address of a Kubernetes API server",
                path=request.path,
            )
        return content

    def error_of(self, request: Request, code: int, status: Mapping, retry_after: str | None) -> ClusterError:
        """The error for an answer: its HTTP status, its Status object (empty: none) and its header Retry-After."""
        details = status.get("details")
        details = details if isinstance(details, dict) else {}
        error = error_of(
            Answer(
                method=request.method,
                path=request.path,
                params=request.params,
                status=code,
                host=self.endpoint.host,
                who=self._credentials.words,
                text=hide(one_line(str(status.get("message") or "")), self.secrets),
                reason=status.get("reason"),
                details=details,
                retry_after=parse_retry_after(retry_after, details, self._now()),
                hint=self._credentials.hint() if code == 401 else "",
            )
        )
        if code in (401, 403) and self._accepted:
            error.transient = self._now() < self._settled_at or (code == 401 and self._is_news())
        return error

    def _is_news(self) -> bool:
        """Whether the server accepted the credentials until a short while ago, and may do so again."""
        with self._lock:
            self._refused_at = self._now() if self._refused_at is None else self._refused_at
            return self._now() < self._refused_at + _REFUSED

    def trouble(self, error: Exception, path: str) -> ClusterError:
        """The error for what urllib3 raised while a request was sent or its answer was read."""
        self._outage = True
        if isinstance(error, urllib3.exceptions.TimeoutError):
            # If a firewall dropped this connection, it has dropped the others in the pool too.
            with self._lock:
                self._pools = None
        return trouble_of(error, self.endpoint.host, self.endpoint.proxy, path)

    def close(self) -> None:
        """Close the pooled connections, and end a credential plugin that still runs."""
        self._credentials.close()
        with self._lock:
            if self._pools is not None:
                self._pools.clear()

    def _with_credentials(self, request: Request, send: t.Callable[[Request, Credential], R]) -> R:
        generation, credential = self._credentials.current(request.silence)
        try:
            return send(request, credential)
        except Unauthorized:
            if not self._credentials.renew(generation, request.silence):
                raise
        return send(request, self._credentials.current(request.silence)[1])

    def _asked(self, request: Request, credential: Credential) -> Reply:
        response = self._exchange(request, credential)
        try:
            body = replies.body_of(response, request.path, self._now, self._now() + request.silence)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.trouble(error, request.path) from None
        refused = replies.refusal(response.status, body)
        if refused is not None:
            raise self.error_of(request, response.status, refused, response.headers.get("Retry-After"))
        return Reply(response.status, body)

    def _send(self, request: Request, credential: Credential) -> urllib3.response.BaseHTTPResponse:
        response = self._exchange(request, credential)
        self._note_warnings(response.headers.get("Warning", ""))
        if 200 <= response.status < 300:
            self._accepted, self._refused_at = True, None
            return response
        try:
            status = parse_status(self._body_of(response, request))
        except ClusterError:  # the body is incomplete, so only the status is known
            status = {}
        raise self.error_of(request, response.status, status, response.headers.get("Retry-After"))

    def _exchange(self, request: Request, credential: Credential) -> urllib3.response.BaseHTTPResponse:
        pools = self._pools_for(credential)
        url = self.endpoint.host + request.target()
        refusal = request.permitted() if request.permitted else None
        if refusal is not None:
            raise NotPermitted(refusal, path=request.path)
        with self._lock:
            self.requests += 1
        options: dict[str, t.Any] = {
            "body": None if request.body is None else json.dumps(request.body).encode(),
            "headers": self._headers(request, credential),
            "timeout": urllib3.Timeout(connect=min(CONNECT_SECONDS, request.silence), read=request.silence),
            "retries": False,
            "redirect": False,
            "preload_content": False,
        }
        try:
            # Not request(): with a body, urllib3 1.26 would merge the headers that impersonate several groups into one.
            response = pools.request_encode_url(request.method, url, **options)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.trouble(error, request.path) from None
        self.answered = True
        if self._outage:
            self._outage, self._settled_at = False, self._now() + _SETTLING
        return response

    def _body_of(self, response: urllib3.response.BaseHTTPResponse, request: Request) -> bytes:
        try:
            return response.read(decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.trouble(error, request.path) from None
        finally:
            response.release_conn()

    def _headers(self, request: Request, credential: Credential) -> Mapping[str, str]:
        # urllib3 1 exports it only here.
        headers = urllib3.response.HTTPHeaderDict(self.endpoint.impersonation)  # type: ignore[attr-defined]
        headers["Accept"] = request.accept
        headers["User-Agent"] = USER_AGENT
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if "watch" not in request.params:  # compression would delay events
            headers["Accept-Encoding"] = "gzip"
        if credential.authorization:
            headers["Authorization"] = credential.authorization
        return headers

    def _pools_for(self, credential: Credential) -> urllib3.PoolManager:
        with self._lock:
            if self._pools is None or self._certificate != credential.certificate:
                self._pools = make_pools(self.endpoint, credential)
                self._certificate = credential.certificate
            return self._pools

    def _note_warnings(self, header: str) -> None:
        texts = [re.sub(r"\\(.)", r"\1", text) for text in _WARNING.findall(header)]
        with self._lock:
            self.warnings += [text for text in texts if text not in self.warnings]
