# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides how a run is undone on all its clusters, and reports what came of it.

Mistakes of the user are returned as `error` and not raised, because Ansible adds a lot of text to exceptions in
templates.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.fleet import report
from ansible_collections.restartx.core.plugins.module_utils.fleet.books import suggest, unreadable, word
from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import text, undone
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import count, grouped, refuse_twins, untried
from ansible_collections.restartx.core.plugins.module_utils.fleet.waves import batches, some, waves_text
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome, words

UNCHECKED = "it could not be checked"
SHOWN = 5  # workloads that are left alone, of one cluster

Results = t.Mapping[str, t.Mapping]


@dataclass(frozen=True)
class UndoRequest:
    """The request, from variables of a playbook."""

    run: t.Any = None
    plan: t.Any = None  # only needed if two plans have a run of this id
    max_failed: t.Any = 0  # clusters that may fail; when more fail, no further cluster is undone
    now: str = ""  # the time, ISO 8601
    check_mode: bool = False


def prepare(
    journals: Results,
    hosts: t.Sequence[str],
    waves: t.Mapping[str, t.Any],
    request: UndoRequest,
    previews: Results | None = None,
) -> dict:
    """What will be undone where, from the result of k8s_rollout_journal of each host.

    `previews` are the results of the dry runs. Without them only the run is looked up. Returns `error` (why nothing may
    be touched, else None) and, without one, `run_id`, `plan`, `hosts` and `serial` (the clusters to undo, the last wave
    first), `excluded` (host to reason), `max_failed`, `decided_at`, and `lines` for people.
    """
    try:
        return {"error": None, **_prepare(journals, hosts, waves, request, previews)}
    except RolloutError as error:
        return {"error": str(error)}


def _prepare(
    journals: Results,
    hosts: t.Sequence[str],
    waves: t.Mapping[str, t.Any],
    request: UndoRequest,
    previews: Results | None,
) -> dict:
    max_failed = count("restartx_max_failed_clusters", request.max_failed)
    excluded = unreadable(journals, hosts)
    held = _of_run(journals, excluded, request)
    refuse_twins({host: journals[host] for host in held})
    if previews is not None:
        excluded |= {host: why for host in held if (why := untried(previews.get(host) or {}, UNCHECKED))}
    fit = [host for host in hosts if host in held and host not in excluded]
    if len(excluded) > max_failed or not fit:
        raise RolloutError("\n".join(["nothing was touched, because the check failed", *grouped(excluded)]))
    ordered, serial = batches(fit, waves, last_first=True)
    first = next(iter(held.values()))
    prepared = {
        "run_id": first["run"],
        "plan": first["plan"],
        "hosts": ordered,
        "serial": serial,
        "excluded": excluded,
        "max_failed": max_failed,
        "decided_at": request.now,
    }
    return {**prepared, "lines": _lines(prepared, held, hosts, request, previews or {})}


def _of_run(journals: Results, unread: t.Mapping[str, str], request: UndoRequest) -> dict[str, t.Mapping]:
    """The journals of the run by host. Raises RolloutError if no journal knows it, with the ids that may be meant."""
    run, plan = word("run", request.run), word("plan", request.plan)
    if run is None:
        raise RolloutError("run is missing: give the id of the run, -e run=ID; restartx.core.runs lists the runs")
    known = [(host, one) for host, answer in journals.items() for one in answer.get("runs") or []]
    found = [(host, one) for host, one in known if one["run"] == run and plan in (None, one["plan"])]
    if not found:
        raise RolloutError(_unknown(run, plan, [one for _host, one in known], unread))
    plans = sorted({one["plan"] for _host, one in found})
    if len(plans) > 1:
        raise RolloutError(f"run: {run} is a run of the plans {some(plans)}; nothing was touched: add -e plan=NAME")
    return dict(found)


def _unknown(run: str, plan: str | None, known: t.Sequence[t.Mapping], unread: t.Mapping[str, str]) -> str:
    newest = sorted(known, key=lambda one: one["started_at"], reverse=True)
    ids = list(dict.fromkeys(one["run"] for one in newest if plan in (None, one["plan"])))
    of_ticket = [one["run"] for one in newest if text(one["ticket"]) == run]
    meant = f"; it is the ticket of run {' and '.join(dict.fromkeys(of_ticket))}" if of_ticket else suggest(run, ids)
    of_plan = f" of plan {plan}" if plan else ""
    also = "".join(f"\ncould not be read: {line}" for line in grouped(unread))
    return f"run: {run} is unknown, no journal{of_plan} on these clusters knows it{meant}\nnothing was touched{also}"


