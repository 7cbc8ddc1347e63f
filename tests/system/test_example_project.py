# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The example project, with the command of its README, on a cluster that has what its plan names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from house import RBAC, ROOT, Namespace, environment, workload

PROJECT = ROOT / "examples" / "project"
WORKLOADS = {
    "shop": [
        workload("StatefulSet", "redis", serviceName="redis"),
        *(workload("Deployment", name) for name in ("catalog", "cart", "orders")),
        *(workload("Deployment", name, labels={"tier": "web"}) for name in ("site", "mobile")),
    ],
    "edge": [workload("DaemonSet", "proxy")],
}


@pytest.fixture
def canary(cluster, kubeconfig, tmp_path):
    """A kubeconfig whose context is that of the project's canary."""
    for name, workloads in WORKLOADS.items():
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("apply", "--namespace", name, "-f", RBAC / "namespace.yml")
        Namespace(cluster, None, name).create(*workloads, ready=False)
    config = yaml.safe_load(Path(kubeconfig).read_text())
    config["contexts"][0]["name"] = config["current-context"] = "prod-eu-canary"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    yield tmp_path / "kubeconfig"
    cluster.kubectl("delete", "namespace", *WORKLOADS, "--wait=false")


def test_the_readme_shows_how_to_see_what_would_happen(canary, tmp_path):
    (typed,) = re.findall(
        r"^\$ (ansible-playbook restart\.yml .*--check)", (PROJECT / "README.md").read_text(), re.MULTILINE
    )
    program, *arguments = shlex.split(typed)
    settings = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
    command = [Path(sys.executable).with_name(program), *arguments]
    env = environment(canary, **settings)
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "order: cache (1), then core (3), then web (2), then edge (1)" in done.stdout
    assert "prod-eu-canary: 7 to be restarted" in done.stdout
