# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The example project and the execution environment are what Ansible's own tools take, and name what is shipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.schedule import plan

ROOT = Path(__file__).parents[3]
PROJECT = ROOT / "examples" / "project"
ENVIRONMENT = ROOT / "examples" / "awx" / "execution-environment.yml"
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
PINNED = (ROOT / "requirements-dev.txt").read_text().splitlines()
CONTEXTS = ["prod-us-1", "prod-eu-1", "staging", "prod-eu-canary"]


def run(command, folder, **variables):
    """Run a program of the virtual environment; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_AUTH_"))}
    program = Path(sys.executable).with_name(command[0])
    env = clean | variables
    done = subprocess.run([program, *command[1:]], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def team(tmp_path):
    """The environment of a team that has installed the collection, and that has a kubeconfig."""
    config = {"apiVersion": "v1", "kind": "Config", "contexts": [{"name": name, "context": {}} for name in CONTEXTS]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
    }


def test_the_project_takes_its_clusters_from_the_kubeconfig_in_waves(team):
    listed = json.loads(run(["ansible-inventory", "--list"], PROJECT, **team))
    hosts = {name: found["restartx_wave"] for name, found in listed["_meta"]["hostvars"].items()}
    assert hosts == {"prod-eu-canary": 1, "prod-eu-1": 2, "prod-us-1": 3}
    plans = [found["restart_plan"] for found in listed["_meta"]["hostvars"].values()]
    assert [plan.check(found).name for found in plans] == ["rotate-internal-ca"] * 3


def test_the_playbook_of_the_project_is_that_of_the_collection(team):
    listed = run(["ansible-playbook", "restart.yml", "--list-tasks"], PROJECT, **team)
    assert "Restart wave by wave" in listed


def test_the_project_asks_for_the_collection_as_it_is_here():
    wanted = yaml.safe_load((PROJECT / "collections" / "requirements.yml").read_text())["collections"]
    assert wanted == [{"name": f"{GALAXY['namespace']}.{GALAXY['name']}", "version": GALAXY["version"]}]


def test_a_build_context_is_made_of_the_execution_environment(tmp_path):
    context = tmp_path / "context"
    run(["ansible-builder", "create", "-f", ENVIRONMENT, "-c", context, "--output-filename", "Containerfile"], tmp_path)
    made = (context / "Containerfile").read_text()
    for package in ("ansible-core", "ansible-runner"):
        (pin,) = [line for line in PINNED if line.startswith(f"{package}==")]
        assert pin in made
    assert "ansible-galaxy collection install" in made
    asked = yaml.safe_load((context / "_build" / "requirements.yml").read_text())
    assert asked == yaml.safe_load((PROJECT / "collections" / "requirements.yml").read_text())
    tzdata = (context / "_build" / "requirements.txt").read_text().split()
    assert set(tzdata) <= set(PINNED)


def test_an_execution_environment_gets_what_the_collection_needs_of_python(tmp_path):
    folder = tmp_path / "collections"
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_HOME": str(tmp_path / "home")}
    run(["ansible-galaxy", "collection", "build", ROOT], tmp_path, **settings)
    (archive,) = tmp_path.glob("*.tar.gz")
    run(["ansible-galaxy", "collection", "install", archive, "--offline"], tmp_path, **settings)
    found = yaml.safe_load(run(["ansible-builder", "introspect", folder], tmp_path))
    needed = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    # ansible-core is the environment's own affair, and so never among them.
    assert [line.partition(" ")[0] for line in found["python"]] == [
        line for line in needed if "ansible-core" not in line
    ]
    assert not found["system"]
