# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Ansible process that a module works for.

`kill -9` of ansible-playbook leaves its modules running as orphans: nobody reads their results, and nobody can stop
them. So the action plugin passes the process id on, and the module checks before each change that the process is alive.
ansible-runner, and so AWX, ends a cancelled job in this way. A signal that stops the module itself has the same effect.
"""

from __future__ import annotations

from pathlib import Path

LOOK_EVERY = 1.0  # seconds between two checks of the controller while nothing else happens
START_TIME_FIELD = 22  # of /proc/PID/stat, see proc(5): a reused process id has another start time


class Abandoned(Exception):
    """The controller is gone, so nobody needs the result."""


class Controller:
    """A process named by `PID:START`, as the action plugin writes it. Without a name it counts as alive."""

    def __init__(self, name: str | None, proc: Path = Path("/proc")):
        self._pid, _colon, self._start = (name or "").partition(":")
        self._proc = proc
        self._dismissed: str | None = None

    def dismiss(self, why: str) -> None:
        """Counts it as gone from now on, for this reason."""
        self._dismissed = self._dismissed or why

    @property
    def reason(self) -> str:
        """Why it does not count as alive, as a sentence."""
        gone = self._dismissed or "the Ansible process that started this module is gone"
        return f"{gone}; nothing more was started"

    def alive(self) -> bool:
        """Whether the same process still runs (a zombie does not), and was not dismissed."""
        if self._dismissed:
            return False
        if not self._pid:
            return True
        try:
            stat = (self._proc / self._pid / "stat").read_text()
        except OSError:
            return False
        # The second field is the command in parentheses, and may contain spaces and parentheses itself.
        fields = stat[stat.rindex(")") + 2 :].split()
        return fields[0] not in ("Z", "X") and fields[START_TIME_FIELD - 3] == self._start
