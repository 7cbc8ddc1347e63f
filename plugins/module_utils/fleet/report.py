# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a run over many clusters for people: the outcome of each cluster, what failed, and how to continue."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import grouped, said
from ansible_collections.restartx.core.plugins.module_utils.fleet.waves import some
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome, counted_as, order, words
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import RUN

SHOWN = 5  # broken workloads of one cluster
WAITS, GOOD = "waits", "good"
NOT_GOOD = "it was not seen that all is good after the wave before (restartx_bake, restartx_gates)"
BROKEN = (Outcome.FAILED, Outcome.UNFINISHED)  # outcomes of a rollout that does not come up


def outcome(result: t.Mapping, check_mode: bool = False, goal: str = Outcome.RESTARTED) -> dict:
    """The outcome of one cluster, from the result of k8s_rollout_restart or of a task that failed before it.

    Returns `state` (done, stopped, or failed if nothing could be tried), `counts` by outcome, a `text` with them, and
    `lines` on what failed and what was not started. `goal` is the outcome that was asked for.
    """
    results = result.get("results") or []
    good = "summary" in result and not (result.get("msg") or result.get("failed"))
    counted = Counter(map(counted_as, results))
    counts = {name: counted[name] for name in sorted(counted, key=order)}
    if not results and not good:
        text = said(result, "it could not be reached")
        return {"state": "failed", "counts": counts, "text": text, "lines": []}
    return {
        "state": "done" if good else "stopped",
        "counts": counts,
        "text": _counted(counts, result.get("duration"), check_mode),
        "lines": [*([] if good else _lines(result, goal)), *_kept(result)],
    }


def _kept(result: t.Mapping) -> list[str]:
    """What an undo after a failure has left alone, because of a gate on a Job."""
    kept = result.get("kept") or []
    return [f"not undone, because a gate on a Job has opened since their restart: {some(kept)}"] if kept else []


def _lines(result: t.Mapping, goal: str) -> list[str]:
    """What failed on a cluster and what was not started, or else the message. Gates that failed are named with their log."""
    results = result.get("results") or []
    lines = [*_broken(results, goal), *_not_started(results)]
    for gate in result.get("gates") or []:
        named = f'the gate "{gate["name"]}" ({gate["gate"]}) is closed: {gate["message"]}'
        if gate["state"] == "failed" and (gate["log"] or not any(named in line for line in lines)):
            lines += [named, *(f"  | {line}" for line in gate["log"])]
    return lines or [str(result.get("msg"))]


def _counted(counts: t.Mapping[str, int], seconds: float | None, check_mode: bool) -> str:
    told = ", ".join(f"{count} {words(name)}" for name, count in counts.items())
    if not told:
        return "nothing to restart"
    if check_mode:
        return told.replace("restarted", "to be restarted", 1) if "restarted" in counts else told
    return f"{told} in {duration.text(round(seconds))}" if seconds and seconds >= 1 else told


def _broken(results: t.Sequence[t.Mapping], goal: str) -> list[str]:
    return explained([entry for entry in results if is_bad(entry, goal) and entry["outcome"] != Outcome.NOT_STARTED])


def explained(entries: t.Sequence[t.Mapping]) -> list[str]:
    """Lines on what is wrong with workloads: the cause with its advice, or else the message."""
    lines = []
    for entry in entries[:SHOWN]:
        cause, of_undo = entry["cause"] or {}, entry.get("undo_cause") or {}
        lines.append(f"{title(entry)} {entry['outcome']}: {cause.get('sentence') or entry['message']}")
        lines += _details(cause)
        lines += [f"  {entry['reaction']}"] if cause and entry.get("reaction") else []
        if of_undo and of_undo != cause:
            lines += [f"  the undo did not come up: {of_undo['sentence']}", *_details(of_undo)]
    if len(entries) > SHOWN:
        lines.append(f"and {len(entries) - SHOWN} more")
    return lines


def _details(cause: t.Mapping) -> list[str]:
    """What a cause says beside its sentence."""
    lines = [f"  {cause['pods']}"] if cause.get("pods") else []
    lines += [f"  also: {one['sentence']}" for one in cause.get("also") or []]
    lines += [f"  | {line}" for line in cause.get("log") or []]
    return lines + ([f"  {cause['advice']}"] if cause.get("advice") else [])


