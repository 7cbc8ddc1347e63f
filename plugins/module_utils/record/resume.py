# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a start of a run does with a workload that an earlier start of the run has handled.

The state of the object decides: whether the template carries the run, the status of the rollout, and the uid. The
journal adds what the object does not show. `retry` asks for further attempts.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import marks, pod_order, restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome

_NEVER_SENT = (None, Outcome.REFUSED, Outcome.NOT_STARTED)
_WAS_SENT = (*DONE, Outcome.IN_PROGRESS, Outcome.UNFINISHED, Outcome.SUPERSEDED)  # and did not fail
RETRY = ("failed", "undone", "superseded", "all")
ASK = "-e restartx_retry={}"


@dataclass(frozen=True)
class Earlier:
    """The state after an earlier start: the number of the next attempt, and the outcome if there is no attempt, with
    its reason."""

    attempt: int = 1
    outcome: Outcome | None = None
    message: str = ""


def retry_of(given: t.Sequence[str] | None) -> frozenset[str]:
    """The outcomes that are tried again; raises RolloutError for an unknown one. `failed` is always included."""
    unknown = [word for word in given or () if word not in RETRY]
    if unknown:
        raise RolloutError(f'retry: "{unknown[0]}" is not one of {", ".join(RETRY)}')
    chosen = frozenset(given or ()) | {"failed"}
    return frozenset({"failed", "undone", "superseded"}) if "all" in chosen else chosen


def decide(
    entry: t.Mapping[str, t.Any] | None,
    workload: dict,
    run: str,
    retry: frozenset[str],
    field_manager: str,
    since: datetime.datetime | None = None,
    undoes: bool = False,
) -> Earlier:
    """What the `entry` of a workload in the journal (None if there is none) means for this start.

    `since` is when the run began: a change before that cannot have reverted its restarts. `undoes` tells whether the run
    undoes the workload if it fails.
    """
    carried = restart.attempt_of(workload, run)
    if entry is None or entry["uid"] not in (None, workload["metadata"].get("uid")):
        # Not in the journal, or created again since then: only its template counts.
        return Earlier(carried + (_state(workload) == status.FAILED) if carried else 1)
    attempt, outcome = max(entry["attempt"], carried), Outcome.of(entry["outcome"])
    if carried:
        state = _state(workload)
        if state == status.DONE:
            return Earlier(carried)
        deployed = pod_order.deployed(workload, run, field_manager)
        if deployed and outcome in DONE:
            return Earlier(attempt, Outcome.ALREADY_RESTARTED, deployed)
        if deployed and Outcome.SUPERSEDED not in retry:
            return Earlier(attempt, Outcome.SUPERSEDED, f"{deployed}; to restart it again: {ASK.format('superseded')}")
        if deployed:
            return Earlier(attempt + 1)
        if attempt > carried:
            return Earlier(attempt)  # an earlier start was killed before it sent this restart
        return Earlier(attempt + 1 if outcome is Outcome.FAILED or state == status.FAILED else attempt)
    if (
        undoes
        and outcome is Outcome.IN_PROGRESS
        and since
        and not marks.changed_by_others(workload, field_manager, since)
    ):
        outcome = Outcome.UNDONE  # the start was killed after its undo, and before it could write that
    if outcome is Outcome.UNDONE and outcome not in retry:
        return Earlier(attempt, outcome, f"was undone earlier in this run; to restart it again: {ASK.format(outcome)}")
    if outcome in _WAS_SENT and Outcome.SUPERSEDED not in retry:
        who = restart.taken_back(workload, run, field_manager, since)
        return Earlier(attempt, Outcome.SUPERSEDED, f"{who}; to restart it again: {ASK.format('superseded')}")
    return Earlier(attempt if outcome in _NEVER_SENT else attempt + 1)


def rollout_of(workload: dict, carries: bool = True) -> status.Verdict:
    """How far the rollout of a workload is. If it carries the run, what is older than its restart tells nothing of it."""
    return pod_order.judge(workload, since=marks.written_at(workload) if carries else None)


def _state(workload: dict) -> str:
    return rollout_of(workload).state
