# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hands and the eyes: real threads, which tests meet at barriers and events, never by waiting for a while."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster import watch
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import (
    WORKERS,
    Answer,
    Executor,
    Interrupted,
    Opened,
    Seen,
)
from ansible_collections.restartx.core.plugins.module_utils.selection.lists import Scope

SECONDS = 30  # after which a test gives up


@pytest.fixture
def executor():
    made = Executor(cluster=None, clock=SystemClock())
    yield made
    made.close()


def next_of(executor):
    event = executor.next(SECONDS)
    assert event is not None, "no event came"
    return event


def test_what_is_given_out_is_answered_under_its_token(executor):
    executor.do("a", lambda one, other: one + other, 1, 2)
    assert next_of(executor) == Answer("a", value=3)


def test_what_is_raised_is_the_answer_too(executor):
    error = Forbidden("no", status=403)

    def fail():
        raise error

    executor.do("a", fail)
    answer = next_of(executor)
    assert (answer.token, answer.value, answer.error) == ("a", None, error)


def test_so_many_hands_work_at_once_and_no_more(executor):
    together = threading.Barrier(WORKERS + 1)
    go_on = threading.Event()
    at_work = []

    def work(number):
        at_work.append(number)
        together.wait(SECONDS)  # breaks unless all hands come here
        go_on.wait(SECONDS)

    for number in range(WORKERS):
        executor.do(number, work, number)
    executor.do("one more", at_work.append, "one more")
    together.wait(SECONDS)
    assert sorted(at_work) == list(range(WORKERS))
    go_on.set()
    answers = {next_of(executor).token for _number in range(WORKERS + 1)}
    assert answers == {*range(WORKERS), "one more"}


def test_what_is_urgent_is_done_while_all_hands_wait(executor):
    go_on = threading.Event()
    for number in range(WORKERS):
        executor.do(number, go_on.wait, SECONDS)
    executor.do("renewal", lambda: "renewed", urgent=True)
    assert next_of(executor) == Answer("renewal", value="renewed")
    go_on.set()


def test_without_an_event_next_comes_back_empty(executor):
    assert executor.next(0) is None
    assert executor.next(-5) is None
    assert executor.next(0.001) is None


def test_next_without_a_limit_waits_for_an_event(executor):
    begun = threading.Event()

    def work():
        begun.wait(SECONDS)
        return "done"

    executor.do("a", work)
    assert executor.next(0) is None
    begun.set()
    assert executor.next(None) == Answer("a", value="done")


def test_closed_hands_begin_nothing_new_and_close_does_not_wait_for_them():
    executor = Executor(cluster=None, clock=SystemClock())
    busy, go_on, begun = threading.Barrier(WORKERS + 1), threading.Event(), []

    def work():
        busy.wait(SECONDS)
        go_on.wait(SECONDS)

    for number in range(WORKERS):
        executor.do(number, work)
    executor.do("queued", begun.append, "queued")
    busy.wait(SECONDS)
    executor.close()  # comes back though all hands are at work
    answer = next_of(executor)
    assert answer == Answer("queued")  # dropped
    go_on.set()
    assert {next_of(executor).token for _number in range(WORKERS)} == set(range(WORKERS))
    assert begun == []


class Stream:
    """One answer of a watch: lines, and then silence until it is hung up."""

    def __init__(self, lines, hung_up):
        self._lines, self.hung_up = lines, hung_up

    def lines(self):
        yield from self._lines
        self.hung_up.wait(SECONDS)

    def parse(self, line):
        return line

    def hang_up(self):
        self.hung_up.set()


class Retry:
    longest = 0.0

    def clock(self):
        return 0.0

    def pause(self, failures, error):
        return 0.0


class Cluster:
    """Answers watches by what they ask for."""

    retry = Retry()

    def __init__(self, **answers):
        self.answers = answers
        self.asked = {}
        self.hung_up = threading.Event()

    def stream(self, path, params, silence):
        name = path.rpartition("/")[2]
        self.asked[path] = params
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return Stream(answer, self.hung_up)


def changed(name):
    return {"type": "MODIFIED", "object": {"metadata": {"name": name, "resourceVersion": "8"}}}


def test_what_a_watch_sees_comes_with_its_scope():
    cluster = Cluster(deployments=[changed("api")])
    executor = Executor(cluster, SystemClock())
    scope = Scope("Deployment", "shop", "tier=web")
    assert executor.follow(scope, "7")
    assert isinstance(next_of(executor).event, Opened)
    assert next_of(executor) == Seen(scope, watch.Changed(changed("api")["object"]))
    asked = next(iter(cluster.asked.values()))
    assert (asked["resourceVersion"], asked["labelSelector"]) == ("7", "tier=web")
    executor.close()
    assert cluster.hung_up.wait(SECONDS)


def test_each_scope_has_a_watch_of_its_own_and_one_that_ends_leaves_the_others():
    cluster = Cluster(deployments=Forbidden("may not watch", status=403), daemonsets=[changed("proxy")])
    executor = Executor(cluster, SystemClock())
    lost, other = Scope("Deployment", "shop"), Scope("DaemonSet", "shop")
    executor.follow(lost, "7")
    executor.follow(other, "7")
    seen = [next_of(executor) for _number in range(3)]
    assert [type(event.event) for event in seen if event.scope == lost] == [watch.Lost]
    assert [type(event.event) for event in seen if event.scope == other] == [Opened, watch.Changed]
    executor.close()


def test_an_interruption_of_a_watch_is_told_with_its_error():
    error = Unreachable("no route", transient=True)
    cluster = Cluster(deployments=error)
    executor = Executor(cluster, SystemClock())
    scope = Scope("Deployment", "shop")
    executor.follow(scope, "7")
    assert next_of(executor) == Seen(scope, Interrupted(error))
    executor.close()


def test_watches_and_hands_share_one_inbox():
    cluster = Cluster(deployments=[changed("api")])
    executor = Executor(cluster, SystemClock())
    executor.follow(Scope("Deployment", "shop"), "7")
    executor.do("a", lambda: 1)
    kinds = sorted(type(next_of(executor)).__name__ for _number in range(3))
    assert kinds == ["Answer", "Seen", "Seen"]
    executor.close()
