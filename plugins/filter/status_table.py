# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of rollouts on many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
version_added: 0.1.0
short_description: Show the rollouts, locks and runs under way on many clusters
author: restartx contributors (@restartx)
description:
  - Takes what M(restartx.core.k8s_rollout_status) and M(restartx.core.k8s_rollout_journal) returned for each inventory host, and makes a
    table for each host.
positional: _input, journals
options:
  _input:
    description: The registered result of M(restartx.core.k8s_rollout_status) by inventory host.
    type: dict
    required: true
  journals:
    description: The registered result of M(restartx.core.k8s_rollout_journal) by inventory host.
    type: dict
    required: true
  hosts:
    description: All inventory hosts that were asked, in order.
    type: list
    elements: str
    required: true
  fail:
    description: Whether a host counts as failed if a rollout on it is broken, or if a workload of the plan is missing.
    type: raw
    default: false
"""

EXAMPLES = r"""
- name: Read the status
  restartx.core.k8s_rollout_status:
    namespace: shop
  register: status

- name: Read the journals
  restartx.core.k8s_rollout_journal:
  register: journals

- name: Show both
  ansible.builtin.debug:
    msg: "{{ ({'eu-west': status} | restartx.core.status_table({'eu-west': journals}, hosts=['eu-west'])).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(error) (what is wrong with the options, or null), C(lines), and C(failed) (a sentence for each host whose
      workloads could not be read, and with O(fail) for each on which something is broken or missing).
  type: dict
"""

import typing as t


def status_table(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/rollouts.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import rollouts

    return rollouts.report(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_table": status_table}
