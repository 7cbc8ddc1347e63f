# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action plugin, run by a real ansible-playbook around a module that tells what it was given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

PLUGIN = Path(__file__).parents[3] / "plugins" / "action" / "k8s_rollout_restart.py"

MODULE = """\
#!/usr/bin/python
# WANT_JSON: Ansible then hands the arguments over in a file
import json, os, sys
arguments = json.load(open(sys.argv[1]))
seen = {name: value for name, value in arguments.items() if not name.startswith("_ansible")}
path = seen.get("kubeconfig")
paths = path.split(":") if isinstance(path, str) else []
content = "|".join(open(each).read() for each in paths if os.path.exists(each)) or None
print(json.dumps({"changed": False, "seen": seen, "content": content}))
"""

# A connection that does what local does, and is none for the action plugin.
CONNECTION = """\
DOCUMENTATION = "{name: elsewhere, short_description: local by another name, description: [For tests.], options: {}}"
from ansible.plugins.connection.local import Connection as Local
class Connection(Local):
    transport = "elsewhere"
"""

TASKS = {
    "beside the playbook": {"kubeconfig": "plain.yml"},
    "encrypted": {"kubeconfig": "secret.yml"},
    "in the current folder": {"kubeconfig": "here.yml"},
    "absolute": {"kubeconfig": "{{ playbook_dir }}/files/plain.yml"},
    "missing": {"kubeconfig": "no-such.yml"},
    "joined": {"kubeconfig": "plain.yml:no-such.yml::here.yml"},
    "joined, all missing": {"kubeconfig": "no-such.yml:nor-this.yml"},
    "joined, encrypted": {"kubeconfig": "secret.yml:plain.yml:sub/secret.yml"},
    "joined, encrypted, async": {"kubeconfig": "plain.yml:secret.yml:sub/secret.yml"},
    "encrypted, with relative paths": {"kubeconfig": "sub/relative.yml"},
    "data": {"kubeconfig": {"apiVersion": "v1"}},
    "none": {},
    "named controller": {"controller": "1:2"},
    "content": {"kubeconfig": '{"apiVersion": "v1"}\n'},
    "encrypted, async": {"kubeconfig": "secret.yml"},
    "async": {"kubeconfig": "plain.yml"},
    "remote": {"kubeconfig": "plain.yml"},
}


ENCRYPTED = ("encrypted", "joined, encrypted", "encrypted, with relative paths")
RELATIVE = {
    "current-context": "one",
    "clusters": [{"name": "c", "cluster": {"server": "https://c", "certificate-authority": "pki/ca.crt"}}],
    "users": [
        {"name": "u", "user": {"client-certificate": "u.crt", "client-key": "/abs/u.key", "tokenFile": "../token"}},
        {"name": "v", "user": {"exec": {"apiVersion": "v1", "command": "./bin/login"}}},
        {"name": "w", "user": {"exec": {"apiVersion": "v1", "command": "aws"}}},
        {"name": "x", "user": None},
    ],
    "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
}


