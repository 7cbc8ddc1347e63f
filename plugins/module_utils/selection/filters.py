# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The conditions of an entry that are evaluated here, on workloads that were listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.which_pods import active
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import parse_time
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry
from ansible_collections.restartx.core.plugins.module_utils.schedule.selecting import Exclude, Use
from ansible_collections.restartx.core.plugins.module_utils.selection import selectors, uses

Condition = Callable[[dict], bool]


def selected_by(entry: Entry) -> Condition:
    """Whether a workload fulfils all conditions of an entry, except for `only` and `exclude`."""
    conditions = list(_conditions(entry))
    if entry.select:
        conditions.append(selectors.compile_select(entry.select))
    return lambda workload: all(condition(workload) for condition in conditions)


def excluded_by(exclude: Exclude) -> Condition:
    """Whether a workload matches one of the options of `exclude`."""
    conditions = list(_conditions(exclude))
    if exclude.names:
        conditions.append(lambda workload: workload["metadata"]["name"] in exclude.names)
    if exclude.label_selectors:
        terms = [selectors.compile_label_term(term) for term in exclude.label_selectors]
        conditions.append(lambda workload: all(term(workload) for term in terms))
    return lambda workload: any(condition(workload) for condition in conditions)


def started_before(workload: dict, pods: Iterable[dict], instant: datetime) -> bool:
    """Whether a current pod of the workload started before the instant. A pod that has not started counts from its
    creation. `pods` may contain those of other workloads."""
    kind, namespace = kinds.kind_of(workload), workload["metadata"].get("namespace")
    for pod in pods:
        if pod["metadata"].get("namespace") == namespace and active(pod) and kind.owns(workload, pod):
            written = kinds.field(pod, "status.startTime") or kinds.field(pod, "metadata.creationTimestamp")
            started = parse_time(written)
            if started and started < instant:
                return True
    return False


def _conditions(given: Entry | Exclude) -> Iterable[Condition]:
    """A condition for each option that entries and `exclude` share and that is evaluated here."""
    if given.name_patterns:
        yield lambda workload: any(uses.fits(pattern, workload["metadata"]["name"]) for pattern in given.name_patterns)
    if given.uses:
        yield lambda workload: _uses_one(given.uses, workload)
    if given.service_accounts:
        yield lambda workload: uses.service_account_of(workload) in given.service_accounts
    if given.images:
        yield lambda workload: any(
            uses.fits_image(pattern, image) for image in uses.images_of(workload) for pattern in given.images
        )


def _uses_one(wanted: Sequence[Use], workload: dict) -> bool:
    used = uses.uses_of(workload)
    return any(one.kind == use.kind and uses.fits(one.name, use.name) for one in wanted for use in used)
