# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible prints with the callback: tables for our results, and for everything else what it prints without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TABLE = "restartx.core.table"
ROW = {
    "kind": "Deployment",
    "namespace": "shop",
    "name": "api",
    "outcome": "rolled_out",
    "pods": {"new": 2, "available": 2, "total": 3},
    "cause": None,
    "message": "words",
}
# A module that returns what it is given, without a cluster.
MODULE = """\
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"result": {"type": "dict"}}, supports_check_mode=True)
module.exit_json(**module.params["result"])
"""
RESULT = {"results": [ROW], "cluster": {"context": "eu-west"}, "summary": {"rolled_out": 1}}


@pytest.fixture
def say(tmp_path):
    """Runs a command of Ansible with a callback for stdout; returns what it printed."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "report.py").write_text(MODULE)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env = {
        **clean,
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_LIBRARY": str(tmp_path / "library"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }

    def run(*command, callback=TABLE, **more):
        program = Path(sys.executable).with_name(command[0])
        settings = {**env, **({"ANSIBLE_STDOUT_CALLBACK": callback} if callback else {}), **more}
        done = subprocess.run(
            [program, *command[1:]], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    return run


def ad_hoc(result, *more):
    return ["ansible", "localhost", "-m", "report", "-a", json.dumps({"result": result}), *more]


def playbook(tmp_path, *tasks):
    tasks = [{"name": "Look", "report": {"result": RESULT}, **task} for task in tasks or [{}]]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return ["ansible-playbook", "play.yml"]


@pytest.mark.parametrize("columns", [80, 180])
def test_an_ad_hoc_command_prints_a_table_as_wide_as_the_terminal(say, columns):
    failed = {**ROW, "outcome": "failed", "message": "m" * 300}
    said = say(*ad_hoc({**RESULT, "results": [ROW, failed]}), COLUMNS=str(columns))
    head, _arrow, body = said.partition(" => ")
    assert head == "localhost | SUCCESS"
    heading, first, second = body.splitlines()[1:4]
    assert heading.split() == ["KIND", "NAMESPACE/NAME", "OUTCOME", "NEW", "READY", "CAUSE"]
    assert first.split() == ["Deployment", "shop/api", "rolled_out", "2", "2/3"]
    assert len(second) == columns
    assert "eu-west: 1 rolled out, 1 failed" in body


@pytest.mark.parametrize("result, how", [({"pong": 1}, []), (RESULT, ["-v"])])
def test_other_results_and_whole_results_are_printed_as_without_it(say, result, how):
    command = ad_hoc(result, *how)
    assert say(*command) == say(*command, callback=None)


def test_a_playbook_shows_the_table_of_a_task_that_does_not_register_its_result_or_that_fails(say, tmp_path):
    failing = {"register": "seen", "failed_when": True}
    said = say(*playbook(tmp_path, {}, failing))
    assert "ok: [localhost] => \nKIND" in said
    assert "fatal: [localhost]: FAILED! => \nKIND" in said
    assert said.count("shop/api") == 2


def test_other_tasks_are_printed_as_without_it(say, tmp_path):
    others = [{"register": "seen"}, {"no_log": True}, {"loop": [1, 2], "register": "seen"}]
    command = playbook(tmp_path, *others)
    assert say(*command) == say(*command, callback=None)
