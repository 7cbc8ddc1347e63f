# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows the progress of restarts while they run. It never slows or changes a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Live progress of restarts
version_added: 0.1.0
author: restartx contributors (@restartx)
description:
  - Shows what the modules of this collection do while they run, beside the output of Ansible.
  - In a terminal, it draws one line for each cluster at work, and below it the workloads in progress. It redraws these lines in place,
    and removes them before Ansible prints a line of its own. This needs the Python package C(rich).
  - Elsewhere, and without C(rich), it prints one plain line for each change of state, and every 30 seconds what is waited for.
  - Plain lines of ad-hoc commands go to standard error, so that programs can read the result from standard output.
  - It shows the progress of modules that run on the controller itself (connection local).
  - A run is never slowed down or changed by it. If lines cannot be shown in time, some of them are left out.
options:
  style:
    description:
      - V(live) draws lines that change in place.
      - V(lines) prints plain lines.
      - V(auto) means V(live) in a terminal if C(rich) is installed, and V(lines) elsewhere. Output of ansible-runner, and so of AWX, is
        always plain lines.
    type: str
    choices: [auto, live, lines]
    default: auto
    env:
      - name: RESTARTX_PROGRESS_STYLE
    ini:
      - section: callback_restartx_progress
        key: style
requirements:
  - rich >= 13 (for the style V(live))
notes:
  - Enable it with C(callbacks_enabled = restartx.core.progress) in C(ansible.cfg), or with
    E(ANSIBLE_CALLBACKS_ENABLED=restartx.core.progress).
  - Ad-hoc commands load callback plugins only if E(ANSIBLE_LOAD_CALLBACK_PLUGINS=true) is set, or C(bin_ansible_callbacks = true) in
    C(ansible.cfg).
"""

import atexit
import contextlib
import importlib.util
import json
import os
import select
import sys
import tempfile
import threading
import time
import typing as t

from ansible import constants
from ansible.plugins.callback import CallbackBase

from ansible_collections.restartx.core.plugins.module_utils.fleet.progress import Progress
from ansible_collections.restartx.core.plugins.plugin_utils.live import Live

FIFO = "RESTARTX_PROGRESS_FIFO"  # the action plugin passes it on to modules
ADHOC = "__adhoc_playbook__"  # how Ansible calls the playbook of an ad-hoc command
FRAME = 0.25  # seconds between two frames in a terminal
LOOK_EVERY = 1.0  # seconds between two looks for due reminders
CHUNK = 65536  # bytes of the FIFO that are read at once


class CallbackModule(CallbackBase):
    """Reads the FIFO in a thread, and shows what it reads.

    Workers are forked while Ansible holds the lock of its display. The thread holds the same lock whenever it does more
    than wait, so no fork ever has a lock that the thread left locked.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "restartx.core.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress()
        self._view: Live | None = None
        self._fifo = ""
        self._fds: tuple[int, int] | None = None
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._complete = False
        self._adhoc = False

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Makes the FIFO. This happens before the first worker is forked, and again for each playbook of a command."""
        self._adhoc = getattr(playbook, "_file_name", None) == ADHOC
        self._complete = False
        self._stopping.clear()
        try:
            self._fifo = os.path.join(tempfile.mkdtemp(prefix="progress-", dir=constants.DEFAULT_LOCAL_TMP), "fifo")
            os.mkfifo(self._fifo, 0o600)
            reader = os.open(self._fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            # With a writer of our own, the FIFO never ends, and the thread can be woken.
            self._fds = reader, os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._display.vv(f"There is no progress: {error}")
            return
        os.environ[FIFO] = self._fifo
        self._view = Live(self._display) if self._is_live() else None
        self._thread = threading.Thread(target=self._read, args=self._fds[:1], name="restartx progress", daemon=True)
        self._thread.start()
        atexit.register(self._stop)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """The playbook has ended by itself."""
        self._complete = True
        self._stop()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A module of a host has ended."""
        self._end(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A module of a host has ended."""
        self._end(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """A module of a host has ended."""
        self._end(result)

    def _end(self, result: t.Any) -> None:
        with self._display._lock:
            self._take()
            host = result.host if hasattr(result, "host") else result._host  # ansible-core 2.18
            self._progress.end(host.get_name())

    def _is_live(self) -> bool:
        style = self.get_option("style")
        if style == "auto":
            by_runner = constants.DEFAULT_STDOUT_CALLBACK == "awx_display"
            terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
            style = "live" if terminal and not by_runner else "lines"
        if style == "live" and importlib.util.find_spec("rich") is None:
            self._display.v("The progress is shown as plain lines. To draw it in place: pip install rich")
            return False
        return style == "live"

    def _read(self, fd: int) -> None:
        """The thread: shows what the modules write until the playbook ends."""
        try:
            while not self._stopping.is_set():
                pause = FRAME if self._view and self._progress.boards else LOOK_EVERY
                select.select([fd], [], [], pause)
                with self._display._lock:
                    if self._stopping.is_set():
                        return
                    self._take()
                    if self._view:
                        self._view.draw(list(self._progress.boards.values()), time.monotonic())
                    else:
                        self._print(self._progress.reminders(time.monotonic()))
                if self._view:
                    self._stopping.wait(FRAME / 2)  # many lines at once are shown in one frame
        except Exception as error:  # whatever it is, the run goes on
            self._display.vv(f"The progress ends: {type(error).__name__}: {error}")

    def _take(self) -> None:
        """Takes what is in the FIFO. A line is written at once, so the last one is complete."""
        if self._fds is None:
            return
        data = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fds[0], CHUNK):
                data += chunk
        now = time.monotonic()
        for text in data.splitlines():
            with contextlib.suppress(ValueError):
                told = self._progress.take(json.loads(text), now)
                if told and not self._view:
                    self._print([told])

    def _print(self, lines: t.Sequence[str]) -> None:
        for line in lines:
            self._display.display(line, stderr=self._adhoc)

    def _stop(self) -> None:
        """Ends the thread, and gives the terminal back. After an interruption, says where everything is."""
        if self._fds is None or os.getpid() != self._pid:
            return
        with self._display._lock:
            with contextlib.suppress(Exception):
                self._take()
            self._stopping.set()
            os.environ.pop(FIFO, None)
            with contextlib.suppress(BlockingIOError):
                os.write(self._fds[1], b"\n")  # wakes the thread
            if self._view:
                self._view.close()
            if not self._complete:
                self._print(self._interruption())
        # Python ends threads that are left at its own end wherever they are, and a lock that they hold stays locked.
        if self._thread:
            self._thread.join()
        for fd in self._fds:
            os.close(fd)
        self._fds = None
        with contextlib.suppress(OSError):
            os.unlink(self._fifo)
            os.rmdir(os.path.dirname(self._fifo))

    def _interruption(self) -> list[str]:
        lines = self._progress.interruption()
        if not lines:
            return []
        run = self._progress.run
        again = "give the same command again"
        if run:
            option = f"run_id={run}" if self._adhoc else f"-e restartx_run={run}"
            again += f", with {option} if it names neither a run, a ticket nor a period"
        return ["", "Interrupted.", *lines, f"To continue, {again}."]
