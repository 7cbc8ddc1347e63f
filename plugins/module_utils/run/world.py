# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cluster at work: requests by a few hands at once, watches, and one inbox that the loop reads.

Only this file knows threads. The loop gives out work and takes events one at a time, so it needs no locks.
"""

from __future__ import annotations

import queue
import threading
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Scope

HANDS = 8  # requests under way at once; the API server's own fairness begins to queue beyond that


@dataclass(frozen=True)
class Answer:
    """What came of the work given out under a token: a value, or the error in its place."""

    token: t.Any
    value: t.Any = None
    error: BaseException | None = None


class Opened:
    """The event of a watch that the server has agreed to: from its list on, nothing of the scope is missed."""


@dataclass(frozen=True)
class Seen:
    """What the watch of a scope saw: Opened, or one of the events of cluster/watch.py."""

    scope: Scope
    event: t.Any


class World:
    """One cluster, with hands to work on it and eyes that follow it."""

    def __init__(self, cluster, clock):
        self.cluster = cluster
        self.clock = clock
        self._inbox: queue.SimpleQueue = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=HANDS, thread_name_prefix="restartx-hand")
        self._spare = ThreadPoolExecutor(max_workers=1, thread_name_prefix="restartx-spare-hand")
        self._stopped = threading.Event()

    def do(self, token: t.Any, call: t.Callable, *args: t.Any, urgent: bool = False) -> None:
        """Give out `call(*args)`; its Answer comes through next(). What is `urgent` need not wait for a hand."""
        pool = self._spare if urgent else self._pool
        pool.submit(call, *args).add_done_callback(lambda future: self._inbox.put(_answer(token, future)))

    def follow(self, scope: Scope, resource_version: str) -> bool:
        """Watch a scope from a resource version on; what is seen comes through next().

        Returns whether that has yet to begin: then Opened or Lost comes before long.
        """
        watching = watch.Watch(
            self.cluster,
            scope.path,
            scope.params,
            resource_version,
            deliver=lambda event: self._inbox.put(Seen(scope, event)),
            stopped=self._stopped,
            opened=lambda: self._inbox.put(Seen(scope, Opened())),
        )
        # A daemon: a server that never answers must not keep the module from ending.
        threading.Thread(target=watching.run, name=f"restartx-watch {scope.path}", daemon=True).start()
        return True

    def next(self, timeout: float | None) -> Answer | Seen | None:
        """The next event; None when there was none for `timeout` seconds (None: wait for one)."""
        try:
            if timeout is not None and timeout <= 0:
                return self._inbox.get_nowait()
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Ends the watches and lets the hands go; work that has not begun is dropped."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._spare.shutdown(wait=False, cancel_futures=True)


def _answer(token: t.Any, future: Future) -> Answer:
    if future.cancelled():
        return Answer(token)
    error = future.exception()
    return Answer(token, error=error) if error else Answer(token, value=future.result())
