# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The installed collection with other versions of ansible-core and Python: the oldest that is promised, and the newest.

`make system` tries a sample, `make matrix` all of them. The virtual environments are in the user's cache folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from house import ROOT, environment, workload

CACHE = Path.home() / ".cache" / "restartx" / "matrix"
LIBRARIES = ("kubernetes==37.0.2", "jmespath==1.1.0", "rich==15.0.0")
SAMPLE = {("2.18.19", "3.11"), ("2.21.5", "3.13")}
# The versions of Python that each version of ansible-core runs with, from its documentation.
VERSIONS = {
    "2.18.19": ("3.11", "3.12", "3.13"),
    "2.19.14": ("3.11", "3.12", "3.13"),
    "2.20.10": ("3.12", "3.13", "3.14"),
    "2.21.5": ("3.12", "3.13", "3.14"),
}
SETTINGS = """
[defaults]
stdout_callback = restartx.core.table
callbacks_enabled = restartx.core.progress
bin_ansible_callbacks = true
callback_result_format = yaml
"""


def cases():
    for ansible, pythons in VERSIONS.items():
        for python in pythons:
            marks = [] if (ansible, python) in SAMPLE else [pytest.mark.matrix]
            yield pytest.param(ansible, python, marks=marks, id=f"{ansible}-python{python}")


def interpreter(version):
    """The path of a Python of this version, on the PATH or from pyenv; None if there is none that works."""
    found = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for path in filter(None, found):
        if subprocess.run([path, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def programs(ansible, python):
    """The folder with the programs of a virtual environment that has these versions."""
    path = interpreter(python)
    if path is None:
        pytest.skip(f"there is no Python {python} on this machine")
    folder = CACHE / "-".join([ansible, python, *LIBRARIES])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            subprocess.run([path, "-m", "venv", "--clear", folder], check=True)
            install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, f"ansible-core=={ansible}", *LIBRARIES], check=True)
            (folder / "ready").touch()
    return folder / "bin"


@pytest.mark.parametrize("ansible, python", list(cases()))
def test_the_first_steps_work_with_other_versions(namespace, operator, tmp_path, ansible, python):
    found = programs(ansible, python)
    (tmp_path / "ansible.cfg").write_text(SETTINGS)
    (tmp_path / "inventory.kubeconfig.yml").write_text("plugin: restartx.core.kubeconfig\n")
    plan = {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name},
        "workloads": [{"id": "all"}],
    }
    (tmp_path / "plan.yml").write_text(yaml.safe_dump({"restart_plan": plan}))
    env = environment(operator.kubeconfig, ANSIBLE_HOME=str(tmp_path / "home"), COLUMNS="120")
    env = {**env, "PATH": f"{found}{os.pathsep}{env['PATH']}"}
    env.pop("PYTHONPATH")  # the checkout

    def run(program, *args):
        command = [found / program, *args]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 and "Traceback" not in said, said
        return said

    run("ansible-galaxy", "collection", "build", ROOT)
    run("ansible-galaxy", "collection", "install", "--offline", *tmp_path.glob("*.tar.gz"))
    run("ansible-playbook", "restartx.core.install_adhoc_names")

    namespace.create(workload("Deployment", "api"), workload("Deployment", "web"))
    select = f"namespace={namespace.name}"
    said = run("ansible", "localhost", "-m", "restartx.k8s_rollout_status", "-a", select)
    assert re.search(rf"^Deployment +{namespace.name}/api +rolled_out +1 +1/1 ", said, re.MULTILINE)
    said = run("ansible", "localhost", "-m", "restartx.k8s_rollout_restart", "-a", f"{select} name=api")
    assert f"localhost  {namespace.name}/api  restarting  (0 of 1 done)" in said
    assert "1 restarted" in said
    book = ["-i", "inventory.kubeconfig.yml", "restartx.core.restart_prod", "-e", "@plan.yml", "-e", "ticket=CHG1"]
    assert "2 to be restarted" in run("ansible-playbook", *book, "--check")
    said = run("ansible-playbook", *book)
    assert re.search(r"run chg1-\w+ finished", said) and "2 restarted" in said

    first = ["-i", "inventory.kubeconfig.yml", "restartx.core.new_plan", "-e", "file=first.yml"]
    said = run("ansible-playbook", *first, "-e", f"namespaces={namespace.name}")
    command = "-i inventory.kubeconfig.yml restartx.core.restart_prod -e @first.yml --check"
    assert f"then: ansible-playbook {command}" in said
    assert "2 to be restarted" in run("ansible-playbook", *command.split())
