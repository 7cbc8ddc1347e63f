# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The summary of pulled images on many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pre_pull_summary
version_added: 0.2.0
short_description: Summarize which images were pulled on many clusters
author: restartx contributors (@restartx)
description:
  - Takes the result of M(restartx.core.k8s_rollout_pre_pull) for each cluster. Says how many images were pulled, how long each took, and
    which could not be pulled.
positional: _input
options:
  _input:
    description: The registered result of each cluster, by inventory host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what was pulled
  ansible.builtin.debug:
    msg: "{{ ({'eu-west': pulled} | restartx.core.pre_pull_summary).lines }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(lines) for a person, and C(failed) (a sentence for each inventory host where an image could not be
    pulled).
  type: dict
"""

import typing as t


def pre_pull_summary(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/pre_pull.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import pre_pull

    return pre_pull.summary(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"pre_pull_summary": pre_pull_summary}
