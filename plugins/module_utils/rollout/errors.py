# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one error of this room."""

from __future__ import annotations


class RolloutError(Exception):
    """Something about a rollout cannot be done; str() is one sentence: the object, what was wrong, the way out."""
