# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watches a collection for as long as somebody wants to know, whatever happens to single connections.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: a watch goes on from a
resource version; where the server no longer remembers that version (410) the collection is listed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Union

from ansible_collections.restartx.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Expired
from ansible_collections.restartx.core.plugins.module_utils.cluster.stream import Stream

_SHORT = 1.0  # seconds; an answer that ends sooner, without having told anything, is no good sign
_ANSWERS_BEFORE_LISTING = 3  # failures in a row that the server itself told; then the version may be to blame


@dataclass(frozen=True)
class Changed:
    """An object is new or changed."""

    object: dict = field(repr=False)


@dataclass(frozen=True)
class Removed:
    """An object is gone, or no longer matches; this is its last state."""

    object: dict = field(repr=False)


@dataclass(frozen=True)
class Relisted:
    """The whole collection: what is not among `items` is gone. Changes in between were not seen one by one."""

    items: list[dict] = field(repr=False)


@dataclass(frozen=True)
class Lost:
    """The watch has ended and tells nothing any more."""

    error: Exception


Event = Union[Changed, Removed, Relisted, Lost]


class Watch:
    """One watch; `run` is the body of a thread.

    `deliver` gets the events, in order, in that thread. Without a `resource_version` the first event is Relisted. Set
    `stopped` when the events are no longer wanted, also after Lost.
    `opened` is called whenever the server has agreed to tell what happens.
    The server ends each request after `server_seconds`; a connection silent for `grace_seconds` longer is given up.
    """

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        params: Mapping[str, object] | None,
        resource_version: str | None,
        deliver: Callable[[Event], None],
        stopped: threading.Event,
        *,
        opened: Callable[[], None] = lambda: None,
        server_seconds: int = 45,
        grace_seconds: float = 10.0,
    ) -> None:
        self._cluster = cluster
        self._path = path
        self._params = dict(params or {})
        self._version = resource_version or None
        self._deliver = deliver
        self._stopped = stopped
        self._opened = opened
        self._server_seconds = server_seconds
        self._silence = server_seconds + grace_seconds
        self._stream: Stream | None = None
        self._failures = 0  # in a row, like the next
        self._answers = 0  # failures that the server itself told

    def run(self) -> None:
        """Watch until `stopped` is set; never raises: what ends the watch before that is delivered as Lost."""
        threading.Thread(target=self._hang_up_when_stopped, daemon=True).start()
        try:
            while not self._stopped.is_set():
                self._stopped.wait(self._turn())
        except Exception as error:  # the edge of a thread: an error nobody sees would leave everybody waiting
            if not self._stopped.is_set():
                self._deliver(Lost(error))

    def _turn(self) -> float:
        """List where needed, then follow one answer to its end. Returns the seconds to wait before the next turn."""
        started = self._cluster.retry.clock()
        try:
            if self._version is None:
                self._relist()
            told = self._follow()
        except Expired as error:
            self._version = None
            self._failures += 1
            return self._cluster.retry.pause(self._failures, error) if self._failures > 1 else 0.0
        except ClusterError as error:
            if not error.transient:
                raise
            self._failures += 1
            self._answers = self._answers + 1 if error.status is not None else 0
            if self._answers >= _ANSWERS_BEFORE_LISTING:
                self._version = None
            return self._cluster.retry.pause(self._failures, error)
        if told or self._cluster.retry.clock() - started >= _SHORT:
            self._failures = 0
            return 0.0
        self._failures += 1  # a server or proxy that ends every answer at once
        return self._cluster.retry.pause(self._failures)

    def _relist(self) -> None:
        listing = self._cluster.list(self._path, self._params, attempts=1)
        self._version = listing.resource_version
        self._deliver(Relisted(listing.items))

    def _follow(self) -> bool:
        """Deliver what one answer tells, from the version on; returns whether it told anything."""
        params = {
            **self._params,
            "resourceVersion": self._version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": self._server_seconds,
        }
        stream = self._stream = self._cluster.stream(self._path, params, self._silence)
        self._opened()
        if self._stopped.is_set():  # after the line above, or else before it and then seen by the other thread
            stream.hang_up()
        told = False
        for line in stream.lines():
            if self._stopped.is_set():
                break
            self._take(stream, line)
            told = True
        return told

    def _take(self, stream: Stream, line: bytes) -> None:
        event = stream.parse(line)
        kind, content = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise stream.error(content)
        if kind in ("ADDED", "MODIFIED"):
            self._deliver(Changed(content))
        elif kind == "DELETED":
            self._deliver(Removed(content))
        self._version = (content.get("metadata") or {}).get("resourceVersion") or self._version
        self._failures = self._answers = 0

    def _hang_up_when_stopped(self) -> None:
        self._stopped.wait()
        if self._stream is not None:
            self._stream.hang_up()
