# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds what runs have left on a cluster, and repairs it if that is wanted."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.executor import together
from ansible_collections.restartx.core.plugins.module_utils.record import held, holders, journal, leftovers
from ansible_collections.restartx.core.plugins.module_utils.record.holders import Holder
from ansible_collections.restartx.core.plugins.module_utils.record.lease import holder_in
from ansible_collections.restartx.core.plugins.module_utils.record.leftovers import Leftover, Run
from ansible_collections.restartx.core.plugins.module_utils.record.place import Place
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.verbs import repair
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.repair import Found

SHOWN = 3  # leftovers in a message


def find(call: Call) -> dict:
    """What runs have left, and what of it was repaired. Returns the module's result."""
    params = call.params
    plan = call.plan_name()
    others = _others(call)
    call.identify()
    found = _search(call, plan, others)
    _refuse_unknown(call, found, others)
    wanted = [one for one in found.leftovers if one.repairable]
    repaired: list[Leftover] = []
    done = repair.Done()
    if params["repair"] and wanted and not call.check_mode:
        done = repair.repair(call, found, others)
        after = _search(call, plan, others)
        still = {_identity(one) for one in after.leftovers}
        repaired = [one for one in found.leftovers if _identity(one) not in still]
        found = after
    return _result(call, found, repaired, wanted, done)


def _result(call: Call, found: Found, repaired: list[Leftover], wanted: list[Leftover], done: repair.Done) -> dict:
    told = [*((one, True) for one in repaired), *((one, False) for one in found.leftovers)]
    in_order = sorted(told, key=lambda each: leftovers.CODES.index(each[0].code))
    notes = [_at_work(holder) for holder in found.at_work]
    if done.kept:
        notes.append(f"not undone, because a gate on a Job has opened since their restart: {some(done.kept, SHOWN)}")
    would = call.params["repair"] and call.check_mode
    if would:
        notes += [f"repair would {repair.words(one)}" for one in wanted]
    result = {
        "changed": done.changed or (would and bool(wanted)),
        "leftovers": [_told(one, is_repaired) for one, is_repaired in in_order],
        "notes": list(dict.fromkeys(notes)),
        "runs": [_run(run) for runs in found.runs.values() for run in runs],
        "at_work": [dict(holder.who) for holder in found.at_work],
        "dead_locks": _dead(found),
        "unread": found.unread,
        "summary": dict(collections.Counter(one.code for one in found.leftovers)),
        "run_id": call.params["run_id"],
    }
    tried = {(one.plan, one.run) for one in wanted} if call.params["repair"] and not call.check_mode else set()
    remaining = [one for one in found.leftovers if (one.plan, one.run) in tried and one.repairable]
    if remaining:
        why = [text for key, text in done.failures.items() if key in {(one.plan, one.run) for one in remaining}]
        result["msg"] = "; ".join([_remaining(remaining), *why])
    return result


def _search(call: Call, plan: str | None, others: t.Sequence[t.Mapping]) -> Found:
    """Reads locks, journals and workloads, in this order: a start that begins meanwhile holds its lock at the end."""
    params, cluster = call.params, call.cluster
    namespace = params["journal_namespace"]
    place = Place(cluster.context, namespace, params["field_manager"])
    dead_before = {str(of): str(version) for of, version in (params["dead_locks"] or {}).items()}
    judged = holders.judge(cluster, call.clock, namespace, holders.read(cluster, namespace, plan), dead_before)
    runs, unread = _runs(call, plan, others)
    objects = _objects(call, [run for of_plan in runs.values() for run in of_plan])
    begun = {
        of: Holder(of, holder_in(held, of) or {}, held, True)
        for of, held in holders.read(cluster, namespace, plan).items()
        if of not in judged or judged[of].who["holder"] != held["spec"]["holderIdentity"]
    }
    judged |= begun
    dead = [holder for holder in judged.values() if holder.alive is False]
    at_work = {of: holder for of, holder in judged.items() if holder.alive is not False}
    found = [leftovers.of_holder(holder, place) for holder in dead]
    for of, its in runs.items():
        found += leftovers.of_plan(its, objects, place, at_work.get(of))
    known = {(of, run.journal["run"]) for of, its in runs.items() for run in its}
    for other in others:
        key = (other["plan"], other["run"])
        if key not in known and not other.get("undoing") and other["plan"] not in at_work:
            found.append(
                leftovers.not_begun(*key, place, bool(other.get("document")), bool(other.get("between_waves")))
            )
    run, codes = params["run_id"], params["codes"]
    chosen = [one for one in found if run in (None, one.run) and one.code in (codes or leftovers.CODES)]
    return Found(chosen, runs, judged, objects, list(at_work.values()), unread)


