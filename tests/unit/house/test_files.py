# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file is read in one sitting and a function on one screen."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILE_LINES = 300
FUNCTION_LINES = 50
HEADER = """\
# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""
KNOWN = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
FILES = [
    path
    for name in subprocess.run(KNOWN, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    if name and (path := ROOT / name).is_file() and not path.is_symlink() and path.stat().st_size
]
PRODUCT = [path for path in FILES if path.relative_to(ROOT).parts[0] != "tests"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def length(node: ast.stmt) -> int:
    return node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_file_names_its_licence_first(path):
    assert path.read_text().removeprefix("#!/usr/bin/python\n").startswith(HEADER)


@pytest.mark.parametrize("path", PRODUCT, ids=named)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    tree = ast.parse(text)
    # Documentation blocks are for users, and as long as they need.
    prose = sum(
        length(node)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    assert len(text.splitlines()) - prose <= FILE_LINES
    long = [
        f"{node.name}: {length(node)} lines"
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and length(node) > FUNCTION_LINES
    ]
    assert not long
