# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write docs/images/progress.svg, the terminal of a real run in a lab of its own: `python -m tools.picture`.

It restarts the shop of the demo on both clusters at once. A few services need some seconds to become ready there, as an
application would. The picture is the first screen on which both clusters wait for such a service, one further than the
other.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
import time
import typing as t
from pathlib import Path

import pexpect
import pyte
from rich.console import Console
from rich.text import Text

from lab import Lab, LabError
from lab.demo import place, shop
from tools.ansible_test import BUILD
from tools.shipped_role import shipped_roles

FILE = place.ROOT / "docs" / "images" / "progress.svg"
COLUMNS, ROWS = 92, 22
# One wave, because the plan of the demo takes one cluster after the other.
COMMAND = "ansible-playbook restart_prod.yml -e ticket=CHG0042 -e restartx_wave=1"
SLOW = {"eu-west": ("payment", "orders", "web"), "us-east": ("catalog", "cart", "search")}
BAR = re.compile(r"\S+ +[━╌]+  [1-9]\d* of \d+ done")
WAITS = re.compile(r"waiting for readiness [2-9]s")
PATIENCE = 120  # seconds
# What would change how the command looks.
DROPPED = {"COLUMNS", "LINES", "NO_COLOR", "ANSIBLE_NOCOLOR"}


class Screen(pyte.Screen):
    """A terminal that shows dim text grey; pyte ignores it."""

    def select_graphic_rendition(self, *attributes: int, **more: t.Any) -> None:
        super().select_graphic_rendition(*(90 if one == 2 else one for one in attributes), **more)


def main() -> int:
    """Restart, look, write the picture, and wait for the end of the run; returns the exit code."""
    with Lab(BUILD / "picture-lab", owned=True) as lab:
        place.InLab(lab).open_shops()
        clusters = [lab.cluster(name) for name in SLOW]
        for cluster in clusters:
            for service in SLOW[cluster.name]:
                cluster.fail({"app": service}, "slow-start", namespace="shop")
        screen = Screen(COLUMNS, ROWS)
        run = start(shipped_roles(clusters, list(shop.NAMESPACES), lab.directory / "restartx.kubeconfig"))
        watch(run, screen)
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(picture(screen))
        run.expect(pexpect.EOF)
        run.close()
    print(FILE.relative_to(place.ROOT))
    return run.exitstatus or 0


def start(kubeconfig: Path) -> pexpect.spawn:
    """The command in a terminal of its own; inventory/ takes the clusters from these variables."""
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED} | {
        "KUBECONFIG": str(kubeconfig),
        "RESTARTX_CONTEXTS": ",".join(SLOW),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TERM": "xterm-256color",
    }
    program, *arguments = shlex.split(COMMAND)
    size = (ROWS, COLUMNS)
    return pexpect.spawn(program, arguments, cwd=str(place.ROOT), env=environment, dimensions=size, timeout=PATIENCE)


def watch(run: pexpect.spawn, screen: Screen) -> None:
    """Read until the screen is interesting."""
    stream = pyte.ByteStream(screen)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            stream.feed(run.read_nonblocking(65536, timeout=5))
        except pexpect.TIMEOUT:
            continue
        except pexpect.EOF:
            break
        if not screen.cursor.hidden and interesting(screen.display):  # it is hidden while a frame is drawn
            return
    raise LabError("The screen never showed both clusters waiting; it shows:\n" + "\n".join(screen.display))


def interesting(lines: list[str]) -> bool:
    """Whether both clusters wait for a workload, and have come to different points."""
    bars = [number for number, line in enumerate(lines) if BAR.match(line)]
    parts = [lines[start:end] for start, end in zip(bars, [*bars[1:], None])]
    waiting = [part[0].split()[2] for part in parts if WAITS.search("\n".join(part))]
    return len(waiting) == len(set(waiting)) == len(SLOW)


def picture(screen: Screen) -> str:
    """The screen as SVG. It loads nothing: the font is whatever monospaced one the reader has."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    lines = [row(screen, number) for number in range(ROWS)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    for line in lines:
        console.print(line, soft_wrap=True)
    svg = console.export_svg(title=COMMAND, unique_id="progress")
    svg = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", svg, flags=re.DOTALL)
    return "".join(line.rstrip() + "\n" for line in svg.splitlines() if line.strip())


def row(screen: Screen, number: int) -> Text:
    """One line of the screen with its colours."""
    line = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[number][column]
        line.append(cell.data, f"{'bold ' if cell.bold else ''}{colour(cell.fg)}")
    line.rstrip()
    return line


def colour(name: str) -> str:
    """What rich calls a colour of pyte."""
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return re.sub("^bright(?!_)", "bright_", name).replace("brown", "yellow")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"picture: {error}")
