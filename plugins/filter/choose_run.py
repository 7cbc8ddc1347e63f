# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which run a start of the playbook is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: choose_run
version_added: 0.1.0
short_description: Decide whether an unfinished run of a plan is resumed or a new one begins
author: restartx contributors (@restartx)
description:
  - Takes the journals of a plan from all clusters and decides which run this start of the playbook is, so that all clusters
    work under one run id.
positional: _input
options:
  _input:
    description: The journal of each cluster by inventory host, as M(restartx.core.k8s_rollout_plan) returns it; null where there is none.
    type: dict
    required: true
  digest:
    description: Digest of the plan. Only a run of this very plan is resumed.
    type: str
    required: true
  new_run:
    description: The id that a new run gets.
    type: str
    required: true
  ticket:
    description: The ticket of this start. One whose run is finished is refused unless V(new) or an id is requested.
    type: str
  requested:
    description: V(new) for a new run in any case, or the id of a run; empty to decide by the journals.
    type: str
"""

EXAMPLES = r"""
- name: Decide which run this is
  ansible.builtin.set_fact:
    run: "{{ {'eu-west': none, 'us-east': none} | restartx.core.choose_run(digest='ab12', new_run='20261124-221503') }}"
"""

RETURN = r"""
_value:
  description: A dictionary with C(run_id), C(resuming), C(done) and C(total) (workloads, when resuming) and C(warning).
  type: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import journal


def choose_run(journals, digest, new_run, ticket=None, requested=None):
    """See module_utils/run/journal.py; a refusal becomes Ansible's own error."""
    try:
        return journal.choose_run(journals, digest, ticket or None, requested or None, new_run)
    except RolloutError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"choose_run": choose_run}
