# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab ends what it started, whatever happens to its owner, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import Lab
from lab.poll import wait_until
from lab.process import Process

ROOT = Path(__file__).parents[3]

OWNER = """
import sys, time
from lab import Lab
Lab(sys.argv[1], owned=True).up(["doomed"], controllers=False)
print("up", flush=True)
time.sleep(600)
"""


def processes_of(directory):
    """The pids of all processes that were started with this folder in their arguments."""
    needle = os.fsencode(directory)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # ended meanwhile
        if needle in arguments and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def owner(directory):
    return subprocess.Popen([sys.executable, "-c", OWNER, directory], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def gone(directory):
    return not processes_of(directory) and not directory.exists()


def test_an_owned_lab_ends_when_its_owner_is_killed(tmp_path):
    directory = tmp_path / "lab"
    with owner(directory) as process:
        assert process.stdout.readline() == "up\n"
        assert len(processes_of(directory)) >= 4  # the owner, its supervisor and two components
        process.kill()
    wait_until(lambda: gone(directory), "the lab of a killed owner to end")


def test_an_owner_killed_while_it_starts_a_lab_leaves_nothing(tmp_path):
    directory = tmp_path / "lab"
    with owner(directory) as process:
        record = directory / "clusters" / "doomed" / "run" / "etcd"
        wait_until(record.exists, "the first component to be started", interval=0.001)
        process.kill()
    wait_until(lambda: gone(directory), "the lab of a killed owner to end")


def test_down_ends_what_a_killed_up_left(tmp_path):
    directory = tmp_path / "lab"
    command = [sys.executable, "-m", "lab", "--dir", directory, "up", "left", "--no-controllers"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        record = directory / "clusters" / "left" / "run" / "kube-apiserver"
        wait_until(record.exists, "the API server to be started", interval=0.001)
        process.kill()
    assert processes_of(directory)
    assert Lab(directory).down() == ["left"]
    wait_until(lambda: not processes_of(directory), "the processes to end", timeout=5)


def test_labs_run_side_by_side(lab, bare, tmp_path):
    running = {process.pid for process in bare.processes().values()}
    with Lab(tmp_path / "other", owned=True) as other:
        (twin,) = other.up(["bare"], controllers=False)
        assert set(twin.ports.values()).isdisjoint(bare.ports.values())
        twin.kubectl("create", "namespace", "only-here")
        assert bare.kubectl("get", "namespace", "only-here", check=False).returncode == 1
    assert gone(tmp_path / "other")
    assert {process.pid for process in bare.processes().values()} == running
    assert bare.kubectl("get", "--raw", "/readyz").stdout == "ok"


def test_down_removes_only_the_named_cluster(tmp_path):
    with Lab(tmp_path / "lab", owned=True) as lab:
        lab.up(["one", "two"], controllers=False)
        lab.down(["one"])
        assert lab.names == ["two"]
        assert "one" not in lab.kubeconfig.read_text()
        assert lab.cluster("two").kubectl("get", "--raw", "/readyz").stdout == "ok"
        lab.down()
        assert not lab.kubeconfig.exists()


@pytest.fixture
def bystander():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def record_of(pid, path, age=0, boot=None):
    """A record as it was written for a process with this pid that began `age` ticks earlier."""
    before, name, after = Path(f"/proc/{pid}/stat").read_text().strip().rpartition(") ")
    fields = after.split(" ")
    fields[19] = str(int(fields[19]) - age)
    boot = boot or Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    path.write_text(f"{boot} {before}{name}{' '.join(fields)}\n")
    return Process(path, path.with_suffix(".log"))


@pytest.mark.parametrize("other", [{"age": 1}, {"boot": "an-earlier-boot"}])
def test_a_process_that_got_a_recorded_pid_again_is_not_touched(tmp_path, bystander, other):
    process = record_of(bystander.pid, tmp_path / "record", **other)
    assert process.pid is None
    process.stop(max_wait=0)
    assert bystander.poll() is None
    assert not process.record.exists()


def test_the_recorded_process_itself_is_ended(tmp_path, bystander):
    process = record_of(bystander.pid, tmp_path / "record")
    assert process.pid == bystander.pid
    process.stop()
    assert process.pid is None
    bystander.wait(timeout=5)


@pytest.mark.parametrize("text", ["", "nonsense", "boot 1 (sh"])
def test_a_damaged_record_means_nothing_runs(tmp_path, text):
    record = tmp_path / "record"
    record.write_text(text)
    assert Process(record, tmp_path / "log").pid is None


def test_a_process_deaf_to_sigterm_is_killed_after_its_patience(tmp_path):
    process = Process(tmp_path / "record", tmp_path / "log")
    with (tmp_path / "lock").open("a") as lock:
        process.start(["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], lock)
    wait_until(lambda: process.tail() == "deaf", "the process to ignore SIGTERM")
    process.stop(max_wait=0.2)
    assert process.pid is None
