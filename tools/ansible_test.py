# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run ansible-test on a copy of this checkout: `python -m tools.ansible_test sanity --test pep8`.

ansible-test wants a real folder `ansible_collections/restartx/core` with a git repository of its own, and takes a
symlink for what it points at. The copy holds what the collection ships and its tests, as they are in the working tree.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restartx" / "ansible-test"

# ansible-test downloads this script to put pip into the virtual environments of its sanity tests. Every Python brings
# a pip of its own, so no download is needed. The names are those of ansible-core 2.19 and of 2.20 and later.
GET_PIP_NAMES = ("get_pip_24_2.py", "get_pip_25_2.py")
GET_PIP = """\
import os, subprocess, sys
environment = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
subprocess.run([sys.executable, "-m", "ensurepip"], env=environment, check=True, stdout=subprocess.DEVNULL)
subprocess.run(pip + packages, env=environment, check=True)
"""


def copy_collection(name: str) -> Path:
    """Copy the collection and its tests to build/NAME, afresh, and return the copy's folder."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    left_out = [pattern for pattern in galaxy["build_ignore"] if pattern != "tests"]
    target = BUILD / name / "ansible_collections" / galaxy["namespace"] / galaxy["name"]
    shutil.rmtree(BUILD / name, ignore_errors=True)
    known = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(known, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for path in map(Path, filter(None, listed.split("\0"))):
        source = ROOT / path
        shipped = not any(fnmatch.fnmatch(path.parts[0], pattern) for pattern in left_out)
        if shipped and os.path.lexists(source):  # git still lists a file that was deleted but not yet committed
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / path, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


def run(arguments: list[str], collection: Path) -> int:
    """Run `ansible-test ARGUMENTS` in the folder `collection`, on the Python that runs this; returns its exit code."""
    scripts = CACHE / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in GET_PIP_NAMES:
        (scripts / name).write_text(GET_PIP)
    # Its own home: virtual environments are kept there, and no collection in the user's home gets in.
    environment = {**os.environ, "HOME": str(CACHE), "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2])}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command: list[str | Path] = [Path(sys.executable).with_name("ansible-test"), *arguments, "--python", version]
    return subprocess.run(command, cwd=collection, env=environment, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], copy_collection("ansible-test")))
