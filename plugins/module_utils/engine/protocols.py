# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the engine needs from outside: a clock, and an executor for everything that takes time. Tests inject their
own."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.api import Cluster
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer, Seen


class Clock(t.Protocol):
    """The time. sleep() blocks only the caller."""

    def now(self) -> datetime.datetime:
        """The time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never jump or go back."""

    def sleep(self, seconds: float) -> None:
        """Waits for that many seconds."""


class Scope(t.Protocol):
    """The collection that a watch follows."""

    @property
    def path(self) -> str:
        """The API path of a list."""

    @property
    def params(self) -> dict[str, str]:
        """The query parameters with its selectors."""


class Executor(t.Protocol):
    """Carries out requests and follows watches. next() returns all answers and events, one at a time."""

    @property
    def cluster(self) -> Cluster:
        """The cluster that is worked on."""

    @property
    def clock(self) -> Clock:
        """The clock of the whole run."""

    def do(self, token: tuple, call: t.Callable[..., t.Any], *args: t.Any, urgent: bool = False) -> None:
        """Submits `call(*args)`; next() returns its Answer. `urgent` work has a worker of its own and does not wait."""

    def follow(self, scope: t.Any, resource_version: str) -> bool:
        """Watches a Scope from a resource version on. Returns whether the watch is not open yet."""

    def next(self, timeout: float | None) -> Answer | Seen | None:
        """The next event; None if there was none within `timeout` seconds (None: no limit)."""

    def close(self) -> None:
        """Ends the watches and the workers."""
