# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All rules of the preflight for the workloads of a run."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.preflight import (
    budgets,
    felt,
    images,
    quotas,
    refused,
    room,
)
from ansible_collections.restartx.core.plugins.module_utils.preflight.facts import Facts, Key
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import Finding
from ansible_collections.restartx.core.plugins.module_utils.preflight.limits import Limits
from ansible_collections.restartx.core.plugins.module_utils.preflight.planned import planned
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object

_OF_EACH: tuple[t.Callable[[Object, Facts], list[Finding]], ...] = (
    refused.references,
    refused.state,
    felt.strategy,
    budgets.budgets,
    felt.template,
    felt.placement,
    felt.deadline,
    felt.undo,
    felt.gitops,
)
_OF_ALL = (quotas.quotas, room.room)


def examine(
    workloads: t.Sequence[Object],
    facts: Facts,
    limits: Limits,
    refusals: t.Mapping[Key, str],
    refused_pods: t.Mapping[Key, str],
) -> list[Finding]:
    """The findings on these workloads, in no order.

    `refusals` says why the dry run of a restart was refused, `refused_pods` why the dry run of a pod was. What is refused
    is not restarted, so nothing else is said of it.
    """
    found = [refused.restart(one, refusals[kinds.key(one)], facts) for one in workloads if kinds.key(one) in refusals]
    restarted = [one for one in workloads if kinds.key(one) not in refusals]
    for workload in restarted:
        error = refused_pods.get(kinds.key(workload))
        found += [refused.pod(workload, error, facts)] if error else []
        for rule in _OF_EACH:
            found += rule(workload, facts)
    as_rolled_out = [planned(one, facts) for one in restarted]
    for rule_of_all in _OF_ALL:
        found += rule_of_all(as_rolled_out, facts, limits)
    return found + images.images(restarted, facts) + quotas.autoscalers(restarted, facts)
