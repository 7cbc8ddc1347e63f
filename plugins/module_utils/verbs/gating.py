# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates of a plan: checked before anything is touched, and asked while the plan is carried out."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.engine.gating import (
    AfterGate,
    AskedGate,
    GateEntry,
    GateHold,
    RunGates,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task, text_of
from ansible_collections.restartx.core.plugins.module_utils.gates import read
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import State as JudgementState
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Verdict
from ansible_collections.restartx.core.plugins.module_utils.record import held
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.schedule import graph, reading
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError, show
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Plan
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT
from ansible_collections.restartx.core.plugins.module_utils.schedule.values import closest
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

AFTER = "gates after the run:"  # with a name, the id of a group that no entry can have
WAVE = "gates after the wave:"
COMPARE_SECONDS = 60  # for which a comparison that is not good is made again
AUTH = ("token", "username", "password", "ca_cert", "validate_certs")


def gates_of(call: Call, plan: Plan) -> dict[str, Gate]:
    """The gates of a plan by name. Raises ScheduleError that names the gate."""
    inline = {one.id: f"{ROOT}.workloads[{at}].gate" for at, one in enumerate(plan.entries) if one.gate == one.id}
    return _made(call, dict(plan.gates), {**{name: f"{ROOT}.gates.{name}" for name, _given in plan.gates}, **inline})


@dataclass(frozen=True)
class AfterWave:
    """What a wave of clusters must pass before the next one begins: how long it must stay healthy, in seconds, and gates."""

    bake: float = 0.0
    gates: t.Mapping[str, Gate] = field(default_factory=dict)
    given: t.Mapping[str, t.Mapping] = field(default_factory=dict)  # the gates as they were written

    @classmethod
    def of(cls, call: Call) -> AfterWave:
        """From the options `bake` and `wave_gates`. Raises ScheduleError that names the option."""
        given, errors = call.params["wave_gates"] or {}, list[str]()
        reading.read_named("gate", given, "wave_gates", errors)
        if errors:
            raise PlanError(errors)
        paths = {name: f"wave_gates.{name}" for name in given}
        return cls(call.span("bake") or 0.0, _made(call, given, paths), given)


def _made(call: Call, given: t.Mapping[str, t.Mapping], paths: t.Mapping[str, str]) -> dict[str, Gate]:
    credentials = _credentials(call)
    made = {}
    for name, one in given.items():
        try:
            made[name] = read.gate_of({**one, **_auth(one, credentials)})
        except ScheduleError as error:
            raise ScheduleError(f"{paths[name]}: {error}") from error
    return made


def comparisons_of(call: Call, plan: Plan) -> dict[str, Gate]:
    """What the canaries of a plan are compared by, by entry. Raises ScheduleError that names the entry."""
    credentials, made = _credentials(call), {}
    for entry in plan.entries:
        its = entry.canary.compare if entry.canary else None
        if its is None:
            continue
        given = {"prometheus": its.prometheus, "url": its.url, "max": its.max_ratio, "timeout": COMPARE_SECONDS}
        try:
            made[entry.id] = read.gate_of({**given, **_auth({"auth": its.auth} if its.auth else {}, credentials)})
        except ScheduleError as error:
            raise ScheduleError(f"{ROOT}.workloads: the canary of {entry.id}: compare: {error}") from error
    return made


def after_restarts(plan: Plan) -> bool:
    """Whether the plan has gates that are asked once something is restarted."""
    return bool(plan.asked.after) or any(entry.gate or entry.gates.after for entry in plan.entries)


