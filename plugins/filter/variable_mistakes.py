# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds mistakes in the variables of a start."""

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_mistakes
version_added: 0.1.0
short_description: Find misspelled variables of the playbooks
author: restartx contributors (@restartx)
description:
  - Takes the names of all variables of a host. Returns a sentence for each unknown variable that begins with C(restartx_), and one if
    a plan was given without its key C(restart_plan).
  - Of the variables of O(own), only the extra variables of this start are checked (C(-e)).
positional: _input
options:
  _input:
    description: Names of variables.
    type: list
    elements: str
    required: true
  tags:
    description: The tags that were given to C(--tags) and C(--skip-tags).
    type: list
    elements: str
    default: []
  known_tags:
    description: The tags that the playbook has.
    type: list
    elements: str
    default: []
  own:
    description: The variables of the playbook that have no prefix. An extra variable that is almost one of them is a mistake.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Refuse misspelled variables
  ansible.builtin.assert:
    that: mistakes | length == 0
    fail_msg: "{{ mistakes | join('; ') }}"
  vars:
    mistakes: "{{ ['restartx_max_failed_cluster', 'restart_plan'] | restartx.core.variable_mistakes }}"
  ignore_errors: true
"""

RETURN = r"""
_value:
  description: A sentence for each mistake.
  type: list
  elements: str
"""

import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars


def variable_mistakes(
    names: t.Iterable[str],
    tags: t.Iterable[str] = (),
    known_tags: t.Collection[str] = (),
    own: t.Collection[str] = (),
) -> list[str]:
    """See module_utils/fleet/variables.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import variables

    given = load_extra_vars(DataLoader()) if own else {}  # Ansible has read them at its start, and keeps them
    return [
        *variables.mistakes(map(str, names)),
        *variables.mistakes_in_given(map(str, given), list(own)),
        *variables.tag_mistakes(map(str, tags), list(known_tags)),
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"variable_mistakes": variable_mistakes}
