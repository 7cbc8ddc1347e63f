# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last lines of a container's log: the query, and the lines that are shown."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import masking

LINES = 20  # the reason is at the end; earlier lines are not needed and may be confidential
FEW_LINES = 5  # if many workloads fail, because their results are printed and kept
LONGEST = 300  # characters of a line
MOST = 3000  # characters of all lines
_MOST = 65536  # bytes


def path(namespace: str, pod: str) -> str:
    """The API path of a pod's logs."""
    return f"{kinds.pods_path(namespace)}/{pod}/log"


def query(container: str, previous: bool, lines: int = LINES) -> dict:
    """The query for the last lines; `previous` selects the instance before the current one."""
    return {"container": container, "previous": previous, "tailLines": lines, "limitBytes": _MOST}


def last_lines(lines: list[str], most: int = LINES) -> tuple[str, ...]:
    """The last lines that are not empty: without secrets, without control characters, and shortened."""
    said = [line for line in masking.mask_lines(map(_plain, lines)) if line]
    shown = [line if len(line) <= LONGEST else line[:LONGEST] + "..." for line in said[-most:]]
    while sum(map(len, shown)) > MOST:
        del shown[0]
    return tuple(shown)


def _plain(line: str) -> str:
    shown = (character if character.isprintable() else " " for character in line)
    return "".join(shown).rstrip()
