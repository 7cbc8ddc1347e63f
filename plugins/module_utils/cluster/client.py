# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One cluster and its API: plain JSON in, plain JSON out, with repetition of what may be repeated."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

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
)
from ansible_collections.restartx.core.plugins.module_utils.cluster.retry import Retry
from ansible_collections.restartx.core.plugins.module_utils.cluster.stream import Stream

PAGE = 1000  # objects; some megabytes
_SHORTEST = 1.0  # seconds; a request sent just before the deadline still gets that long
_FIRST_ATTEMPTS = 3
_CONTENT = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


@dataclass(frozen=True)
class Listing:
    """The objects of a list and the resource version a watch goes on from."""

    items: list[dict]
    resource_version: str


class Cluster:
    """One API server. Thread-safe. Every method raises ClusterError, after repeating what the retry policy allows.

    Deadlines are instants of the retry policy's clock (`time.monotonic` unless a test injects another).
    A cluster that never answered yet gets fewer attempts: a wrong address is found out quickly, a restart of the API
    server in the middle of a run is sat out.
    """

    def __init__(self, connection: Connection, retry: Retry | None = None) -> None:
        self._connection = connection
        self._retry = retry or Retry()
        self._uid_lock = threading.Lock()
        self._uid: str | None = None
        self.host: str = connection.endpoint.host
        self.context: str | None = connection.endpoint.context

    def __repr__(self) -> str:
        return f"Cluster(host={self.host!r}, context={self.context!r})"

    @property
    def retry(self) -> Retry:
        """The policy, whose backoff watches use too."""
        return self._retry

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far, watches and repetitions among them."""
        return self._connection.requests

    @property
    def warnings(self) -> list[str]:
        """The server's warnings (Warning headers) so far, each once."""
        return list(self._connection.warnings)

    @property
    def secrets(self) -> set[str]:
        """Strings that must never be shown: from the kubeconfig, and what credential plugins gave so far."""
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
    ) -> dict:
        """Send a request and return the answer.

        `resend` says that the request does no harm if carried out twice, so that it may be repeated when the first
        answer was lost; default: everything but creation (POST), and dry runs. A PATCH or PUT whose first copy was
        carried out unseen comes back as Conflict if it has a resourceVersion; the caller reads the object and judges.
        """
        if resend is None:
            resend = method != "POST" or bool(params and params.get("dryRun"))

        def limit(error: ClusterError) -> int:
            unknown = error.status is None and not self._connection.answered
            return attempts or (_FIRST_ATTEMPTS if unknown else self._retry.attempts)

        def call() -> dict:
            return self._connection.fetch(Request(method, path, params or {}, body, content, self._silence(deadline)))

        return self._retry.run(call, resend=resend, deadline=deadline, limit=limit)

    def get(self, path: str, params: Mapping[str, object] | None = None, *, deadline: float | None = None) -> dict:
        """One object."""
        return self.request("GET", path, params, deadline=deadline)

    def text(self, path: str, params: Mapping[str, object] | None = None, *, deadline: float | None = None) -> str:
        """What is no JSON but lines, such as a container's log; one attempt, for whoever asks can do without."""

        def call() -> str:
            request = Request("GET", path, params or {}, silence=self._silence(deadline))
            return b"\n".join(Stream(self._connection, request).lines()).decode("utf-8", "replace")

        return self._retry.run(call, resend=True, deadline=deadline, limit=lambda error: 1)

    def list(
        self,
        path: str,
        params: Mapping[str, object] | None = None,
        *,
        deadline: float | None = None,
        attempts: int | None = None,
    ) -> Listing:
        """All objects of a collection, page by page; each gets the `kind` and `apiVersion` that items of lists lack."""
        try:
            return self._pages(path, {**(params or {}), "limit": PAGE}, deadline, attempts)
        except Expired:  # the pages took so long that the server forgot the state they show; all at once cannot
            return self._pages(path, params or {}, deadline, attempts)

    def patch(
        self,
        path: str,
        body: object,
        content: str,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        deadline: float | None = None,
    ) -> dict:
        """Change an object; `content` is the kind of patch: strategic, merge or json. Returns the object after it."""
        params = _writing(field_manager, dry_run)
        return self.request("PATCH", path, params, body, _CONTENT[content], deadline=deadline)

    def create(
        self,
        path: str,
        body: dict,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        resend: bool | None = None,
        deadline: float | None = None,
    ) -> dict:
        """Create an object in the collection `path`; see `request` for `resend`."""
        params = _writing(field_manager, dry_run)
        return self.request("POST", path, params, body, deadline=deadline, resend=resend)

    def replace(
        self,
        path: str,
        body: dict,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        deadline: float | None = None,
    ) -> dict:
        """Replace an object; give the metadata.resourceVersion that was read, so that no change of others is lost."""
        return self.request("PUT", path, _writing(field_manager, dry_run), body, deadline=deadline)

    def delete(
        self, path: str, body: dict | None = None, *, dry_run: bool = False, deadline: float | None = None
    ) -> dict:
        """Delete an object; `body` are DeleteOptions. Repeated after a lost answer, it may raise NotFound."""
        return self.request("DELETE", path, _writing(None, dry_run), body, deadline=deadline)

    def stream(self, path: str, params: Mapping[str, object], silence: float) -> Stream:
        """Open a watch, once, without repetition; `silence` in seconds is the longest time without a byte."""
        request = Request("GET", path, {**params, "watch": True}, silence=silence)
        return Stream(self._connection, request)

    def uid(self) -> str | None:
        """The cluster's identity: the uid of its namespace kube-system; None where we may not see it."""
        with self._uid_lock:
            if self._uid is None:
                try:
                    self._uid = self.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
                except (Forbidden, NotFound):
                    return None
            return self._uid

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._connection.close()

    def _silence(self, deadline: float | None) -> float:
        """The longest time in seconds without a byte that a request before the deadline bears."""
        if deadline is None:
            return READ_SECONDS
        return max(_SHORTEST, min(READ_SECONDS, deadline - self._retry.clock()))

    def _pages(self, path: str, params: Mapping, deadline: float | None, attempts: int | None) -> Listing:
        items: list[dict] = []
        following: str | None = None
        while True:
            answer = self.request("GET", path, {**params, "continue": following}, deadline=deadline, attempts=attempts)
            kind = str(answer.get("kind", "")).removesuffix("List")
            common = {"apiVersion": answer.get("apiVersion"), "kind": kind}
            items += [{**common, **item} for item in answer.get("items") or []]
            metadata = answer.get("metadata") or {}
            following = metadata.get("continue")
            if not following:
                return Listing(items, metadata.get("resourceVersion", ""))


def _writing(field_manager: str | None, dry_run: bool) -> dict[str, object]:
    return {"fieldManager": field_manager, "dryRun": "All" if dry_run else None}
