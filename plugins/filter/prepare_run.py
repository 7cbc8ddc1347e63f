# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a start of the playbook will do on all clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: prepare_run
version_added: 0.1.0
short_description: Decide what a run over many clusters will do, before it touches any
author: restartx contributors (@restartx)
description:
  - Takes what M(restartx.core.k8s_rollout_plan) returned for each inventory host and decides whether the run may begin, whether an
    unfinished run is resumed, and which clusters are restarted in which wave.
  - The role multi_cluster_restart uses it.
positional: _input
options:
  _input:
    description: The registered result of M(restartx.core.k8s_rollout_plan) by inventory host.
    type: dict
    required: true
  waves:
    description: The number of the wave of each inventory host, lowest first. Those without one are in wave 0.
    type: dict
    default: {}
  new_run:
    description: The id that a new run gets.
    type: str
  ticket:
    description: The ticket of this start. One whose run is finished is refused unless V(new) or an id is requested.
    type: str
  requested:
    description: V(new) for a new run in any case, or the id of a run; empty to decide by the journals.
    type: str
  max_failed:
    description: How many clusters may fail before no further one is begun.
    type: int
    default: 0
  outside:
    description: What to do outside the maintenance window.
    type: str
    choices: [fail, wait]
    default: fail
  check_mode:
    description: Whether this is a dry run, for which the window does not count.
    type: bool
    default: false
  forks:
    description: How many hosts Ansible works on at once; a larger wave is pointed out.
    type: int
"""

EXAMPLES = r"""
- name: Check the plan
  restartx.core.k8s_rollout_plan:
    plan: "{{ restart_plan }}"
  register: check

- name: Decide
  ansible.builtin.set_fact:
    run: "{{ {'eu-west': check} | restartx.core.prepare_run(new_run='20261124-221503', ticket='CHG0042') }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(error), the reason why nothing may be touched, or null.
    - When it is null, also with C(run_id), C(resuming), C(started_at), C(done) and C(total) (workloads), C(ticket), C(plan),
      C(digest), C(clusters) (all of the run), C(others) (those that another run of the ticket has finished, with that run),
      C(hosts) and C(serial) (those that are fit, in the order and sizes of the waves), C(excluded) (hosts that are not, with the
      reason), C(max_failed), C(seen) (the run of which each one's journal told), and C(lines) that tell a person.
  type: dict
"""

from ansible_collections.restartx.core.plugins.module_utils.run import fleet


def prepare_run(checks, waves=None, ticket=None, requested=None, **wishes):
    """See module_utils/run/fleet.py."""
    asked = fleet.Wishes(ticket=ticket or None, requested=requested or None, **wishes)
    return fleet.prepare(checks, waves or {}, asked)


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"prepare_run": prepare_run}
