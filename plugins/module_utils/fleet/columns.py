# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables of plain text, as kubectl prints them."""

from __future__ import annotations

import textwrap
import typing as t

NONE = "-"  # a cell without a value


def lines(heading: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]]) -> list[str]:
    """The rows below their heading, in columns. A cell without a value is a dash."""
    cells = [[*heading], *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    # A space at the end of a line would make Ansible print the whole text as one quoted line.
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in cells]


def cell(value: t.Any) -> str:
    """A value in one line."""
    text = "" if value is None else " ".join(str(value).split())
    return text or NONE


def short(sentence: str, width: int) -> str:
    """The beginning of a sentence, cut at a word."""
    return textwrap.shorten(sentence, width, placeholder=" ...")


def minute(instant: str | None) -> str | None:
    """A time in ISO 8601 up to its minutes: `2026-11-24 22:15`."""
    return instant[:16].replace("T", " ") if instant else None