def encrypted(text):
    return VaultLib().encrypt(text, VaultSecret(b"open sesame")).decode()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """(what each task returned, pid and start time of ansible-playbook, the playbook's folder)."""
    folder = tmp_path_factory.mktemp("play")
    project, current = folder / "project", folder / "current"
    files = {
        project / "library" / "echo.py": MODULE,
        project / "connection_plugins" / "elsewhere.py": CONNECTION,
        project / "files" / "plain.yml": "plain",
        project / "files" / "secret.yml": encrypted("decrypted"),
        project / "files" / "sub" / "secret.yml": encrypted("decrypted too"),
        project / "files" / "sub" / "relative.yml": encrypted(yaml.safe_dump(RELATIVE)),
        current / "here.yml": "here",
        current / "password": "open sesame",
    }
    tasks = [{"echo": arguments, "register": f"task_{number}"} for number, arguments in enumerate(TASKS.values())]
    for name, task in zip(TASKS, tasks, strict=True):
        task["ignore_errors"] = True
        task |= {"async": 30, "poll": 1} if "async" in name else {}
        task |= {"vars": {"ansible_connection": "elsewhere"}} if name == "remote" else {}
    results = "{{{{ [{}] | to_json }}}}".format(", ".join(task["register"] for task in tasks))
    for number, name in enumerate(TASKS):  # before the end of Ansible, which would remove them anyway
        if name in ENCRYPTED:
            existing = (
                f"task_{number}.seen.kubeconfig.split(':') | select('search', 'ansible-local') | select('exists')"
            )
            left_over = f"{{{{ task_{number} | combine({{'left_over': {existing} | list}}) }}}}"
            tasks.append({"ansible.builtin.set_fact": {f"task_{number}": left_over}})
    tasks.append({"ansible.builtin.copy": {"dest": str(folder / "results"), "content": results, "mode": "600"}})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": sys.executable}
    files[project / "play.yml"] = json.dumps([play])
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project / "action_plugins").mkdir()
    (project / "action_plugins" / "echo.py").symlink_to(PLUGIN)

    command = [Path(sys.executable).with_name("ansible-playbook"), project / "play.yml"]
    found = PLUGIN.parents[2] / ".collections"
    own = {
        "COLLECTIONS_PATH": found,
        "VAULT_PASSWORD_FILE": current / "password",
        "HOME": folder,
        "ASYNC_DIR": folder / "async",
    }
    environment = {**os.environ, **{f"ANSIBLE_{name}": str(path) for name, path in own.items()}}
    with subprocess.Popen(
        command, cwd=current, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as ansible:
        stat = Path(f"/proc/{ansible.pid}/stat").read_text()
        process = f"{ansible.pid}:{stat.rpartition(')')[2].split()[19]}"
        output, _nothing = ansible.communicate()
    assert ansible.returncode == 0, output
    returned = dict(zip(TASKS, json.loads((folder / "results").read_text()), strict=True))
    return returned, process, project


@pytest.mark.parametrize(
    ("name", "content"),
    [("beside the playbook", "plain"), ("absolute", "plain"), ("in the current folder", "here"), ("async", "plain")],
)
def test_a_kubeconfig_is_found_where_ansible_looks_for_files_and_last_in_the_current_folder(played, name, content):
    assert played[0][name]["content"] == content
    assert os.path.isabs(played[0][name]["seen"]["kubeconfig"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("encrypted", "decrypted"), ("joined, encrypted", "decrypted|plain|decrypted too")],
)
def test_encrypted_kubeconfigs_are_decrypted_only_while_the_module_runs(played, name, content):
    assert played[0][name]["content"] == content
    assert played[0][name]["left_over"] == []


def test_what_an_encrypted_kubeconfig_names_is_still_found_beside_it(played):
    returned, _process, project = played
    folder = project / "files" / "sub"
    content = yaml.safe_load(returned["encrypted, with relative paths"]["content"])
    assert content["clusters"][0]["cluster"]["certificate-authority"] == str(folder / "pki" / "ca.crt")
    assert [entry["user"] for entry in content["users"]] == [
        {
            "client-certificate": str(folder / "u.crt"),
            "client-key": "/abs/u.key",
            "tokenFile": f"{folder}/../token",
        },
        {"exec": {"apiVersion": "v1", "command": f"{folder}/./bin/login"}},
        {"exec": {"apiVersion": "v1", "command": "aws"}},
        None,
    ]
    assert content["current-context"] == "one" and content["contexts"] == RELATIVE["contexts"]


@pytest.mark.parametrize("name", ["encrypted, async", "joined, encrypted, async"])
def test_an_encrypted_kubeconfig_of_an_async_task_is_refused_with_a_way_out(played, name):
    returned, _process, project = played
    assert returned[name]["failed"]
    assert f"{project / 'files' / 'secret.yml'} " in returned[name]["msg"]
    assert "from_yaml" in returned[name]["msg"]


def test_of_several_kubeconfigs_those_that_are_missing_are_left_out(played):
    returned, _process, project = played
    paths = [project / "files" / "plain.yml", project.parent / "current" / "here.yml"]
    assert returned["joined"]["seen"]["kubeconfig"] == ":".join(map(str, paths))


def test_when_all_of_several_are_missing_every_place_is_named(played):
    returned, _process, project = played
    assert returned["joined, all missing"]["failed"]
    for name in ("no-such.yml", "nor-this.yml"):
        for place in (project / "files" / name, project.parent / "current" / name):
            assert str(place) in returned["joined, all missing"]["msg"]


def test_a_missing_kubeconfig_is_named_with_every_place_it_was_looked_for(played):
    returned, _process, project = played
    assert returned["missing"]["failed"]
    for place in (project / "files" / "no-such.yml", project.parent / "current" / "no-such.yml"):
        assert str(place) in returned["missing"]["msg"]


@pytest.mark.parametrize("name", ["data", "content", "remote"])
def test_other_kubeconfigs_are_passed_on_as_they_are(played, name):
    assert played[0][name]["seen"]["kubeconfig"] == TASKS[name]["kubeconfig"]


@pytest.mark.parametrize("name", ["beside the playbook", "data", "none"])
def test_the_module_is_told_which_ansible_process_it_works_for(played, name):
    assert played[0][name]["seen"]["controller"] == played[1]


@pytest.mark.parametrize("name", ["async", "remote"])
def test_a_module_that_outlives_ansible_or_runs_elsewhere_is_told_of_no_process(played, name):
    assert "controller" not in played[0][name]["seen"]


def test_a_process_named_by_the_user_is_kept(played):
    assert played[0]["named controller"]["seen"]["controller"] == "1:2"
