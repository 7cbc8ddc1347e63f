# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The interfaces for listening to a run (observers) and for guarding it (guards).

The loop knows neither journals nor locks. It passes events to the observers, runs the work of observers and guards in
its workers, and asks the guards whether the run may continue.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.states import Event
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task


@dataclass(frozen=True)
class Work:
    """A call to run in a worker. `urgent` work has a worker of its own and does not wait for other requests."""

    call: t.Callable[[], t.Any]
    urgent: bool = False


class Background(t.Protocol):
    """An object that sends requests of its own during the run."""

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """The next work, or None. It is not called again until worked() was called for that work."""

    def worked(self, error: BaseException | None) -> None:
        """The work is done, or failed with an error. Raises the error if it is a bug and not a state of the cluster."""


class Guard(Background, t.Protocol):
    """A condition that must hold during the whole run, such as the lock of the plan."""

    def refusal(self) -> str | None:
        """Why nothing more may start; None if it may. Called in workers too."""


class Observer(Background, t.Protocol):
    """An object that receives the events of a run.

    A `required` observer has checked before the run that it can work, and an error that it raises ends the run. Any
    other observer is dropped at its first error. The work of an observer that `needs_lock` is not done after a guard
    refuses, because another start may do it then.
    """

    required: bool
    needs_lock: bool

    @property
    def warnings(self) -> list[str]:
        """What the user should know."""

    def see(self, event: Event) -> None:
        """Receives an event. Must return at once."""

    def close(self, tasks: t.Sequence[Task]) -> None:
        """The run is over, and no work of the observer is in progress. This call may take time."""


class Observers:
    """All observers and guards of a run, for the loop."""

    def __init__(self, observers: t.Sequence[Observer], guards: t.Sequence[Guard]):
        self._observers = list(observers)
        self._guards = list(guards)
        self._all: list[Background] = [*guards, *observers]
        self._busy: set[int] = set()  # indexes in the list
        self._warnings: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What the user should know."""
        return [*self._warnings, *(warning for observer in self._observers for warning in observer.warnings)]

    def see(self, event: Event) -> None:
        """Passes an event to every observer."""
        for observer in list(self._observers):
            self._try(observer, observer.see, event)

    def refusal(self) -> str | None:
        """The reason of the first guard that refuses; None if nothing more may start otherwise."""
        return next(filter(None, (guard.refusal() for guard in self._guards)), None)

    def give_work(self, executor: t.Any, tasks: t.Iterable[Task]) -> None:
        """Submits the work of observers and guards to the executor."""
        for place, somebody in enumerate(self._all):
            if place in self._busy or not self._may_work(somebody):
                continue
            work = self._try(somebody, somebody.work, tasks)
            if work is not None:
                self._busy.add(place)
                executor.do(("observer", place), work.call, urgent=work.urgent)

    @staticmethod
    def concerns(answer: Answer) -> bool:
        """Whether an answer belongs to the work of an observer or a guard."""
        return answer.token[0] == "observer"

    def take(self, answer: Answer) -> None:
        """Handles the answer to such work."""
        _observer, place = answer.token
        self._busy.discard(place)
        somebody = self._all[place]
        self._try(somebody, somebody.worked, answer.error)

    def close(self, executor: t.Any, tasks: t.Sequence[Task]) -> None:
        """Closes each observer when its own work is done, so that no earlier write arrives after the last one."""
        while any(self._all[place] in self._observers for place in self._busy):
            event = executor.next(None)
            if isinstance(event, Answer) and self.concerns(event):
                self.take(event)
        for observer in list(self._observers):
            if self._may_work(observer):
                self._try(observer, observer.close, tasks)

    def _may_work(self, somebody: t.Any) -> bool:
        if somebody in self._guards:
            return True
        return somebody in self._observers and not (somebody.needs_lock and self.refusal())

    def _try(self, somebody: t.Any, call: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
        """Makes the call. An observer that is not required is dropped if it fails."""
        try:
            return call(*args)
        except Exception as error:
            if somebody not in self._observers or somebody.required:
                raise
            self._observers.remove(somebody)
            self._warnings += [*somebody.warnings, f"{type(somebody).__name__} failed and was left out: {error}"]
            return None
