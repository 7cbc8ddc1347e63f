# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits until a gate is open."""

from __future__ import annotations

import typing as t

from ansible_collections.restartx.core.plugins.module_utils.engine.controller import LOOK_EVERY, Abandoned
from ansible_collections.restartx.core.plugins.module_utils.gates import read
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate, ask
from ansible_collections.restartx.core.plugins.module_utils.gates.judgement import Judgement, State, Verdict
from ansible_collections.restartx.core.plugins.module_utils.gates.objects import JobGate, ObjectGate
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import Answer
from ansible_collections.restartx.core.plugins.module_utils.schedule import gating, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def gate(call: Call) -> dict:
    """Asks the gate until it is open, its timeout is over, or it can never open. Returns the module's result."""
    params = call.params
    options = {*gating.PROVIDERS, *gating.COMMON}.union(*gating.PROVIDERS.values())
    given = {name: _given(params[name]) for name in sorted(options) if params[name] is not None}
    wanted = read.gate_of(given, _namespace(call))
    if call.params["cluster_uid"] or isinstance(wanted.provider, (ObjectGate, JobGate)):
        call.identify()
    began = call.clock.monotonic()
    judgement = Judgement(wanted.limits, began)
    told = ""
    try:
        while True:
            answer = ask(wanted, call.cluster, call.clock.now(), call.clock.monotonic())
            verdict = judgement.take(answer, call.clock.monotonic())
            # In a dry run, the first answer counts: nothing waits for the gate.
            if verdict.over or call.check_mode:
                return _result(call, wanted, verdict, answer, began)
            if verdict.said != told:
                told = verdict.said
                call.progress.waits(f"the gate is closed: {told}")
            _wait(call, verdict.again)
    finally:
        if told:
            call.progress.waits("")


def _given(value: t.Any) -> t.Any:
    """An option without the suboptions that were left out."""
    return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def _namespace(call: Call) -> str | None:
    if call.params["namespace"] is None:
        return None
    try:
        return values.namespace(call.params["namespace"])
    except ScheduleError as error:
        raise ScheduleError(f"namespace: {error}") from error


def _wait(call: Call, until: float | None) -> None:
    while until is not None and (left := until - call.clock.monotonic()) > 0:
        if not call.controller.alive():
            raise Abandoned(call.controller.reason)
        call.clock.sleep(min(left, LOOK_EVERY))


def _result(call: Call, wanted: Gate, verdict: Verdict, answer: Answer, began: float) -> dict:
    about = wanted.provider.about()
    result: dict[str, t.Any] = {
        "open": verdict.state is State.OPEN,
        "gate": about,
        "message": verdict.said,
        "log": list(answer.log),
        "waited": round(call.clock.monotonic() - began, 3),
    }
    if verdict.state is State.PASSED:
        call.warnings.append(f"the gate ({about}) counts as open, because on_timeout is continue: {verdict.said}")
    if verdict.state is State.FAILED:
        result["msg"] = f"the gate ({about}) is closed: {verdict.said}"
    return result
