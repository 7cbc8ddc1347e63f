# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A first plan from a dry run over everything in some namespaces."""

from __future__ import annotations

DOCUMENTATION = r"""
name: new_plan
version_added: 0.1.0
short_description: Write a first restart plan
author: restartx contributors (@restartx)
description:
  - Takes the result of M(restartx.core.k8s_rollout_restart) in check mode, over all kinds in some namespaces. Returns a plan as the
    text of a file. Workloads that cannot be restarted are in comments with the reason.
positional: _input, namespaces, cluster
options:
  _input:
    description: The registered result.
    type: dict
    required: true
  namespaces:
    description: The namespaces that were looked in.
    type: list
    elements: str
    required: true
  cluster:
    description: The inventory host of the cluster, for the comment at the beginning.
    type: str
    required: true
  command:
    description: The command that tries the plan, for that comment.
    type: str
"""

EXAMPLES = r"""
- name: Ask what would be restarted
  restartx.core.k8s_rollout_restart:
    namespace: [shop]
    kind: [StatefulSet, Deployment, DaemonSet]
    on_failure: continue
  check_mode: true
  register: dry_run
  failed_when: false

- name: Show a first plan
  ansible.builtin.debug:
    msg: "{{ (dry_run | restartx.core.new_plan(['shop'], 'eu-west')).text }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(error) (why there is no plan, or null), the C(text) of the file, and C(lines) on what is in it.
  type: dict
"""

import typing as t


def new_plan(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/new_plan.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import new_plan

    return new_plan.plan(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"new_plan": new_plan}