def is_bad(entry: t.Mapping, goal: str = Outcome.RESTARTED) -> bool:
    """Whether a result is not as requested. An unknown outcome counts as bad."""
    known = Outcome.of(entry["outcome"])
    return known is None or not (known.good or known == goal)


def _not_started(results: t.Sequence[t.Mapping]) -> list[str]:
    """Each reason with the workloads that were not started because of it."""
    left = [entry for entry in results if entry["outcome"] == Outcome.NOT_STARTED]
    by_reason: dict[str, list[str]] = {}
    for entry in left:
        by_reason.setdefault(entry["message"], []).append(title(entry))
    return [f"not started: {some(names)}{f' ({why})' if why else ''}" for why, names in by_reason.items()]


def title(entry: t.Mapping) -> str:
    """The name of a workload for messages: `Deployment shop/api`."""
    return f"{entry['kind']} {entry['namespace']}/{entry['name']}"


def reason(entry: t.Mapping) -> str:
    """The message of a workload on one line, without its name at the beginning."""
    kind = kinds.KINDS.get(entry["kind"])
    name = f'{kind.words} "{entry["name"]}" in namespace "{entry["namespace"]}" ' if kind else ""
    return " ".join(entry["message"].split()).removeprefix(name)


@dataclass(frozen=True)
class ClusterReport:
    """The report on one cluster: its state (as from outcome(), or left out, or not started), and more."""

    state: str
    words: str
    lines: t.Sequence[str] = ()


def summary(
    run: t.Mapping,
    results: t.Mapping[str, t.Mapping],
    check_mode: bool = False,
    undone: t.Mapping[str, t.Mapping] | None = None,
    after_wave: t.Mapping[str, str] | None = None,
) -> dict:
    """The state of the run, from the result of each cluster. Clusters that did not start are not in `results`.

    `run` is the decision of fleet.prepare(). `undone` are the results of the undo of the run after a failure. `after_wave`
    says of each host whether it waits after its wave (WAITS), or has seen that all is good there (GOOD); empty if nothing
    is waited for. Returns `good`, `lines` for people, `failed` (host to sentence), `undo` (whether a failure means that the
    run is undone on all clusters), `halted` (whether what comes after a wave keeps the next one from starting), and `data`
    for programs.
    """
    halted = _halted(run, results, after_wave or {})
    undo = any(result.get("undo_scope") == RUN for result in results.values())
    outcomes = {host: outcome(result, check_mode) for host, result in results.items()}
    waits = [host for host, seen in (after_wave or {}).items() if seen == WAITS and host in results]
    told = {host: _told(host, run, outcomes, halted, bool(waits)) for host in run["clusters"]}
    told |= {host: _with_undo(told[host], result) for host, result in (undone or {}).items() if host in told}
    good = all(cluster.state == "done" for cluster in told.values())
    state = "finished" if good else "stopped"
    begun = {host: cluster for host, cluster in told.items() if cluster.state != "not started"}
    lines = ["dry run, nothing was changed" if check_mode else f"run {run['run_id']} {state}"]
    for host, cluster in begun.items():
        lines += [f"{host}: {cluster.words}", *(f"  {line}" for line in cluster.lines)]
    lines += grouped({host: cluster.words for host, cluster in told.items() if host not in begun})
    if undo:
        lines.append(f"next: {_after_undo(run, undone or {})}")
    elif not good and not check_mode:
        lines += [f"next: {line}" for line in _next(run, results)]
    clusters = {
        host: {"state": cluster.state, "counts": outcomes.get(host, {}).get("counts", {})}
        for host, cluster in told.items()
    }
    return {
        "good": good,
        "lines": lines,
        "failed": {
            host: "; ".join([cluster.words, *(cluster.lines[:1] if host in waits else ())])
            for host, cluster in begun.items()
            if cluster.state != "done"
        },
        "undo": undo,
        "halted": halted,
        "data": {"run_id": run["run_id"], "plan": run["plan"], "state": state, "clusters": clusters},
    }


