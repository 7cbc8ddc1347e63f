# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of past and present runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: runs_table
version_added: 0.1.0
short_description: Show the runs that the journals of many clusters know
author: restartx contributors (@restartx)
description:
  - Takes what M(restartx.core.k8s_rollout_journal) returned for each inventory host, and makes a table of it, with a line for each run
    and cluster, the newest run first.
positional: _input
options:
  _input:
    description: The registered result of M(restartx.core.k8s_rollout_journal) by inventory host.
    type: dict
    required: true
  hosts:
    description: All inventory hosts that were asked, in order.
    type: list
    elements: str
    required: true
  plan:
    description: Only the runs of this plan. By default those of all plans.
    type: str
  newest:
    description: How many lines are shown at most, or V(all).
    type: raw
    default: 20
"""

EXAMPLES = r"""
- name: Read the journals
  restartx.core.k8s_rollout_journal:
  register: journals

- name: Show the runs
  ansible.builtin.debug:
    msg: "{{ ({'eu-west': journals} | restartx.core.runs_table(hosts=['eu-west'])).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(error) (what is wrong with the options, or null), C(lines), and C(failed) (a sentence for each host that could
      not be read).
  type: dict
"""

import typing as t


def runs_table(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/books.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import books

    return books.listing(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"runs_table": runs_table}
