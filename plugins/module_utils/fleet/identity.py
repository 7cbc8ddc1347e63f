# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides which run a start of the playbook belongs to.

A run is one intention. With a ticket, plan and ticket identify it. With a period (`2026-11`), plan and period do. With
neither, a start resumes an unfinished run that began recently, or starts a new one. The journals on the clusters
decide.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.record.journal import ENDED, UNDOING, UNDONE
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest

WITHIN = 24 * 3600.0  # seconds in which an unfinished run without ticket and period is resumed
WITHIN_AFTER_WINDOW = 8 * 86400.0  # the same if it stopped only because its window closed: until the next window
LONGEST_UNFINISHED = 30 * 86400.0  # seconds after which an unfinished run is no longer mentioned
NEW = "new"

SHOWN = 5  # run ids in a message

Headers = t.Mapping[str, t.Sequence[t.Mapping]]  # results of record.journal.header() by inventory host, newest first
Held = t.Mapping[str, t.Mapping]  # the journals of one run by host
Known = t.Mapping[str, Held]  # by run


@dataclass(frozen=True)
class Asked:
    """The request of a start. Texts are trimmed; None means not given."""

    plan: str
    digest: str
    now: datetime.datetime
    ticket: str | None = None
    period: str | None = None
    requested: str | None = None  # `new`, or the id of a run
    proposed: str | None = None  # the id for a new run from an earlier job of a workflow
    new_run: str = ""  # the id of a new run that nothing else identifies
    retry: frozenset[str] = frozenset({"failed"})
    within: float = WITHIN


def choose(runs: Headers, asked: Asked) -> dict:
    """Which run this start is: {run_id, resuming, complete, anew, started_at, ticket, period, done, total, notes, others}.

    `runs` has every inventory host of this start, even if it did not answer. `others` are the clusters that stay with
    another run of the same ticket or period, with that run. `complete` tells whether nothing is left to do, `anew`
    whether `new` was requested. `notes` are lines for people. Raises RolloutError if the ticket was carried out
    already, or if no journal knows the requested run.
    """
    known = by_run(runs)
    if asked.requested == NEW:
        return {**_begin(asked.new_run, runs, known, asked), "anew": True}
    if asked.requested is not None:
        if asked.requested not in known:
            raise RolloutError(_unknown(asked, known))
        return _resume(asked.requested, known, asked)
    if asked.ticket or asked.period:
        return _identified(runs, known, asked)
    return _recent(runs, known, asked)


def run_id(plan: str, what: str, value: str) -> str:
    """The id of the run that a ticket or a period identifies: the same on every machine and for every start."""
    readable = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:20].strip("-") or what
    return f"{readable}-{hashlib.sha256(f'{plan}/{what}/{value}'.encode()).hexdigest()[:8]}"


def by_run(runs: Headers) -> Known:
    """The journals of each run by host, the newest run first."""
    found: dict[str, dict[str, t.Mapping]] = {}
    for host, headers in runs.items():
        for header in headers:
            found.setdefault(header["run"], {})[host] = header
    return dict(sorted(found.items(), key=lambda item: _started_at(item[1]), reverse=True))


def _started_at(held: Held) -> str:
    return min(header["started_at"] for header in held.values())


def _is_asked_for(held: Held, asked: Asked) -> bool:
    """Whether a run belongs to the ticket of this start or, without a ticket, to its period."""
    if asked.ticket:
        return any(text(header["ticket"]) == asked.ticket for header in held.values())
    return any(header["period"] == asked.period and not header["ticket"] for header in held.values())


def _meant(held: Held, hosts: t.Collection[str]) -> list[str]:
    """Those of the hosts that a run is for."""
    of_run = {host for header in held.values() for host in header["clusters"]} | held.keys()
    return [host for host in hosts if host in of_run]


def _finished(held: Held, hosts: t.Collection[str]) -> bool:
    """Whether nothing is left to do on these hosts for a run, or it was undone there.

    The journal of a cluster itself counts. For a cluster without one, because it was rebuilt or does not answer now, the
    other journals count: one that says that the run is over speaks for all clusters of the run.
    """
    over = {host for header in held.values() if header["over"] for host in header["clusters"]}
    return all(held[host]["state"] in ENDED if host in held else host in over for host in hosts)


def undone(held: Held) -> t.Mapping | None:
    """The journal that says that the run was undone, or that an undo has begun; None if none does."""
    return next((header for header in held.values() if header["state"] in (UNDONE, UNDOING)), None)


