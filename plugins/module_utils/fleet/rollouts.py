# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of rollouts on all clusters, with the locks and the runs under way, as tables for people."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.fleet import columns
from ansible_collections.restartx.core.plugins.module_utils.fleet.books import closed_gates, counted, state_of
from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import text
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import said, untried
from ansible_collections.restartx.core.plugins.module_utils.fleet.report import BROKEN, title
from ansible_collections.restartx.core.plugins.module_utils.record.journal import UNDOING
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes.known import CODES
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome, order, words
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import flag

HEADING = ("KIND", "NAME", "OUTCOME", "NEW", "AVAILABLE", "WANTED", "CAUSE")
WIDTH = 80  # characters of a cause

Results = t.Mapping[str, t.Mapping]


def report(statuses: Results, journals: Results, hosts: t.Sequence[str], fail: t.Any = None) -> dict:
    """The status on each host: {error, lines, failed}.

    `statuses` and `journals` are the results of k8s_rollout_status and k8s_rollout_journal by host. `failed` has a
    sentence for each host whose workloads could not be read, and with `fail` for each on which a rollout is broken or a
    workload of the plan is missing.
    """
    try:
        strict = text(fail) is not None and flag(fail)
    except ScheduleError as error:
        return {"error": f"fail: {error}", "lines": [], "failed": {}}
    lines: list[str] = []
    failed: dict[str, str] = {}
    for host in hosts:
        status = statuses.get(host) or {}
        unread = untried(status, "it could not be reached")
        broken = unread or (_broken(status) if strict else None)
        failed |= {host: broken} if broken else {}
        lines.append(f"{host}: {unread or _summary(status)}")
        lines += [f"  {line}" for line in [*_rows(status), *_under_way(journals.get(host) or {})]]
    return {"error": None, "lines": lines, "failed": failed}


def _broken(status: t.Mapping) -> str | None:
    broken = [entry for entry in status["results"] if entry["outcome"] in BROKEN or _held_up(entry)]
    names = [f"{title(entry)} {words(entry['outcome'])}" for entry in broken]
    return "; ".join([*filter(None, [status.get("absent")]), *names]) or None


def _held_up(entry: t.Mapping) -> bool:
    """Whether a rollout in progress has a problem, and is not only slow."""
    cause = entry["cause"] or {}
    code = CODES.get(cause.get("code", ""))
    # A container that has ended for a probe is not slow.
    ends = cause.get("exit_code") is not None
    return entry["outcome"] != Outcome.ROLLED_OUT and code is not None and (code.recoverable or ends)


def _summary(status: t.Mapping) -> str:
    counts = Counter(entry["outcome"] for entry in status["results"])
    told = ", ".join(f"{counts[outcome]} {words(outcome)}" for outcome in sorted(counts, key=order))
    of_plan = f"plan {status['plan']}: " if status.get("plan") else ""
    return f"{of_plan}{told or 'no workloads'}"


def _rows(status: t.Mapping) -> list[str]:
    results = status.get("results") or []
    rows = [
        (
            entry["kind"],
            f"{entry['namespace']}/{entry['name']}",
            words(entry["outcome"]),
            entry["pods"]["new"],
            entry["pods"]["available"],
            entry["pods"]["total"],
            _cause(entry),
        )
        for entry in results
    ]
    absent = [f"missing: {status['absent']}"] if status.get("absent") else []
    return [*(columns.lines(HEADING, rows) if rows else []), *absent]


def _cause(entry: t.Mapping) -> str:
    """Why a rollout is not done, or what kubectl does not check, in short."""
    done, cause = entry["outcome"] == Outcome.ROLLED_OUT, entry["cause"]
    if not cause:
        return columns.short((entry["missing"] if done else entry["message"]) or "", WIDTH)
    code = CODES.get(cause["code"])
    reason = f" ({cause['reason']})" if cause.get("reason") else ""
    where = f"{cause['pod']} " if cause.get("pod") else ""
    return columns.short(f"{where}{code.says}{reason}" if code else cause["sentence"], WIDTH)


def _under_way(journal: t.Mapping) -> list[str]:
    """Who holds which lock, and which runs are under way or were interrupted."""
    if "runs" not in journal:
        return [f"the journals and locks could not be read: {said(journal, 'the cluster could not be reached')}"]
    locks = journal.get("locks") or []
    lines = [
        f"lock of plan {lock['plan']}: held by {lock['operator'] or 'an unnamed operator'} ({lock['holder']}) for run "
        f"{columns.cell(lock['run'])} since {lock['since']}, last renewed {lock['renewed_at']}"
        for lock in locks
    ]
    for run in journal["runs"]:
        if run["state"] in ("running", UNDOING):
            of = ", ".join(
                [f"ticket {run['ticket']}" if run["ticket"] else "no ticket", *filter(None, [run["operator"]])]
            )
            lines.append(f"run {run['run']} of plan {run['plan']} ({of}): {state_of(run, locks)}, {counted(run)}")
            lines += [f"run {run['run']} waits: {why}" for why in closed_gates(run)]
    return lines or ["no lock is held, and no run is under way"]
