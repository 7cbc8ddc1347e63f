# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs have left on a cluster, from their journals and the workloads that these name.

Only the present state counts: what a later run has restarted, what somebody has reverted or restarted, and what is gone
is no leftover. What a resumed run would do with a workload decides (record/resume.py).
"""

from __future__ import annotations

import datetime
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.record import held, journal, resume
from ansible_collections.restartx.core.plugins.module_utils.record.holders import Holder
from ansible_collections.restartx.core.plugins.module_utils.record.place import DEFAULT_NAMESPACE, Place
from ansible_collections.restartx.core.plugins.module_utils.rollout import canary, hold, kinds, marks, restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import parse_time
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome

Key = tuple[str, str, str]  # kind, namespace, name
Objects = t.Mapping[Key, dict]

LOCKED = "locked"
PAUSED = "paused"
PARTITIONED = "partitioned"
UNDOING = "undoing"
FAILED = "failed"
UNDONE = "undone"
UNFINISHED = "unfinished"
TIGHTENED = "tightened"
HELD = (PAUSED, PARTITIONED)
TO_RESTART = (FAILED, UNDONE, UNFINISHED)  # repaired by continuing the run
CODES = (LOCKED, *HELD, TIGHTENED, UNDOING, *TO_RESTART)  # in the order of their repair


@dataclass(frozen=True)
class Leftover:
    """One thing that a run has left. `key` is the workload, if it is one."""

    code: str
    plan: str
    run: str | None
    object: str
    sentence: str
    command: str
    key: Key | None = None
    repairable: bool = True  # whether `repair` can do it


@dataclass(frozen=True)
class Run:
    """A run of the cluster: its journal with all workloads, and what its plan says of failures."""

    journal: t.Mapping[str, t.Any]
    holding: frozenset[str] = frozenset()  # the entries whose failed workloads it holds
    reverting: frozenset[str] = frozenset()  # those whose failed workloads it undoes
    readable: bool = True  # whether this version can read its plan
    newest: bool = True  # whether no later run of the plan has begun on the cluster
    undone_elsewhere: bool = False  # its undo has begun on another cluster

    @property
    def undoing(self) -> bool:
        return self.journal["state"] == journal.UNDOING or (
            self.undone_elsewhere and self.journal["state"] != journal.UNDONE
        )

    @property
    def open(self) -> bool:
        """Whether it may have left something besides an undo."""
        return journal.is_open(self.journal)

    @property
    def judged(self) -> list[Key]:
        """The workloads that it may have left something of. Those of a run that has ended may still have their canary."""
        if self.open or self.undoing:
            return [*self.keys]
        return [key for key, entry in self.keys.items() if "canary" in entry and entry["outcome"] not in DONE]

    @property
    def keys(self) -> dict[Key, dict]:
        return journal.by_key(self.journal["workloads"])


@dataclass
class _Search:
    """One search through the runs of a plan, the newest first."""

    objects: Objects
    place: Place
    decided: set[Key] = field(default_factory=set)  # workloads of later runs, which decide what is left of them


def of_plan(runs: t.Sequence[Run], objects: Objects, place: Place, at_work: Holder | None = None) -> list[Leftover]:
    """What the runs of one plan have left, the newest run first. `at_work` is the living holder of the plan's lock."""
    search, found = _Search(objects, place), []
    for run in runs:
        if not is_at_work(run.journal["run"], at_work):
            found += _of_run(run, search)
        if run.journal["state"] != journal.UNDONE:
            search.decided |= run.keys.keys()
    return found


def is_at_work(run: str, at_work: Holder | None) -> bool:
    """Whether the living holder of the plan's lock works on this run. One that names no run may work on any."""
    return at_work is not None and at_work.who["run"] in (None, run)


def needed(runs: t.Iterable[Run]) -> list[tuple[str, str]]:
    """The kinds and namespaces whose workloads must be read to judge these runs, each once."""
    scopes = {key[:2]: None for run in runs for key in run.judged}
    return [scope for scope in scopes if scope[0] in kinds.KINDS]


