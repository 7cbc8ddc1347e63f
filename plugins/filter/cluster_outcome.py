# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What came of one cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_outcome
version_added: 0.1.0
short_description: Sum up what came of the restarts on one cluster
author: restartx contributors (@restartx)
description:
  - Takes the result of M(restartx.core.k8s_rollout_restart), or of a task that failed before it, and says in a few lines what came of it.
positional: _input
options:
  _input:
    description: The registered result.
    type: dict
    required: true
  check_mode:
    description: Whether it is the result of a dry run.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Restart
  restartx.core.k8s_rollout_restart:
    namespace: shop
  register: restart
  failed_when: false

- name: Say what came of it
  ansible.builtin.debug:
    msg: "{{ (restart | restartx.core.cluster_outcome).text }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(state) (C(done), C(stopped), or C(failed) where nothing could be tried), C(counts) by outcome, C(text) that tells
      the counts or why nothing could be tried, and C(lines) on what broke and what was not started.
  type: dict
"""

from ansible_collections.restartx.core.plugins.module_utils.run import report


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"cluster_outcome": report.outcome}
