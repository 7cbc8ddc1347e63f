# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who listens to a run, and who guards it: what they are told, when they work, and what their failures do."""

from __future__ import annotations

import pytest
from simulation import Lock, Run

from ansible_collections.restartx.core.plugins.module_utils.engine.observer import Work


class Listener:
    """An observer that notes all that it is told, and works whenever it has heard of something."""

    def __init__(self, required=False, needs_lock=False, fails_in=None, takes=None):
        self.required = required
        self.needs_lock = needs_lock
        self.warnings = []
        self.heard = []
        self._fails_in = fails_in
        self._takes = takes
        self._due = False

    def _say(self, what):
        self.heard.append(what)
        if what == self._fails_in:
            raise ValueError(f"broken in {what}")

    def see(self, event):
        self._say("see")
        self._due = True

    def work(self, tasks):
        if not self._due:
            return None
        self._due = False
        self._say("work")
        return Work(lambda: self._say("call"))

    def worked(self, error):
        self._say("worked")
        if error is not None:
            raise error

    def close(self, tasks):
        self._say("close")
        assert all(task.state == "ended" or task.message for task in tasks)


def test_an_observer_hears_of_everything_works_in_a_worker_and_is_closed_last():
    listener = Listener()
    run = Run(("api",), ("web",), observers=[listener]).carry_out()
    assert set(run.outcomes.values()) == {"restarted"}
    assert set(listener.heard) == {"see", "work", "call", "worked", "close"}
    assert listener.heard[-1] == "close" and listener.heard.count("close") == 1
    assert listener.heard.count("work") == listener.heard.count("call") == listener.heard.count("worked")


def test_the_work_of_an_observer_is_never_given_out_twice_at_once():
    listener = Listener()
    run = Run(tuple("abcdef"), observers=[listener])
    run.executor.late = 7  # answers take longer than the workloads are apart
    run.carry_out()
    work = [what for what in listener.heard if what in ("work", "worked")]
    assert work == ["work", "worked"] * (len(work) // 2)


@pytest.mark.parametrize("where", ["see", "work", "call", "worked", "close"])
def test_an_observer_that_fails_is_left_out_and_changes_nothing(where):
    listener, other = Listener(fails_in=where), Listener()
    run = Run(("api",), ("web",), observers=[listener, other]).carry_out()
    assert set(run.outcomes.values()) == {"restarted"}
    assert run.loop.warnings == [f"Listener failed and was left out: broken in {where}"]
    assert other.heard[-1] == "close"


@pytest.mark.parametrize("where", ["see", "work", "call", "worked", "close"])
def test_the_failure_of_a_required_observer_ends_the_run(where):
    with pytest.raises(ValueError, match=f"broken in {where}"):
        Run(("api",), ("web",), observers=[Listener(required=True, fails_in=where)]).carry_out()


@pytest.mark.parametrize("needs_lock", [True, False])
def test_once_a_guard_refuses_nothing_begins_and_what_needs_the_lock_is_not_done(needs_lock):
    listener, lock = Listener(needs_lock=needs_lock), Lock(until=5.0)
    run = Run(("api",), ("web",), observers=[listener], guards=[lock]).carry_out()
    assert run.outcomes == {"api": "unfinished", "web": "not_started"}
    assert run.task("api").message.startswith("the lock is lost; last seen: ")
    assert ("close" in listener.heard) is not needs_lock
    assert lock.worked_at and max(lock.worked_at) <= 6
