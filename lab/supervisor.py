# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes an owned lab down when its owner ends: `python -m lab.supervisor DIR PID START_TIME`."""

import os
import select
import shutil
import sys

from lab.lab import Lab
from lab.process import start_time


def wait_for_end(pid: int, started: int) -> None:
    """Return when the process `pid` that began at `started` (see process.start_time) has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    if start_time(pid) == started:
        select.select([descriptor], [], [])


def main(directory: str, pid: str, started: str) -> None:
    """Wait for the owner, then remove everything it leaves behind."""
    wait_for_end(int(pid), int(started))
    Lab(directory).down()
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