def of_holder(holder: Holder, place: Place) -> Leftover:
    """The lock of a plan whose holder is dead."""
    who = holder.who
    run = f"run {who['run']}" if who["run"] else "no run"
    options = {"plan": holder.plan, "state": "released", "holder": who["holder"], "context": place.context}
    other = None if place.namespace == DEFAULT_NAMESPACE else place.namespace
    return Leftover(
        LOCKED,
        holder.plan,
        who["run"],
        f"Lease {place.namespace}/restartx-{holder.plan}",
        f'the lock of plan "{holder.plan}" is held by {who["holder"]} ({run}), which no longer renews it',
        place.module("k8s_rollout_lock", **options, namespace=other),
    )


def not_begun(plan: str, run: str, place: Place, readable: bool = True, between_waves: bool = False) -> Leftover:
    """A run of other clusters that is also for this one, and has not begun here. Only a start of the run asks what must be
    good `between_waves`, so a repair does not begin such a run."""
    waits = "; a repair does not begin it, because only a start of the run asks what must be good after the wave before"
    return Leftover(
        UNFINISHED,
        plan,
        run,
        f"run {run}",
        f'run {run} of plan "{plan}" has not begun on this cluster{waits if between_waves else ""}',
        place.playbook("restart_prod", restartx_run=run),
        repairable=readable and not between_waves,
    )


def document_of(known: t.Mapping[str, t.Any]) -> dict | None:
    """The plan of a run as it was written; None if its journal has none."""
    try:
        plan = json.loads(known["plan_text"] or "null")
    except ValueError:
        return None
    return plan if isinstance(plan, dict) else None


def _of_run(run: Run, search: _Search) -> list[Leftover]:
    found = []
    if run.open or run.undoing:
        found += [one for key, entry in run.keys.items() if (one := _held(run, key, entry, search))]
    held, present = {one.key for one in found}, _present(run, search)
    tight = [key for key in run.judged if key in present and key not in held]
    found += [one for key in tight if (one := _tightened(run, key, present[key], search.place))]
    if run.undoing:
        # The run is still there on other clusters. An undo has nothing to do here if nothing carries the run.
        own = run.journal["state"] == journal.UNDOING
        if own or any(marks.run_of(one) == run.journal["run"] for one in _present(run, search).values()):
            found.append(_undoing(run, search.place))
    elif run.open:
        held = {one.key for one in found}
        present = _present(run, search)
        left = [(key, run.keys[key], one) for key, one in present.items() if key not in search.decided]
        found += [one for each in left if (one := _to_restart(run, *each, search.place, held))]
    return found


def _present(run: Run, search: _Search) -> dict[Key, dict]:
    """The workloads of a run that are there, and were not created again since."""
    return {
        key: search.objects[key]
        for key, entry in run.keys.items()
        if key in search.objects and entry["uid"] in (None, search.objects[key]["metadata"].get("uid"))
    }


def _held(run: Run, key: Key, entry: t.Mapping[str, t.Any], search: _Search) -> Leftover | None:
    one = _present(run, search).get(key)
    if one is None or not held.is_held(run.journal, one, run.holding):
        return None
    partition = entry.get("partition")
    command = hold.how_to_go_on(one, partition, search.place.context)
    if _canary(run, key, one):
        command = search.place.playbook("leftovers", repair="true")  # its strategy as well
    if kinds.kind_of(one).pausable:
        sentence = f"{kinds.label(one)} is paused: {_by(run)} paused it after a failure"
        return _workload(PAUSED, run, key, sentence, command)
    sentence = (
        f"{kinds.label(one)} is held by its partition: {_by(run)} held it after a failure; before, it was {partition}"
    )
    return _workload(PARTITIONED, run, key, sentence, command)


