# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook at work, with every process that it has begun, in whatever session or process group that is by now."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from pathlib import Path

from house import ROOT

from lab.poll import wait_until

MARK = "RESTARTX_SOAK"  # in the environment, which processes inherit and cannot lose
MODULE = "rollout_restart"  # the name of a module's process


class Started:
    """One start of a command. What is left of it when the block is left is killed."""

    def __init__(self, command, environment, log):
        self._mark = f"{MARK}={uuid.uuid4()}"
        name, value = self._mark.split("=")
        self._log = Path(log)
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env={**environment, name: value},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.kill_all()

    @property
    def ended(self):
        """Whether the playbook itself has ended."""
        return self.process.poll() is not None

    def tree(self):
        """The ids of all its processes that run, its own among them."""
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if self._is_ours(folder)]

    def modules(self):
        """The ids of the restart modules that run; one process each."""
        return [pid for pid in self.tree() if _runs_module(Path(f"/proc/{pid}"))]

    def kill_controller(self):
        """SIGKILL for ansible-playbook alone; returns when it is dead."""
        self.process.kill()
        self.process.wait()

    def kill_all(self):
        """SIGKILL for every process of the tree; returns when none is left."""
        wait_until(lambda: not _kill(self.tree()), "the whole tree to be dead")
        self.process.wait()

    def wait_for_orphans(self):
        """Wait until what it left behind has ended by itself."""
        wait_until(lambda: not self.tree(), "the orphans to end by themselves", interval=0.1)

    def result(self, timeout=300):
        """Wait for its end: (exit code, all that it said on one line)."""
        code = self.process.wait(timeout)
        said = " ".join(self._log.read_text().split())
        assert "Traceback" not in said, said
        return code, said

    def _is_ours(self, folder):
        try:
            return self._mark.encode() in (folder / "environ").read_bytes().split(b"\0")  # empty for a zombie
        except OSError:
            return False


def _runs_module(folder):
    try:
        return (folder / "comm").read_text().strip() == MODULE
    except OSError:
        return False


def _kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids
