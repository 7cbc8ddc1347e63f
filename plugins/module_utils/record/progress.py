# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Live progress: what a module tells the Ansible process that it works for, while it works.

The callback plugin `progress` makes a FIFO and reads it. Each message is one line of JSON. It is shorter than PIPE_BUF,
so lines of several modules never mix (POSIX, write()). Nobody has to listen: a line that cannot be written at once is
dropped, and the next line has the current counts.

The fields of a line: `host` is the inventory host, and `event` is one of

- `begin`: work on `total` workloads begins. `doing` is the participle for them, `run` the id of the run.
- `task`: the state of a workload, or what is known about it, has changed. `name` is its name, `before` and `state` are
  states of engine/states.py, and `text` says what is waited for. At the end, `outcome` and `good` are set.
- `hold`: `text` is the reason why nothing may start; empty if there is none. `seconds` is set if the next workload
  starts after that time.
- `wait`: `text` says what the module waits for before it begins; empty if it no longer waits.

`begin`, `task` and `hold` have the counts `total`, `done`, `failed` and `active`.
"""

from __future__ import annotations

import json
import os
import select
import stat
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work
from ansible_collections.restartx.core.plugins.module_utils.engine.states import FOLLOWED, Event, State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.rollout import status
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration

LOOK_EVERY = 0.5  # seconds between two looks at what is under way
LONGEST_TEXT = 300  # characters; a line with names of the longest kind then fits into PIPE_BUF
LEFT_OUT = " ... "

Clean = t.Callable[[str], str]  # removes secrets from a text
# Why nothing may start, empty if there is no reason, and until which instant.
Hold = tuple[str, t.Optional[float]]  # noqa: UP045  ansible-test's pylint takes the other form for an operation


def _same(text: str) -> str:
    return text


class Pipe:
    """The end of the FIFO that is written to. Without a reader, nothing is written."""

    def __init__(self, path: str):
        self._fd: int | None = None
        try:
            # Fails with ENXIO if nobody reads.
            self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
                self.close()
        except OSError:
            pass

    @property
    def open(self) -> bool:
        return self._fd is not None

    def write(self, line: t.Mapping) -> None:
        """Writes one line, or drops it. Never waits and never raises an error."""
        if self._fd is None:
            return
        data = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        if len(data) > select.PIPE_BUF:
            return
        try:
            os.write(self._fd, data)
        except BlockingIOError:
            pass  # the reader is slower than we are
        except OSError:
            self.close()  # the reader is gone

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class _Told(t.NamedTuple):
    """What was told last of a workload in progress, and from what."""

    workload: dict
    trouble: str
    gate: str
    text: str


class ProgressWriter:
    """Tells the progress of one call, as an observer of the engine. It has no requests of its own.

    `address` is the path of the FIFO, a colon, and the name of the inventory host; None if nobody listens. `clean`
    removes secrets from texts.
    """

    required = False
    needs_lock = False

    def __init__(self, address: str | None, clock: t.Any, clean: Clean = _same):
        path, _colon, self._host = (address or "").partition(":")
        self._pipe = Pipe(path) if path and self._host else None
        self._clock = clock
        self._clean = clean
        self._tasks: dict[tuple, Task] = {}
        self._active: dict[tuple, _Told] = {}
        self._done = self._failed = 0
        self._hold: t.Callable[[float], Hold] = lambda now: ("", None)
        self._held: Hold = ("", None)
        self._look_at = 0.0

    @property
    def warnings(self) -> list[str]:
        """None: whether somebody listens does not matter to a run."""
        return []

    @property
    def listened(self) -> bool:
        """Whether somebody reads the lines."""
        return self._pipe is not None and self._pipe.open

    def waits(self, text: str) -> None:
        """Tells what the call waits for before it begins; an empty text if it no longer waits."""
        self._write("wait", {"text": self._fitting(text)})

    def begin(self, doing: str, run: str | None, tasks: t.Sequence[Task], hold: t.Callable[[float], Hold]) -> None:
        """Tells that work on the tasks begins. `hold` returns why nothing may start at an instant."""
        self._tasks, self._active = {task.key: task for task in tasks}, {}
        self._done = self._failed = 0
        self._hold = hold
        self._look_at = self._clock.monotonic() + LOOK_EVERY  # what holds everything for a moment is not worth a line
        self._write("begin", {"doing": doing, "run": run, **self._counts()})

    def see(self, event: Event) -> None:
        """Tells a change of state."""
        task = self._tasks[event.task.key]
        if event.after is State.ENDED:
            self._active.pop(task.key, None)
            self._done += task.good
            self._failed += not task.good
            self._tell(task, event.before, "" if task.good else task.why, outcome=str(event.outcome), good=task.good)
        elif event.after is State.WAITING:
            self._active.pop(task.key, None)
            self._tell(task, event.before, "")
        else:
            told = self._active[task.key] = _Told(task.object, task.trouble, task.gate, self._text(task))
            self._tell(task, event.before, told.text)

    def work(self, tasks: t.Iterable[Task]) -> Work | None:
        """Tells what has changed since the last look. There is nothing to do in a worker."""
        now = self._clock.monotonic()
        if now < self._look_at or not self.listened:
            return None
        self._look_at = now + LOOK_EVERY
        for key, told in self._active.items():
            task = self._tasks[key]
            changed = task.object is not told.workload or (task.trouble, task.gate) != (told.trouble, told.gate)
            if changed or _tells(task):
                text = self._text(task)
                self._active[key] = _Told(task.object, task.trouble, task.gate, text)
                if text != told.text:
                    self._tell(task, task.state, text)
        held = self._hold(now)
        if held != self._held:
            self._held = held
            text, until = held
            seconds = None if until is None else round(until - now, 3)
            self._write("hold", {"text": self._fitting(text), "seconds": seconds, **self._counts()})
        return None

    def worked(self, error: BaseException | None) -> None:
        """Never called, because there is no work."""

    def close(self, tasks: t.Sequence[Task]) -> None:
        """Nothing remains to be told: the result of the module follows."""

    def _tell(self, task: Task, before: State, text: str, **more: t.Any) -> None:
        line = {"name": _name(task), "before": before, "state": task.state, "text": self._fitting(text)}
        self._write("task", {**line, "undoing": task.undoing, "earlier": task.earlier, **more, **self._counts()})

    def _counts(self) -> dict[str, int]:
        return {
            "total": len(self._tasks),
            "done": self._done,
            "failed": self._failed,
            "active": len(self._active),
        }

    def _write(self, event: str, line: dict) -> None:
        if self._pipe is not None:
            self._pipe.write({"host": self._host, "event": event, **line})

    def _fitting(self, text: str) -> str:
        """The text without secrets. What is too long loses its middle: the end is often the answer to a long question."""
        clean = self._clean(text)
        if len(clean) <= LONGEST_TEXT:
            return clean
        half = (LONGEST_TEXT - len(LEFT_OUT)) // 2
        return f"{clean[:half]}{LEFT_OUT}{clean[-half:]}"

    @staticmethod
    def _text(task: Task) -> str:
        """What is waited for."""
        if _tells(task) and task.state in FOLLOWED:
            return ", ".join(filter(None, [task.message, task.trouble]))
        if task.state is State.SETTLING and task.gate:
            return f"rolled out; {task.gate}"
        if task.state is State.SETTLING:
            return f"rolled out, and followed for {duration.text(task.settle)} more"
        if task.state is State.EXPLAINING:
            return f"looking for the cause: {task.message}" if task.message else "looking for the cause"
        if task.state is not State.WATCHING:
            return ""
        return ", ".join(filter(None, [status.waits_for(task.object), task.trouble]))


def _tells(task: Task) -> bool:
    """Whether the message of a task in progress says what it waits for: its pods decide, and not the status, or it is held."""
    one_by_one = task.step.pod_by_pod(task.object) and task.settled_at is None and not task.gate
    return bool(task.step.trial or task.held or one_by_one)


def _name(task: Task) -> str:
    """The name of a workload in a line of progress: `shop/api`, with its kind unless it is a Deployment."""
    kind, namespace, name = task.key
    return f"{namespace}/{name}" if kind == "Deployment" else f"{kind} {namespace}/{name}"
