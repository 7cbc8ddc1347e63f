# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show what remains after a repair of leftovers on many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: leftovers_summary
version_added: 0.1.0
short_description: Show what remains after a repair of leftovers on many clusters
author: restartx contributors (@restartx)
description:
  - Takes the decision of P(restartx.core.prepare_leftovers#filter), and another look at each cluster after the repair.
positional: _input
options:
  _input:
    description: What P(restartx.core.prepare_leftovers#filter) returned.
    type: dict
    required: true
  answers:
    description: The registered result of M(restartx.core.k8s_rollout_leftovers) after the repair, by inventory host.
    type: dict
    required: true
  hosts:
    description: All inventory hosts that were asked, in order.
    type: list
    elements: str
    required: true
  failures:
    description: The result of each host on which a repair failed.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what remains
  ansible.builtin.debug:
    msg: "{{ (prepared | restartx.core.leftovers_summary({'eu-west': left}, ['eu-west'], {})).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(lines) for a person, C(failed) (a sentence for each inventory host on which something remains), and C(over)
      (the runs that are finished on all their clusters now).
  type: dict
"""

import typing as t


def leftovers_summary(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/leftovers.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import leftovers

    return leftovers.summary(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"leftovers_summary": leftovers_summary}
