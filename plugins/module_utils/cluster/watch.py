# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watches a collection until it is stopped, across any number of connections.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: a watch starts from
a resource version. If the server no longer has that version (410), the collection is listed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Union

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster, Stream
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError, Expired

_SHORT = 1.0  # seconds; an answer that ends sooner without an event counts as a failure
_ANSWERS_BEFORE_LISTING = 3  # consecutive errors from the server; after that the version may be the reason


@dataclass(frozen=True)
class Changed:
    """An object is new or changed."""

    object: dict = field(repr=False)


@dataclass(frozen=True)
class Removed:
    """An object was deleted, or no longer matches the selector. This is its last state."""

    object: dict = field(repr=False)


@dataclass(frozen=True)
class Relisted:
    """The whole collection: objects that are not in `items` are gone. Changes in between were not seen one by one."""

    items: list[dict] = field(repr=False)


@dataclass(frozen=True)
class Lost:
    """The watch has ended. There are no more events."""

    error: Exception


Event = Union[Changed, Removed, Relisted, Lost]  # noqa: UP007  ansible-test's pylint takes the other form for an operation


class Watch:
    """One watch. `run` is the body of a thread.

    `deliver` is called with the events, in order, in that thread. Without a `resource_version` the first event is
    Relisted. Set `stopped` when the events are no longer needed, also after Lost. `opened` is called whenever the
    server has accepted the watch. `interrupted` is called after a transient error; the watch is then tried again. The
    server ends each request after `server_seconds`. A connection is closed after `grace_seconds` more without data.
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
        interrupted: Callable[[ClusterError], None] = lambda error: None,
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
        self._interrupted = interrupted
        self._server_seconds = server_seconds
        self._silence = server_seconds + grace_seconds
        self._stream: Stream | None = None
        self._failures = 0  # consecutive
        self._answers = 0  # consecutive failures that were answers of the server

    def run(self) -> None:
        """Watch until `stopped` is set. Never raises: an error that ends the watch earlier is delivered as Lost."""
        threading.Thread(target=self._hang_up_when_stopped, daemon=True).start()
        try:
            while not self._stopped.is_set():
                self._stopped.wait(self._turn())
        except Exception as error:  # nobody sees an error that ends a thread, and the loop would wait forever
            if not self._stopped.is_set():
                self._deliver(Lost(error))

    def _turn(self) -> float:
        """List if necessary, then follow one answer to its end. Returns the seconds to wait before the next turn."""
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
            if self._stopped.is_set():  # it was hung up
                return 0.0
            self._failures += 1
            self._interrupted(error)
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
        """Deliver the events of one answer, from the version on. Returns whether there were any."""
        params = {
            **self._params,
            "resourceVersion": self._version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": self._server_seconds,
        }
        stream = self._stream = self._cluster.stream(self._path, params, self._silence)
        self._opened()
        if self._stopped.is_set():  # maybe before the stream was stored, so that the other thread missed it
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
