# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Ansible process on whose behalf a module works.

`kill -9` of ansible-playbook leaves its modules running as orphans: nobody reads their results any more, and nobody
could stop them. So the action plugin passes the process on, and the loop asks before each change whether it is alive.
ansible-runner, and so AWX, ends a cancelled job in that way. A signal that asks the module itself to stop means the same.
"""

from __future__ import annotations

from pathlib import Path

LOOK_EVERY = 1.0  # seconds between two looks at the controller while nothing else happens
START_TIME_FIELD = 22  # of /proc/PID/stat, see proc(5): a reused process id has another start time


class Abandoned(Exception):
    """Nobody wants the result any more."""


class Controller:
    """A process named by `PID:START`, as the action plugin writes it; without a name it is taken to be alive."""

    def __init__(self, name: str | None, proc: Path = Path("/proc")):
        self._pid, _colon, self._start = (name or "").partition(":")
        self._proc = proc
        self._dismissed: str | None = None

    def dismiss(self, why: str) -> None:
        """From now on it counts as gone, for this reason."""
        self._dismissed = self._dismissed or why

    @property
    def reason(self) -> str:
        """Why it does not count as alive, as a sentence."""
        gone = self._dismissed or "the Ansible process that started this module is gone"
        return f"{gone}; nothing more was begun"

    def alive(self) -> bool:
        """Whether somebody still waits for us: the very process runs (a zombie does not), and nobody dismissed it."""
        if self._dismissed:
            return False
        if not self._pid:
            return True
        try:
            stat = (self._proc / self._pid / "stat").read_text()
        except OSError:
            return False
        # The second field is the command in brackets and may hold blanks and brackets itself.
        fields = stat[stat.rindex(")") + 2 :].split()
        return fields[0] not in ("Z", "X") and fields[START_TIME_FIELD - 3] == self._start
