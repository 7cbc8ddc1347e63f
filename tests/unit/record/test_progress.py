# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The progress that a module reports. A run does not depend on its reader."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select

import calling
import pytest
from simulation import FakeClock, FakeCluster, deployment, workload

from ansible_collections.restartx.core.plugins.module_utils.engine import steps
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.engine.states import State
from ansible_collections.restartx.core.plugins.module_utils.engine.task import Task
from ansible_collections.restartx.core.plugins.module_utils.record import progress
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Held, Lease
from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window
from ansible_collections.restartx.core.plugins.module_utils.verbs.wait_for_window import await_window

HOST = "eu-west"


class Reader:
    """The end of a FIFO that is read from."""

    def __init__(self, folder):
        self.path = folder / "fifo"
        os.mkfifo(self.path)
        self.address = f"{self.path}:{HOST}"
        self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def lines(self):
        data = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fd, 65536):
                data += chunk
        return [json.loads(line) for line in data.splitlines()]

    def close(self):
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None


@pytest.fixture
def reader(tmp_path):
    made = Reader(tmp_path)
    yield made
    made.close()


def call(module, cluster, address, check_mode=False, clean=str, **options):
    """One call of a module that tells its progress there: its result."""
    verb, prepared = calling.prepare(module, cluster, check_mode, namespace=["shop"], **options)
    prepared.progress = ProgressWriter(address, prepared.clock, clean)
    return calling.carry_out(verb, prepared)


def restart(cluster, address, **options):
    return call("k8s_rollout_restart", cluster, address, run_id="r1", **options)


def shop(*names, **options):
    return FakeCluster([deployment(name) for name in names], **options)


def states(lines, name):
    """The states of a workload, each with the one before it."""
    return [(line["before"], line["state"]) for line in lines if line.get("name") == name]


def test_a_restart_tells_its_beginning_and_every_change_with_the_counts_so_far(reader):
    result = restart(shop("api", "web"), reader.address)
    assert result["summary"] == {"restarted": 2}
    first, *rest = reader.lines()
    assert first == {
        "host": HOST,
        "event": "begin",
        "doing": "restarting",
        "run": "r1",
        "total": 2,
        "done": 0,
        "failed": 0,
        "active": 0,
    }
    for name in ("shop/api", "shop/web"):
        changes = [pair for pair in states(rest, name) if pair[0] != pair[1]]
        assert changes == [("waiting", "acting"), ("acting", "watching"), ("watching", "ended")]
    assert [line["done"] for line in rest if line.get("state") == "ended"] == [1, 2]
    assert max(line["active"] for line in rest) == 2 and rest[-1]["active"] == 0
    assert {line["host"] for line in rest} == {HOST}


def test_what_is_waited_for_is_told_when_it_changes_and_not_more_often(reader):
    cluster = shop("api", takes=40.0)
    restart(cluster, reader.address)
    texts = [line["text"] for line in reader.lines() if line.get("state") == "watching"]
    assert texts == ["1 of 2 new pods, waiting for readiness"]


def test_a_failure_is_told_with_its_reason_and_counted(reader):
    cluster = shop("api", "web", breaks={"api"})
    cluster.breaks_by = "CrashLoopBackOff"
    result = restart(cluster, reader.address, timeout="30s", on_failure="continue")
    assert result["summary"] == {"failed": 1, "restarted": 1}
    lines = reader.lines()
    (ended,) = [line for line in lines if line.get("name") == "shop/api" and line["state"] == "ended"]
    assert (ended["outcome"], ended["good"]) == ("failed", False)
    (entry,) = [one for one in result["results"] if one["name"] == "api"]
    assert ended["text"] and ended["text"] in (entry["cause"] or {}).get("sentence", "") + entry["message"]
    assert (lines[-1]["done"], lines[-1]["failed"]) == (1, 1)
    # What is wrong is told while there is still hope.
    assert any(line["state"] == "watching" and entry["cause"]["sentence"] in line["text"] for line in lines[1:])


def test_the_pause_between_two_starts_is_told_once_with_its_length(reader):
    restart(shop("a", "b", "c"), reader.address, stagger="60s")
    held = [line for line in reader.lines() if line["event"] == "hold" and line["text"]]
    assert {line["text"] for line in held} == {"stagger"}
    assert len(held) == 2 and all(50 < line["seconds"] <= 60 for line in held)


@pytest.mark.parametrize(
    "module, options, doing",
    [
        ("k8s_rollout_restart", {}, "restarting"),
        ("k8s_rollout_status", {"wait": True}, "waiting for"),
        ("k8s_rollout_undo", {}, "rolling back"),
    ],
)
def test_every_module_that_waits_tells_what_it_does(reader, module, options, doing):
    cluster = shop("api")
    calling.run("k8s_rollout_restart", cluster, namespace=["shop"])
    call(module, cluster, reader.address, **options)
    lines = reader.lines()
    assert lines[0]["doing"] == doing and lines[-1]["done"] == 1


@pytest.mark.parametrize("options", [{"check_mode": True}, {"wait": False}])
def test_a_call_that_does_not_wait_tells_nothing(reader, options):
    restart(shop("api"), reader.address, **options)
    assert reader.lines() == []


def test_other_kinds_are_named_with_their_kind(reader):
    cluster = FakeCluster([workload("StatefulSet", "db")])
    restart(cluster, reader.address, kind=["StatefulSet"])
    assert states(reader.lines(), "StatefulSet shop/db")


def nobody(reader):
    reader.close()


def gone_file(reader):
    reader.close()
    os.unlink(reader.path)


