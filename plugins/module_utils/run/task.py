# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A workload on its way through the loop, and the entry of `results` that it becomes."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.cause import Cause
from ansible_collections.restartx.core.plugins.module_utils.run.resolve import Key

# The outcomes that leave a workload other than asked for; any one of them fails the module.
BAD = frozenset({"failed", "unfinished", "refused", "superseded", "not_started", "undone"})

GRACE = 300.0  # seconds in which what may heal by waiting should have done so

# What of a cause is told, beside the last lines of a log.
_SHOWN = ("code", "object", "pod", "container", "reason", "sentence", "advice")


@dataclass
class Task:
    """One workload: what is asked of it, how far it is, and what came of it.

    state: waiting (for its turn), acting (a request is under way), watching (its rollout), settling (rolled out,
    watched a while longer), explaining (its failure is looked into), ended. What failed may start again with another
    step, which undoes it.
    """

    key: Key
    group: str
    object: dict
    step: t.Any
    timeout: float | None = None
    settle: float = 0.0
    grace: float = GRACE
    state: str = "waiting"
    outcome: str = "not_started"
    goal: str = ""  # the outcome that its first step is for
    message: str = ""
    failure: tuple[str, str] | None = None  # outcome and message, while causes are asked for and an undo is tried
    undoing: bool = False  # the step is one that undoes the failure
    left: bool = False  # on its way when the call was cut short
    gone: bool = False  # last seen deleted
    cause: Cause | None = None
    changed: bool = False
    generation: int | None = None
    conflicts: int = 0
    deadline: float | None = None
    settled_at: float | None = None
    nudge_at: float | None = None
    slow_since: float = 0.0
    crowd: int = 0  # the most that were under way with it
    pods_at: float | None = None
    started: float | None = None
    ended: float | None = None
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    revision_before: str | None = None
    before: dict | None = None  # as it was when the request went out; a watch may show the change before its answer
    diff: tuple[dict, dict] | None = None

    def __post_init__(self) -> None:
        self.goal = self.step.outcome if self.step else ""

    @property
    def title(self) -> str:
        """How a sentence names it: `Deployment shop/api`."""
        kind, namespace, name = self.key
        return f"{kind} {namespace}/{name}"

    @property
    def running(self) -> bool:
        return self.state not in ("waiting", "ended")

    @property
    def good(self) -> bool:
        """Whether the outcome is as asked for; an undone workload is so only when undo was."""
        return self.outcome == self.goal or self.outcome not in BAD

    def _cause(self) -> dict | None:
        if self.cause is None:
            return None
        shown = {name: getattr(self.cause, name) for name in _SHOWN}
        return {**shown, "log": list(self.cause.log)}

    def result(self) -> dict:
        """The entry of `results`: plain values, never the object itself, which carries environment values."""
        kind, namespace, name = self.key
        return {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "uid": self.object["metadata"].get("uid"),
            "outcome": self.outcome,
            "changed": self.changed,
            "revision_before": self.revision_before,
            "revision_after": history.revision_shown(self.object),
            "message": self.message,
            "cause": self._cause(),
            "risks": status.risks(self.object),
            "started_at": _text(self.started_at),
            "finished_at": _text(self.finished_at),
            "duration": round(self.ended - self.started, 3) if None not in (self.ended, self.started) else None,
        }


def summary(results: t.Iterable[dict]) -> dict[str, int]:
    """Counts by outcome, most frequent first."""
    return dict(Counter(result["outcome"] for result in results).most_common())


def verdict(tasks: t.Sequence[Task], verb: str) -> str | None:
    """One sentence on what went wrong, or None when nothing did.

    Names the workloads that broke, not those that were never started because of them.
    """
    bad = [task for task in tasks if not task.good]
    if not bad:
        return None
    first = [task for task in bad if task.outcome != "not_started"] or bad
    shown = "; ".join(_sentence(task) for task in first[:3])
    more = f"; and {len(first) - 3} more" if len(first) > 3 else ""
    if len(tasks) == 1:
        return shown
    return f"{len(bad)} of {len(tasks)} workloads not {verb}: {shown}{more}"


def _sentence(task: Task) -> str:
    why = task.cause.sentence if task.cause else task.message
    return f"{task.title} {task.outcome.replace('_', ' ')}: {why}"


def _text(instant: datetime.datetime | None) -> str | None:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z") if instant else None