def _runs(call: Call, plan: str | None, others: t.Sequence[t.Mapping]) -> tuple[dict[str, list[Run]], list[str]]:
    """The runs of each plan with all their workloads, the newest first, and a sentence for each unreadable journal."""
    namespace = call.params["journal_namespace"]
    journals, unread = journal.read_all(call.cluster, namespace)
    undone = {(other["plan"], other["run"]) for other in others if other.get("undoing")}
    found: dict[str, list[Run]] = {}
    for known in journals:
        if plan not in (None, known["plan"]):
            continue
        if known["parts"]:
            known = journal.read_run(call.cluster, namespace, known["plan"], known["run"])[0] or known
        its = found.setdefault(known["plan"], [])
        checked = held.plan_of(known)
        its.append(
            Run(
                known,
                held.pausing(checked),
                held.undoing(checked),
                readable=checked is not None,
                newest=not its,
                undone_elsewhere=(known["plan"], known["run"]) in undone,
            )
        )
    return found, unread


def _objects(call: Call, runs: t.Sequence[Run]) -> dict[leftovers.Key, dict]:
    """The workloads that may matter: each kind in each namespace is listed once."""
    scopes = leftovers.needed(runs)
    lists = together(lambda scope: call.cluster.list(kinds.path(*scope)).items, scopes) if scopes else []
    return {kinds.key(one): one for items in lists for one in items}


def _others(call: Call) -> list[dict]:
    """The option `other_runs`, checked. Raises RolloutError and ScheduleError."""
    given = call.params["other_runs"] or []
    for place, other in enumerate(given):
        if not other["run"].strip():
            raise RolloutError(f"other_runs[{place}].run is empty; give it a value")
        try:
            values.plan_name(other["plan"])
        except ScheduleError as error:
            raise ScheduleError(f"other_runs[{place}].plan: {error}") from error
    return [other for other in given if call.params["plan"] in (None, other["plan"])]


def _refuse_unknown(call: Call, found: Found, others: t.Sequence[t.Mapping]) -> None:
    """Raises RolloutError if nothing is known of the run of the option `run_id`."""
    run = call.params["run_id"]
    known = [one.journal["run"] for runs in found.runs.values() for one in runs]
    known += [other["run"] for other in others]
    known += [holder.who["run"] for holder in found.holders.values() if holder.who["run"]]
    if run is not None and run not in known:
        where = call.params["journal_namespace"]
        of_plan = f' of plan "{call.params["plan"]}"' if call.params["plan"] else ""
        near = values.closest(run, known) or "; to see the runs: ansible localhost -m restartx.k8s_rollout_journal"
        raise RolloutError(f'run_id: no journal of run "{run}"{of_plan} is in namespace "{where}"{near}')


def _identity(one: Leftover) -> tuple[str, str, str | None, str]:
    return one.code, one.plan, one.run, one.object


def _told(one: Leftover, is_repaired: bool) -> dict:
    fields = ("code", "run", "plan", "object", "sentence", "command", "repairable")
    return {**{name: getattr(one, name) for name in fields}, "repaired": is_repaired}


def _run(run: Run) -> dict:
    """A run for the other clusters. Only one that is not over may have to begin there, so only that needs its plan."""
    known = journal.header(run.journal)
    document = None if known["over"] else leftovers.document_of(run.journal)
    return {**known, "waits_for": run.journal["waits_for"], "document": document}


def _dead(found: Found) -> dict[str, str]:
    """The version of each Lease whose holder is dead, by plan."""
    dead = [holder for holder in found.holders.values() if holder.alive is False]
    return {holder.plan: holder.held["metadata"]["resourceVersion"] for holder in dead}


def _at_work(holder: Holder) -> str:
    who = holder.who
    run = f"run {who['run']}" if who["run"] else "somebody"
    by = f" of {who['operator']}" if who["operator"] else ""
    return f'{run}{by} is working on plan "{holder.plan}" ({who["holder"]}), so what it has not done yet is no leftover'


def _remaining(remaining: t.Sequence[Leftover]) -> str:
    number = f"{len(remaining)} leftover{'s' if len(remaining) > 1 else ''}"
    return f"{number} could not be repaired: {some([one.sentence for one in remaining], SHOWN, '; ')}"
