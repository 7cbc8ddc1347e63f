# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The selection of earlier starts of a run, from its journal."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.record import held, journal
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan as plans
from ansible_collections.restartx.core.plugins.module_utils.selection.earlier import NOTHING, Earlier, Key
from ansible_collections.restartx.core.plugins.module_utils.selection.resolve import Found
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

SHOWN = 5  # workloads in a warning
Journal = t.Mapping[str, t.Any]


def of_run(run_id: str, run: Journal | None, entries: t.Sequence[plans.Entry]) -> Earlier:
    """For a start of a run with this journal (None if it has none): it continues with the workloads of the journal."""
    if run is None:
        return Earlier(run=run_id)
    unchanged = unchanged_entries(run, entries)
    return Earlier(run=run_id, uids=_uids(run), members=_members(run, unchanged), closed=unchanged)


def of_check(run: Journal | None, entries: t.Sequence[plans.Entry]) -> Earlier:
    """For the check of a plan before it is known whether a start resumes this run or begins a new one.

    The check then selects what either would. After a run that is over only a new one can follow. It may have nothing to
    do, because the run that is over has replaced all old pods.
    """
    if run is None:
        return NOTHING
    members = _members(run, unchanged_entries(run, entries))
    may_be_empty = frozenset(entry["entry"] for entry in run["workloads"].values())
    if run["over"]:
        return Earlier(may_be_empty=may_be_empty)
    return Earlier(run=run["run"], uids=_uids(run), members=members, may_be_empty=may_be_empty)


def unchanged_entries(run: Journal, entries: t.Sequence[plans.Entry]) -> frozenset[str]:
    """The ids of the entries that select as they did in the last start of the run."""
    before = held.plan_of(run)
    if before is None:
        return frozenset()  # of another version, so what it selected is not known
    selected = {entry.id: plans.selection_of(entry) for entry in before.entries}
    return frozenset(entry.id for entry in entries if selected.get(entry.id) == plans.selection_of(entry))


def warn_of_others(call: Call, run: str, found: Found) -> None:
    """Names the workloads that a resumed run leaves out, because its entries select them only since it began."""
    others = [f"{kind} {namespace}/{name}" for kind, namespace, name in found.not_joined]
    if others:
        call.warnings.append(
            f"run {run} leaves out what the plan selects only since the run began: {some(others, SHOWN)}; "
            "to restart it too, add its name to the plan, or start a new run"
        )


def _uids(run: Journal) -> dict[Key, str | None]:
    return {key: entry["uid"] for key, entry in journal.by_key(run["workloads"]).items()}


def _members(run: Journal, unchanged: t.Collection[str]) -> dict[Key, str]:
    workloads = journal.by_key(run["workloads"])
    return {key: entry["entry"] for key, entry in workloads.items() if entry["entry"] in unchanged}