def _lines(
    run: t.Mapping,
    held: t.Mapping[str, t.Mapping],
    hosts: t.Sequence[str],
    request: UndoRequest,
    previews: Results,
) -> list[str]:
    first = next(iter(held.values()))
    ticket = f", ticket {first['ticket']}" if first["ticket"] else f", {first['period']}" if first["period"] else ""
    dry = "dry run, nothing will be changed: " if request.check_mode else ""
    begun = min(one["started_at"] for one in held.values())
    lines = [f"{dry}undo of run {run['run_id']} of plan {run['plan']}{ticket}, begun {begun}"]
    before = undone(held)
    if before:
        by = f" by {before['undone_by']}" if before["undone_by"] else ""
        lines.append(f"it was undone before{by}, at {before['updated_at']}; only what still carries the run is undone")
    lines.append(f"clusters: {waves_text(run['hosts'], run['serial'])}")
    lines += [f"left out: {line}" for line in grouped(run["excluded"])]
    of_run = {name for one in held.values() for name in one["clusters"]}
    none = [host for host in hosts if host in of_run and host not in held and host not in run["excluded"]]
    lines += [f"without a journal of the run, so nothing to undo: {some(none)}"] if none else []
    return lines + _previewed(run["hosts"], previews, request.check_mode)


def _previewed(hosts: t.Sequence[str], previews: Results, detailed: bool) -> list[str]:
    """What would be undone on each cluster. Clusters of which the same is said share the lines."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for host in hosts:
        if host in previews:
            alike.setdefault(tuple(_details(previews[host], detailed)), []).append(host)
    return [line for lines, names in alike.items() for line in (f"on {some(names)}:", *(f"  {one}" for one in lines))]


def _details(preview: t.Mapping, detailed: bool) -> list[str]:
    results = preview.get("results") or []
    to_undo = [report.title(entry) for entry in results if entry["outcome"] == Outcome.UNDONE]
    lines = [f"to be undone, in this order: {', '.join(to_undo) if detailed else some(to_undo)}"] if to_undo else []
    others = [entry for entry in results if entry["outcome"] != Outcome.UNDONE]
    shown = others if detailed else others[:SHOWN]
    lines += [_told(entry) for entry in shown]
    lines += [f"and {len(others) - len(shown)} more that stay as they are"] if len(others) > len(shown) else []
    return lines or ["nothing to undo"]


def _told(entry: t.Mapping) -> str:
    """A workload that is not undone, and why. Most reasons name it."""
    what = "left alone" if entry["outcome"] == Outcome.UNCHANGED else words(entry["outcome"])
    named = f'"{entry["name"]}"' in entry["message"]
    return f"{what}: {entry['message'] if named else report.title(entry) + ' (' + entry['message'] + ')'}"


def summary(run: t.Mapping, results: Results) -> dict:
    """What came of it, from the decision of prepare() and the result of each cluster that was tried.

    Returns `good`, `lines` for people, `failed` (host to sentence), and `broken` (hosts that count as failed for
    restartx_max_failed_clusters: a workload that is refused, because somebody has deployed, does not).
    """
    outcomes = {host: report.outcome(result, goal=Outcome.UNDONE) for host, result in results.items()}
    broken = [host for host, result in results.items() if _is_broken(result)]
    failed = {host: seen["text"] for host, seen in outcomes.items() if seen["state"] != "done"}
    failed |= {host: f"left out: {why}" for host, why in run["excluded"].items()}
    waiting = [host for host in run["hosts"] if host not in results]
    good = not failed and not waiting
    lines = [f"run {run['run_id']} {'undone' if good else 'not undone everywhere'}"]
    for host, seen in outcomes.items():
        lines += [f"{host}: {seen['text']}", *(f"  {line}" for line in [*seen["lines"], *_left_alone(results[host])])]
    lines += [f"left out: {line}" for line in grouped(run["excluded"])]
    broken += run["excluded"]
    if waiting:
        why = f", because of {some(broken)} (restartx_max_failed_clusters is {run['max_failed']})" if broken else ""
        lines.append(f"{some(waiting)}: not undone{why}")
    if not good:
        lines.append(f"next: {_next(results)}")
    return {"good": good, "lines": lines, "failed": failed, "broken": broken}


def _is_broken(result: t.Mapping) -> bool:
    entries = result.get("results") or []
    return any(entry["outcome"] in report.BROKEN for entry in entries) or untried(result, UNCHECKED) is not None


def _left_alone(result: t.Mapping) -> list[str]:
    left = [entry for entry in result.get("results") or [] if entry["outcome"] == Outcome.UNCHANGED]
    more = [f"and {len(left) - SHOWN} more left alone"] if len(left) > SHOWN else []
    return [_told(entry) for entry in left[:SHOWN]] + more


def _next(results: Results) -> str:
    again = "give the same command again; it undoes what still carries the run"
    locked = [host for host, result in results.items() if result.get("locked")]
    if locked:
        return (
            f"a start of the plan is at work on {some(locked)}: wait until it ends, then {again}; to wait automatically: "
            "-e restartx_lock_timeout=30m; if it is certainly dead: -e restartx_break_lock=REASON"
        )
    return f"see above what is in the way, then {again}"
