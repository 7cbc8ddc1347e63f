# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Draws the progress of restarts at the bottom of a terminal. It needs the Python package rich, and imports it late."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import textwrap
import typing as t

from ansible import constants

from ansible_collections.restartx.core.plugins.module_utils.fleet.progress import Board

HIDE_CURSOR = "\x1b[?25l"
SHOW_CURSOR = "\x1b[?25h"
CLEAR_BELOW = "\x1b[J"


class Live:
    """Lines at the bottom of the terminal that change in place.

    They end with the cursor below them. Before Ansible prints something, they are removed.
    """

    def __init__(self, display: t.Any) -> None:
        self._display = display
        self._drawn: list[str] = []
        self._widths: list[int] = []  # of these lines, in cells
        self._size = (0, 0)
        self._pid = os.getpid()
        self._original = display.display
        display.display = self._around

    @functools.cached_property
    def _console(self) -> t.Any:
        """Made for the first frame: by then, Ansible waits for the modules, and so nobody waits for the import of rich."""
        from rich.console import Console

        no_color = bool(constants.ANSIBLE_NOCOLOR) or None
        return Console(file=sys.stdout, force_terminal=True, no_color=no_color, highlight=False)

    def _around(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Ansible prints something. In a fork, this does what it did before."""
        if os.getpid() != self._pid:
            self._original(*args, **kwargs)
            return
        with self._display._lock:  # until it is printed, so that nothing is drawn in between
            self.erase()
            self._original(*args, **kwargs)

    def draw(self, boards: t.Sequence[Board], now: float) -> None:
        """Draws the lines anew."""
        if not boards:
            self.erase()
            return
        size = width, height = self._terminal()
        lines = _lines(boards, now, width - 1, height - 1)
        for line in lines:
            line.truncate(width - 1, overflow="ellipsis")
        plain = [line.plain for line in lines]
        if (plain, size) == (self._drawn, self._size):
            return
        with self._console.capture() as capture:
            for line in lines:
                self._console.print(line, soft_wrap=True)
        # The cursor is hidden only while a frame is written, so no end of the process can leave it hidden.
        self._write(HIDE_CURSOR + self._back(width) + capture.get() + SHOW_CURSOR)
        self._drawn, self._widths, self._size = plain, [line.cell_len for line in lines], size

    def erase(self) -> None:
        """Removes the lines."""
        if self._widths:
            self._write(self._back(self._terminal()[0]))
            self._drawn, self._widths = [], []

    def close(self) -> None:
        """Removes the lines for good."""
        self.erase()
        self._display.display = self._original

    @staticmethod
    def _terminal() -> tuple[int, int]:
        """Its columns and lines now. An exported COLUMNS says what they were once, so rich's own answer may be too old."""
        try:
            size = os.get_terminal_size(sys.stdout.fileno())
        except (OSError, ValueError):  # no terminal, but the style live
            size = shutil.get_terminal_size()
        return size.columns, size.lines

    def _back(self, width: int) -> str:
        """Moves the cursor to the start of the lines, and removes them. A terminal that has become narrower shows a line
        in several rows."""
        rows = sum(max(1, -(-drawn // width)) for drawn in self._widths)
        return (f"\x1b[{rows}A\r" if rows else "") + CLEAR_BELOW

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.write(text)
            sys.stdout.flush()


def _lines(boards: t.Sequence[Board], now: float, width: int, height: int) -> list[t.Any]:
    """One line for each cluster, and below it as many of its workloads as there is room for."""
    from rich.text import Text

    shown = list(boards[: max(1, height - 1)] if len(boards) > height else boards)
    room = max(0, height - len(shown) - (len(shown) < len(boards)))
    longest = max(len(board.host) for board in shown)
    lines = []
    for place, board in enumerate(shown):
        details = _details(board, now, width, room // (len(shown) - place))
        room -= len(details)
        lines.append(_cluster(board, now, longest, width))
        lines += [Text(detail, style="dim") for detail in details]
    if len(shown) < len(boards):
        lines.append(Text(f"and {len(boards) - len(shown)} more clusters", style="dim"))
    return lines


def _details(board: Board, now: float, width: int, most: int) -> list[str]:
    """The workloads in progress, those that started first, and what is held and why."""
    held = textwrap.wrap(board.held(now), width, initial_indent="  ", subsequent_indent="    ")[:most]
    names = sorted(board.under_way.values(), key=lambda one: one.started)
    places = most - len(held)
    if len(names) > places:
        places = max(0, places - 1)
    longest = max((len(one.name) for one in names[:places]), default=0)
    details = [f"  {one.name:{longest}}  {one.waiting(now)}" for one in names[:places]]
    if len(names) > places and most > len(held):
        details.append(f"  and {len(names) - places} more")
    return [*details, *held]


def _cluster(board: Board, now: float, longest: int, width: int) -> t.Any:
    from rich.text import Text

    line = Text(f"{board.host:{longest}}", style="bold")
    if not board.total:
        return line
    cells = max(8, min(24, width // 6))
    full = cells * (board.done + board.failed) // board.total
    broken = min(full, -(-cells * board.failed // board.total))
    line.append("  " + "━" * (full - broken), style="not bold green")
    line.append("━" * broken, style="not bold red")
    line.append("╌" * (cells - full), style="not bold dim")
    line.append(f"  {board.counts()}", style="not bold red" if board.failed else "not bold")
    return line.append(f"  {board.times(now)}", style="not bold dim")
