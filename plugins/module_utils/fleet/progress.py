# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The progress of all clusters at work, from the lines that their modules write (record/progress.py).

It knows no terminal and no clock. Instants are seconds of a monotonic clock that the caller passes.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import words
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

REMIND_EVERY = 30.0  # seconds without a line about a cluster after which a reminder follows
SHOWN = 3  # workloads in a reminder
LISTED = 10  # workloads in the lines after an interruption


@dataclass
class Workload:
    """A workload in progress: what it waits for, and since when."""

    name: str
    started: float
    text: str
    since: float
    undoing: bool = False

    def waiting(self, now: float) -> str:
        """What is waited for, and for how long: `2 of 3 new pods, waiting for readiness 14s`."""
        before = "rolling back, " if self.undoing else ""
        return f"{before}{self.text} {duration.text(int(now - self.since))}".strip()


@dataclass
class Board:
    """One cluster at work. `total`, `done`, `failed` and `active` are counts of workloads."""

    host: str
    began: float
    doing: str = ""
    run: str | None = None
    total: int = 0
    done: int = 0
    failed: int = 0
    active: int = 0
    earlier: int = 0  # those whose outcome comes from an earlier start of the run
    hold: str = ""
    hold_until: float | None = None
    wait: str = ""
    wait_since: float = 0.0
    told_at: float = 0.0
    under_way: dict[str, Workload] = field(default_factory=dict)
    finished: dict[str, str] = field(default_factory=dict)  # name to outcome, of those that this start has changed

    @property
    def waiting(self) -> int:
        """Workloads that have not started."""
        return max(0, self.total - self.done - self.failed - self.active)

    def short(self) -> str:
        """`4 of 20 done, 1 failed`."""
        return f"{self.done} of {self.total} done" + (f", {self.failed} failed" if self.failed else "")

    def counts(self) -> str:
        """`12 of 20 done, 3 under way, 1 failed, 4 held`."""
        parts = [f"{self.done} of {self.total} done"]
        parts += [f"{self.active} under way"] if self.active else []
        parts += [f"{self.failed} failed"] if self.failed else []
        if self.waiting:
            parts.append(f"{self.waiting} {'held' if self.hold and self.hold_until is None else 'waiting'}")
        return ", ".join(parts)

    def times(self, now: float) -> str:
        """The elapsed time, and the expected time until the end at the rate so far."""
        elapsed = now - self.began
        told = duration.text(int(elapsed))
        ended = self.done + self.failed - self.earlier
        left = self.total - self.done - self.failed
        if ended > 0 and left > 0 and (not self.hold or self.hold_until is not None):
            told += f", about {duration.text(int(elapsed / ended * left) or 1)} left"
        return told

    def held(self, now: float) -> str:
        """Why nothing starts, and for how long; empty if there is no reason or nothing waits. When everything is done,
        only a gate after the run is a reason."""
        if self.wait:
            return f"waiting for {duration.text(int(now - self.wait_since))}: {self.wait}"
        if not self.hold or (self.active and not self.waiting):
            return ""
        if self.hold_until is not None:
            return f"next start in {duration.text(max(0, round(self.hold_until - now)))} ({self.hold})"
        return f"held: {self.hold}"


