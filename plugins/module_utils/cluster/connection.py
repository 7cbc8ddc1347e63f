# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection to one server: sends single requests and turns every failure into a ClusterError."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from ansible_collections.restartx.core.plugins.module_utils.cluster.answer import (
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
    ServerFailed,
    Unauthorized,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3
from ansible_collections.restartx.core.plugins.module_utils.cluster.pools import make_pools
from ansible_collections.restartx.core.plugins.module_utils.cluster.secret import hide
from ansible_collections.restartx.core.plugins.module_utils.cluster.trouble import trouble_of

USER_AGENT = "restartx/0.1.0"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # the API server itself gives up on a request after that time
_SETTLING = 10.0  # seconds after the first answer after an outage in which a refusal is not believed
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')  # RFC 7234 section 5.5


@dataclass(frozen=True)
class Request:
    """One request; `silence` is the longest time in seconds without a byte from the server."""

    method: str
    path: str
    params: Mapping[str, object] = field(default_factory=dict)
    body: object = None  # sent as JSON; None: no body
    content_type: str = "application/json"
    silence: float = READ_SECONDS

    def target(self) -> str:
        """Path and query as they are sent. A path like `.../pods/..` would reach another object, so it is refused."""
        if not self.path.startswith("/") or any(part in ("", ".", "..") for part in self.path[1:].split("/")):
            raise Invalid(f'"{self.path}" is no path of the API: correct the names in it', path=self.path)
        params = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in self.params.items()
            if value not in (None, "")
        }
        query = f"?{urlencode(params)}" if params else ""
        return quote(self.path, safe="/%:@!$&'()*+,;=~") + query


class Connection:
    """Sends requests, each once, or twice when the credentials had to be renewed. Thread-safe.

    An API server that has just started does not know all tokens and roles yet and refuses what it will allow a moment
    later (seen on 1.37). So a 401 or 403 soon after an outage is transient, if the server accepted us before.

    `requests` counts what was sent, `answered` says whether the server ever answered, `warnings` are the server's.
    """

    def __init__(self, endpoint: Endpoint, now: Callable[[], float] = time.time) -> None:
        self.endpoint = endpoint
        self.requests = 0
        self.answered = False
        self._accepted = False
        self._outage = False
        self._settled_at = 0.0  # the time of day
        self.warnings: list[str] = []
        self._now = now
        self._credentials = Credentials(endpoint.source, now)
        self._lock = threading.Lock()
        self._pools = None
        self._certificate: bytes | None = None  # the one the pools show

    @property
    def secrets(self) -> frozenset[str]:
        """All strings known to be secret, with those that credential plugins gave until now."""
        return self.endpoint.secrets | self._credentials.secrets

    def prepare(self) -> None:
        """Get credentials and load certificates, so that what is wrong with them is said before the first request."""
        self._pools_for(self._credentials.current()[1])

    def open(self, request: Request):
        """Send it and return urllib3's response, its body not yet read; the caller reads it or closes it.

        Raises ClusterError for every answer that is not 2xx and for every failure to get one.
        """
        generation, credential = self._credentials.current()
        try:
            return self._open(request, credential)
        except Unauthorized:
            if not self._credentials.renew(generation):
                raise
        return self._open(request, self._credentials.current()[1])

    def fetch(self, request: Request) -> dict:
        """Send it and return the whole answer."""
        body = self._read(self.open(request), request)
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ServerFailed(
                f"{self.endpoint.host} answered {request.path} with something that is no JSON object: "
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
        if code in (401, 403) and self._accepted and self._now() < self._settled_at:
            error.transient = True
        return error

    def trouble(self, error: Exception, path: str) -> ClusterError:
        """The error for what urllib3 raised while a request was sent or its answer was read."""
        self._outage = True
        if isinstance(error, urllib3.exceptions.TimeoutError):
            # What silences one connection, such as a firewall that forgot them all, silences those in the pool too.
            with self._lock:
                self._pools = None
        return trouble_of(error, self.endpoint.host, self.endpoint.proxy, path)

    def close(self) -> None:
        """Close the pooled connections."""
        with self._lock:
            if self._pools is not None:
                self._pools.clear()

    def _open(self, request: Request, credential: Credential):
        pools = self._pools_for(credential)
        url = self.endpoint.host + request.target()
        with self._lock:
            self.requests += 1
        try:
            # Not request(): with a body, urllib3 1.26 would join the headers that impersonate several groups into one.
            response = pools.request_encode_url(
                request.method,
                url,
                body=None if request.body is None else json.dumps(request.body).encode(),
                headers=self._headers(request, credential),
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, request.silence), read=request.silence),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.trouble(error, request.path) from None
        self.answered = True
        if self._outage:
            self._outage, self._settled_at = False, self._now() + _SETTLING
        self._note_warnings(response.headers.get("Warning", ""))
        if 200 <= response.status < 300:
            self._accepted = True
            return response
        try:
            status = parse_status(self._read(response, request))
        except ClusterError:  # the body broke off: the status alone has to do
            status = {}
        raise self.error_of(request, response.status, status, response.headers.get("Retry-After"))

    def _read(self, response, request: Request) -> bytes:
        try:
            return response.read(decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.trouble(error, request.path) from None
        finally:
            response.release_conn()

    def _headers(self, request: Request, credential: Credential):
        headers = urllib3.response.HTTPHeaderDict(self.endpoint.impersonation)
        headers["Accept"] = "application/json"
        headers["User-Agent"] = USER_AGENT
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if "watch" not in request.params:  # a compressed stream would hold events back
            headers["Accept-Encoding"] = "gzip"
        if credential.authorization:
            headers["Authorization"] = credential.authorization
        return headers

    def _pools_for(self, credential: Credential):
        with self._lock:
            if self._pools is None or self._certificate != credential.certificate:
                self._pools = make_pools(self.endpoint, credential)
                self._certificate = credential.certificate
            return self._pools

    def _note_warnings(self, header: str) -> None:
        texts = [re.sub(r"\\(.)", r"\1", text) for text in _WARNING.findall(header)]
        with self._lock:
            self.warnings += [text for text in texts if text not in self.warnings]
