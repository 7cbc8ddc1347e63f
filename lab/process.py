# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Background processes that can always be found again, and never mistaken for others."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from lab.errors import LabError

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TICKS = os.sysconf("SC_CLK_TCK")

# The shell records itself and then becomes the program, so that there is no moment
# at which a program runs and nobody knows it, even if the lab is killed in between.
# Its standard input is the lock of whoever starts it: until it has recorded itself
# nobody else can get that lock and miss it.
_LAUNCH = """
read -r boot < /proc/sys/kernel/random/boot_id &&
read -r stat < /proc/$$/stat &&
echo "$boot $stat" > "$0" &&
exec "$@" < /dev/null
"""


def start_time(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot; None if there is no such process.

    A process that has ended and only waits for its parent counts as gone.
    """
    try:
        return _parse(Path(f"/proc/{pid}/stat").read_text())[1]
    except (OSError, IndexError):
        return None


def _parse(stat: str) -> tuple[int, int | None]:
    """(pid, start time) of a line of /proc/PID/stat; the start time of a zombie is None."""
    pid, rest = stat.split(" ", 1)
    fields = rest.rpartition(")")[2].split()  # the name before it may hold spaces
    return int(pid), None if fields[0] in "ZX" else int(fields[19])


class Process:
    """One recorded background process: `record` is its pid file, `log` its output."""

    def __init__(self, record: str | Path, log: str | Path):
        self.record = Path(record)
        self.log = Path(log)

    @property
    def pid(self) -> int | None:
        """The process id, or None where it does not run (any more).

        A pid alone proves nothing, for the kernel uses pids again: start time and
        boot must be the recorded ones too.
        """
        try:
            boot, stat = self.record.read_text().split(" ", 1)
            pid, started = _parse(stat)
        except (OSError, ValueError, IndexError):
            return None
        if boot != _BOOT_ID.read_text().strip() or start_time(pid) != started:
            return None
        return pid

    @property
    def uptime(self) -> float | None:
        """Seconds since it was started; None if it does not run."""
        pid = self.pid
        started = pid and start_time(pid)
        if not started:
            return None
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / _TICKS

    def start(self, command: Sequence[str | Path], lock: IO[str], environment: Mapping[str, str] | None = None) -> None:
        """Start `command` (a list) unless it runs; `lock` is the open lock file of the caller."""
        if self.pid:
            return
        for file in (self.record, self.log):
            file.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCH, str(self.record), *map(str, command)],
                stdin=lock,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C at the terminal is not meant for it
            )
        while not self.pid:  # at most a few milliseconds
            if child.poll() is not None:
                raise LabError(f"{command[0]} did not start; its output is in {self.log}.")
            time.sleep(0.005)
        # It outlives us by design; a late "still running" warning would be noise.
        child.returncode = 0

    def stop(self, max_wait: float = 3.0) -> None:
        """End it and return when it has ended; after `max_wait` seconds it is killed."""
        pid = self.pid
        deadline = time.monotonic() + max_wait
        sent: signal.Signals | None = None
        while pid and self.pid == pid:
            wanted = signal.SIGKILL if time.monotonic() > deadline else signal.SIGTERM
            if wanted != sent:
                _send(pid, wanted)
                sent = wanted
            _reap(pid)
            time.sleep(0.02)
        self.record.unlink(missing_ok=True)

    def tail(self, lines: int = 5) -> str:
        """The last lines it wrote, as one text."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it ended by itself between the look and the signal


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # somebody else's child; its own parent reaps it