class Progress:
    """All clusters at work, by host."""

    def __init__(self) -> None:
        self.boards: dict[str, Board] = {}

    def take(self, line: t.Mapping, now: float) -> str | None:
        """Takes one line of a module. Returns the line for people; None if there is nothing new for them.

        A line that this version does not understand is left out.
        """
        try:
            host, event = str(line["host"]), str(line["event"])
            board = self.boards.get(host) or Board(host, now)
            told = {"begin": self._begin, "task": self._task, "hold": self._hold, "wait": self._wait}[event](
                board, line, now
            )
        except (KeyError, TypeError, ValueError):
            return None
        self.boards[host] = board
        if told is None:
            return None
        board.told_at = now
        return f"{host}  {told}"

    def end(self, host: str) -> None:
        """The module of a host has ended."""
        self.boards.pop(host, None)

    def reminders(self, now: float) -> list[str]:
        """What is waited for, for each cluster about which nothing was said for a while."""
        lines = []
        for board in self.boards.values():
            if now < board.told_at + REMIND_EVERY:
                continue
            longest = sorted(board.under_way.values(), key=lambda one: one.since)
            shown = [f"{one.name} {one.waiting(now)}" for one in longest[:SHOWN]]
            shown += [f"and {len(longest) - SHOWN} more"] if len(longest) > SHOWN else []
            about = [*shown, *filter(None, [board.held(now)])]
            if not about:
                continue
            board.told_at = now
            counts = f"  ({board.counts()})" if board.total else ""
            lines.append(f"{board.host}  {'; '.join(about)}{counts}")
        return lines

    def interruption(self) -> list[str]:
        """What was restarted and what is under way, after everything was interrupted; empty if nothing was at work."""
        lines = []
        for board in self.boards.values():
            if not board.doing:
                continue
            if board.finished:
                told = [f"{name} {words(outcome)}" for name, outcome in board.finished.items()]
                lines.append(f"{board.host}: {_some(told)}")
            if board.under_way:
                lines.append(f"{board.host}: under way, and goes on by itself: {_some(list(board.under_way))}")
            if board.waiting:
                lines.append(f"{board.host}: {board.waiting} of {board.total} not started")
        return lines

    @property
    def run(self) -> str | None:
        """The run that is at work; None if there is none, or more than one."""
        runs = {board.run for board in self.boards.values() if board.run}
        return runs.pop() if len(runs) == 1 else None

    def _begin(self, board: Board, line: t.Mapping, now: float) -> str | None:
        board.began, board.wait, board.hold = now, "", ""
        board.doing, board.run = str(line["doing"]), line["run"] and str(line["run"])
        board.under_way, board.finished, board.earlier = {}, {}, 0
        self._count(board, line)
        return f"{board.doing} {board.total} {'workload' if board.total == 1 else 'workloads'}"

    def _task(self, board: Board, line: t.Mapping, now: float) -> str | None:
        name, state, text = str(line["name"]), str(line["state"]), str(line["text"])
        self._count(board, line)
        if state == "ended":
            before = board.under_way.pop(name, None)
            if line["earlier"]:
                board.earlier += 1
                return None
            outcome = str(line["outcome"])
            board.finished[name] = outcome
            told = words(outcome)
            told += f": {text}" if text else f" in {duration.text(int(now - before.started))}" if before else ""
            return f"{name}  {told}  ({board.short()})"
        if state == "waiting":
            board.under_way.pop(name, None)
            return None
        known = board.under_way.get(name)
        undoing = bool(line["undoing"])
        if known is None:
            board.under_way[name] = Workload(name, now, text, now, undoing)
            # Only the rollout is followed: an earlier start changed the workload, or the module changes nothing.
            follows = line["before"] == "waiting" and state == "watching"
            return f"{name}  {'waiting for its rollout' if follows else board.doing}  ({board.short()})"
        if text and text != known.text:
            known.text, known.since = text, now
        if undoing and not known.undoing:
            known.undoing = True
            return f"{name}  rolling back"
        return f"{name}  {text}" if state == "settling" and line["before"] != state else None

    def _hold(self, board: Board, line: t.Mapping, now: float) -> str | None:
        seconds = line["seconds"]
        before, board.hold = board.hold, str(line["text"])
        board.hold_until = None if seconds is None else now + float(seconds)
        self._count(board, line)
        new = board.hold != before and board.hold_until is None
        return board.held(now) or None if board.hold and new else None

    def _wait(self, board: Board, line: t.Mapping, now: float) -> str | None:
        before, board.wait = board.wait, str(line["text"])
        if not before:
            board.wait_since = now
        if board.wait and board.wait != before:
            return f"waiting: {board.wait}"
        return None

    @staticmethod
    def _count(board: Board, line: t.Mapping) -> None:
        board.total, board.done = int(line["total"]), int(line["done"])
        board.failed, board.active = int(line["failed"]), int(line["active"])


def _some(texts: t.Sequence[str]) -> str:
    more = f", and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more
