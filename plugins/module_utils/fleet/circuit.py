# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The circuit breaker of a plan: after too many failed restarts, a new run needs a reason."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.fleet import identity
from ansible_collections.restartx.core.plugins.module_utils.fleet.waves import some
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import DONE, Outcome

FAILED = (Outcome.FAILED, Outcome.UNFINISHED, Outcome.UNDONE)


@dataclass(frozen=True)
class Rate:
    """How many of the last restarts of a plan failed. `runs` are those with a failure, the newest first."""

    failed: int
    restarts: int
    runs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.failed} of the last {self.restarts} restarts failed, in {some(self.runs)}"


def check(runs: identity.Headers, run: t.Mapping, plan: t.Mapping, reason: str | None) -> str | None:
    """The reason, if a new run needed one. None if the circuit breaker is closed, or the run is not new.

    `run` is the result of identity.choose(), and `plan` that of k8s_rollout_plan. Raises RolloutError if the run needs a
    reason and has none.
    """
    if plan["circuit"] is None or run["resuming"] or run["complete"]:
        return None
    allowed = plan["circuit"]["max_failure_rate"]
    rate = rate_of(runs, plan["circuit"]["last_restarts"])
    if rate.failed * 100 <= rate.restarts * int(allowed.removesuffix("%")):
        return None
    if reason is None:
        raise RolloutError(
            f"the circuit breaker of plan {plan['name']} refuses a new run: {rate}, and max_failure_rate is {allowed}; "
            "nothing was touched: find and repair the cause, then start with the reason why the restarts will succeed "
            "now: -e restartx_break_circuit=REASON"
        )
    return reason


def rate_of(runs: identity.Headers, least: int) -> Rate:
    """Counts whole runs, the newest first, until they have `least` restarts.

    A run that was started with a reason is the last one that counts: what failed before it has been looked into.
    """
    failed = restarts = 0
    bad: list[str] = []
    for run, held in identity.by_run(runs).items():
        counts = Counter[str]()
        for header in held.values():
            counts.update(header["counts"])
        broken = sum(counts[outcome] for outcome in FAILED)
        failed, restarts = failed + broken, restarts + broken + sum(counts[outcome] for outcome in DONE)
        bad += [f"run {run}"] if broken else []
        if restarts >= least or any(header["break_circuit"] for header in held.values()):
            break
    return Rate(failed, restarts, tuple(bad))
