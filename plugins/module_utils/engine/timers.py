# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The instants at which time alone changes a task."""

from __future__ import annotations

import heapq
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task


class Timers:
    """Monotonic instants, each for one task. None is ever removed: the receiver checks whether it still matters."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Task]] = []
        self._count = 0  # makes entries for the same instant different

    def set(self, task: Task, instant: float) -> float:
        """Wake the task at an instant, which is returned."""
        self._count += 1
        heapq.heappush(self._heap, (instant, self._count, task))
        return instant

    @property
    def next(self) -> float | None:
        """The earliest instant that is set."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> t.Iterator[Task]:
        """The tasks whose instant is reached, the earliest first. Each instant is returned once."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]


def come(instant: float | None, now: float) -> bool:
    """Whether an instant is set and reached."""
    return instant is not None and now >= instant