def _identified(runs: Headers, known: Known, asked: Asked) -> dict:
    """The run of the ticket or of the period."""
    same = {run: held for run, held in known.items() if _is_asked_for(held, asked)}
    what, value = ("ticket", asked.ticket) if asked.ticket else ("period", asked.period)
    if not same:
        proposed = None if asked.proposed in known else asked.proposed  # a known run is of another ticket or period
        return _begin(proposed or run_id(asked.plan, what, str(value)), runs, known, asked)
    # Starts on parts of the clusters may each have a run of their own, as the slices of a job had in version 0.1.0. This
    # start is the newest unfinished one. Each other cluster stays with its own run.
    finished, unfinished = dict[str, str](), dict[str, str]()
    for run, held in same.items():
        here = [host for host in _meant(held, runs) if host not in finished and host not in unfinished]
        (finished if _finished(held, here) else unfinished).update(dict.fromkeys(here, run))
    current = next(iter(unfinished.values()), None)
    if current is None:
        current = next(iter(same))
        ended = {host: same[run][host] for host, run in finished.items() if host in same[run]}
        repaired = any(header["digest"] != asked.digest for header in ended.values())
        taken_back = undone(ended)
        if asked.retry <= {"failed"} and (taken_back or (len(finished) == len(runs) and not repaired)):
            finished_at = max(header["updated_at"] for header in same[current].values())
            carried_out = f"{what} {value} was carried out already, by run {current}, finished {finished_at}"
            if taken_back:
                by = f" by {taken_back['undone_by']}" if taken_back.get("undone_by") else ""
                carried_out = (
                    f"{what} {value}: its run {taken_back['run']} was undone{by}, at {taken_back['updated_at']}"
                )
            anew = "to restart everything again: -e restartx_run=new"
            if asked.ticket:
                raise RolloutError(f"{carried_out}; nothing was touched; {anew}")
            # It is not a mistake if a schedule fires again within the period.
            chosen = _resume(current, known, asked)
            return {**chosen, "complete": True, "notes": [f"{carried_out}; nothing is left to do; {anew}"]}
    others = {host: run for host, run in {**finished, **unfinished}.items() if run != current}
    return _resume(current, known, asked, others)


def _recent(runs: Headers, known: Known, asked: Asked) -> dict:
    """Without ticket and period: the newest unfinished run that began recently, or a new one.

    A run is not resumed if a later run has finished on all its clusters since.
    """
    if asked.proposed is not None and asked.proposed in known:
        return _resume(asked.proposed, known, asked)
    overtaken = set[str]()
    for run, held in known.items():
        here = [host for host in _meant(held, runs) if host not in overtaken]
        if _finished(held, here):
            overtaken.update(here)
        elif _age(held, asked) <= _limit(held, asked):
            chosen = _resume(run, known, asked)
            age = duration.text(max(60, _age(held, asked) // 60 * 60))
            chosen["notes"].append(
                f"no ticket and no period given: this start resumes run {run}, which began {age} ago; "
                "for a new run: -e restartx_run=new"
            )
            return chosen
    return _begin(asked.proposed or asked.new_run, runs, known, asked)


def _age(held: Held, asked: Asked) -> float:
    return (asked.now - datetime.datetime.fromisoformat(_started_at(held))).total_seconds()


def _limit(held: Held, asked: Asked) -> float:
    """How old an unfinished run may be to be resumed. If only its window stopped it, until the next window."""
    stopped = [header["stopped_by"] for header in held.values() if header["state"] != "finished"]
    # If no cluster stopped, the others did not start: their wave came after the end of the window.
    ended = [header["stopped_by"] for header in held.values()]
    by_window = all(why == "window" for why in stopped) if stopped else "window" in ended
    return max(asked.within, WITHIN_AFTER_WINDOW) if by_window else asked.within


def _begin(run: str, runs: Headers, known: Known, asked: Asked) -> dict:
    left = [
        f"{other} ({text(next(iter(held.values()))['ticket']) or 'no ticket'})"
        for other, held in known.items()
        if not _finished(held, _meant(held, runs)) and _age(held, asked) <= LONGEST_UNFINISHED
    ]
    chosen = _resume(run, {}, asked)
    if left:
        chosen["notes"].append(f"still unfinished: run {', '.join(left)}; to resume it instead: -e restartx_run=ID")
    return chosen


def _resume(run: str, known: Known, asked: Asked, others: t.Mapping[str, str] | None = None) -> dict:
    others = dict(others or {})
    of_run = [*known.get(run, {}).values()]
    of_run += [known[other][host] for host, other in others.items() if host in known[other]]
    changes: list[str] = next((header["changes"] for header in of_run if header.get("changes")), [])
    repaired = any(header["digest"] != asked.digest for header in of_run)
    notes = [f"the plan has changed since: {'; '.join(changes) or 'its journal does not say how'}"] if repaired else []
    return {
        "run_id": run,
        "resuming": bool(of_run),
        "complete": False,
        "anew": False,
        "started_at": min((header["started_at"] for header in of_run), default=None),
        "ticket": asked.ticket or next((text(header["ticket"]) for header in of_run if header["ticket"]), None),
        "period": asked.period or next((header["period"] for header in of_run if header["period"]), None),
        "done": sum(header["done"] for header in of_run),
        "total": sum(header["total"] for header in of_run),
        "notes": notes,
        "others": others,
    }


def _unknown(asked: Asked, known: Known) -> str:
    where = f"no journal of plan {asked.plan} on these clusters knows it"
    near = closest(str(asked.requested), [NEW, *known])
    ids = f"; known are {', '.join(list(known)[:SHOWN])}" if known else "; there is none yet"
    return f"restartx_run: {asked.requested} is unknown, {where}{near or ids}; nothing was touched: write new, or leave it out"


def text(value: object) -> str | None:
    """A variable as text, trimmed; None where it is empty. JSON turns 4711 into a number, and a missing value into
    null."""
    trimmed = "" if value is None else str(value).strip()
    return trimmed or None
