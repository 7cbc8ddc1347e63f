# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One cluster and its API: plain JSON in, plain JSON out, with retries where they are safe."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Listing, Permitted, Reply
from ansible_collections.restartx.core.plugins.module_utils.cluster.connection import (
    READ_SECONDS,
    Connection,
    Request,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Expired,
    Forbidden,
    NotFound,
    NotPermitted,
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.info import ConnectionInfo, ServerInfo
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from ansible_collections.restartx.core.plugins.module_utils.cluster.stream import Stream

PAGE = 1000  # objects; some megabytes
_SHORTEST = 1.0  # seconds that a request gets even just before the deadline
_FIRST_ATTEMPTS = 3
_UNKNOWN = "a copy of the request that got no answer may have been carried out: look at the object"
_JSON = "application/json"
# Without an alternative: a server that cannot leave out the data refuses the request.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_CONTENT = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


class Client:
    """The API of one server, as api.Cluster describes it. Thread-safe.

    Every method raises ClusterError when the retry policy allows no further attempt. Deadlines are instants of the
    retry policy's clock (clock.monotonic() unless a test injects another). A cluster that has not answered yet gets
    fewer attempts. So a wrong address fails soon, and a restart of the API server during a run does not end the run.
    """

    def __init__(self, connection: Connection, retry: Retry | None = None) -> None:
        self._connection = connection
        self._retry = retry or Retry()
        self._uid_lock = threading.Lock()
        self._uid: str | None = None
        self.host: str = connection.endpoint.host
        self.context: str | None = connection.endpoint.context

    def __repr__(self) -> str:
        return f"Client(host={self.host!r}, context={self.context!r})"

    @property
    def retry(self) -> Retry:
        """The retry policy. Watches use its backoff too."""
        return self._retry

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far, including watches and retries."""
        return self._connection.requests

    @property
    def warnings(self) -> list[str]:
        """The server's warnings (Warning headers) so far, each once."""
        return list(self._connection.warnings)

    @property
    def secrets(self) -> set[str]:
        """Strings that must never be shown: from the kubeconfig, and from credential plugins so far."""
        return set(self._connection.secrets)

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None = None,
        body: object = None,
        content: str = "application/json",
        *,
        deadline: float | None = None,
        resend: bool | None = None,
        attempts: int | None = None,
        permitted: Permitted | None = None,
        accept: str = _JSON,
    ) -> dict:
        """Send a request and return the answer.

        `resend` means that the request does no harm if it is carried out twice, so it may be sent again when the answer
        was lost. By default it is true for everything but creation (POST), and for dry runs. If the first copy of a
        PATCH or PUT with a resourceVersion was carried out, the second one raises Conflict, and the caller reads the
        object. `permitted` is called right before the request is sent, and before each retry. A reason raises
        NotPermitted.
        """
        if resend is None:
            resend = method != "POST" or bool(params and params.get("dryRun"))

        def limit(error: ClusterError) -> int:
            unknown = error.status is None and not self._connection.answered
            return attempts or (_FIRST_ATTEMPTS if unknown else self._retry.attempts)

        def call() -> dict:
            request = Request(method, path, params or {}, body, content, self._silence(deadline), permitted, accept)
            return self._connection.fetch(request)

        try:
            return self._retry.run(call, resend=resend, deadline=deadline, limit=limit)
        except NotPermitted:
            raise  # its message already says so
        except ClusterError as error:
            if error.ambiguous and method != "GET" and not (params and params.get("dryRun")):
                error.args = (f"{error}; {_UNKNOWN}",)
            raise

    def get(self, path: str, params: Mapping[str, object] | None = None, *, deadline: float | None = None) -> dict:
        """One object."""
        return self.request("GET", path, params, deadline=deadline)

    def text(self, path: str, params: Mapping[str, object] | None = None, *, deadline: float | None = None) -> str:
        """An answer of plain lines, such as a container's log. One attempt, because callers can do without it."""

        def call() -> str:
            request = Request("GET", path, params or {}, silence=self._silence(deadline))
            return b"\n".join(Stream(self._connection, request).lines()).decode("utf-8", "replace")

        return self._retry.run(call, resend=True, deadline=deadline, limit=lambda error: 1)

    def reply(self, path: str, *, deadline: float | None = None) -> Reply:
        """What a pod answers to a GET request that the API server passes on. One attempt, because callers ask again."""

        def call() -> Reply:
            return self._connection.ask(Request("GET", path, silence=self._silence(deadline)))

        return self._retry.run(call, resend=True, deadline=deadline, limit=lambda error: 1)

    def list(
        self,
        path: str,
        params: Mapping[str, object] | None = None,
        *,
        deadline: float | None = None,
        attempts: int | None = None,
        accept: str = _JSON,
    ) -> Listing:
        """All objects of a collection, page by page. `kind` and `apiVersion`, which items of lists lack, are added."""
        try:
            return self._pages(path, {**(params or {}), "limit": PAGE}, deadline, attempts, accept)
        except Expired:  # the pages took too long, and the server dropped that version; a single request cannot expire
            return self._pages(path, params or {}, deadline, attempts, accept)

    def names(self, path: str, *, deadline: float | None = None) -> frozenset[str]:
        """The names of the objects of a collection. The server sends only metadata, so no data of a Secret."""
        return frozenset(
            one["metadata"]["name"] for one in self.list(path, deadline=deadline, accept=_METADATA_ONLY).items
        )

    def patch(
        self,
        path: str,
        body: object,
        content: str,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict:
        """Change an object; `content` is the kind of patch: strategic, merge or json. Returns the changed object."""
        params = _writing(field_manager, dry_run)
        return self.request("PATCH", path, params, body, _CONTENT[content], deadline=deadline, permitted=permitted)

    def create(
        self,
        path: str,
        body: dict,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        resend: bool | None = None,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict:
        """Create an object in the collection `path`; see `request` for `resend`."""
        params = _writing(field_manager, dry_run)
        return self.request("POST", path, params, body, deadline=deadline, resend=resend, permitted=permitted)

    def replace(
        self,
        path: str,
        body: dict,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict:
        """Replace an object. Give the metadata.resourceVersion that was read, so that no change is overwritten."""
        params = _writing(field_manager, dry_run)
        return self.request("PUT", path, params, body, deadline=deadline, permitted=permitted)

    def delete(
        self,
        path: str,
        body: dict | None = None,
        *,
        dry_run: bool = False,
        deadline: float | None = None,
        permitted: Permitted | None = None,
    ) -> dict:
        """Delete an object. `body` is a DeleteOptions object. After a lost answer, the retry may raise NotFound."""
        params = _writing(None, dry_run)
        return self.request("DELETE", path, params, body, deadline=deadline, permitted=permitted)

    def stream(self, path: str, params: Mapping[str, object], silence: float) -> Stream:
        """Open a watch, without retries. `silence` is the longest time in seconds without a byte."""
        request = Request("GET", path, {**params, "watch": True}, silence=silence)
        return Stream(self._connection, request)

    def uid(self) -> str | None:
        """The cluster's identity: the uid of its namespace kube-system; None without permission to read it."""
        with self._uid_lock:
            if self._uid is None:
                try:
                    self._uid = self.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
                except (Forbidden, NotFound):
                    return None
            return self._uid

    def connection_info(self) -> ConnectionInfo:
        """How the server is reached, and with which credentials. Sends no request."""
        return self._connection.info()

    def server_info(self) -> ServerInfo:
        """The version, the certificate and the clock of the server, from one request."""
        return self._retry.run(self._connection.server_info, resend=True, limit=lambda error: _FIRST_ATTEMPTS)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._connection.close()

    def _silence(self, deadline: float | None) -> float:
        """The longest time in seconds without a byte that a request before the deadline bears."""
        if deadline is None:
            return READ_SECONDS
        return max(_SHORTEST, min(READ_SECONDS, deadline - self._retry.clock()))

    def _pages(self, path: str, params: Mapping, deadline: float | None, attempts: int | None, accept: str) -> Listing:
        items: list[dict] = []
        following: str | None = None
        while True:
            asked = {**params, "continue": following}
            answer = self.request("GET", path, asked, deadline=deadline, attempts=attempts, accept=accept)
            kind = str(answer.get("kind", "")).removesuffix("List")
            common = {"apiVersion": answer.get("apiVersion"), "kind": kind}
            items += [{**common, **item} for item in answer.get("items") or []]
            metadata = answer.get("metadata") or {}
            following = metadata.get("continue")
            if not following:
                return Listing(items, metadata.get("resourceVersion", ""))


def _writing(field_manager: str | None, dry_run: bool) -> dict[str, object]:
    return {"fieldManager": field_manager, "dryRun": "All" if dry_run else None}
