# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what a start of the playbook will do on all clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: prepare_run
version_added: 0.1.0
short_description: Decide what a run over many clusters will do before it touches any of them
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
  now:
    description: The time, in ISO 8601 with its offset.
    type: str
    required: true
  hosts:
    description: All inventory hosts of the run, in order. Hosts without a result could not be checked. By default the hosts with a
      result.
    type: list
    elements: str
  waves:
    description: The number of the wave of each inventory host. The lowest is restarted first. Hosts without a number are in wave 0.
    type: dict
    default: {}
  new_run:
    description: The id for a new run that neither a ticket nor a period identifies.
    type: str
  ticket:
    description: The ticket of this start. Plan and ticket identify a run.
    type: str
  period:
    description: V(day), V(week) or V(month). Without a ticket, plan and period identify a run.
    type: str
  requested:
    description:
      - V(new) always starts a new run. An id resumes the run with that id, which a journal must know. If it is empty, the journals
        decide.
      - The result of an earlier job, with C(plan) and C(run_id), sets the id of a new run of that plan.
    type: raw
  retry:
    description: Which outcomes of earlier starts are tried again (V(failed), V(undone), V(superseded) or V(all)), as a list or separated by commas.
    type: raw
  resume_within:
    description: Without ticket and period, how old an unfinished run may be to be resumed.
    type: str
    default: 24h
  max_failed:
    description: How many clusters may fail. When more fail, no further cluster starts.
    type: int
    default: 0
  outside:
    description: What to do outside the maintenance window.
    type: str
    choices: [fail, wait]
    default: fail
  stop_on:
    description: Which findings of the check stop a run. Findings that the plan accepts do not.
    type: str
    choices: [blocker, risk, never]
    default: blocker
  break_circuit:
    description: Why a new run may start although more restarts of the plan failed than its C(max_failure_rate) allows.
    type: str
  check_mode:
    description: Whether this is a dry run. A dry run ignores the window.
    type: bool
    default: false
  forks:
    description: How many hosts Ansible works on at once. If a wave is larger, the result says so.
    type: int
"""

EXAMPLES = r"""
- name: Check the plan
  restartx.core.k8s_rollout_plan:
    plan: "{{ restart_plan }}"
  register: check

- name: Decide
  ansible.builtin.set_fact:
    run: "{{ {'eu-west': check} | restartx.core.prepare_run(now='2026-11-24T22:15:03+00:00', ticket='CHG0042') }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(error), the reason why nothing may be touched, or null.
    - When it is null, also with C(run_id), C(resuming), C(complete) (nothing is left to do), C(anew) (V(new) was requested),
      C(started_at), C(done) and C(total) (workloads), C(ticket), C(period), C(retry), C(plan), C(digest), C(clusters) (all of the
      run), C(others) (clusters that stay with another run of the ticket, with that run), C(hosts) and C(serial) (the hosts that
      passed their check, in the order and sizes of the waves), C(excluded) (the other hosts, with the reason), C(max_failed),
      C(expected) (the newest run in the journals of each host), C(break_circuit) (the reason, if it was needed), C(decided_at), and C(lines) for a person.
  type: dict
"""

import typing as t


def prepare_run(
    checks: t.Mapping[str, t.Mapping],
    now: str,
    hosts: t.Sequence[str] | None = None,
    waves: t.Mapping[str, t.Any] | None = None,
    **request: t.Any,
) -> dict[str, t.Any]:
    """See module_utils/fleet/prepare.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import prepare

    of_all = {host: checks.get(host) or {} for host in hosts or checks}
    return prepare.prepare(of_all, waves or {}, prepare.StartRequest(now=now, **request))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"prepare_run": prepare_run}
