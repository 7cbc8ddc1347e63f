# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show what runs have left on many clusters, and decide where it is repaired."""

from __future__ import annotations

DOCUMENTATION = r"""
name: prepare_leftovers
version_added: 0.1.0
short_description: Show what runs have left on many clusters, and decide where it is repaired
author: restartx contributors (@restartx)
description:
  - Takes what M(restartx.core.k8s_rollout_leftovers) returned for each inventory host, and makes a table of it, with the command that
    repairs each leftover.
positional: _input
options:
  _input:
    description: The registered result of M(restartx.core.k8s_rollout_leftovers) by inventory host.
    type: dict
    required: true
  hosts:
    description: All inventory hosts that were asked, in order.
    type: list
    elements: str
    required: true
  waves:
    description: The wave of each host that has one.
    type: dict
  plan:
    description: The plan that was asked for. By default all plans.
    type: str
  run:
    description: Only what this run has left. By default all runs.
    type: str
  repair:
    description: Whether it will be repaired. By default not.
    type: raw
  now:
    description: The time, in ISO 8601.
    type: str
  check_mode:
    description: Whether nothing may be changed.
    type: bool
"""

EXAMPLES = r"""
- name: Find what runs have left
  restartx.core.k8s_rollout_leftovers:
  register: left

- name: Show it
  ansible.builtin.debug:
    msg: "{{ ({'eu-west': left} | restartx.core.prepare_leftovers(hosts=['eu-west'])).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(error), what is wrong with the options, or null.
    - When it is null, also with C(lines) for a person, C(failed) (a sentence for each host that could not be read or on which something
      was left), C(repair), C(hosts) and C(serial) (the clusters in the order and sizes of the waves), C(last_first) (the same for
      undos), C(codes) (what was left on each host), C(run) and C(decided_at).
  type: dict
"""

import typing as t


def prepare_leftovers(
    answers: t.Mapping[str, t.Mapping],
    hosts: t.Sequence[str],
    waves: t.Mapping[str, t.Any] | None = None,
    **request: t.Any,
) -> dict[str, t.Any]:
    """See module_utils/fleet/leftovers.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import leftovers

    return leftovers.prepare(answers, hosts, waves or {}, leftovers.LeftoversRequest(**request))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"prepare_leftovers": prepare_leftovers}