def _tightened(run: Run, key: Key, one: dict, place: Place) -> Leftover | None:
    """A workload whose strategy a run has changed, and that neither the undo nor the next start of the run takes on."""
    carried = marks.run_of(one) == run.journal["run"]
    if carried and (run.undoing or (run.open and run.newest and run.readable)):
        return None
    told, its = _canary(run, key, one), held.canary_in(run.keys[key], one, run.journal["run"])
    if not (told and its):
        return None
    whose = canary.stage(one, its, run.journal["run"]).whose(_by(run))
    sentence = f"{kinds.label(one)} {whose}: {told}"
    return _workload(TIGHTENED, run, key, sentence, place.playbook("leftovers", repair="true"))


def _canary(run: Run, key: Key, one: dict) -> str:
    """What of its canary, or of what budgets asked for, a run has left on a workload; empty if nothing."""
    its = held.canary_in(run.keys[key], one, run.journal["run"])
    return canary.how_held(one, its, run.journal["run"]) if its else ""


def _undoing(run: Run, place: Place) -> Leftover:
    known = run.journal
    return Leftover(
        UNDOING,
        known["plan"],
        known["run"],
        f"run {known['run']}",
        f'the undo of {_by(run)} of plan "{known["plan"]}" has begun, and is not finished',
        place.playbook("undo_run", run=known["run"], plan=known["plan"]),
    )


def _to_restart(
    run: Run, key: Key, entry: dict, one: dict, place: Place, held: t.Collection[Key | None]
) -> Leftover | None:
    """A workload that the run has not restarted well; None if it has, or if that is no longer its business."""
    known = run.journal
    since = datetime.datetime.fromisoformat(known["started_at"])
    carried = restart.attempt_of(one, known["run"]) > 0
    if not carried and _restarted_since(one, since):
        return None
    undoes = entry["entry"] in run.reverting
    earlier = resume.decide(entry, one, known["run"], resume.retry_of(None), place.field_manager, since, undoes)
    seen = resume.rollout_of(one, carried)
    tight = _canary(run, key, one) if carried else ""
    done = carried and seen.state == status.DONE and not tight
    if earlier.outcome in (Outcome.SUPERSEDED, Outcome.ALREADY_RESTARTED) or (done and key not in held):
        return None
    command = {"restartx_run": known["run"]}
    if earlier.outcome is Outcome.UNDONE:
        code, words = UNDONE, f"was undone in {_by(run)}, so it is not restarted"
        command["restartx_retry"] = "undone"
    elif entry["outcome"] == Outcome.FAILED or (carried and seen.state == status.FAILED):
        code, words = FAILED, f"failed in {_by(run)}" + (f": {seen.message}" if carried else ", and does not carry it")
    elif carried:
        code, words = UNFINISHED, f"is not rolled out since {_by(run)} restarted it: {seen.message}"
    else:
        refused = entry["outcome"] == Outcome.REFUSED
        code, words = UNFINISHED, f"was {'refused' if refused else 'not restarted'} by {_by(run)}"
    sentence = f"{kinds.label(one)} {words}"
    if tight and run.readable and run.newest:
        its = canary.stage(one, canary.Canary.of_record(entry["canary"]), known["run"])
        of_budgets = "its strategy is still tightened for budgets"
        holds = f"its {its.words} holds it" if its.enforced is None else of_budgets
        sentence += f"; {holds}: {tight}"
    if not run.readable:
        sentence += "; this version cannot read the plan in the journal of the run"
    elif not run.newest:
        sentence += "; a later run of the plan has begun, so repair does not continue this one"
    return _workload(code, run, key, sentence, place.playbook("restart_prod", **command), run.readable and run.newest)


def _restarted_since(one: dict, since: datetime.datetime) -> bool:
    """Whether a later run, or somebody else, has restarted a workload that does not carry the run."""
    at = parse_time(kinds.template_annotations(one).get(marks.RESTARTED_AT))
    return at is not None and at > since


def _workload(code: str, run: Run, key: Key, sentence: str, command: str, repairable: bool = True) -> Leftover:
    kind, namespace, name = key
    known = run.journal
    object = f"{kind} {namespace}/{name}"
    return Leftover(code, known["plan"], known["run"], object, sentence, command, key, repairable)


def _by(run: Run) -> str:
    return f"run {run.journal['run']}"
