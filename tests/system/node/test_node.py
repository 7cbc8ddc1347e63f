# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real node runs containers, and leaves nothing on the machine, whatever happens to its owner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import Lab, LabError, node
from lab.poll import wait_until

ROOT = Path(__file__).parents[3]
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")

POD = """
apiVersion: v1
kind: Pod
metadata: {name: shop, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: shop
      image: localhost/shop:1
      args: [serve]
      volumeMounts: [{name: scratch, mountPath: /scratch}]
  volumes: [{name: scratch, emptyDir: {medium: Memory}}]
"""

OWNER = f"""
import sys, time
from lab import Lab
(cluster,) = Lab(sys.argv[1], owned=True).up(["doomed"], nodes=0)
print("up", flush=True)
cluster.start_node()
cluster.apply('''{POD}''')
cluster.kubectl("wait", "pod/shop", "--for=condition=Ready", "--timeout=180s")
print("runs", flush=True)
time.sleep(600)
"""


def run_pod(cluster):
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=180s")
    cluster.apply(POD)
    cluster.kubectl("wait", "pod/shop", "--for=condition=Ready", "--timeout=180s")


def in_containers():
    """The pids of all processes that run in a container of a kubelet's."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if "/k8s.io/" in (entry / "cgroup").read_text():
                found.append(int(entry.name))
        except OSError:
            continue  # ended meanwhile
    return found


def named(directory):
    """The pids of all processes, apart from this one, that have this folder in their arguments or work in it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes()
            at = (entry / "cwd").readlink()
        except OSError:
            continue
        if os.fsencode(directory) in arguments or at.is_relative_to(directory):
            found.append(int(entry.name))
    return set(found) - {os.getpid()}


def traces():
    """What a real node makes on a machine, as far as it is there now."""
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in _LOOKS]
    places = [place for place in ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet") if Path(place).exists()]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob("**/k8s.io")]
    return [line for text in said for line in text.splitlines()] + places + groups + [FORWARDING.read_text()]


_LOOKS = (["ip", "-brief", "link"], ["ip", "-4", "route"], ["nft", "list", "tables"])


@pytest.fixture
def machine(cluster):
    """The machine without a real node; that of the other tests comes back afterwards."""
    cluster.stop_node()
    before = traces()
    yield before
    cluster.start_node()


def test_a_pod_runs_and_answers_the_api_server(cluster):
    run_pod(cluster)
    assert cluster.kubectl("get", "pod", "shop", "-o", "jsonpath={.spec.nodeName}").stdout == "real"
    assert "listening on :8080" in cluster.kubectl("logs", "shop").stdout
    assert cluster.kubectl("exec", "shop", "--", "/shop", "help", check=False).stderr.startswith("usage: shop serve")
    cluster.kubectl("delete", "pod", "shop", "--timeout=180s")


def test_kwok_leaves_a_real_node_alone(cluster):
    annotations = cluster.kubectl("get", "node", "real", "-o", "jsonpath={.metadata.annotations}").stdout
    assert "kwok" not in annotations
    assert cluster.kubectl("get", "node", "real", "-o", "jsonpath={.status.nodeInfo.osImage}").stdout != "KWOK"


def test_no_registry_is_asked_whatever_an_image_is_called(cluster):
    cluster.kubectl("run", "foreign", "--image=registry.invalid/none:1")
    asked = "jsonpath={.status.containerStatuses[0].state.waiting.message}"
    words = wait_until(lambda: cluster.kubectl("get", "pod", "foreign", "-o", asked).stdout, "the pull to fail")
    assert "127.0.0.1:1" in words and "connection refused" in words
    assert "lookup" not in words
    cluster.kubectl("delete", "pod", "foreign", "--force")


def test_a_machine_has_one_real_node(cluster, tmp_path):
    with Lab(tmp_path / "lab", owned=True) as lab:
        (second,) = lab.up(["second"], nodes=0)
        with pytest.raises(LabError, match="has a real node already") as refused:
            second.start_node()
        assert f"--dir {cluster.directory.parents[1]} down" in str(refused.value)
    assert cluster.node_is_ready("real")


def test_a_stopped_node_leaves_nothing(cluster, machine):
    cluster.start_node()
    run_pod(cluster)
    assert in_containers()
    assert traces() != machine
    cluster.stop_node()
    assert not in_containers()
    assert not named(cluster.directory / "node")
    assert not (cluster.directory / "node").exists()
    assert traces() == machine
    assert "real" not in cluster.node_names()
    cluster.kubectl("delete", "pod", "shop", "--force")


@pytest.mark.parametrize("moment", ["while its node starts", "while a pod runs"])
def test_an_owner_that_is_killed_leaves_nothing(machine, tmp_path, moment):
    directory = tmp_path / "lab"
    command = [sys.executable, "-c", OWNER, directory]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        if moment == "while a pod runs":
            assert process.stdout.readline() == "runs\n"
            assert in_containers()
        else:
            record = directory / "clusters" / "doomed" / "run" / "kubelet"
            wait_until(record.exists, "the kubelet to be started", interval=0.001)
        process.kill()
    wait_until(lambda: not directory.exists() and not named(directory), "the lab of a killed owner to end")
    assert not in_containers()
    assert traces() == machine


def test_containers_outlive_their_containerd(cluster):
    run_pod(cluster)
    before = in_containers()
    cluster.stop("containerd")
    assert set(before) <= set(in_containers())
    cluster.start("containerd")
    wait_until(
        lambda: cluster.kubectl("exec", "shop", "--", "/shop", check=False).returncode == 2, "the pod to be found"
    )
    cluster.kubectl("delete", "pod", "shop", "--timeout=180s")


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert node.missing()[:2] == ["root", "the package containerd"]
