# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every link of the built site: it leads to a page and an anchor of the site, and nothing is loaded from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"audio", "embed", "iframe", "img", "script", "source", "video"}  # and links, except those in LED_TO
LED_TO = {"author", "canonical", "next", "prev", "search", "index", "contents", "top", "copyright"}


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what a browser loads to show it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each tag."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        self.links |= {given[name] for name in ("href", "src") if given.get(name)}
        if tag in LOADED and given.get("src"):
            self.loaded.add(given["src"])
        if tag == "link" and not set(given.get("rel", "").split()) & LED_TO:
            self.loaded.add(given.get("href", ""))


def broken(site: Path) -> list[str]:
    """What is wrong with the links of all pages in the folder `site`, a sentence each."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        name = path.relative_to(site)
        wrong += [f"{name}: loads {url} from elsewhere" for url in sorted(page.loaded) if urlsplit(url).netloc]
        for link in sorted(page.links):
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if not target.is_file():
                wrong.append(f"{name}: no file for the link {link}")
            elif url.fragment and target in pages and unquote(url.fragment) not in pages[target].anchors:
                wrong.append(f"{name}: no anchor for the link {link}")
    return wrong
