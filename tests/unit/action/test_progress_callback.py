# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The callback plugin `progress` in real commands, without a cluster."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from ansible_collections.restartx.core.plugins.callback.progress import CallbackModule
from ansible_collections.restartx.core.plugins.module_utils.fleet.progress import Board
from ansible_collections.restartx.core.plugins.plugin_utils.live import Live

ROOT = Path(__file__).parents[3]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
# Each task writes what a module would, through the FIFO that the environment of workers names.
WRITE = "open(__import__('os').environ['RESTARTX_PROGRESS_FIFO'], 'w').write"
BEGIN = {"event": "begin", "doing": "restarting", "run": "r1", "total": 1, "done": 0, "failed": 0, "active": 0}


def tell(host, code=0):
    """A task that tells its beginning and ends with this exit code."""
    line = json.dumps({"host": host, **BEGIN}) + "\n"
    script = f"{WRITE}({line!r}); raise SystemExit({code})"
    return {"name": "Work", "ansible.builtin.command": {"argv": [sys.executable, "-c", script]}, "changed_when": False}


def run(folder, *tasks, **more):
    """Run one playbook for each task: the exit code, and what was printed."""
    books = []
    for number, task in enumerate(tasks):
        book = folder / f"{number}.yml"
        book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        books.append(book)
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_HOME": str(folder / "home")}
    env |= {"ANSIBLE_CALLBACKS_ENABLED": "restartx.core.progress", **more}
    python = f"ansible_python_interpreter={sys.executable}"
    command = [PROGRAM, "-i", "localhost,", "-c", "local", "-e", python, *books]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_each_playbook_of_a_command_has_its_progress(tmp_path):
    code, said = run(tmp_path, tell("a"), tell("b"))
    assert code == 0
    assert said.index("a  restarting 1 workload") < said.index("PLAY RECAP") < said.index("b  restarting 1 workload")
    assert "Interrupted" not in said
    assert not list(tmp_path.rglob("progress-*"))


def test_no_thread_is_left_when_a_playbook_has_ended(monkeypatch):
    # A thread that Python ends while it holds the lock of the display would keep the process from ending.
    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "restartx progress"]

    monkeypatch.setattr(CallbackModule, "get_option", lambda plugin, name: "lines")
    plugin = CallbackModule()
    for _playbook in range(2):
        plugin.v2_playbook_on_start(None)
        assert len(threads()) == 1
        plugin.v2_playbook_on_stats(None)
        assert threads() == []


def test_without_the_plugin_nothing_is_told(tmp_path):
    code, said = run(tmp_path, tell("a"), ANSIBLE_CALLBACKS_ENABLED="")
    assert code != 0 and "restarting" not in said.partition("TASK")[0]


class Screen:
    """A display of Ansible that notes what is printed, and lets the other thread draw whenever it may."""

    def __init__(self):
        self._lock = threading.RLock()
        self.printed = []
        self.draw = None

    def display(self, text):
        other = threading.Thread(target=self._try_to_draw)
        other.start()
        other.join()
        self.printed.append(text)

    def _try_to_draw(self):
        if self._lock.acquire(blocking=False):
            self.draw()
            self._lock.release()


def test_nothing_is_drawn_between_the_removal_of_the_lines_and_what_ansible_prints(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    live = Live(screen)
    boards = [Board("eu-west", 0.0)]
    screen.draw = lambda: live.draw(boards, 1.0)
    live.draw(boards, 0.0)
    screen.display("ok: [eu-west]")
    assert screen.printed == ["ok: [eu-west]"]
    assert sys.stdout.getvalue().count("eu-west") == 1
