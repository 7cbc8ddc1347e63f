# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods that are evicted one by one: what arrives after an undo has begun is not taken for its own."""

from __future__ import annotations

import types

import pytest
from one_by_one import EvictingCluster, on_delete
from simulation import Executor

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import NotPermitted
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Answer
from ansible_collections.restartx.core.plugins.module_utils.engine.pod_by_pod import PodsOneByOne
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.step import PodByPod, Step
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.engine.timers import Timers
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.outcome import Outcome

KEY = ("StatefulSet", "shop", "db")


class Evicting(Step):
    outcome = Outcome.RESTARTED

    def pod_by_pod(self, workload):
        return PodByPod("ordinal")


class Rollout:
    """The rollout of one workload whose template is new."""

    def __init__(self):
        self.cluster = EvictingCluster(on_delete())
        self.executor = Executor(self.cluster)
        one = self.cluster.objects[kinds.path(*KEY)]
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/main:2"
        self.cluster._roll_out(one)
        allowed = types.SimpleNamespace(permitted=lambda after_failure: lambda: None)
        self.ended = []

        def tell(*told):
            self.ended.append(told)

        self.pods = PodsOneByOne(self.executor, Timers(), allowed, tell, tell, lambda task: None, tell)
        self.task = Task(KEY, "db", one, Evicting())
        self.task.to(State.WATCHING, self.executor.clock)

    def begin(self):
        self.pods.begin(self.task)
        self.pods.look(self.task)

    def answer(self):
        answer = self.executor.next(1)
        while not hasattr(answer, "token"):
            answer = self.executor.next(1)
        return answer

    def take(self, answer):
        self.pods.answers[answer.token[0]](self.task, answer)

    @property
    def asked(self):
        return [verb for verb, _path in self.cluster.asked if verb == "evict"]


@pytest.fixture
def rollout():
    return Rollout()


def test_a_late_answer_about_the_pods_is_not_taken_for_that_of_the_next_step(rollout):
    rollout.begin()
    late = rollout.answer()
    rollout.begin()
    rollout.take(late)
    own = rollout.answer()
    assert own.token[0] == "pods_of_turn" and rollout.executor.next(1) is None and not rollout.asked
    rollout.take(own)
    assert rollout.answer().token[0] == "evict"


@pytest.mark.parametrize("error", [None, NotPermitted("the window is closed")])
def test_no_pod_is_evicted_while_an_eviction_of_the_step_before_has_no_answer(rollout, error):
    rollout.begin()
    rollout.take(rollout.answer())
    late = rollout.answer()
    assert late.token[0] == "evict" and rollout.cluster.evicted == ["db-2"]
    rollout.begin()
    rollout.begin()
    assert rollout.executor.next(1) is None and len(rollout.cluster.asked) == 2  # the pods are not even read
    rollout.take(Answer(late.token, error=error))
    assert rollout.answer().token[0] == "pods_of_turn" and not rollout.ended
