# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes a plan of the variables of the playbook `restart`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_of
version_added: 0.1.0
short_description: Make a plan of variables that select workloads
author: restartx contributors (@restartx)
description:
  - Makes a plan with one entry. The variables are named as the options of an entry of a plan, except that C(names) stands for C(name),
    which Ansible reserves.
  - The playbook C(restartx.core.restart) uses it.
positional: _input
options:
  _input:
    description:
      - The variables of a host. C(namespace) or C(all_namespaces) is required. Variables that are not options of a plan are left alone.
      - A variable without a value, and one that is nearly named as an option, is an error.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ {'namespace': 'shop', 'label_selectors': 'tier=web'} | restartx.core.plan_of }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError


def plan_of(variables: t.Mapping[str, t.Any]) -> dict:
    """The plan for these variables."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import selected

    try:
        return selected.plan_of(variables)
    except selected.SelectionError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"plan_of": plan_of}
