# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that a person types in a hurry, from a checkout and where the collection is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from house import RUN, workload

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(command, folder, environment):
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def environment(operator, tmp_path):
    """A user who never used Ansible: no Ansible settings, no plugins at home."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_AUTH_"))}
    return clean | {"KUBECONFIG": str(operator.kubeconfig), "ANSIBLE_HOME": str(tmp_path / "home")}


# The settings for tables where the collection is installed; in a checkout, ansible.cfg has them.
TABLES = {"ANSIBLE_STDOUT_CALLBACK": "restartx.core.table", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true"}


@pytest.fixture(params=["checkout", "installed"])
def folder(request, environment, tmp_path):
    """Where the commands are typed; outside of a checkout after the one documented step."""
    if request.param == "checkout":
        return ROOT
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(tmp_path / "collections")
    run(["ansible-galaxy", "collection", "build", ROOT], elsewhere, environment)
    run(["ansible-galaxy", "collection", "install", *elsewhere.glob("*.tar.gz"), "--offline"], elsewhere, environment)
    run(["ansible-playbook", "restartx.core.install_adhoc_names"], elsewhere, environment)
    return elsewhere


def test_restart_status_and_undo_are_one_command_each(namespace, folder, environment):
    def adhoc(verb, *more, select="name=api"):
        command = [
            "ansible",
            "localhost",
            "-m",
            f"restartx.k8s_rollout_{verb}",
            "-a",
            f"namespace={namespace.name} {select}",
            *more,
        ]
        said = run(command, folder, environment | {"ANSIBLE_STDOUT_CALLBACK": "minimal"})
        head, _arrow, body = said.partition(" => ")
        return head, yaml.safe_load(body)["results"][0]["outcome"]

    namespace.create(workload("Deployment", "api"))
    status = ["ansible", "localhost", "-m", "restartx.k8s_rollout_status", "-a", f"namespace={namespace.name}"]
    table = run(status, folder, environment | ({} if folder == ROOT else TABLES)).splitlines()
    assert table[1].split()[:5] == ["KIND", "NAMESPACE/NAME", "OUTCOME", "NEW", "READY"]
    assert table[2].split()[:5] == ["Deployment", f"{namespace.name}/api", "rolled_out", "1", "1/1"]
    assert adhoc("status", select="kind=Deployment,StatefulSet,DaemonSet") == ("localhost | SUCCESS", "rolled_out")
    assert adhoc("restart", "--check")[0] == "localhost | CHANGED"
    assert RUN not in namespace.annotations("Deployment", "api")
    assert adhoc("restart") == ("localhost | CHANGED", "restarted")
    assert RUN in namespace.annotations("Deployment", "api")
    assert adhoc("status") == ("localhost | SUCCESS", "rolled_out")
    assert adhoc("undo") == ("localhost | CHANGED", "undone")
    assert RUN not in namespace.annotations("Deployment", "api")


def test_the_planned_restart_has_a_name_everywhere(namespace, folder, environment, tmp_path):
    namespace.create(workload("Deployment", "api"))
    plan = {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name},
        "workloads": [{"id": "api", "name": "api"}],
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"clusters": {"hosts": {"eu-west": {}}, "vars": {"restart_plan": plan}}}))
    named = ["ansible-playbook", "-i", inventory, "restartx.core.restart_prod", "-e", "ticket=CHG0001"]
    assert "1 restarted" in run(named, folder, environment)
    assert namespace.annotations("Deployment", "api")["restartx.io/ticket"] == "CHG0001"
