# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs requests in worker threads, follows watches, and puts answers and events into one inbox for the loop.

Only this file uses threads. The loop submits work and takes events one at a time, so it needs no locks.
"""

from __future__ import annotations

import queue
import threading
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.selection.lists import Scope

WORKERS = 8  # requests in progress at once; with more, API Priority and Fairness starts to queue them


@dataclass(frozen=True)
class Answer:
    """The result of the work that was submitted under a token: a value, or an error."""

    token: t.Any
    value: t.Any = None
    error: BaseException | None = None


class Opened:
    """The event of a watch that the server has accepted: since its list, no change in the scope is missed."""


@dataclass(frozen=True)
class Interrupted:
    """The event of a watch that receives nothing for now, because of this error. Any other event ends that."""

    error: ClusterError


@dataclass(frozen=True)
class Seen:
    """An event of the watch of a scope: Opened, Interrupted, or one of cluster/watch.py."""

    scope: Scope
    event: t.Any


class Executor:
    """One cluster, with worker threads for requests and threads for watches."""

    def __init__(self, cluster: Cluster, clock: SystemClock) -> None:
        self.cluster = cluster
        self.clock = clock
        self._inbox: queue.SimpleQueue = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="restartx-worker")
        self._spare = ThreadPoolExecutor(max_workers=1, thread_name_prefix="restartx-spare-worker")
        self._stopped = threading.Event()

    def do(self, token: t.Any, call: t.Callable, *args: t.Any, urgent: bool = False) -> None:
        """Submit `call(*args)`; next() returns its Answer. `urgent` work has a worker of its own and does not wait."""
        pool = self._spare if urgent else self._pool
        pool.submit(call, *args).add_done_callback(lambda future: self._inbox.put(_answer(token, future)))

    def follow(self, scope: Scope, resource_version: str) -> bool:
        """Watch a scope from a resource version on; next() returns its events.

        Returns whether the watch is not open yet. In that case Opened or Lost follows soon.
        """
        watching = watch.Watch(
            self.cluster,
            scope.path,
            scope.params,
            resource_version,
            deliver=lambda event: self._inbox.put(Seen(scope, event)),
            stopped=self._stopped,
            opened=lambda: self._inbox.put(Seen(scope, Opened())),
            interrupted=lambda error: self._inbox.put(Seen(scope, Interrupted(error))),
        )
        # A daemon thread, so that a server that never answers does not keep the module from ending.
        threading.Thread(target=watching.run, name=f"restartx-watch {scope.path}", daemon=True).start()
        return True

    def next(self, timeout: float | None) -> Answer | Seen | None:
        """The next event; None if there was none within `timeout` seconds (None: no limit)."""
        try:
            if timeout is not None and timeout <= 0:
                return self._inbox.get_nowait()
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Ends the watches and the worker threads. Work that has not started is dropped."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._spare.shutdown(wait=False, cancel_futures=True)


def _answer(token: t.Any, future: Future) -> Answer:
    if future.cancelled():
        return Answer(token)
    error = future.exception()
    return Answer(token, error=error) if error else Answer(token, value=future.result())


def together(call: t.Callable, arguments: t.Sequence) -> list:
    """The results of `call` for the arguments, in their order, a few at a time. After all calls, raises the first
    exception."""
    if len(arguments) == 1:
        return [call(arguments[0])]
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="restartx-worker") as pool:
        futures = [pool.submit(call, argument) for argument in arguments]
    return [future.result() for future in futures]
