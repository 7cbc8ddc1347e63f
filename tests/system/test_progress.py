# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Live progress, in a real terminal and elsewhere."""

from __future__ import annotations

import re
import subprocess
import time

import pexpect
import pyte
import pytest
from house import ROOT

from lab.errors import LabError

ROWS = 30
HISTORY = 2000  # lines that have left the screen
BARS = re.compile("[━╌]")


class Terminal:
    """A command in a terminal, and what the person in front of it sees."""

    def __init__(self, shop, columns, **settings):
        program, *arguments = map(str, shop.command())
        shop.settings |= {"TERM": "xterm-256color", **settings}
        self.screen = pyte.HistoryScreen(columns, ROWS, history=HISTORY, ratio=1)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._process = pexpect.spawn(
            program, arguments, cwd=str(ROOT), env=shop.environment(), dimensions=(ROWS, columns), timeout=120
        )

    def wait_for(self, condition, seconds=90):
        """Read until what is on the screen meets a condition: the lines of the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._see(self._process.read_nonblocking(65536, timeout=1))
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                break
            if condition(self.lines):
                return self.lines
        raise LabError("never on the screen; it shows:\n" + "\n".join(self.lines))

    def resize(self, columns):
        self._process.setwinsize(ROWS, columns)
        self.screen.resize(ROWS, columns)

    def type(self, keys):
        self._process.send(keys)

    def finish(self):
        """Read to the end: the exit code, and all lines, those that have left the screen too."""
        try:
            while True:
                self._see(self._process.read_nonblocking(65536, timeout=120))
        except pexpect.EOF:
            self._process.close()
        gone = ["".join(line[column].data for column in sorted(line)).rstrip() for line in self.screen.history.top]
        return self._process.exitstatus, gone + self.lines

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def _see(self, data):
        self.raw += data
        self._stream.feed(data)


def shows(*patterns):
    """A condition: lines below each other match these."""

    def check(lines):
        for start in range(len(lines)):
            below = lines[start : start + len(patterns)]
            if len(below) == len(patterns) and all(map(re.search, patterns, below)):
                return True
        return False

    return check


def slow(shop):
    """Its Deployment pay is not ready for a while."""
    shop.fail("pay", "never-ready")
    shop.plan["workloads"] = [{"id": "shop", "name": list(shop.apps)}]
    shop.plan["defaults"]["timeout"] = "90s"
    return shop


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_each_cluster_and_what_is_under_way_and_is_clean_afterwards(shop, columns):
    terminal = Terminal(slow(shop), columns)
    seen = terminal.wait_for(
        shows(
            r"^eu-west  [━╌]{8,24}  2 of 3 done, 1 under way  \d+s",
            rf"^  {shop.name}/pay  1 of 1 new pods, waiting for readiness \d+s$",
        )
    )
    # The lines are the last ones on the screen, below those of Ansible.
    place = next(number for number, line in enumerate(seen) if BARS.search(line))
    assert not any(seen[place + 2 :]) and any("TASK" in line for line in seen[:place])
    shop.mend("pay")
    code, lines = terminal.finish()
    assert code == 0
    assert not [line for line in lines if BARS.search(line) or "under way" in line]
    text = "\n".join(lines)
    assert re.search(r"run \S+ finished", text) and "PLAY RECAP" in text
    assert terminal.raw.count(b"\x1b[?25h") >= terminal.raw.count(b"\x1b[?25l")  # the cursor is back


def test_a_terminal_that_becomes_narrow_shows_each_line_once(shop):
    # A shell may export how large the terminal was when it began.
    terminal = Terminal(slow(shop), 120, NO_COLOR="1", COLUMNS="120", LINES=str(ROWS))
    terminal.wait_for(shows(r"^eu-west .* 2 of 3 done"))
    terminal.resize(60)
    narrow = terminal.wait_for(shows(r"^eu-west  [━╌]{8,10}  2 of 3 done"))
    assert sum(bool(BARS.search(line)) for line in narrow) <= 2  # a real terminal wraps the old line, this one cuts it
    shop.mend("pay")
    code, _lines = terminal.finish()
    assert code == 0
    assert b"\x1b[3" not in re.sub(rb"\x1b\[3[JK]", b"", terminal.raw.partition(b"eu-west")[2].partition(b"TASK")[0])


def test_after_ctrl_c_everything_has_its_place_and_the_same_command_continues(shop):
    terminal = Terminal(slow(shop), 200)
    terminal.wait_for(shows(r"^eu-west .* 2 of 3 done, 1 under way"))
    terminal.type("\x03")
    code, lines = terminal.finish()
    assert code != 0
    told = lines[lines.index("Interrupted.") :]
    assert re.search(rf"^eu-west: .*{shop.name}/api restarted", told[1])
    assert any(line == f"eu-west: under way, and goes on by itself: {shop.name}/pay" for line in told)
    assert re.search(r"^To continue, give the same command again, with -e restartx_run=\S+ if", "\n".join(told), re.M)
    assert not any(BARS.search(line) for line in lines)
    shop.mend("pay")
    code, said = shop.run()
    assert code == 0 and "resuming run" in said


def test_without_a_terminal_each_change_is_a_plain_line(shop):
    shop.plan["defaults"]["max_parallel"] = 1
    command, env = shop.command(), shop.environment()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    lines = [line for line in done.splitlines() if line.startswith("eu-west  ")]
    assert lines[0] == "eu-west  restarting 3 workloads"
    assert f"eu-west  {shop.name}/api  restarting  (0 of 3 done)" in lines
    (last,) = [line for line in lines if f"{shop.name}/web  restarted" in line]
    assert re.fullmatch(rf"eu-west  {shop.name}/web  restarted in \d+s  \(3 of 3 done\)", last)
    assert "\x1b" not in done
