# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The summary of the access to many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: access_summary
version_added: 0.1.0
short_description: Summarize the access to many clusters
author: restartx contributors (@restartx)
description:
  - Takes the result of M(restartx.core.k8s_rollout_access) for each cluster. Says what each cluster has, and what is missing with the
    commands for an administrator.
positional: _input
options:
  _input:
    description: The registered result of each cluster, by inventory host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is missing
  ansible.builtin.debug:
    msg: "{{ ({'eu-west': access} | restartx.core.access_summary).lines }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(lines) for a person, and C(failed) (a sentence for each inventory host where something is missing).
  type: dict
"""

import typing as t


def access_summary(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/access.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import access

    return access.summary(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"access_summary": access_summary}
