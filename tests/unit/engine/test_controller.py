# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the process that a module works for is still there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Controller

SECONDS = 30  # after which a test gives up


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, read in another way than the product does."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.split(")")[-1].split()[19]


@pytest.fixture
def child():
    """A real process that runs until its standard input is closed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait(SECONDS)
    process.stdin.close()


def test_a_process_is_alive_until_it_has_ended(child):
    controller = Controller(f"{child.pid}:{start_time(child.pid)}")
    assert controller.alive()
    child.communicate(b"\n", timeout=SECONDS)
    assert not controller.alive()
    assert controller.reason == "the Ansible process that started this module is gone; nothing more was started"


def test_a_zombie_is_not_alive(child):
    controller = Controller(f"{child.pid}:{start_time(child.pid)}")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken note of it
    assert Path(f"/proc/{child.pid}").exists()
    assert not controller.alive()


def test_a_process_id_that_is_used_again_is_another_process(child):
    earlier = int(start_time(child.pid)) - 1
    assert not Controller(f"{child.pid}:{earlier}").alive()


@pytest.mark.parametrize("name", [None, ""])
def test_who_is_not_told_takes_it_to_be_alive(name):
    assert Controller(name).alive()


@pytest.mark.parametrize(
    "command, state, alive",
    [
        ("ansible-playbook", "S", True),
        ("a) Z 1 (b", "R", True),
        ("a b", "D", True),
        ("sh", "Z", False),
        ("sh", "X", False),
    ],
)
def test_the_command_of_a_process_may_hold_anything(tmp_path, command, state, alive):
    (tmp_path / "42").mkdir()
    rest = " ".join([state, *map(str, range(4, 22)), "777", "23"])
    (tmp_path / "42" / "stat").write_text(f"42 ({command}) {rest}\n")
    assert Controller("42:777", tmp_path).alive() is alive
    assert not Controller("42:778", tmp_path).alive()


def test_a_module_that_is_asked_to_stop_has_no_controller_any_more():
    controller = Controller(None)
    controller.dismiss("the module was asked to stop (SIGTERM)")
    controller.dismiss("the module was asked to stop (SIGHUP)")
    assert not controller.alive()
    assert controller.reason == "the module was asked to stop (SIGTERM); nothing more was started"
