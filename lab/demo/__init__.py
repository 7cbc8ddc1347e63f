# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo: a shop on two clusters is restarted, breaks, is repaired, and the restart goes on where it stopped."""
