# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs have left on all clusters: what one cluster must know of the others, the table, and what a repair made of it.

Pure functions on the results of k8s_rollout_leftovers for each inventory host. Mistakes of the user are returned as
`error` and not raised, because Ansible adds a lot of text to exceptions in templates.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.fleet import columns
from ansible_collections.restartx.core.plugins.module_utils.fleet.books import by_run, suggest, word
from ansible_collections.restartx.core.plugins.module_utils.fleet.identity import text
from ansible_collections.restartx.core.plugins.module_utils.fleet.prepare import grouped, refuse_twins, said
from ansible_collections.restartx.core.plugins.module_utils.fleet.waves import batches, some
from ansible_collections.restartx.core.plugins.module_utils.record.journal import UNDOING, UNDONE
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import flag

HEADING = ("CLUSTER", "LEFT", "PLAN", "RUN", "OBJECT", "COMMAND")
NOTHING = "nothing was left by any run"
NOTHING_READ = "nothing was found that a run has left, but not everything could be read"
SHOWN = 20  # sentences below the table

Answers = t.Mapping[str, t.Mapping]  # results of k8s_rollout_leftovers by inventory host


@dataclass(frozen=True)
class LeftoversRequest:
    """The request, from variables of a playbook."""

    plan: t.Any = None
    run: t.Any = None
    repair: t.Any = False
    now: str = ""  # the time, ISO 8601
    check_mode: bool = False


def other_runs(answers: Answers, between_waves: bool = False) -> dict[str, list[dict]]:
    """The runs that one cluster knows of and that concern others, by host, as the option of this name takes them.

    A run that is not over has yet to begin on a cluster without a journal of it. A run whose undo has begun on one cluster is
    undone on the others too. A run that is at work anywhere is left out, because it goes on by itself. `between_waves` tells
    whether something must be good before the next wave begins (restartx_bake, restartx_gates).
    """
    held = by_run(answers)
    at_work = {lock["plan"] for answer in answers.values() for lock in answer.get("at_work") or []}
    found: dict[str, list[dict]] = {}
    for (plan, run), journals in held.items():
        if plan in at_work:
            continue
        undone_at = max(
            (one["updated_at"] for one in journals.values() if one["state"] in (UNDOING, UNDONE)), default=""
        )
        over = any(one["over"] for one in journals.values())
        for host, answer in answers.items():
            if "runs" not in answer:
                continue
            if undone_at:
                # A journal that was written later is of a start that restarts what was undone.
                if host in journals and _was_not_undone(journals[host], undone_at):
                    found.setdefault(host, []).append({"plan": plan, "run": run, "undoing": True})
            elif not over and host not in journals and _is_for(host, journals, answer, plan):
                found.setdefault(host, []).append(_to_begin(journals, between_waves))
    return found


def prepare(answers: Answers, hosts: t.Sequence[str], waves: t.Mapping[str, t.Any], request: LeftoversRequest) -> dict:
    """The table of leftovers, and where what will be repaired.

    Returns `error` (what is wrong with the variables, else None), `lines` for people, `failed` (a sentence for each host that
    could not be read, or on which something was left), `repair`, `hosts` and `serial` (the order and the waves of the
    repair), `last_first` (the same for undos), `codes` (what was left on each host), `run`, and `decided_at`.
    """
    try:
        return {"error": None, **_prepare(answers, hosts, waves, request)}
    except RolloutError as error:
        return {"error": str(error)}


def _prepare(answers: Answers, hosts: t.Sequence[str], waves: t.Mapping[str, t.Any], request: LeftoversRequest) -> dict:
    repair = _repair(request)
    plan, run = word("plan", request.plan), word("run", request.run)
    unread = _unread(answers, hosts)
    _refuse_unknown(answers, plan, run, unread)
    refuse_twins({host: answers[host] for host in hosts if host not in unread})
    left = {host: _left(answers, host, run) for host in hosts if host in answers}
    fit = [host for host in hosts if host not in _unreached(answers, hosts)]
    ordered, serial = batches(fit or hosts, waves)
    backwards, sizes = batches(fit or hosts, waves, last_first=True)
    lines = (_table(left) or [NOTHING_READ if unread else NOTHING]) + _notes(answers, unread)
    doing = repair and not request.check_mode
    if repair and any(left.values()):
        lines.append(
            "dry run, nothing will be changed" if request.check_mode else "this will be repaired now, where it can be"
        )
    return {
        "lines": lines,
        "failed": unread | ({} if doing else _sentences(left)),
        "repair": doing,
        "hosts": ordered,
        "serial": serial,
        "last_first": {"hosts": backwards, "serial": sizes},
        "codes": {host: sorted({one["code"] for one in left[host]}) if host in left else [] for host in hosts},
        "run": run,
        "decided_at": request.now,
    }


