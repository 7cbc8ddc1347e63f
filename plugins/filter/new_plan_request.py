# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks the variables of the playbook new_plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: new_plan_request
version_added: 0.1.0
short_description: Check the variables of the playbook new_plan
author: restartx contributors (@restartx)
description:
  - Checks the variables of the playbook new_plan before anything is asked. A null value counts as not given.
positional: _input
options:
  _input:
    description: The namespaces, as a list or separated by commas.
    type: raw
    required: true
  cluster:
    description: The inventory host of the cluster to look at. By default it is the first one.
    type: str
  file:
    description: Path of the file to write. A relative path starts at the folder in which Ansible was started.
    type: str
  clusters:
    description: The inventory hosts of all clusters.
    type: list
    elements: str
    default: []
  inventories:
    description: The sources of the inventory, for the command that tries the plan.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the namespaces
  ansible.builtin.debug:
    msg: "{{ ('shop,billing' | restartx.core.new_plan_request(clusters=['eu-west'])).namespaces }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(error) (a sentence, or null) and, without one, C(namespaces), C(cluster), C(file) (null, or
    a path that does not depend on the current folder) and C(command), which tries the plan without a change.
  type: dict
"""

import os
import typing as t


def new_plan_request(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/new_plan.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import new_plan

    return new_plan.prepare(*args, **{"folder": os.getcwd(), **options})


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"new_plan_request": new_plan_request}
