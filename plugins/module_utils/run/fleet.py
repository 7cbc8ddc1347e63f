# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run over many clusters: what is decided from the checks of all of them, before the first restart.

Pure functions over what k8s_rollout_plan returned for each inventory host. What a person must correct is returned as
`error`, not raised, for Ansible shows a template's exception with much around it.
"""

from __future__ import annotations

import textwrap
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run import journal

NAMES_SHOWN = 8  # of a list of clusters or workloads in one line

Checks = t.Mapping[str, t.Mapping]


@dataclass(frozen=True)
class Wishes:
    """How the run is asked for. Numbers may come as text, as they do from the command line."""

    new_run: str | None = None  # the id that a new run gets; None: the module makes one
    ticket: str | None = None
    requested: str | None = None  # `new`, or the id of a run
    max_failed: t.Any = 0  # clusters that may fail before no further one is begun
    outside: str = "fail"  # what to do outside the window: fail, or wait
    check_mode: bool = False
    forks: int | None = None  # how many hosts Ansible works on at once


def prepare(checks: Checks, waves: t.Mapping[str, t.Any], wishes: Wishes) -> dict:
    """What this start of the playbook will do, from the check of each inventory host, in the inventory's order.

    Returns `error` (why nothing may be touched, else None) and, without one, `run_id`, `resuming`, `ticket`, `plan`
    (its name), `digest`, `clusters` (all of the run), `hosts` and `serial` (the order and the waves of those that are
    fit), `others` (clusters that another run has finished, with that run), `excluded` (host to reason), `max_failed`,
    `seen` (which run the journal of each told of), and `lines` that tell a person.
    """
    try:
        return {"error": None, **_prepare(checks, waves, wishes)}
    except RolloutError as error:
        return {"error": str(error)}


def _prepare(checks: Checks, waves: t.Mapping[str, t.Any], wishes: Wishes) -> dict:
    max_failed = _count("restartx_max_failed_clusters", wishes.max_failed)
    if wishes.outside not in ("fail", "wait"):
        raise RolloutError(f"restartx_outside_window: {wishes.outside} is unknown; write fail or wait")
    ordered = sorted(checks, key=lambda host: _wave(host, waves))
    _refuse_twins({host: checks[host] for host in ordered})
    excluded = {host: _trouble(checks[host]) for host in ordered if _trouble(checks[host])}
    fit = [host for host in ordered if host not in excluded]
    if len(excluded) > max_failed or not fit:
        raise RolloutError("\n".join(["nothing was touched, for the check failed", *grouped(excluded)]))
    plan = _the_plan({host: checks[host]["plan"] for host in fit})
    window = plan["window"]
    if window and not window["open"] and wishes.outside == "fail" and not wishes.check_mode:
        raise RolloutError(f"nothing was touched: {window['message']}; restartx_outside_window=wait would wait for it")
    journals = {host: check.get("journal") for host, check in checks.items()}
    run = journal.choose_run(journals, plan["digest"], wishes.ticket, wishes.requested, wishes.new_run)
    sizes: dict[float, int] = {}
    for host in fit:
        sizes[_wave(host, waves)] = sizes.get(_wave(host, waves), 0) + 1
    prepared = {
        **run,
        "ticket": wishes.ticket or run["ticket"],
        "plan": plan["name"],
        "digest": plan["digest"],
        "clusters": ordered,
        "hosts": fit,
        "serial": list(sizes.values()),
        "excluded": excluded,
        "max_failed": max_failed,
        "seen": {host: (journals[host] or {}).get("run", "") for host in fit},
    }
    prepared["total"] = max(run["total"], sum(len(checks[host]["results"]) for host in fit))
    return {**prepared, "lines": [*_lines(prepared, wishes), *_plan_lines(checks, fit, wishes)]}


def _count(name: str, value: t.Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise RolloutError(f"{name}: {value} is no number of clusters; write 0 or more")
    return number


def _wave(host: str, waves: t.Mapping[str, t.Any]) -> float:
    try:
        return float(waves.get(host, 0))
    except (TypeError, ValueError) as error:
        raise RolloutError(f"restartx_wave of {host}: {waves[host]} is no number") from error


def _refuse_twins(checks: Checks) -> None:
    """Two inventory hosts that are one cluster: its workloads would be restarted twice, or half of them in each wave."""
    seen: dict[str, str] = {}
    for host, check in checks.items():
        cluster = check.get("cluster") or {}
        identity = cluster.get("uid") or cluster.get("host")
        if identity in seen:
            raise RolloutError(
                f"nothing was touched: the inventory hosts {seen[identity]} and {host} are one and the same cluster "
                f"({cluster['host']}, uid {cluster.get('uid') or 'not readable'}); correct restartx_context or "
                "restartx_kubeconfig of one of them, or leave one out"
            )
        if identity:
            seen[identity] = host


def _trouble(check: t.Mapping) -> str | None:
    """Why a cluster is not fit for the run; None when it is."""
    if check.get("plan") and not check.get("msg") and not check.get("unreachable"):
        return None
    return said(check, "it was not checked")


def said(result: t.Mapping, otherwise: str) -> str:
    """Why a task failed, without what Ansible puts before it."""
    if result.get("rc") and "results" not in result:  # what Ansible says of it is about JSON
        told = " ".join(str(result.get("module_stderr") or "").split())[-300:]
        why = f"exit code {result['rc']}" + (f": {told}" if told else "")
        return f"the module ended before it could say how far it came ({why}); the same command goes on from there"
    return str(result.get("msg") or otherwise).removeprefix("Task failed: ").strip()


def _the_plan(plans: t.Mapping[str, t.Mapping]) -> t.Mapping:
    """The plan that all clusters have; what it means on each of them may differ."""
    (first, plan), *others = plans.items()
    for host, other in others:
        if other["digest"] != plan["digest"]:
            raise RolloutError(
                f"nothing was touched: restart_plan of {host} differs from that of {first}; a run has one plan, so "
                "define it once for the whole group clusters, and mark what only some clusters have as optional"
            )
    return plan


def grouped(reasons: t.Mapping[str, str]) -> list[str]:
    """Sentences on what happened to which hosts; those with the same reason share one."""
    hosts: dict[str, list[str]] = {}
    for host, reason in reasons.items():
        hosts.setdefault(reason, []).append(host)
    return [
        f"{some(names)}:\n{textwrap.indent(reason, '  ')}" if "\n" in reason else f"{some(names)}: {reason}"
        for reason, names in hosts.items()
    ]


def some(names: t.Sequence[str], joint: str = ", ") -> str:
    """A list in words, not longer than a line."""
    more = len(names) - NAMES_SHOWN
    return joint.join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _lines(run: t.Mapping, wishes: Wishes) -> list[str]:
    ticket = f", ticket {run['ticket']}" if run["ticket"] else ""
    what = f"run {run['run_id']} of plan {run['plan']}{ticket}"
    dry = "dry run, nothing will be changed: " if wishes.check_mode else ""
    if run["resuming"]:
        lines = [f"{dry}resuming {what}, begun {run['started_at']}: {run['done']} of {run['total']} workloads done"]
    else:
        lines = [f"{dry}new {what}: {run['total']} workloads"]
    if run["warning"]:
        lines.append(run["warning"])
    waves, begin = [], 0
    for size in run["serial"]:
        waves.append(some(run["hosts"][begin : begin + size], " and " if size == 2 else ", "))
        begin += size
    lines.append(f"clusters: {', then '.join(waves)}")
    if wishes.forks and max(run["serial"]) > wishes.forks:
        lines.append(
            f"only {wishes.forks} of them at once, for that is Ansible's number of forks; raise it with --forks"
        )
    return [*lines, *(f"left out: {line}" for line in grouped(run["excluded"]))]


def _plan_lines(checks: Checks, fit: t.Sequence[str], wishes: Wishes) -> list[str]:
    plan = checks[fit[0]]["plan"]
    counts = {
        entry: sorted({len(checks[host]["plan"]["workloads"][entry]) for host in fit}) for entry in plan["workloads"]
    }
    steps = [
        " and ".join(
            f"{entry} ({'-'.join(map(str, dict.fromkeys([counts[entry][0], counts[entry][-1]])))})" for entry in step
        )
        for step in plan["order"]
    ]
    lines = [f"order: {', then '.join(steps)}"]
    window = plan["window"]
    if window:
        waits = "; the restarts wait for it" if not window["open"] and not wishes.check_mode else ""
        lines.append(f"window: {window['message']}{waits}")
    return lines + (_details(checks, fit) if wishes.check_mode else [])


def _details(checks: Checks, fit: t.Sequence[str]) -> list[str]:
    """Each step with its workloads; clusters on which they are the same share the lines."""
    alike: dict[str, list[str]] = {}
    for host in fit:
        alike.setdefault(str(checks[host]["plan"]["workloads"]), []).append(host)
    lines = []
    for hosts in alike.values():
        plan = checks[hosts[0]]["plan"]
        lines.append(f"on {some(hosts)}:")
        for number, step in enumerate(plan["order"], 1):
            lines += [f"  {number}. {entry}: {', '.join(plan['workloads'][entry]) or 'nothing'}" for entry in step]
    return lines
