# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides how a run is undone on all its clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: prepare_undo
version_added: 0.1.0
short_description: Decide how a run is undone on all its clusters
author: restartx contributors (@restartx)
description:
  - Takes what M(restartx.core.k8s_rollout_journal) returned for each inventory host, and finds the run and its clusters, the last wave
    first. With O(previews), it also says what would be undone on each.
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
  run:
    description: The id of the run.
    type: raw
  plan:
    description: The plan of the run. Only required if two plans have a run of this id.
    type: raw
  waves:
    description: The number of the wave of each inventory host. The highest is undone first. Hosts without a number are in wave 0.
    type: dict
    default: {}
  previews:
    description: The registered result of a dry run of M(restartx.core.k8s_rollout_undo) by inventory host.
    type: dict
  max_failed:
    description: How many clusters may fail. When more fail, no further cluster is undone.
    type: int
    default: 0
  now:
    description: The time, in ISO 8601 with its offset.
    type: str
  check_mode:
    description: Whether this is a dry run.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the journals
  restartx.core.k8s_rollout_journal:
  register: journals

- name: Find the run
  ansible.builtin.set_fact:
    undo: "{{ {'eu-west': journals} | restartx.core.prepare_undo(hosts=['eu-west'], run='20261124-221503-4f9a1c') }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(error), the reason why nothing may be touched, or null.
    - When it is null, also with C(run_id), C(plan), C(hosts) and C(serial) (the clusters in the order and sizes of the waves),
      C(excluded) (clusters that are left out, with the reason), C(max_failed), C(decided_at), and C(lines) for a person.
  type: dict
"""

import typing as t


def prepare_undo(
    journals: t.Mapping[str, t.Mapping],
    hosts: t.Sequence[str],
    waves: t.Mapping[str, t.Any] | None = None,
    previews: t.Mapping[str, t.Mapping] | None = None,
    **request: t.Any,
) -> dict[str, t.Any]:
    """See module_utils/fleet/undo.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import undo

    return undo.prepare(journals, hosts, waves or {}, undo.UndoRequest(**request), previews)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"prepare_undo": prepare_undo}
