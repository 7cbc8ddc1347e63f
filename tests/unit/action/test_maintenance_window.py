# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module that waits for a maintenance window ends with the Ansible process that wants it."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.poll import wait_until

ROOT = Path(__file__).parents[3]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - restartx.core.maintenance_window:
        window: {hours: "00:00-00:01", days: [DAY], timezone: UTC}
        outside_window: wait
"""


def processes(marker):
    """The ids of all processes in whose command line the marker is."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (
                (folder / "cmdline").read_bytes(),
                (folder / "stat").read_text().rpartition(")")[2].split()[0],
            )
        except OSError:
            continue
        if os.fsencode(marker) in command and state != "Z":
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize("in_worker", ["true", "false"])
def test_it_ends_when_ansible_was_killed(tmp_path, in_worker):
    in_three_days = (datetime.datetime.now(datetime.UTC).weekday() + 3) % 7
    play = tmp_path / "play.yml"
    play.write_text(PLAY.replace("DAY", DAYS[in_three_days]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"),
    }
    command = [Path(sys.executable).parent / "ansible-playbook", play, "-i", "localhost,", "-c", "local"]
    variables = ["-e", f"restartx_in_worker={in_worker}", "-e", f"ansible_python_interpreter={sys.executable}"]
    with (tmp_path / "log").open("w") as log:
        ansible = subprocess.Popen([*command, *variables], env=environment, stdout=log, stderr=log)
        # Ansible itself, its worker, and the module: a fork of the worker, or a Python of its own.
        wait_until(lambda: len(processes(str(tmp_path))) >= 3, "a module that waits", 120)
        assert ansible.poll() is None
        ansible.send_signal(signal.SIGKILL)
        ansible.wait()
        wait_until(lambda: not processes(str(tmp_path)), "its end", 60)
    assert "fatal" not in (tmp_path / "log").read_text()
