# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say which runs of some clusters concern other clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: other_runs
version_added: 0.1.0
short_description: Say which runs of some clusters concern other clusters
author: restartx contributors (@restartx)
description:
  - Takes what M(restartx.core.k8s_rollout_leftovers) returned for each inventory host. For each host, it returns the runs that are for it
    too and have not begun there, and those whose undo has begun on another host.
positional: _input
options:
  _input:
    description: The registered result of M(restartx.core.k8s_rollout_leftovers) by inventory host.
    type: dict
    required: true
  between_waves:
    description: Whether something must be good before the next wave begins (C(restartx_bake), C(restartx_gates)).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Find what runs have left
  restartx.core.k8s_rollout_leftovers:
  register: left

- name: Look again with what the other clusters know
  restartx.core.k8s_rollout_leftovers:
    other_runs: "{{ ({'eu-west': left} | restartx.core.other_runs)[inventory_hostname] | default(omit) }}"
"""

RETURN = r"""
_value:
  description:
    - By inventory host, what M(restartx.core.k8s_rollout_leftovers) takes as O(restartx.core.k8s_rollout_leftovers#module:other_runs).
      Hosts without such a run are left out.
  type: dict
"""

import typing as t


def other_runs(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/leftovers.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import leftovers

    return leftovers.other_runs(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"other_runs": other_runs}
