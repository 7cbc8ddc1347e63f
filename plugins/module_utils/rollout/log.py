# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last lines of a container's log: what is asked for, and what of it is shown."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds

LINES = 5  # the reason is at the end; what an application wrote before that is nobody's business here
LONGEST = 300  # characters of a line
_MOST = 16384  # bytes


def path(namespace: str, pod: str) -> str:
    """The API path of a pod's logs."""
    return f"{kinds.pods_path(namespace)}/{pod}/log"


def query(container: str, previous: bool) -> dict:
    """The parameters that ask for the last lines; `previous` for those of the instance before the current one."""
    return {"container": container, "previous": previous, "tailLines": LINES, "limitBytes": _MOST}


def last_lines(lines: list[str]) -> tuple[str, ...]:
    """The last lines that say anything, cut where they are long, without what would steer a terminal."""
    said = [line for line in map(_plain, lines) if line]
    return tuple(line if len(line) <= LONGEST else line[:LONGEST] + "..." for line in said[-LINES:])


def _plain(line: str) -> str:
    shown = (character if character.isprintable() else " " for character in line)
    return "".join(shown).rstrip()
