# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several rollouts that are held for one budget share the room that there is again."""

from __future__ import annotations

import copy
import datetime
import types

import budgets
import pytest
from canaries import rolled_out
from simulation import FakeClock

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.budget_reads import Look
from ansible_collections.restartx.core.plugins.module_utils.engine.budgets import BudgetHold
from ansible_collections.restartx.core.plugins.module_utils.engine.canary_steps import EnforceStep
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.give_back import GiveBackStep
from ansible_collections.restartx.core.plugins.module_utils.engine.lifecycle import Lifecycle
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.engine.rollout_holds import RolloutHolds
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.rollout import budget_hold, kinds, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import Cover
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome
from ansible_collections.restartx.core.plugins.module_utils.rollout.tight_strategy import Canary

ONE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
STAMP = restart.Stamp(run="r1", at=datetime.datetime(2026, 11, 24, 22, tzinfo=datetime.UTC))
CORE = {"tier": "core"}


def half_done(name):
    """A Deployment of four pods that the run has restarted and paused for budgets, when two of them were new."""
    one = rolled_out("Deployment", name, 4, ONE)
    one["spec"]["template"]["metadata"]["labels"] |= CORE
    one["spec"]["template"]["metadata"]["annotations"] = {restart.RUN: "r1"}
    one["spec"]["paused"] = True
    fields = {"f:spec": {"f:paused": {}}}
    manager = budget_hold.manager_of("restartx")
    one["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "fieldsV1": fields}]
    one["status"]["updatedReplicas"] = 2
    return one


class Both:
    """`api` and `web`, whose eight pods are all healthy again, share a budget of which seven must be."""

    def __init__(self):
        self.clock, self.sent = FakeClock(), []
        self.tasks = [self._task(half_done(name)) for name in ("api", "web")]
        self.budgets = BudgetHold(self.tasks, {"all"}, "r1", None, self.clock, {}, 0.0)
        self.executor = types.SimpleNamespace(
            clock=self.clock, cluster=None, do=lambda token, *_work: self.sent.append(token)
        )
        self.permission = types.SimpleNamespace(
            permitted=lambda *_what, **_more: None, options=types.SimpleNamespace(wait=True), cancelled=None, until=None
        )
        self.holds = RolloutHolds(self.executor, Timers(), self.permission, lambda task: None, lambda task: None)
        for task in self.tasks:
            task.room = self.budgets.room
            self.holds.begin(task)

    @staticmethod
    def _task(one):
        its = Canary(0, one["spec"]["strategy"], enforced={})
        task = Task(kinds.key(one), "all", one, EnforceStep(STAMP, Mode(), lambda: None, its=its))
        task.state, task.changed = State.SETTLING, True
        return task

    def passes(self, seconds, healthy=8):
        """Time passes, and each second the budget and its pods are read anew."""
        for _each in range(seconds):
            self.clock.passed += 1
            pods = [budgets.pod(task.object, number) for task in self.tasks for number in range(4)]
            for pod in pods[: 8 - healthy]:  # those of api
                pod["status"]["conditions"][0]["status"] = "False"
            cover = Cover(budgets.budget(pods=pods, minAvailable=7), pods, [task.object for task in self.tasks])
            self.budgets._looks["shop"] = Look((cover,), self.clock.passed + 0.5)
            for task in self.tasks:
                self.holds.ring(task, self.clock.passed)

    def answer(self, what, value=None, error=None):
        token = self.sent[-1]
        assert token[0] == what
        (task,) = [task for task in self.tasks if task.key == token[1]]
        self.holds.answers[what](task, Answer(token, value, error))
        return task


def gone_on(task, updated):
    """The workload of a task after it was let go on."""
    one = copy.deepcopy(task.object)
    one["spec"].pop("paused", None)
    one["status"]["updatedReplicas"] = updated
    return one


def test_only_one_is_let_go_on_until_it_is_done():
    both = Both()
    both.passes(10)
    assert len(both.sent) == 1
    first = both.answer("let_go", gone_on(both.tasks[0], 2))
    both.passes(10)
    both.passes(10, healthy=7)
    both.passes(10)
    assert len(both.sent) == 1 and not first.held
    (other,) = [task for task in both.tasks if task is not first]
    assert "would leave 6" in other.held
    first.object = gone_on(first, 4)
    both.passes(10)
    assert both.sent[1:] == [("let_go", other.key)]


@pytest.mark.parametrize("attempts", [1, 3])
def test_if_it_cannot_be_let_go_on_another_one_is(attempts):
    both = Both()
    for _each in range(attempts):
        both.passes(4)
        first = both.answer("let_go", error=Forbidden("denied by a webhook", status=403))
    assert first.held and not first.let_go
    both.passes(4)
    assert len({key for _what, key in both.sent}) == 2


def test_what_somebody_deploys_takes_room_once_it_is_no_longer_held():
    both = Both()
    both.passes(2, healthy=6)
    first, other = both.tasks
    first.object["spec"]["template"]["metadata"]["annotations"] = {"version": "2"}
    tasks, given = {first.key: first}, (both.executor, both.permission, Timers(), lambda task: None, None)
    Lifecycle(tasks, *given).end(first, Outcome.SUPERSEDED, "somebody has deployed")
    assert isinstance(first.step, GiveBackStep) and both.sent == [("act", first.key)]
    first.object = gone_on(first, 0)
    first.to(State.ENDED, both.clock)
    both.passes(10)
    assert len(both.sent) == 1 and "other rollouts of the run may still stop 1" in other.held


def test_what_may_have_been_let_go_on_takes_room():
    both = Both()
    both.passes(4)
    first = both.answer("let_go", error=Unreachable("no answer", ambiguous=True))
    both.passes(4)
    assert both.sent == [("let_go", first.key)]
    both.passes(6)
    assert both.sent == [("let_go", first.key)] * 2
