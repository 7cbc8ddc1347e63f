# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outcome of the restarts on one cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_outcome
version_added: 0.1.0
short_description: Summarize the restarts on one cluster
author: restartx contributors (@restartx)
description:
  - Takes the result of M(restartx.core.k8s_rollout_restart), or of a task that failed before it, and summarizes it in a few lines.
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
  goal:
    description: The outcome that was asked for, V(undone) for the result of M(restartx.core.k8s_rollout_undo).
    type: str
    default: restarted
"""

EXAMPLES = r"""
- name: Restart
  restartx.core.k8s_rollout_restart:
    namespace: shop
  register: restart
  failed_when: false

- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ (restart | restartx.core.cluster_outcome).text }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(state) (C(done), C(stopped), or C(failed) if nothing could be tried), C(counts) by outcome, C(text) (the
      counts, or why nothing could be tried), and C(lines) on what failed and what was not started.
  type: dict
"""

import typing as t


def cluster_outcome(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/report.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import report

    return report.outcome(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cluster_outcome": cluster_outcome}
