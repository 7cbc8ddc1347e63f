# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runs of all plans on all clusters, from their journals, as a table for people."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.fleet import columns
from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import text
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import grouped, said
from ansible_collections.restartx.core.plugins.module_utils.record.journal import UNDOING
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome, order, words
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import near, whole

NEWEST = 20  # lines of the table unless more are asked for
ALL = "all"
OPEN = ("running", "stopped")  # states of a run that may wait
NEAR = 3  # suggestions for a name that is not known
HEADING = ("BEGUN (UTC)", "PLAN", "RUN", "CLUSTER", "STATE", "WHO", "TICKET", "WORKLOADS")

Answers = t.Mapping[str, t.Mapping]  # results of k8s_rollout_journal by inventory host


def listing(answers: Answers, hosts: t.Sequence[str], plan: t.Any = None, newest: t.Any = None) -> dict:
    """The runs that the journals know: {error, lines, failed}.

    `error` says what is wrong with `plan` or `newest`, else it is None. `failed` has a sentence for each host that could
    not be read.
    """
    try:
        asked, most = word("plan", plan), _newest(newest)
        unread = unreadable(answers, hosts)
        runs = sorted(by_run(answers).values(), key=_begun, reverse=True)
        known = sorted({next(iter(held.values()))["plan"] for held in runs})
        if asked is not None and asked not in known and len(unread) < len(hosts):
            raise RolloutError(
                f"plan: no journal on these clusters is of plan {asked}; leave plan out to see all{suggest(asked, known)}"
            )
    except RolloutError as error:
        return {"error": str(error), "lines": [], "failed": {}}
    chosen = [held for held in runs if asked in (None, next(iter(held.values()))["plan"])]
    rows = [row for held in chosen for row in _rows(held, answers, hosts, unread)]
    lines = columns.lines(HEADING, rows[:most]) if rows else ["no journal of a run was found"]
    if most is not None and len(rows) > most:
        narrower = "" if asked else ", or -e plan=NAME for one plan"
        lines.append(f"{len(rows) - most} older lines are not shown; for more: -e newest={most * 5}{narrower}")
    lines += [
        f"run {run['run']} on {host} waits: {why}"
        for held in chosen
        for host, run in held.items()
        for why in closed_gates(run)
    ]
    lines += [f"could not be read: {line}" for line in grouped(unread)]
    return {"error": None, "lines": lines, "failed": unread}


def word(name: str, value: t.Any) -> str | None:
    """A variable as text; None if it is not given. Raises RolloutError that names it if it is no text."""
    if isinstance(value, (bool, list, tuple, t.Mapping)):
        raise RolloutError(f"{name}: {show(value)} is not text; put it in quotes")
    return text(value)


def suggest(written: str, known: t.Collection[str]) -> str:
    """The known names that may be meant, or the known names, as the end of a sentence."""
    found = near(written, known, NEAR)
    if found:
        return f"; did you mean {' or '.join(found)}?"
    return f"; known are {', '.join(list(known)[:5])}" if known else "; there is none"


def unreadable(answers: Answers, hosts: t.Sequence[str]) -> dict[str, str]:
    """The hosts whose journals could not be read, each with the reason."""
    lost = [host for host in hosts if "runs" not in (answers.get(host) or {})]
    return {host: said(answers.get(host) or {}, "it could not be reached") for host in lost}


def state_of(run: t.Mapping, locks: t.Iterable[t.Mapping]) -> str:
    """The state of a run on one cluster, for people: a run that nobody carries out any more was interrupted."""
    at_work = any(lock["plan"] == run["plan"] and lock["run"] in (None, run["run"]) for lock in locks)
    if run["state"] == "running" and not at_work:
        return "interrupted"
    return "undo interrupted" if run["state"] == UNDOING and not at_work else run["state"]


def closed_gates(run: t.Mapping) -> list[str]:
    """Why a run that is not over waits on one cluster, as it was written there last."""
    return [] if run["over"] or run["state"] not in OPEN else list((run.get("waits_for") or {}).values())


def counted(run: t.Mapping) -> str:
    """How many of the workloads of a run have each outcome: `8 restarted, 1 failed, 1 not started`."""
    counts: Counter[str] = Counter()
    for outcome, number in (run.get("counts") or {}).items():
        counts[str(Outcome.RESTARTED) if outcome in DONE else outcome] += number
    told = ", ".join(f"{counts[outcome]} {words(outcome)}" for outcome in sorted(counts, key=order))
    return told or f"{run['done']} of {run['total']} done"


def _newest(value: t.Any) -> int | None:
    """How many lines are asked for; None for all."""
    given = text(value)
    if given == ALL:
        return None
    try:
        return NEWEST if given is None else whole(1)(value)
    except ScheduleError as error:
        raise RolloutError(f"newest: {error}; write a number of lines, or all") from None


def by_run(answers: Answers) -> dict[tuple[str, str], dict[str, t.Mapping]]:
    """The journals of each run by host."""
    found: dict[tuple[str, str], dict[str, t.Mapping]] = {}
    for host, answer in answers.items():
        for run in answer.get("runs") or []:
            found.setdefault((run["plan"], run["run"]), {})[host] = run
    return found


def _begun(held: t.Mapping[str, t.Mapping]) -> str:
    return min(run["started_at"] for run in held.values())


def _rows(
    held: t.Mapping[str, t.Mapping], answers: Answers, hosts: t.Sequence[str], unread: t.Collection[str]
) -> list[tuple]:
    """The lines of one run: of each cluster with a journal, and of those that it has not begun on."""
    rows: list[tuple] = []
    of_run = {name for run in held.values() for name in run["clusters"]}
    over = any(run["over"] for run in held.values())
    first = next(iter(held.values()))
    for host in hosts:
        if host in held:
            run = held[host]
            who = f"{run['undone_by']} (undone)" if run["undone_by"] else run["operator"]
            state = state_of(run, answers[host].get("locks") or [])
            rows.append(
                (
                    columns.minute(run["started_at"]),
                    run["plan"],
                    run["run"],
                    host,
                    state,
                    who,
                    run["ticket"],
                    counted(run),
                )
            )
        elif host in of_run and host not in unread and not over:
            rows.append((None, first["plan"], first["run"], host, "not started", None, first["ticket"], None))
    return rows
