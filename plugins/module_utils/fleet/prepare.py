# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides from the checks of all clusters what a run will do, before the first restart.

Pure functions on the results of k8s_rollout_plan for each inventory host. Mistakes of the user are returned as `error`
and not raised, because Ansible adds a lot of text to exceptions in templates.
"""

from __future__ import annotations

import datetime
import textwrap
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.fleet import circuit, findings, identity
from ansible_collections.restartx.core.plugins.module_utils.fleet.waves import batches, some, waves_text
from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import NEVER, STOP_ON, stopping
from ansible_collections.restartx.core.plugins.module_utils.record.resume import RETRY, retry_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest, whole

Checks = t.Mapping[str, t.Mapping]


@dataclass(frozen=True)
class StartRequest:
    """The request for a run, from variables of a playbook: numbers may be text, and text may be numbers."""

    new_run: str = ""  # the id of a run that nothing else identifies
    now: str = ""  # the time, ISO 8601
    ticket: t.Any = None
    period: t.Any = None  # day, week or month
    requested: t.Any = None  # `new`, the id of a run, or the result of an earlier job: a mapping with plan and run_id
    retry: t.Any = None  # outcomes of earlier starts that are tried again
    resume_within: t.Any = None  # duration
    max_failed: t.Any = 0  # clusters that may fail; when more fail, no further cluster starts
    outside: t.Any = "fail"  # what to do outside the window: fail, or wait
    stop_on: t.Any = "blocker"  # which findings stop a run: blocker, risk, or never
    break_circuit: t.Any = None  # why a new run may start although too many restarts failed
    check_mode: bool = False
    forks: int | None = None  # how many hosts Ansible works on at once


def prepare(checks: Checks, waves: t.Mapping[str, t.Any], request: StartRequest) -> dict:
    """What this start of the playbook will do, from the check of each inventory host, in the inventory's order.

    Returns `error` (why nothing may be touched, else None) and, without one, `run_id`, `resuming`, `complete`, `anew`,
    `ticket`, `period`, `retry`, `plan` (its name), `digest`, `clusters` (all of the run), `hosts` and `serial` (the
    order and the waves of those that passed their check), `others` (clusters that stay with another run, with that
    run), `excluded` (host to reason), `max_failed`, `expected` (the newest run of each cluster), `break_circuit`
    (the reason, if it was needed), `decided_at`, and `lines` for people.
    """
    try:
        return {"error": None, **_prepare(checks, waves, request)}
    except (RolloutError, ScheduleError) as error:
        return {"error": str(error)}


def _prepare(checks: Checks, waves: t.Mapping[str, t.Any], request: StartRequest) -> dict:
    max_failed = count("restartx_max_failed_clusters", request.max_failed)
    outside = identity.text(request.outside) or "fail"
    if outside not in ("fail", "wait"):
        raise RolloutError(
            f"restartx_outside_window: {outside} is unknown{closest(outside, ('fail', 'wait'))}; write fail or wait"
        )
    stop_on = identity.text(request.stop_on) or STOP_ON[0]
    if stop_on not in STOP_ON:
        raise RolloutError(
            f"restartx_stop_on: {stop_on} is unknown{closest(stop_on, STOP_ON)}; write one of {', '.join(STOP_ON)}"
        )
    ordered, _sizes = batches(list(checks), waves)
    refuse_twins({host: checks[host] for host in ordered})
    troubles = {host: _trouble(checks[host], stop_on) for host in ordered}
    excluded = {host: trouble for host, trouble in troubles.items() if trouble}
    fit, serial = batches([host for host in ordered if host not in excluded], waves)
    if len(excluded) > max_failed or not fit:
        raise RolloutError("\n".join(["nothing was touched, because the check failed", *grouped(excluded)]))
    plan = _the_plan({host: checks[host]["plan"] for host in fit})
    window = plan["window"]
    if window and not window["open"] and outside == "fail" and not request.check_mode:
        raise RolloutError(f"nothing was touched: {window['message']}; to wait for it: -e restartx_outside_window=wait")
    runs = {host: checks[host].get("runs") or [] for host in ordered}
    asked = _asked(plan, request)
    run = identity.choose(runs, asked)
    prepared = {
        **run,
        "break_circuit": circuit.check(runs, run, plan, identity.text(request.break_circuit)),
        "retry": sorted(asked.retry),
        "plan": plan["name"],
        "digest": plan["digest"],
        "clusters": ordered,
        "hosts": fit,
        "serial": serial,
        "excluded": excluded,
        "max_failed": max_failed,
        "expected": {host: runs[host][0]["run"] if runs[host] else "" for host in fit},
        "decided_at": request.now,
    }
    prepared["total"] = max(run["total"], sum(len(checks[host]["results"]) for host in fit))
    return {
        **prepared,
        "lines": [
            *_lines(prepared, request),
            *_finding_lines(checks, fit, request),
            *_plan_lines(checks, fit, request),
        ],
    }


def _asked(plan: t.Mapping, request: StartRequest) -> identity.Asked:
    """The request with its values as text. Raises RolloutError or ScheduleError that name the variable."""
    requested, proposed = request.requested, None
    if isinstance(requested, t.Mapping):
        # From an earlier job of a workflow. After a dry run, no journal knows the id yet.
        proposed = identity.text(requested.get("run_id")) if requested.get("plan") == plan["name"] else None
        requested = None
    texts = {"ticket": request.ticket, "restartx_run": requested, "restartx_period": request.period}
    for name, value in {**texts, "restartx_break_circuit": request.break_circuit}.items():
        if isinstance(value, (bool, list, tuple, t.Mapping)):
            raise RolloutError(f"{name}: {show(value)} is not text; nothing was touched: put it in quotes")
    period = identity.text(request.period)
    if period is not None and period not in plan["periods"]:
        known = ", ".join(plan["periods"])
        raise RolloutError(
            f"restartx_period: {period} is unknown{closest(period, plan['periods'])}; write one of {known}"
        )
    within = identity.text(request.resume_within)
    try:
        seconds = identity.WITHIN if within is None else duration.parse(within)
    except ScheduleError as error:
        raise RolloutError(f"restartx_resume_within: {error}") from error
    return identity.Asked(
        plan=plan["name"],
        digest=plan["digest"],
        now=datetime.datetime.fromisoformat(request.now),
        ticket=identity.text(request.ticket),
        period=None if period is None else plan["periods"][period],
        requested=identity.text(requested),
        proposed=proposed,
        new_run=request.new_run,
        retry=_retry(request.retry),
        within=seconds,
    )


def _retry(given: t.Any) -> frozenset[str]:
    words = given if isinstance(given, (list, tuple)) else str(given or "").split(",")
    chosen = [word for word in (identity.text(word) for word in words) if word]
    for word in chosen:
        if word not in RETRY:
            raise RolloutError(
                f"restartx_retry: {word} is unknown{closest(word, RETRY)}; write one or more of {', '.join(RETRY)}"
            )
    return retry_of(chosen)


def count(name: str, value: t.Any) -> int:
    if identity.text(value) is None:
        return 0
    try:
        return whole(0)(value)
    except ScheduleError:
        raise RolloutError(f"{name}: {value} is not a number of clusters; write 0 or more") from None


def refuse_twins(checks: Checks) -> None:
    """Refuses two inventory hosts that are one cluster: workloads would be restarted twice, or half of them in each
    wave."""
    seen: dict[str, str] = {}
    for host, check in checks.items():
        cluster = check.get("cluster") or {}
        identity = cluster.get("uid") or cluster.get("host")
        if identity in seen:
            raise RolloutError(
                f"nothing was touched: the inventory hosts {seen[identity]} and {host} are the same cluster "
                f"({cluster['host']}, uid {cluster.get('uid') or 'not readable'}); correct restartx_context or "
                "restartx_kubeconfig of one of them, or leave one out"
            )
        if identity:
            seen[identity] = host


def _trouble(check: t.Mapping, stop_on: str) -> str | None:
    """Why a cluster cannot take part in the run; None if it can."""
    if not check.get("plan") or check.get("unreachable"):
        return said(check, "it was not checked, because it failed earlier in this playbook")
    if stop_on == NEVER:
        return None
    # What was refused is in the message of the check already.
    refused = [one["message"] for one in check["results"] if one.get("outcome") == "refused"]
    found = stopping(check.get("findings") or (), stop_on)
    unsaid = [one for one in found if not findings.is_in(one, refused)]
    told = [said(check, "")] if check.get("msg") else []
    return "\n".join([*told, *findings.lines(unsaid)]) or None


def said(result: t.Mapping, otherwise: str) -> str:
    """Why a task failed, without the words that Ansible puts before it."""
    if result.get("rc") and "results" not in result:  # the message of Ansible is only about JSON
        told = " ".join(str(result.get("module_stderr") or "").split())[-300:]
        why = f"exit code {result['rc']}" + (f": {told}" if told else "")
        return f"the module ended before it could report its progress ({why}); the same command resumes the run"
    return str(result.get("msg") or otherwise).removeprefix("Task failed: ").strip()


def _the_plan(plans: t.Mapping[str, t.Mapping]) -> t.Mapping:
    """The plan that all clusters share. The workloads that it selects may differ."""
    (first, plan), *others = plans.items()
    for host, other in others:
        if other["digest"] != plan["digest"]:
            raise RolloutError(
                f"nothing was touched: restart_plan of {host} differs from that of {first}; a run has one plan, so "
                "define it once for the whole group clusters, and mark what only some clusters have as optional"
            )
    return plan


def grouped(reasons: t.Mapping[str, str]) -> list[str]:
    """Sentences with reasons and hosts. Hosts with the same reason share one."""
    hosts: dict[str, list[str]] = {}
    for host, reason in reasons.items():
        hosts.setdefault(reason, []).append(host)
    return [
        f"{some(names)}:\n{textwrap.indent(reason, '  ')}" if "\n" in reason else f"{some(names)}: {reason}"
        for reason, names in hosts.items()
    ]


def counted(number: int) -> str:
    """`1 workload`, `2 workloads`."""
    return f"{number} workload{'' if number == 1 else 's'}"


def untried(result: t.Mapping, otherwise: str) -> str | None:
    """Why a module could not work on anything; None if it has results, or nothing was wrong. `otherwise` as in said()."""
    if "summary" in result and (result.get("results") or not result.get("msg")):
        return None
    return said(result, otherwise)


def _lines(run: t.Mapping, request: StartRequest) -> list[str]:
    ticket = f", ticket {run['ticket']}" if run["ticket"] else f", {run['period']}" if run["period"] else ""
    what = f"run {run['run_id']} of plan {run['plan']}{ticket}"
    dry = "dry run, nothing will be changed: " if request.check_mode else ""
    if run["resuming"]:
        lines = [f"{dry}resuming {what}, begun {run['started_at']}: {run['done']} of {counted(run['total'])} done"]
    else:
        lines = [f"{dry}new {what}: {counted(run['total'])}"]
    lines += run["notes"]
    if run["break_circuit"]:
        lines.append(f"the circuit breaker would refuse this run, and does not for the reason: {run['break_circuit']}")
    lines.append(f"clusters: {waves_text(run['hosts'], run['serial'])}")
    if request.forks and max(run["serial"]) > request.forks:
        lines.append(
            f"only {request.forks} of them at once, because that is Ansible's number of forks; raise it with --forks"
        )
    return [*lines, *(f"left out: {line}" for line in grouped(run["excluded"]))]


def _finding_lines(checks: Checks, fit: t.Sequence[str], request: StartRequest) -> list[str]:
    """What the preflight found on the clusters that take part: clusters with the same findings share a line."""
    told = {host: findings.summary(checks[host].get("findings") or (), request.check_mode) for host in fit}
    return grouped({host: text for host, text in told.items() if text})


def _plan_lines(checks: Checks, fit: t.Sequence[str], request: StartRequest) -> list[str]:
    plan = checks[fit[0]]["plan"]
    counts = {}
    for entry in plan["workloads"]:
        found = sorted({len(checks[host]["plan"]["workloads"][entry]) for host in fit})
        few_to_many = "-".join(map(str, dict.fromkeys([found[0], found[-1]])))
        counts[entry] = "gate" if entry in plan.get("gates", ()) else few_to_many
    steps = [" and ".join(f"{entry} ({counts[entry]})" for entry in step) for step in plan["order"]]
    lines = [f"order: {', then '.join(steps)}"]
    window = plan["window"]
    if window:
        waits = "; the restarts wait for it" if not window["open"] and not request.check_mode else ""
        lines.append(f"window: {window['message']}{waits}")
    return lines + (_details(checks, fit) if request.check_mode else [])


def _details(checks: Checks, fit: t.Sequence[str]) -> list[str]:
    """Each step with its workloads. Clusters with the same workloads share the lines."""
    alike: dict[str, list[str]] = {}
    for host in fit:
        alike.setdefault(str(checks[host]["plan"]["workloads"]), []).append(host)
    lines = []
    for hosts in alike.values():
        plan = checks[hosts[0]]["plan"]
        lines.append(f"on {some(hosts)}:")
        for number, step in enumerate(plan["order"], 1):
            gates = {entry: f"the gate {about}" for entry, about in plan.get("gates", {}).items()}
            told = {entry: ", ".join(plan["workloads"][entry]) or gates.get(entry, "nothing") for entry in step}
            lines += [f"  {number}. {entry}: {what}" for entry, what in told.items()]
    return lines
