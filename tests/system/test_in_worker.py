# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules in a fork of Ansible's worker and packed ones, on a real cluster: what they return is equal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from house import ROOT, environment, workload

WAYS = {"packed": False, "fork": True}
DRY = {"check_mode": True, "diff": True}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
RUN = {"run_id": "r1", "ticket": "CHG1", "reason": "certificates renewed"}
# Nothing here changes the cluster, so that both ways find the same.
TASKS = {
    "restart": ({"name": "api", **RUN}, DRY),
    "undo": ({"name": "api"}, DRY),
    "pause": ({"name": ["api", "web"], "state": "paused"}, DRY),
    "status": ({"kind": ["Deployment", "StatefulSet"]}, {}),
    "history": ({"name": "api"}, {}),
    "plan": ({"plan": {"version": 1, "name": "p", "workloads": [{"id": "a", "name": "nobody"}]}}, {}),
}


@pytest.fixture(scope="module")
def played(shared_namespace, operator, tmp_path_factory):
    """What each task returned, by way and verb."""
    shared_namespace.create(workload("Deployment", "api"), workload("Deployment", "web"))
    shared_namespace.kubectl("set", "env", "deployment/api", "RELEASE=2")
    shared_namespace.at_rest("deployment/api", "deployment/web")
    folder = tmp_path_factory.mktemp("both")
    tasks = []
    for verb, (options, keywords) in TASKS.items():
        where = {} if verb == "plan" else {"namespace": shared_namespace.name}
        for way, in_worker in WAYS.items():
            task = {f"restartx.core.k8s_rollout_{verb}": options | where, "ignore_errors": True, **keywords}
            tasks.append({**task, "register": f"{way}_{verb}", "vars": {"restartx_in_worker": in_worker}})
    for way in WAYS:
        content = "{{{{ {{{}}} | to_json }}}}".format(", ".join(f"'{verb}': {way}_{verb}" for verb in TASKS))
        tasks.append({"ansible.builtin.copy": {"dest": str(folder / way), "content": content, "mode": "600"}})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    (folder / "play.yml").write_text(json.dumps([play]))
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", folder / "play.yml"]
    env = environment(operator.kubeconfig, ANSIBLE_HOME=str(folder / "home"))
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {way: json.loads((folder / way).read_text()) for way in WAYS}


def told(value):
    """A result without what differs between two runs of one task: how long it took, and what time it was."""
    if isinstance(value, dict):
        return {name: told(inner) for name, inner in value.items() if name != "duration"}
    if isinstance(value, list):
        return [told(inner) for inner in value]
    return TIME.sub("a moment", value) if isinstance(value, str) else value


@pytest.mark.parametrize("verb", TASKS)
def test_a_module_returns_the_same_both_ways(played, verb):
    packed, fork = (told(played[way][verb]) for way in WAYS)
    assert fork == packed
    assert fork["failed"] == (verb == "plan")


def test_the_dry_run_of_a_fork_shows_its_diff(played):
    (diff,) = played["fork"]["restart"]["diff"]
    assert "CHG1" in json.dumps(diff["after"]) and "CHG1" not in json.dumps(diff["before"])
