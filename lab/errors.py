# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one exception the lab raises for what a person can put right."""


class LabError(Exception):
    """Something the lab cannot do; its text is one sentence that says what to do about it."""