def _halted(run: t.Mapping, results: t.Mapping[str, t.Mapping], after_wave: t.Mapping[str, str]) -> bool:
    """Whether a wave that has begun keeps the next one from starting: all must be good on each cluster that waits after it,
    and on one at least."""
    sizes, at = run["serial"] if after_wave else [], 0
    for size in sizes[:-1]:
        wave, at = run["hosts"][at : at + size], at + size
        seen = [after_wave.get(host) for host in wave]
        if any(host in results for host in wave) and (WAITS in seen or GOOD not in seen):
            return True
    return False


def _with_undo(told: ClusterReport, result: t.Mapping) -> ClusterReport:
    """The report on a cluster on which the run was undone after a failure, perhaps on another cluster."""
    seen = outcome(result, goal=Outcome.UNDONE)
    if seen["state"] == "done" and Outcome.UNDONE not in seen["counts"]:
        return told  # the restart itself had undone everything
    words = f"{told.words}; undone with the run: {seen['text']}"
    return ClusterReport("undone" if seen["state"] == "done" else seen["state"], words, [*told.lines, *seen["lines"]])


def _after_undo(run: t.Mapping, undone: t.Mapping[str, t.Mapping]) -> str:
    again = "repair what failed, then restart everything again with -e restartx_run=new"
    if undone and all(outcome(result, goal=Outcome.UNDONE)["state"] == "done" for result in undone.values()):
        return f"run {run['run_id']} is undone on {some(list(undone))}, because undo_scope is run; {again}"
    command = f"ansible-playbook restartx.core.undo_run -e run={run['run_id']}"
    return f"run {run['run_id']} is not undone everywhere; see above what is in the way, then: {command}"


def _next(run: t.Mapping, results: t.Mapping[str, t.Mapping]) -> list[str]:
    """What to do next: only what helps in this case, and no repair if nothing failed."""
    found = {entry["outcome"] for result in results.values() for entry in result.get("results") or []}
    # With `new` once more, everything would be restarted again.
    without = " without -e restartx_run=new" if run.get("anew") else ""
    again = f"give the same command again{without}; it resumes run {run['run_id']}"
    if not (run.get("ticket") or run.get("period")):
        again += f" (after 24 hours, add -e restartx_run={run['run_id']})"
    locked = [host for host, result in results.items() if result.get("locked")]
    lines = []
    if locked:
        lines.append(
            f"another start of the plan is running on {some(locked)}: wait until it ends, then {again}; to wait automatically: "
            "-e restartx_lock_timeout=30m; if it is certainly dead: -e restartx_break_lock=REASON"
        )
    elif found & {Outcome.FAILED, Outcome.UNFINISHED, Outcome.REFUSED} or run["excluded"] or _untried(results):
        lines.append(f"repair what failed, then {again}, leaves restarted workloads alone, and retries failed ones")
    elif Outcome.NOT_STARTED in found and not found & {Outcome.UNDONE, Outcome.SUPERSEDED}:
        lines.append(f"nothing failed; {again}")
    for outcome in (Outcome.UNDONE, Outcome.SUPERSEDED):
        if outcome in found:
            lines.append(
                f"{outcome.words} workloads are not restarted again; to restart them anyway: -e restartx_retry={outcome}"
            )
    return lines or [again]


def _untried(results: t.Mapping[str, t.Mapping]) -> bool:
    return any(not result.get("results") and (result.get("msg") or result.get("failed")) for result in results.values())


def _told(host: str, run: t.Mapping, outcomes: t.Mapping[str, t.Mapping], halted: bool, waits: bool) -> ClusterReport:
    excluded = run["excluded"].get(host)
    if run.get("complete"):
        # A cluster that does not answer now does not make a finished run unfinished.
        unchecked = f" (its check failed: {excluded})" if excluded else ""
        return ClusterReport("done", f"finished earlier, nothing to restart{unchecked}")
    if excluded:
        return ClusterReport("left out", f"left out, because its check failed: {excluded}")
    if host in outcomes:
        seen = outcomes[host]
        return ClusterReport(seen["state"], seen["text"], seen["lines"])
    bad = [*run["excluded"], *(other for other, seen in outcomes.items() if seen["state"] != "done")]
    if halted and (waits or len(bad) <= run["max_failed"]):
        return ClusterReport("not started", f"not started, because {NOT_GOOD}")
    why = f", because of {some(bad)} (restartx_max_failed_clusters is {run['max_failed']})" if bad else ""
    return ClusterReport("not started", f"not started{why}")
