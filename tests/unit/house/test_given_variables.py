# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the playbooks make of their variables: 0 and false are values, null is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
# By playbook: the variables of the role, and those of users.
NAMES = {
    "restart_prod": {
        "ticket": "ticket",
        "run_id": "restartx_run",
        "period": "restartx_period",
        "resume_within": "restartx_resume_within",
        "timeout": "restartx_window_timeout",
    },
    "runs": {"only_plan": "plan", "newest": "newest"},
    "status": {"namespace": "namespace", "kind": "kind", "label_selectors": "label_selectors", "fail": "fail"},
    "undo_run": {"run_id": "run", "only_plan": "plan"},
    "leftovers": {"run_id": "run", "only_plan": "plan", "repair": "repair"},
}
ROLE = "multi_cluster_restart_"
ALL = [f"{playbook}.{name}" for playbook, names in NAMES.items() for name in names]


def taken(folder, given):
    """The variables of the role as the playbooks fill them in."""
    shown = {}
    for playbook, names in NAMES.items():
        plays = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
        asked = next(
            play["vars"] for play in plays if names.keys() <= {name.removeprefix(ROLE) for name in play.get("vars", ())}
        )
        shown |= {f"{playbook}.{name}": asked[f"{ROLE}{name}"] for name in names}
    command = [Path(sys.executable).with_name("ansible"), "localhost", "-m", "ansible.builtin.debug", "-a", "var=shown"]
    variables = [json.dumps(given), json.dumps({"shown": shown})]
    env = {**os.environ, "ANSIBLE_HOME": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
    command += [part for text in variables for part in ("-e", text)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.partition(" => ")[2])["shown"]


@pytest.mark.parametrize("value", [0, False, None, 4711, "4711", ""])
def test_numbers_and_booleans_are_given_as_they_are(tmp_path, value):
    given = dict.fromkeys((variable for names in NAMES.values() for variable in names.values()), value)
    assert taken(tmp_path, given) == dict.fromkeys(ALL, value)


def test_what_is_not_given_is_empty(tmp_path):
    assert taken(tmp_path, {}) == dict.fromkeys(ALL, "")
