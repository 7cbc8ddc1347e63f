# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The possible outcomes of a workload, and what each means for a result, a resumed run and a summary."""

from __future__ import annotations

import enum
import typing as t


class Outcome(enum.StrEnum):
    """The outcome of a workload. The members are in the order of summaries.

    The value is the plain string in results and journals. of() converts such a string.
    """

    good: bool  # the workload is as requested, or will be
    done: bool  # the run has restarted the workload, so a resumed run has nothing to do
    retried: bool  # a resumed run tries again
    final: bool  # a resumed run leaves the workload alone

    def __new__(
        cls, value: str, good: bool = True, done: bool = False, retried: bool = False, final: bool = False
    ) -> t.Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.good, member.done, member.retried, member.final = good, done, retried, final
        return member

    RESTARTED = "restarted", True, True
    ALREADY_RESTARTED = "already_restarted", True, True
    PLANNED = "planned"
    ROLLED_OUT = "rolled_out"
    PAUSED = "paused"
    RESUMED = "resumed"
    UNDONE = "undone", False, False, False, True
    FAILED = "failed", False, False, True
    UNFINISHED = "unfinished", False, False, True
    REFUSED = "refused", False
    SUPERSEDED = "superseded", False, False, True
    IN_PROGRESS = "in_progress"
    UNCHANGED = "unchanged"
    NOT_STARTED = "not_started", False

    @classmethod
    def of(cls, text: object) -> Outcome | None:
        """The outcome in a result or a journal; None if this version does not know it."""
        try:
            return cls(str(text)) if isinstance(text, str) else None
        except ValueError:
            return None

    @property
    def words(self) -> str:
        """The outcome in words, for messages."""
        return words(self)


NOTHING_TO_REPLACE = "nothing_to_replace"


def counted_as(result: t.Mapping[str, t.Any]) -> str:
    """How summaries count a result: by its outcome, or as a restart that replaced nothing because there are no pods."""
    outcome = str(result["outcome"])
    return NOTHING_TO_REPLACE if outcome in DONE and result.get(NOTHING_TO_REPLACE) else outcome


def words(outcome: str) -> str:
    """An outcome in words, for messages. The outcome may be unknown to this version."""
    return "without pods to replace" if outcome == NOTHING_TO_REPLACE else outcome.replace("_", " ")


def order(outcome: str) -> float:
    """A key that sorts outcomes in the order of summaries. Unknown outcomes come last."""
    if outcome == NOTHING_TO_REPLACE:
        return order(Outcome.ALREADY_RESTARTED) + 0.5
    known = Outcome.of(outcome)
    return len(Outcome) if known is None else list(Outcome).index(known)


# These are also sets of plain strings, because a member equals its value.
BAD: t.Final = frozenset(outcome for outcome in Outcome if not outcome.good)
DONE: t.Final = frozenset(outcome for outcome in Outcome if outcome.done)
RETRIED: t.Final = frozenset(outcome for outcome in Outcome if outcome.retried)
FINAL: t.Final = frozenset(outcome for outcome in Outcome if outcome.final)
