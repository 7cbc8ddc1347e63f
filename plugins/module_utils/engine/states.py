# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The states of a task, the allowed transitions, and the event for each change.

Task.to() in engine/task.py is the only writer of a state. Everything that needs to know about changes receives the
events.
"""

from __future__ import annotations

import datetime
import enum
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome


class State(enum.StrEnum):
    """The state of a task."""

    WAITING = "waiting"
    ACTING = "acting"
    WATCHING = "watching"
    SETTLING = "settling"
    EXPLAINING = "explaining"
    ENDED = "ended"


MEANING: t.Final[t.Mapping[State, str]] = {
    State.WAITING: "waits for its turn",
    State.ACTING: "a request that changes the workload is under way",
    State.WATCHING: "its rollout is followed",
    State.SETTLING: "rolled out, and followed a while longer",
    State.EXPLAINING: "its failure is looked into",
    State.ENDED: "has its outcome",
}

# A task whose request was not sent waits for its turn again. Another step may follow: an undo after a failure, or the
# next step after a success.
TRANSITIONS: t.Final[t.Mapping[State, frozenset[State]]] = {
    State.WAITING: frozenset({State.ACTING, State.WATCHING, State.EXPLAINING, State.ENDED}),
    State.ACTING: frozenset({State.WAITING, State.WATCHING, State.EXPLAINING, State.ENDED}),
    State.WATCHING: frozenset({State.ACTING, State.WATCHING, State.SETTLING, State.EXPLAINING, State.ENDED}),
    State.SETTLING: frozenset({State.ACTING, State.WATCHING, State.EXPLAINING, State.ENDED}),
    State.EXPLAINING: frozenset({State.ACTING, State.WATCHING, State.ENDED}),
    State.ENDED: frozenset(),
}

FOLLOWED: t.Final = frozenset({State.WATCHING, State.SETTLING})  # states in which events of a watch are judged


class IllegalTransition(Exception):
    """A transition that is not allowed. This is a bug."""


class Subject(t.Protocol):
    """The task that an event is about. Listeners only read it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name of the workload."""

    @property
    def title(self) -> str:
        """How a sentence names the workload."""

    @property
    def group(self) -> str:
        """The entry of the plan that it belongs to."""

    @property
    def good(self) -> bool:
        """Whether the outcome is as asked for."""

    @property
    def earlier(self) -> bool:
        """Whether the outcome comes from an earlier start of the run."""

    @property
    def undoing(self) -> bool:
        """Whether it is being undone, or was."""


@dataclass(frozen=True)
class Event:
    """A task went from one state to another. `at` is the time of day, aware, in UTC. `outcome` and `message` are those
    after the change. The outcome is final when the task has ended; before that, it is the one that the task is heading
    for."""

    at: datetime.datetime
    task: Subject
    before: State
    after: State
    outcome: Outcome
    message: str


def check(before: State, after: State) -> None:
    """Raises IllegalTransition if the transition is not allowed."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(f"{before} may not become {after}")
