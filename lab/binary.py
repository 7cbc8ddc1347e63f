# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one binary of all components: built once from pinned modules, then kept in a cache."""

from __future__ import annotations

import functools
import hashlib
import time
from pathlib import Path

from lab import go
from lab.lock import locked

_SOURCE = Path(__file__).parent / "kubernetes"
_KUBERNETES = (1, 37, 2)

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


@functools.cache
def build() -> Path:
    """Path of the binary; builds it first where the cache has none for this source.

    Building takes minutes, and says on stderr every few seconds how far it is. Raises
    LabError with the end of Go's output if it fails.
    """
    binary = go.cache_directory() / _fingerprint() / "kubernetes"
    if not binary.exists():
        with locked(go.cache_directory() / "build.lock"):
            if not binary.exists():  # or somebody else has built it while we waited
                _build(binary)
    return binary


def _fingerprint() -> str:
    digest = hashlib.sha256(repr(_FLAGS).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((_SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(binary: Path) -> None:
    tool = go.toolchain()
    go.say("downloading the Kubernetes modules (once)")
    total = sum(not line.startswith("go: ") for line in go.stream([tool, "list", "-deps", "."], _SOURCE))
    go.say(f"building Kubernetes {_VERSION} (once; 5 to 15 minutes without a Go cache)")
    started = said = time.monotonic()
    binary.parent.mkdir(parents=True, exist_ok=True)
    draft = binary.with_suffix(".draft")
    # With -v every package that was compiled is a line.
    for number, _line in enumerate(go.stream([tool, "build", "-v", *_FLAGS, "-o", draft, "."], _SOURCE)):
        if time.monotonic() - said >= _INTERVAL:
            said = time.monotonic()
            go.say(f"{_elapsed(started)}  {number} of {total} packages")
    draft.rename(binary)
    go.say(f"Kubernetes {_VERSION} is built, after {_elapsed(started)}")


def _elapsed(started: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    return f"{minutes}:{seconds:02}"
