# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out k8s_rollout_gate, as k8s_rollout_restart.py does for all modules.

A file of its own and no link: documentation tools take a link for a redirection to the other module.
"""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.action import k8s_rollout_restart


class ActionModule(k8s_rollout_restart.ActionModule):
    """What all modules need from the controller."""
