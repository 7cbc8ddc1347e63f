# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change that was carried out while its answer was lost is still ours, and is not made a second time."""

from __future__ import annotations

import copy
import datetime

import pytest
from simulation import START, Executor, FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.rollout import history, restart

STAMP = restart.Stamp("r1", START)


class Lossy(FakeCluster):
    """Carries the first patch out, but what comes back is the conflict of its repetition."""

    meanwhile = staticmethod(lambda held: None)  # what somebody else does just before the repetition arrives

    def patch(self, path, body, content, **options):
        super().patch(path, body, content, **options)
        self.meanwhile(self.objects[path])
        raise self.lost or Conflict("changed in between", status=409, ambiguous=self.ambiguous)

    def get(self, *args, **options):
        self.reads += 1
        return super().get(*args, **options)

    ambiguous = True
    lost: Exception | None = None  # what comes in place of the conflict
    reads = 0


def restart_step(seconds=0):
    return steps.RestartStep(STAMP, steps.Mode(), lambda: START + datetime.timedelta(seconds=seconds))


@pytest.fixture
def cluster():
    lossy = Lossy([deployment("api")])
    Executor(lossy)
    return lossy


def only(cluster):
    (held,) = cluster.objects.values()
    return copy.deepcopy(held)


def test_a_restart_whose_answer_was_lost_is_ours(cluster):
    acted = restart_step().act(cluster, only(cluster), None)
    assert restart.run_of(acted.workload) == "r1"
    assert len(cluster.patches) == 1


def test_a_restart_by_another_process_of_the_run_is_not_ours(cluster):
    def overwrite(held):
        annotations = held["spec"]["template"]["metadata"]["annotations"]
        annotations[restart.RESTARTED_AT] = restart.rfc3339(START + datetime.timedelta(seconds=1))

    cluster.meanwhile = overwrite
    with pytest.raises(Conflict):
        restart_step().act(cluster, only(cluster), None)


def test_a_plain_conflict_is_nothing_of_ours(cluster):
    cluster.ambiguous = False
    with pytest.raises(Conflict):
        restart_step().act(cluster, only(cluster), None)
    assert cluster.reads == 0


def test_an_undo_whose_answer_was_lost_is_not_undone_by_its_repetition(cluster):
    before = only(cluster)
    FakeCluster.patch(cluster, next(iter(cluster.objects)), restart.patch(before, STAMP), "strategic")
    acted = steps.UndoStep(steps.Mode()).act(cluster, only(cluster), None)
    template = history.without_restarts(acted.workload["spec"]["template"])
    assert restart.run_of(acted.workload) is None
    assert template == history.without_restarts(before["spec"]["template"])


@pytest.mark.parametrize("paused", [True, False])
def test_a_pause_or_resume_whose_answer_was_lost_is_ours(cluster, paused):
    cluster.objects[next(iter(cluster.objects))]["spec"]["paused"] = not paused
    cluster.lost = Unreachable("no answer in time", ambiguous=True)
    acted = steps.PauseStep(steps.Mode(), paused).act(cluster, only(cluster), None)
    assert bool(acted.workload["spec"].get("paused")) is paused