def summary(found: t.Mapping, answers: Answers, hosts: t.Sequence[str], failures: t.Mapping[str, t.Mapping]) -> dict:
    """What remains after a repair, from the decision of prepare() and another look at each cluster.

    `failures` has the result of each host on which a repair failed. Returns `error`, `lines`, `failed` (host to sentence), and
    `over` (the runs that are finished on all their clusters now).
    """
    unread = _unread(answers, hosts)
    left = {host: _left(answers, host, found["run"]) for host in hosts if host in answers}
    lines = _table(left) if any(left.values()) else ["everything was repaired" if not unread else NOTHING_READ]
    lines += _notes(answers, unread)
    lines += grouped({host: said(result, "it could not be reached") for host, result in failures.items()})
    failed = {host: said(result, "it could not be reached") for host, result in failures.items() if left.get(host)}
    return {
        "error": None,
        "lines": lines,
        "failed": {**_sentences(left), **failed, **unread},
        "over": _finished(answers),
    }


def _repair(request: LeftoversRequest) -> bool:
    try:
        return text(request.repair) is not None and flag(request.repair)
    except ScheduleError as error:
        raise RolloutError(f"repair: {error}") from error


def _is_for(host: str, journals: t.Mapping[str, t.Mapping], answer: t.Mapping, plan: str) -> bool:
    """Whether a run is for a host as well, and no later run of its plan has begun there."""
    begun = min(one["started_at"] for one in journals.values())
    later = [run for run in answer["runs"] if run["plan"] == plan and run["started_at"] > begun]
    return not later and any(host in one["clusters"] for one in journals.values())


def _was_not_undone(known: t.Mapping, undone_at: str) -> bool:
    return known["state"] not in (UNDOING, UNDONE) and known["updated_at"] <= undone_at


def _to_begin(journals: t.Mapping[str, t.Mapping], between_waves: bool) -> dict:
    newest = max(journals.values(), key=lambda one: one["updated_at"])
    known = {"plan": newest["plan"], "run": newest["run"], "clusters": newest["clusters"]}
    more = {name: newest[name] for name in ("ticket", "period", "document") if newest.get(name)}
    # A gate that has not opened may be one between the waves of a start that got these from its command line.
    waits = between_waves or any(one.get("waits_for") for one in journals.values())
    return known | more | ({"between_waves": True} if waits else {})


def _finished(answers: Answers) -> list[dict]:
    """The runs of several clusters that are finished on all of them, and not marked as over everywhere."""
    found = []
    for (plan, run), journals in by_run(answers).items():
        clusters = list(dict.fromkeys(name for one in journals.values() for name in one["clusters"]))
        finished = all(journals.get(name, {}).get("state") == "finished" for name in clusters)
        if len(clusters) > 1 and finished and not all(one["over"] for one in journals.values()):
            found.append({"plan": plan, "run": run, "clusters": clusters})
    return found


def _unreached(answers: Answers, hosts: t.Sequence[str]) -> dict[str, str]:
    lost = [host for host in hosts if "leftovers" not in (answers.get(host) or {})]
    return {host: said(answers.get(host) or {}, "it could not be reached") for host in lost}


def _unread(answers: Answers, hosts: t.Sequence[str]) -> dict[str, str]:
    """The hosts of which not everything could be read, each with the reason."""
    partly = {host: "; ".join(answers[host].get("unread") or []) for host in hosts if host in answers}
    return _unreached(answers, hosts) | {host: why for host, why in partly.items() if why}


def _refuse_unknown(answers: Answers, plan: str | None, run: str | None, unread: t.Collection[str]) -> None:
    known = [
        one for answer in answers.values() for one in [*(answer.get("runs") or []), *(answer.get("at_work") or [])]
    ]
    known += [one for answer in answers.values() for one in answer.get("leftovers") or []]
    if unread:
        return  # the plan or the run may be there
    if plan is not None and plan not in {one["plan"] for one in known}:
        raise RolloutError(
            f"plan: no journal and no lock on these clusters is of plan {plan}; restartx.core.runs lists the runs"
        )
    ids = list(dict.fromkeys(one["run"] for one in known if one["run"]))
    if run is not None and run not in ids:
        raise RolloutError(f"run: {run} is unknown, no journal on these clusters knows it{suggest(run, ids)}")


def _left(answers: Answers, host: str, run: str | None) -> list[t.Mapping]:
    """What is left on a host now, of one run or of all."""
    left = (answers[host] or {}).get("leftovers") or []
    return [one for one in left if not one["repaired"] and run in (None, one["run"])]


def _table(left: t.Mapping[str, t.Sequence[t.Mapping]]) -> list[str]:
    rows = [
        (host, one["code"], one["plan"], one["run"], one["object"], one["command"])
        for host, its in left.items()
        for one in its
    ]
    if not rows:
        return []
    sentences = [f"{host}: {one['sentence']}" for host, its in left.items() for one in its]
    more = [f"and {len(sentences) - SHOWN} more"] if len(sentences) > SHOWN else []
    return [*columns.lines(HEADING, rows), *sentences[:SHOWN], *more]


def _notes(answers: Answers, unread: t.Mapping[str, str]) -> list[str]:
    notes = {host: note for host, answer in answers.items() for note in answer.get("notes") or []}
    return [*grouped(notes), *(f"could not be read: {line}" for line in grouped(unread))]


def _sentences(left: t.Mapping[str, t.Sequence[t.Mapping]]) -> dict[str, str]:
    """A sentence for each host on which something is left."""
    told = {host: some([f"{one['code']} {one['object']}" for one in its]) for host, its in left.items() if its}
    return {host: f"left: {names}" for host, names in told.items()}
