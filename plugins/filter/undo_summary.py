# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The summary of the undo of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: undo_summary
version_added: 0.1.0
short_description: Summarize the undo of a run on many clusters
author: restartx contributors (@restartx)
description:
  - Takes the decision of P(restartx.core.prepare_undo#filter) and the result of each cluster.
positional: _input, results
options:
  _input:
    description: The result of P(restartx.core.prepare_undo#filter).
    type: dict
    required: true
  results:
    description: The registered result of M(restartx.core.k8s_rollout_undo), or of a task that failed before it, by inventory host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ (undo | restartx.core.undo_summary({'eu-west': result})).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(good), C(lines) for a person, C(failed) (a sentence for each inventory host on which not everything is undone,
      or that was left out), and C(broken) (the hosts that count as failed).
  type: dict
"""

import typing as t


def undo_summary(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/undo.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import undo

    return undo.summary(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"undo_summary": undo_summary}
