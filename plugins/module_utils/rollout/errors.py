# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one error of this package."""

from __future__ import annotations


class RolloutError(Exception):
    """A request about a rollout cannot be fulfilled. str() is one sentence: the object, what is wrong, what to do."""
