# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The summary of a run over many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_summary
version_added: 0.1.0
short_description: Summarize a run over many clusters
author: restartx contributors (@restartx)
description:
  - Takes the decision of P(restartx.core.prepare_run#filter) and the result of each cluster. Says how the run ended and how to
    continue.
positional: _input, results
options:
  _input:
    description: The result of P(restartx.core.prepare_run#filter).
    type: dict
    required: true
  results:
    description: The registered result of each cluster that was started, by inventory host, as for
      P(restartx.core.cluster_outcome#filter).
    type: dict
    required: true
  check_mode:
    description: Whether this was a dry run.
    type: bool
    default: false
  undone:
    description: The registered result of M(restartx.core.k8s_rollout_undo) of each cluster on which the run was undone after a failure.
    type: dict
  after_wave:
    description: By inventory host, C(waits) if the cluster waits after its wave, and C(good) if it has seen that all is good there.
      Empty if nothing is waited for.
    type: dict
"""

EXAMPLES = r"""
- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ (run | restartx.core.run_summary({'eu-west': restart})).lines }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(good), C(lines) for a person, C(failed) (a sentence for each inventory host that failed or was left out),
      C(undo) (whether the run must be undone on all its clusters, because of C(undo_scope)), C(halted) (whether what comes after
      a wave keeps the next one from starting), and C(data) for programs.
  type: dict
"""

import typing as t


def run_summary(*args: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """See module_utils/fleet/report.py."""
    # Late: each worker of Ansible loads all filters of the collection when it needs one.
    from ansible_collections.restartx.core.plugins.module_utils.fleet import report

    return report.summary(*args, **options)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"run_summary": run_summary}
