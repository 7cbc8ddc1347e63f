# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds the lock of a plan, judged by clocks that disagree."""

from __future__ import annotations

import copy
import datetime

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, NotFound, ServerFailed
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Abandoned, Controller
from ansible_collections.restartx.core.plugins.module_utils.record.lease import DURATION, MARGIN, POLL, Held, Lease
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError


class Shelf:
    """Keeps one Lease as the API does: a version for each write, and 409 for a write to an older one."""

    def __init__(self):
        self.stored = None
        self.version = 0
        self.on_read = []  # what happens right after a read, once each: another process in between
        self.broken = None
        self.deadlines = []  # of each replacement

    def get(self, path, deadline=None):
        if self.broken:
            raise self.broken
        if self.stored is None:
            raise NotFound(f"{path} not found", status=404)
        seen = copy.deepcopy(self.stored)
        if self.on_read:
            self.on_read.pop(0)()
        return seen

    def create(self, path, body, deadline=None):
        if self.stored is not None:
            raise Conflict("exists", status=409, reason="AlreadyExists")
        return self._store(body)

    def replace(self, path, body, deadline=None):
        self.deadlines.append(deadline)
        if body["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict("changed", status=409)
        return self._store(body)

    def _store(self, body):
        self.version += 1
        self.stored = copy.deepcopy(body)
        self.stored["metadata"]["resourceVersion"] = str(self.version)
        return self.stored


class Clock:
    """Moves when somebody sleeps; `off` is how wrong its time of day is."""

    def __init__(self, off: float = 0.0):
        self.passed = 0.0
        self.off = off
        self.while_asleep = lambda: None

    def now(self):
        start = datetime.datetime(2026, 11, 24, 22, tzinfo=datetime.UTC)
        return start + datetime.timedelta(seconds=self.passed + self.off)

    def monotonic(self):
        return self.passed

    def sleep(self, seconds):
        self.passed += seconds
        self.while_asleep()


def lease(shelf, holder, clock=None, **more):
    return Lease(shelf, clock or Clock(), "restartx-system", "ca", holder, run=f"run-of-{holder}", **more)


def holder_of(shelf):
    return shelf.stored["spec"]["holderIdentity"]


def test_the_first_one_gets_it():
    shelf = Shelf()
    mine = lease(shelf, "a", operator="ada")
    mine.acquire()
    assert mine.valid
    assert holder_of(shelf) == "a"
    assert shelf.stored["metadata"]["annotations"]["restartx.io/run"] == "run-of-a"


def test_a_living_holder_is_named_with_its_run_and_since_when():
    shelf = Shelf()
    holding = lease(shelf, "a", operator="ada")
    holding.acquire()
    clock = Clock()
    clock.while_asleep = holding.renew
    with pytest.raises(Held) as refusal:
        lease(shelf, "b", clock).acquire()
    assert "run run-of-a of ada (a) since 2026-11-24T22:00:00" in str(refusal.value)
    assert holder_of(shelf) == "a"


@pytest.mark.parametrize("max_wait", [0, 45])
@pytest.mark.parametrize("seconds", [31, 3600, 86400, 10**9])
def test_a_long_lease_that_nobody_renews_is_waited_for_no_longer_than_one_of_ours(seconds, max_wait):
    shelf, clock = Shelf(), Clock()
    lease(shelf, "a", operator="ada", seconds=seconds).acquire()
    before = dict(shelf.stored["spec"])
    if seconds > max_wait + DURATION:
        with pytest.raises(Held, match=r"run run-of-a of ada \(a\) since"):
            lease(shelf, "b", clock).acquire(max_wait)
        assert shelf.stored["spec"] == before
    else:
        lease(shelf, "b", clock).acquire(max_wait)
        assert holder_of(shelf) == "b"
    assert min(seconds, max_wait + DURATION) <= clock.passed <= max_wait + DURATION + POLL


def test_nobody_takes_it_for_an_ansible_process_that_is_gone():
    shelf, clock = Shelf(), Clock()
    lease(shelf, "a").acquire()
    controller = Controller(None)
    clock.while_asleep = lambda: controller.dismiss("stopped")
    with pytest.raises(Abandoned, match="stopped"):
        lease(shelf, "b", clock).acquire(controller=controller)
    assert clock.passed < DURATION
    assert holder_of(shelf) == "a"


def test_a_silent_holder_is_taken_over_only_after_its_whole_time_was_seen_to_pass():
    shelf = Shelf()
    lease(shelf, "a").acquire()
    clock = Clock()
    lease(shelf, "b", clock).acquire()
    assert holder_of(shelf) == "b"
    assert DURATION <= clock.passed <= DURATION + 2
    assert shelf.stored["spec"]["leaseTransitions"] == 2


@pytest.mark.parametrize("off", [-86400.0, 86400.0])
def test_a_wrong_time_of_day_neither_shortens_nor_prolongs_it(off):
    shelf = Shelf()
    lease(shelf, "a").acquire()
    clock = Clock(off)
    lease(shelf, "b", clock).acquire()
    assert DURATION <= clock.passed <= DURATION + 2


def test_of_two_takers_one_gets_it_and_the_other_is_told():
    shelf = Shelf()
    lease(shelf, "a").acquire()
    rival, clock = lease(shelf, "c"), Clock()

    def rival_is_faster():
        if clock.passed == DURATION:
            shelf.on_read.append(lambda: rival._write(copy.deepcopy(shelf.stored), None))

    clock.while_asleep = rival_is_faster
    with pytest.raises(Held, match="run-of-c"):
        lease(shelf, "b", clock).acquire()
    assert holder_of(shelf) == "c"


def test_a_released_one_is_free_at_once():
    shelf = Shelf()
    mine = lease(shelf, "a")
    mine.acquire()
    mine.release()
    assert not mine.valid
    clock = Clock()
    lease(shelf, "b", clock).acquire()
    assert clock.passed == 0


def test_a_holder_stopped_past_expiry_is_not_valid_when_it_wakes():
    shelf, clock = Shelf(), Clock()
    mine = lease(shelf, "a", clock)
    mine.acquire()
    clock.passed += DURATION - MARGIN - 0.1
    assert mine.valid
    clock.passed += 0.2
    assert not mine.valid


def test_a_renewal_counts_from_when_it_was_sent():
    shelf, clock = Shelf(), Clock()
    mine = lease(shelf, "a", clock)
    mine.acquire()

    def slow():
        clock.passed += 20.0

    clock.passed = 10.0
    shelf.on_read.append(slow)
    mine.renew()
    # Read at 10, answered at 30, sent in between: what is not known is not counted.
    assert mine.renewed_at <= 30.0
    clock.passed = mine.renewed_at + DURATION
    assert not mine.valid


def test_a_renewal_whose_answer_was_lost_does_not_stand_in_the_way_of_the_next():
    shelf, clock = Shelf(), Clock()
    mine = lease(shelf, "a", clock)
    mine.acquire()
    clock.sleep(10)

    def arrives_late():
        shelf._store(copy.deepcopy(shelf.stored))

    shelf.on_read = [arrives_late]
    mine.renew()
    assert mine.renewed_at == 10


def test_a_renewal_leaves_time_for_another_one():
    shelf, clock = Shelf(), Clock()
    mine = lease(shelf, "a", clock)
    mine.acquire()
    mine.renew()
    assert clock.passed < shelf.deadlines[-1] < DURATION / 3


def test_who_lost_it_cannot_renew_or_release_what_is_not_theirs():
    shelf, clock = Shelf(), Clock()
    mine = lease(shelf, "a", clock)
    mine.acquire()
    lease(shelf, "b", Clock()).acquire()
    with pytest.raises(Held):
        mine.renew()
    mine.release()
    assert holder_of(shelf) == "b"
    assert not mine.valid


def test_breaking_needs_no_patience_and_leaves_the_reason():
    shelf = Shelf()
    lease(shelf, "a").acquire()
    clock = Clock()
    lease(shelf, "b", clock).acquire(break_reason="its node burnt down")
    assert clock.passed == 0
    assert holder_of(shelf) == "b"
    reason = shelf.stored["metadata"]["annotations"]["restartx.io/broken"]
    assert reason.startswith("its node burnt down (a at ")
    lease(shelf, "b", clock).acquire()
    assert shelf.stored["metadata"]["annotations"]["restartx.io/broken"] == reason
    lease(shelf, "c", clock).acquire()
    assert "restartx.io/broken" not in shelf.stored["metadata"]["annotations"]


def test_a_missing_namespace_is_said_with_the_way_out():
    shelf = Shelf()
    shelf.create = lambda path, body, deadline=None: shelf.get(path)
    with pytest.raises(RolloutError, match='the namespace "restartx-system".* does not exist; .*rbac/cluster.yml'):
        lease(shelf, "a").acquire()


def test_a_server_that_fails_is_no_free_lock():
    shelf = Shelf()
    lease(shelf, "a").acquire()
    shelf.broken = ServerFailed("the API server answers 500", status=500)
    with pytest.raises(ServerFailed):
        lease(shelf, "b").acquire()
    assert holder_of(shelf) == "a"
