# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Links lead somewhere: those of the Markdown files on a Git host, and those of the site that is built from them."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from tools.site import links, pages

ROOT = Path(__file__).parents[3]
KNOWN = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
FILES = {
    ROOT / name
    for name in subprocess.run(KNOWN, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    if name and (ROOT / name).exists()
}
FOLDERS = {folder for path in FILES for folder in path.parents}
MARKDOWN = sorted(path for path in FILES if path.suffix == ".md")
REPOSITORY = "https://git.example/restartx"


def tokens(text: str):
    """All tokens of a Markdown text, those within lines too."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or []


def anchors(text: str) -> set[str]:
    """The anchors that a Git host gives to the headings."""
    parsed = MarkdownIt("commonmark").parse(text)
    found: list[str] = []
    for opening, inline in itertools.pairwise(parsed):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children)
            anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return set(found)


def mistakes(path: Path, text: str) -> list[str]:
    """The links of a Markdown file that lead nowhere."""
    wrong = []
    for token in tokens(text):
        link = token.attrGet("href") or token.attrGet("src")
        if not link or re.match("[a-z]+:", link):
            continue
        file, _mark, anchor = unquote(link).partition("#")
        target = Path(path.parent / file).resolve() if file else path
        if target not in FILES | FOLDERS:
            wrong.append(f"{link}: no such file in the repository")
        elif anchor and (target.suffix != ".md" or anchor not in anchors(target.read_text())):
            wrong.append(f"{link}: no such heading")
    return wrong


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_markdown_file_leads_to_a_file_and_a_heading_of_the_repository(path):
    assert not mistakes(path, path.read_text())


@pytest.mark.parametrize(
    ("link", "mistake"),
    [
        ("docs/plan.md", None),
        ("rbac/", None),
        ("docs/plan.md#when-a-workload-fails", None),
        ("https://docs.example/nowhere", None),
        ("docs/plans.md", "no such file in the repository"),
        (".venv/bin/python", "no such file in the repository"),  # not for those who clone it
        ("docs/plan.md#when-a-workload-succeeds", "no such heading"),
        ("#nowhere", "no such heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link, mistake):
    found = mistakes(ROOT / "README.md", f"See [there]({link}).")
    assert found == ([f"{link}: {mistake}"] if mistake else [])


def test_pictures_load_nothing():
    pictures = [path.read_text() for path in FILES if path.suffix == ".svg"]
    assert pictures
    for text in pictures:
        assert set(re.findall(r"\w+://[^\s\"')]+", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    ("link", "on_the_site"),
    [
        ("plan.md#the-window", "plan.md#the-window"),
        ("#a-heading", "#a-heading"),
        ("https://docs.example/", "https://docs.example/"),
        ("images/progress.svg", "images/progress.svg"),
        ("../README.md", "../index.md"),
        ("../README.md#modules", "../index.md#modules"),
        ("../README.md#first-steps", "../first-restart.md"),
        ("../rbac/", f"{REPOSITORY}/tree/main/rbac"),
        ("../examples/awx/settings.yml", f"{REPOSITORY}/blob/main/examples/awx/settings.yml"),
    ],
)
def test_links_to_what_is_not_a_page_of_the_site_lead_to_the_repository(link, on_the_site):
    text = pages.lead(f"See [there]({link}).", "docs/awx.md", {"docs/awx.md", "docs/plan.md"}, REPOSITORY)
    assert text == f"See [there]({on_the_site})."


@pytest.mark.parametrize(
    ("html", "mistake"),
    [
        ('<a href="docs/other.html">', None),
        ('<a href="docs/other.html#there">', None),
        ('<a href="#here">', None),
        ('<a href="https://docs.example/">', None),
        ('<a href="docs/nowhere.html">', "no file for the link docs/nowhere.html"),
        ('<a href="docs/other.html#nowhere">', "no anchor for the link docs/other.html#nowhere"),
        ('<a href="#nowhere">', "no anchor for the link #nowhere"),
        ('<img src="nothing.png">', "no file for the link nothing.png"),
        ('<script src="https://cdn.example/x.js">', "loads https://cdn.example/x.js from elsewhere"),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', "loads //fonts.example/x.css from elsewhere"),
    ],
)
def test_a_broken_link_of_the_site_is_found(tmp_path, html, mistake):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "other.html").write_text('<p id="there">')
    (tmp_path / "index.html").write_text(f'<p id="here">{html}')
    assert links.broken(tmp_path) == ([f"index.html: {mistake}"] if mistake else [])