def a_plain_file(reader):
    gone_file(reader)
    reader.path.write_text("")


def never_reads(reader):
    fcntl.fcntl(reader._fd, fcntl.F_SETPIPE_SZ, 4096)


@pytest.mark.parametrize("trouble", [nobody, gone_file, a_plain_file, never_reads])
def test_a_run_does_not_depend_on_the_reader(reader, trouble):
    names = [f"app-{number}" for number in range(30)]
    trouble(reader)
    told, silent = shop(*names, takes=5.0), shop(*names, takes=5.0)
    result, expected = restart(told, reader.address), restart(silent, None)
    assert result == expected
    assert told.executor.clock.passed == silent.executor.clock.passed
    if trouble is a_plain_file:
        assert reader.path.read_text() == ""


def test_a_reader_that_goes_away_in_mid_run_is_not_written_to_again(reader):
    cluster = shop("api", takes=20.0)
    verb, prepared = calling.prepare("k8s_rollout_restart", cluster, namespace=["shop"])
    prepared.progress = ProgressWriter(reader.address, prepared.clock)
    cluster.executor.later(10.0, reader.close)
    assert calling.carry_out(verb, prepared)["summary"] == {"restarted": 1}
    assert not prepared.progress.listened


def test_lines_that_do_not_fit_are_dropped_and_the_next_ones_have_the_true_counts(reader):
    names = [f"app-{number}" for number in range(60)]
    never_reads(reader)
    cluster = shop(*names, takes=5.0)
    cluster_lines = []
    verb, prepared = calling.prepare("k8s_rollout_restart", cluster, namespace=["shop"], max_parallel=30)
    prepared.progress = ProgressWriter(reader.address, prepared.clock)
    cluster.executor.later(7.0, lambda: cluster_lines.extend(reader.lines()))
    calling.carry_out(verb, prepared)
    after = reader.lines()
    ended = [line for line in cluster_lines + after if line.get("state") == "ended"]
    assert len(ended) < len(names)  # some were dropped
    assert all(line["done"] + line["active"] <= line["total"] for line in after)


def test_every_text_is_cleaned_of_secrets(reader):
    cluster = shop("api", breaks={"api"})
    cluster.breaks_by = "CrashLoopBackOff"
    restart(cluster, reader.address, timeout="30s", clean=lambda text: text.replace("main", "****"))
    text = json.dumps(reader.lines())
    assert "main" not in text and "****" in text


def test_the_longest_line_is_written_at_once(reader):
    names = {"host": "h" * 253, "event": "task", "name": f"StatefulSet {'n' * 63}/{'x' * 253}", "outcome": "unfinished"}
    line = {**names, "before": "explaining", "state": "explaining", "text": "\U0001f4a5" * progress.LONGEST_TEXT}
    line |= {"undoing": False, "earlier": False, "good": False}
    line |= dict.fromkeys(("total", "done", "failed", "active"), 10**6)
    assert len(json.dumps(line, ensure_ascii=False).encode()) < select.PIPE_BUF
    pipe = progress.Pipe(str(reader.path))
    pipe.write(line)
    pipe.close()
    assert reader.lines() == [line]


def test_a_text_that_is_too_long_keeps_its_end_where_the_answer_to_a_long_question_is(reader):
    said = f'the comparison (Prometheus http://prometheus: {"x" * 300}) is closed: "{"x" * 300}" has no value'
    writer = ProgressWriter(reader.address, FakeClock())
    writer.waits(said)
    writer.waits(said[:300])
    first, second = (line["text"] for line in reader.lines())
    assert first.startswith("the comparison (") and first.endswith("has no value") and " ... " in first
    assert len(first) <= progress.LONGEST_TEXT and second == said[:300]


class Shelf:
    """A cluster that holds one Lease of somebody else, which is renewed at each read."""

    def __init__(self):
        self.version = 0

    def get(self, path, deadline=None):
        self.version += 1
        spec = {"holderIdentity": "somebody", "leaseDurationSeconds": 30}
        notes = {"restartx.io/run": "r0", "restartx.io/operator": "ada"}
        return {"metadata": {"resourceVersion": str(self.version), "annotations": notes}, "spec": spec}


def test_waiting_for_the_lock_is_told_with_who_holds_it(reader):
    clock = FakeClock()
    writer = ProgressWriter(reader.address, clock)
    lease = Lease(Shelf(), clock, "restartx-system", "shop", "us")
    with pytest.raises(Held):
        lease.acquire(5.0, tell=writer.waits)
    texts = {line["text"] for line in reader.lines() if line["event"] == "wait"}
    assert texts == {'the lock of "shop", which run r0 of ada holds'}


def test_waiting_for_the_window_is_told_until_it_opens(reader):
    clock = FakeClock()  # on a Tuesday at 22:00
    window = Window.from_dict({"hours": "22:05-23:00", "timezone": "UTC"})
    result = await_window(window, "wait", None, clock, Controller(None), ProgressWriter(reader.address, clock).waits)
    assert result["open"]
    first, last = [line["text"] for line in reader.lines()]
    assert "22:05-23:00" in first and last == ""


def test_a_rollout_that_is_held_says_why():
    clock, one = FakeClock(), deployment("api")
    task = Task(key=kinds.key(one), group="0", object=one, step=steps.StatusStep())
    for state in (State.WATCHING, State.SETTLING):
        task.to(state, clock, message="its rollout is paused, because a budget leaves no room")
    assert ProgressWriter._text(task) == "rolled out, and followed for 0s more"
    task.held = "a budget leaves no room"
    assert ProgressWriter._text(task) == "its rollout is paused, because a budget leaves no room"
