# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""File locks between processes and threads that share a lab or the binary cache."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def locked(path: Path) -> Iterator[IO[str]]:
    """Hold an exclusive lock on the file `path` (created if missing) and yield the open file.

    The lock belongs to the open file: a child process that inherits it holds the lock
    too, until it closes it. Lock files are never removed, for a waiter would then hold
    a lock nobody else can see.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
