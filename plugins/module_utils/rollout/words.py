# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def some(names: Sequence[str], most: int, joint: str = ", ") -> str:
    """The first names of a list, and how many there are besides: `a, b, c and 4 more`."""
    more = len(names) - most
    return joint.join(names[:most]) + (f" and {more} more" if more > 0 else "")
