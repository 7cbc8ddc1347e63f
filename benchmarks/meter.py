# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a command and writes down what it took: `python -I -S meter.py FILE COMMAND ...`.

A program of its own, and as small as Python can be: the kernel's figure for a process's peak memory begins with that
of the process it was forked from, so what is started from a large one would seem as large.
"""

import json
import os
import sys
import time


def main(file: str, *command: str) -> int:
    """Writes JSON to `file`: `wall` and `cpu` in seconds, `peak` in bytes; returns the command's exit code.

    `cpu` is that of the command and all its descendants that were waited for, `peak` the largest resident size that
    one of these processes had.
    """
    began = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    _pid, status, usage = os.wait4(child, 0)
    taken = {
        "wall": time.monotonic() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
    }
    with open(file, "w", encoding="utf-8") as out:
        json.dump(taken, out)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
