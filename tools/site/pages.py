# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages of the site: Markdown files of the repository, at the same place, so that their links lead to each other."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath

from tools.ansible_test import ROOT

HERE = Path(__file__).parent
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "lab/README.md",
    "examples/project/README.md",
    "roles/*/README.md",
)
FRONT = "README.md"  # index.md and first-restart.md include it
FIRST_STEPS = "first-restart.md"
RELATIVE = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def gather(target: Path, repository: str) -> None:
    """Copy the pages to `target`. Links to other files of the repository lead to `repository`, its URL."""
    paths = sorted(path.relative_to(ROOT) for pattern in PAGES for path in ROOT.glob(pattern))
    known = {path.as_posix() for path in paths}
    for path in paths:
        text = (ROOT / path).read_text()
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(lead(text, path.as_posix(), known, repository))
    shutil.copytree(ROOT / "docs" / "images", target / "docs" / "images")
    for page in HERE.glob("*.md"):
        shutil.copy(page, target)


def lead(text: str, page: str, known: set[str], repository: str) -> str:
    """The text of `page` with links that work on the site, on which only the pages `known` are."""

    def replace(link: re.Match[str]) -> str:
        path, anchor = link[1], link[2] or ""
        target = os.path.normpath(PurePosixPath(page).parent / path)
        if target == FRONT:
            front = FIRST_STEPS if anchor == "#first-steps" else f"index.md{anchor}"
            return f"]({os.path.relpath(front, PurePosixPath(page).parent)})"
        if target in known or path.endswith(".svg"):
            return link[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"]({repository}/{kind}/main/{target}{anchor})"

    return RELATIVE.sub(replace, text)
