# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of a run over many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_summary
version_added: 0.1.0
short_description: Sum up a run over many clusters
author: restartx contributors (@restartx)
description:
  - Takes what P(restartx.core.prepare_run#filter) decided and the result of each cluster, and says how the run ended and how to go on.
positional: _input, results
options:
  _input:
    description: What P(restartx.core.prepare_run#filter) returned.
    type: dict
    required: true
  results:
    description: What P(restartx.core.cluster_outcome#filter) takes, for each cluster that was begun, by inventory host.
    type: dict
    required: true
  check_mode:
    description: Whether this was a dry run.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ (run | restartx.core.run_summary({'eu-west': restart})).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(good), C(lines) for a person, C(failed) (a sentence for each inventory host that failed or was left out), and
      C(data) for programs.
  type: dict
"""

from ansible_collections.restartx.core.plugins.module_utils.run import report


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"run_summary": report.summary}
