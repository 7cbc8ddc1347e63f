# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the site into build/site: `python -m tools.site`. Nothing is downloaded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tools.ansible_test import BUILD, ROOT
from tools.site import links, pages

HERE = Path(__file__).parent
SITE = BUILD / "site"
SOURCE = BUILD / "site-source"
PLUGIN = re.compile(r"^    (\w+)_(module|callback|filter|inventory|role)$", re.MULTILINE)
REFERENCE = SOURCE / "reference"


def main() -> int:
    """Gather the sources, build, and check every link of the result; returns the exit code."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    for folder in (SITE, SOURCE):
        shutil.rmtree(folder, ignore_errors=True)
    pages.gather(SOURCE, galaxy["repository"])
    REFERENCE.mkdir(mode=0o755)  # antsibull-docs refuses a folder that others may write to
    settings = ["--config-file", str(HERE / "antsibull-docs.cfg")]
    reference = ["--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", str(REFERENCE)]
    run("antsibull-docs", *settings, "collection", *reference, f"{galaxy['namespace']}.{galaxy['name']}")
    index = REFERENCE / "index.rst"
    index.write_text(PLUGIN.sub(short, index.read_text()))
    # All warnings at once, and any of them fails.
    run("sphinx-build", "--quiet", "--fail-on-warning", "--conf-dir", str(HERE), str(SOURCE), str(SITE))
    broken = links.broken(SITE)
    for line in broken:
        print(line, file=sys.stderr)
    if not broken:
        print(SITE.relative_to(ROOT) / "index.html")
    return bool(broken)


def short(plugin: re.Match[str]) -> str:
    """An item of the navigation: a name, without what the title of the page adds to it."""
    page, name, kind = plugin[0].strip(), plugin[1], plugin[2]
    return f"    {name if kind == 'module' else f'{name} ({kind})'} <{page}>"


def run(program: str, *arguments: str) -> None:
    """A program of the virtual environment. It finds the others there, and no collections of the user."""
    folder = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "ANSIBLE_HOME": str(BUILD / "ansible-home")}
    subprocess.run([folder / program, *arguments], cwd=ROOT, env=env, check=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
