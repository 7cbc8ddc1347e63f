# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a call restarts and how: from its plan, or from the options of the module."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import (
    NO_UNDO,
    WORKLOAD,
    Entry,
    Plan,
    reacting,
)
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window
from ansible_collections.restartx.core.plugins.module_utils.verbs import (
    between_pods,
    budgets,
    canary,
    gating,
    pipeline,
)
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

NO_WAVE = gating.AfterWave()


@dataclass(frozen=True)
class Asked:
    """What a call restarts and how: from its plan, or from the options of the module."""

    entries: tuple[Entry, ...]
    limits: t.Mapping[str, t.Any]
    window: Window | None
    undo: frozenset[str]  # the entries whose failed workloads are undone
    pause: frozenset[str]  # the entries whose failed workloads are held for inspection
    undo_scope: str
    delete_stuck_pods: bool
    logs: bool
    plan: Plan | None = None
    gates: t.Mapping[str, Gate] = field(default_factory=dict)  # of the plan, by name
    after_wave: gating.AfterWave = NO_WAVE
    comparisons: t.Mapping[str, Gate] = field(default_factory=dict)  # of canaries, by entry


def asked_of(call: Call) -> Asked:
    """What the call restarts and how. Raises PlanError, ScheduleError, and RolloutError for what makes no sense together."""
    asked, params = _read(call), call.params
    if params["journal"] is not None and asked.plan is None:
        raise RolloutError("journal: needs the option plan; give it too, or leave journal out")
    if (
        asked.plan
        and not (params["wait"] or call.check_mode)
        and (gating.after_restarts(asked.plan) or asked.after_wave != NO_WAVE)
    ):
        raise RolloutError("wait: something must be waited for after the restarts (gates, or bake); leave wait out")
    if asked.undo_scope != WORKLOAD and not asked.undo:
        raise RolloutError(f"undo_scope: {NO_UNDO}")
    canary.check(call, asked.plan)
    budgets.check(call, asked.entries)
    between_pods.check(call, asked.entries)
    return asked


def _read(call: Call) -> Asked:
    params = call.params
    if params["plan"] is None:
        for option in ("bake", "wave_gates"):
            if params[option] is not None:
                raise RolloutError(f"{option}: needs the option plan; give it too, or leave {option} out")
        entries = call.entries()
        return Asked(
            entries=entries,
            limits=pipeline.limits_of(call),
            window=call.window(),
            undo=reacting(entries, params["on_failure"], "undo"),
            pause=reacting(entries, params["on_failure"], "pause"),
            undo_scope=params["undo_scope"],
            delete_stuck_pods=params["delete_stuck_pods"],
            logs=params["logs"],
        )
    call.refuse_beside("plan", "set it in the plan")
    plan = call.checked_plan()
    limits = {
        "max_parallel": plan.max_parallel,
        "stagger": plan.stagger,
        "failure_budget": plan.failure_budget,
        "stop_on_failure": plan.on_failure != "continue",
    }
    return Asked(
        entries=plan.entries,
        limits=limits,
        window=plan.window,
        undo=reacting(plan.entries, plan.on_failure, "undo"),
        pause=reacting(plan.entries, plan.on_failure, "pause"),
        undo_scope=plan.undo_scope,
        delete_stuck_pods=plan.delete_stuck_pods or params["delete_stuck_pods"],
        logs=plan.logs and params["logs"],
        plan=plan,
        gates=gating.gates_of(call, plan),
        after_wave=gating.AfterWave.of(call),
        comparisons=gating.comparisons_of(call, plan),
    )
