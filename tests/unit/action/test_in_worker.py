# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a module is carried out in a fork of Ansible's worker, and what a fork does that is interrupted or killed."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.restartx.core.plugins.plugin_utils import in_worker

MODULES = Path(__file__).parents[3] / "plugins" / "modules"
STATUS = str(MODULES / "k8s_rollout_status.py")
PYTHON = sys.executable
SITUATION = in_worker.Situation(
    wanted=True, transport="local", becomes=False, asynchronous=False, interpreter=PYTHON, environment={}, module=STATUS
)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"environment": {"KUBECONFIG": "a", "K8S_AUTH_CONTEXT": "b", "https_proxy": "c", "TZ": "UTC", "LD": "d"}},
        *({"module": str(path)} for path in sorted(MODULES.glob("k8s_*.py"))),
    ],
    ids=str,
)
def test_a_local_task_with_ansibles_own_python_needs_no_packed_module(change):
    assert in_worker.why_packed(replace(SITUATION, **change)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"wanted": False}, "restartx_in_worker is false"),
        ({"transport": "ssh"}, "the connection is ssh, not local"),
        ({"becomes": True}, "the task becomes another user"),
        ({"asynchronous": True}, "an async task outlives its worker"),
        ({"interpreter": ""}, "no ansible_python_interpreter is set, so Ansible has to look for one"),
        (
            {"interpreter": "/no/python3"},
            f"ansible_python_interpreter is /no/python3, and Ansible itself runs with {PYTHON}",
        ),
        ({"interpreter": "python3"}, f"ansible_python_interpreter is python3, and Ansible itself runs with {PYTHON}"),
        *(
            ({"environment": {"KUBECONFIG": "a", name: "b"}}, f"{name} in the task's environment")
            for name in (
                "PYTHONPATH",
                "PYTHONWARNINGS",
                "LD_PRELOAD",
                "OPENSSL_CONF",
                "MALLOC_ARENA_MAX",
                "a-b",
                "",
                "é",
                "1A",
            )
        ),
        ({"settings": ("keep_remote_files",)}, "keep_remote_files is set, which is about packed modules"),
        ({"module": str(MODULES / "other.py")}, "not the one beside this plugin"),
        ({"module": ""}, "not the one beside this plugin"),
    ],
    ids=str,
)
def test_every_other_task_gets_the_packed_module_and_the_reason_is_told(change, reason):
    assert reason in (in_worker.why_packed(replace(SITUATION, **change)) or "")


@pytest.mark.parametrize(("value", "wanted"), [(True, True), ("false", False), ("no", False), (1, True)])
def test_the_variable_is_read_as_ansible_reads_booleans(value, wanted):
    assert in_worker.is_wanted(value) is wanted


@pytest.mark.parametrize("value", ["perhaps", "", None, [], 2])
def test_a_variable_that_is_neither_yes_nor_no_is_refused(value):
    with pytest.raises(ValueError, match="The variable restartx_in_worker is .*; set it to true or false"):
        in_worker.is_wanted(value)


def test_where_a_library_is_missing_the_packed_module_says_so():
    assert in_worker.why_packed(SITUATION, unavailable="Ansible's own Python lacks kubernetes") == (
        "Ansible's own Python lacks kubernetes"
    )


def test_names_of_one_program_in_one_folder_are_the_same_python_and_links_elsewhere_are_not(tmp_path):
    program = tmp_path / "program"
    program.touch()
    for name in ("here/python", "here/python3", "another/python3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(program)
    python = str(tmp_path / "here" / "python3")
    assert in_worker.why_packed(replace(SITUATION, interpreter=str(tmp_path / "here/python")), python) is None
    assert in_worker.why_packed(replace(SITUATION, interpreter=str(tmp_path / "another/python3")), python)


@pytest.fixture
def silent_server():
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "http://{}:{}".format(*server.getsockname())


def arguments(tmp_path, server):
    cluster, user = {"name": "c", "cluster": {"server": server}}, {"name": "u", "user": {"token": "a-secret-token"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    (tmp_path / "kubeconfig").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
    return {"namespace": "shop", "name": "api", "kubeconfig": "kubeconfig"}


def forks():
    """The processes that carry out a module for this one."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = ("rollout_status\n", "maintenance_win\n")
    return [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() in names]


def when_there_is_a_fork(act):
    """Do something to the fork as soon as there is one."""

    def wait():
        while not forks():
            time.sleep(0.01)
        act(forks()[0])

    threading.Thread(target=wait, daemon=True).start()


def test_a_module_gets_the_environment_and_folder_of_its_task_and_leaves_the_worker_as_it_was(tmp_path):
    given = arguments(tmp_path, "http://127.0.0.1:1")
    environment = {"KUBECONFIG": given.pop("kubeconfig")}  # a path that is relative to the folder
    before = dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGTERM), sys.stdout
    done = in_worker.carry_out(STATUS, given, environment, str(tmp_path))
    assert done["rc"] == 1
    assert json.loads(done["stdout"])["msg"].startswith("cannot reach http://127.0.0.1:1: connection refused")
    assert before == (dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGTERM), sys.stdout)


def test_a_module_that_is_killed_has_said_nothing(tmp_path, silent_server):
    when_there_is_a_fork(lambda pid: os.kill(pid, signal.SIGKILL))
    done = in_worker.carry_out(STATUS, arguments(tmp_path, silent_server), {}, str(tmp_path))
    assert done == {"rc": 137, "stdout": "", "stderr": ""}


def test_a_module_that_is_asked_to_stop_as_ansible_asks_its_workers_ends_in_good_order(tmp_path):
    groups = []

    def stop(pid):
        groups.append(os.getpgid(pid))  # Ansible's workers send the signal to their whole process group
        while not caught(pid, signal.SIGTERM):
            time.sleep(0.01)
        os.kill(pid, signal.SIGTERM)

    when_there_is_a_fork(stop)
    today = datetime.datetime.now(datetime.UTC).date()
    frozen = f"{today - datetime.timedelta(1)}/{today + datetime.timedelta(3)}"
    closed = {"window": {"freezes": [frozen], "timezone": "UTC"}, "outside_window": "wait"}
    done = in_worker.carry_out(str(MODULES / "maintenance_window.py"), closed, {}, str(tmp_path))
    assert done["rc"] == 1
    assert "the module was asked to stop (SIGTERM)" in json.loads(done["stdout"])["msg"]
    assert groups == [os.getpgid(0)]


def caught(pid, number):
    """Whether a process has a handler for a signal."""
    mask = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]
    return bool(int(mask, 16) >> (number - 1) & 1)


class TimeIsUp(BaseException):
    """As ansible-core raises it when the task's timeout is over."""


def test_a_module_whose_task_is_interrupted_does_not_run_on(tmp_path, silent_server, monkeypatch):
    def alarm(_number, _frame):
        raise TimeIsUp

    def interrupt(pid):
        # Python ignores what is raised right after a fork, before the module runs.
        while not caught(pid, signal.SIGTERM):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    monkeypatch.setattr(in_worker, "STOP_SECONDS", 0.2)
    previous = signal.signal(signal.SIGALRM, alarm)
    when_there_is_a_fork(interrupt)
    try:
        with pytest.raises(TimeIsUp):
            in_worker.carry_out(STATUS, arguments(tmp_path, silent_server), {}, str(tmp_path))
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert forks() == []
