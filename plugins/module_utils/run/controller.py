# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Ansible process on whose behalf a module works.

`kill -9` of ansible-playbook leaves its modules running as orphans: nobody reads their results any more, and nobody
could stop them. So the action plugin passes the process on, and the loop asks before each change whether it is alive.
"""

from __future__ import annotations

from pathlib import Path

START_TIME_FIELD = 22  # of /proc/PID/stat, see proc(5): a reused process id has another start time


class Controller:
    """A process named by `PID:START`, as the action plugin writes it; without a name it is taken to be alive."""

    def __init__(self, name: str | None, proc: Path = Path("/proc")):
        self._pid, _colon, self._start = (name or "").partition(":")
        self._proc = proc

    def alive(self) -> bool:
        """Whether the very process still runs; a zombie counts as ended."""
        if not self._pid:
            return True
        try:
            stat = (self._proc / self._pid / "stat").read_text()
        except OSError:
            return False
        # The second field is the command in brackets and may hold blanks and brackets itself.
        fields = stat[stat.rindex(")") + 2 :].split()
        return fields[0] not in ("Z", "X") and fields[START_TIME_FIELD - 3] == self._start