class Gates:
    """The gates of one call that restarts a plan. `known` is the journal of earlier starts of the run, if there is one.
    `unchanged` tells whether all workloads are as those starts left them when they were done. A dry run waits for nothing."""

    def __init__(
        self,
        call: Call,
        plan: Plan | None,
        made: t.Mapping[str, Gate],
        known: t.Mapping[str, t.Any] | None,
        of_wave: t.Mapping[str, Gate],
        unchanged: bool = False,
    ):
        self._entries = plan.entries if plan else ()
        self._known = known or {}
        self.holds: list[GateHold] = []
        self.run = RunGates()
        if plan is None or call.check_mode or not (made or of_wave):
            return
        before = {name: _groups(plan, name) for name in made}
        self.holds = [
            GateHold(name, made[name], groups, call.cluster, call.clock)
            for name, groups in before.items()
            if groups is None or groups
        ]
        after = {name: AfterGate(name, gate, call.cluster, call.clock) for name, gate in made.items()}
        entries = [GateEntry(one.id, f'the gate of "{one.id}"', after[one.gate]) for one in plan.entries if one.gate]
        entries += [
            GateEntry(f"{AFTER} {name}", f'the gate "{name}" after the run', after[name]) for name in plan.asked.after
        ]
        for entry in entries:
            known_open = entry.group in self._known.get("passed_gates", ()) and _same(plan, self._known, entry.group)
            entry.passed = known_open and (unchanged or _place(entry) != "run")
        for name, gate in of_wave.items():
            asked = AfterGate(name, gate, call.cluster, call.clock)
            entries.append(GateEntry(f"{WAVE} {name}", f'the gate "{name}" after the wave', asked))
        of_group = {one.id: [after[name] for name in one.gates.after] for one in plan.entries}
        self.run = RunGates(of_group, entries)

    @property
    def observers(self) -> list[AskedGate]:
        """Each of them, to be asked."""
        return [*self.holds, *self.run.asked]

    @property
    def unpassed(self) -> dict[str, str]:
        """Why each entry that is a gate has not opened, by its title."""
        return {
            one.title: one.closed if one.verdict else f"{one.title} was not asked: {one.message}"
            for one in self.run.entries
            if not (one.passed or (one.verdict and _has_opened(one.verdict)))
        }

    def unsaid(self, told: str) -> list[str]:
        """What a message about workloads does not tell of the gates. One that was not asked matters only if all went well
        with the workloads."""
        asked = {one.title for one in self.run.entries if one.verdict}
        return [why for title, why in self.unpassed.items() if why not in told and (title in asked or not told)]

    def journaled(self) -> dict[str, t.Any]:
        """What the journal has of the gates: why something waits, when each was open first, and which entries of the plan
        are gates that have opened."""
        closed = {one.name: one.closed for one in self.observers if one.waited_for and one.last}
        closed |= {entry.gate.name: entry.closed for entry in self.run.entries if _has_failed(entry)}
        of_wave = [entry.gate for entry in self.run.entries if _place(entry) == "wave"]
        opened = {one.name: text_of(one.opened_at) for one in self.observers if one.opened_at and one not in of_wave}
        passed = [one.group for one in self.run.entries if one.passed or _was_open(one)]
        earlier = self._known.get("gates") or {}
        return {
            "waits_for": closed,
            "gates": {**opened, **earlier},
            "passed_gates": [name for name in passed if not name.startswith(WAVE)],
        }

    def explain(self, tasks: t.Sequence[Task]) -> None:
        """Adds to what did not start why the gates that it waits for are closed."""
        before = graph.before(self._entries)
        for task in tasks:
            if task.outcome is Outcome.NOT_STARTED and task.state is State.WAITING:
                closed = [
                    entry.closed
                    for entry in self.run.entries
                    if entry.group in before.get(task.group, ()) and entry.verdict and not _has_opened(entry.verdict)
                ]
                task.message = "; ".join([task.message, *closed])

    def results(self) -> list[dict[str, t.Any]]:
        """What came of each gate, for the result of the module."""
        rows = [_row("before", one, one.last, "") for one in self.holds]
        of_group = [gate for gates in self.run.after.values() for gate in gates]
        rows += [_row("after", one, one.last, "") for one in dict.fromkeys(of_group)]
        for entry in self.run.entries:
            place = _place(entry)
            verdict = Verdict(JudgementState.OPEN, "an earlier start saw it open") if entry.passed else entry.verdict
            rows.append(
                {**_row(place, entry.gate, verdict, entry.message), "entry": entry.group if place == "entry" else None}
            )
        return rows


def _row(place: str, gate: AskedGate, verdict: Verdict | None, otherwise: str) -> dict[str, t.Any]:
    return {
        "name": gate.name,
        "place": place,
        "entry": None,
        "gate": gate.gate.provider.about(),
        "state": str(verdict.state) if verdict else "not_asked",
        "message": verdict.said if verdict else otherwise,
        "log": list(gate.log),
        "opened_at": text_of(gate.opened_at),
    }


def _place(entry: GateEntry) -> str:
    return {AFTER: "run", WAVE: "wave"}.get(entry.group.partition(":")[0] + ":", "entry")


def _has_opened(verdict: Verdict) -> bool:
    return verdict.state in (JudgementState.OPEN, JudgementState.PASSED)


def _was_open(entry: GateEntry) -> bool:
    """Whether it was open itself. One that did not open in time is asked again by a resumed run, also if on_timeout is
    continue."""
    return entry.verdict is not None and entry.verdict.state is JudgementState.OPEN


def _has_failed(entry: GateEntry) -> bool:
    return entry.verdict is not None and entry.verdict.state is JudgementState.FAILED


def _same(plan: Plan, known: t.Mapping[str, t.Any], entry: str) -> bool:
    """Whether an entry asks what it asked in the start before."""
    before = held.plan_of(known)
    return before is not None and _asks(before, entry) == _asks(plan, entry)


def _asks(plan: Plan, entry: str) -> t.Any:
    if entry.startswith(AFTER):
        last = entry.removeprefix(f"{AFTER} ")
        return dict(plan.gates).get(last) if last in plan.asked.after else None
    name = next((one.gate for one in plan.entries if one.id == entry), None)
    return dict(plan.gates).get(name) if name else None


def _groups(plan: Plan, name: str) -> frozenset[str] | None:
    """The entries that wait for a gate before they start; None if all do."""
    everything = name in plan.asked.before
    return None if everything else frozenset(entry.id for entry in plan.entries if name in entry.gates.before)


def _auth(given: t.Mapping[str, t.Any], credentials: t.Mapping[str, t.Mapping]) -> dict:
    """The credentials that a gate names."""
    if "auth" not in given:
        return {}
    name = given["auth"]
    if name not in credentials:
        known = closest(name, credentials) or f"; known are {', '.join(credentials) or 'none'}"
        raise ScheduleError(f"auth: restartx_gate_auth has no {show(name)}{known}")
    return {"auth": credentials[name]}


def _credentials(call: Call) -> dict[str, t.Mapping]:
    """The option gate_auth, checked. No value of it is ever shown."""
    given = call.params["gate_auth"] or {}
    for name, one in given.items():
        if not isinstance(one, t.Mapping):
            raise ScheduleError(f"gate_auth.{name}: is not a mapping with any of {', '.join(AUTH)}")
        for option, value in one.items():
            if option not in AUTH:
                raise ScheduleError(f"gate_auth.{name}.{option}: unknown option{closest(str(option), AUTH)}")
            if value in (None, ""):
                raise ScheduleError(f"gate_auth.{name}.{option}: has no value; give one, or leave it out")
    return dict(given)
