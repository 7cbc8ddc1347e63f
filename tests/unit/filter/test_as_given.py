# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of -e reason="certificates renewed" Ansible takes the first word only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.restartx.core.plugins.filter.as_given import whole

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "value, arguments, given",
    [
        ("certificates", ["ticket=CHG1", "reason=certificates renewed"], "certificates renewed"),
        ("certificates", ["reason=certificates renewed", "operator=Jane Doe"], "certificates renewed"),
        ("certificates", ["reason=certificates renewed ticket=CHG1"], "certificates renewed"),
        ("certificates", ["reason=certificates"], "certificates"),
        ("new", ["reason=old one", "reason=new one"], "new one"),
        ("certificates renewed", ["reason='certificates renewed'"], "certificates renewed"),
        ("certificates renewed", ['{"reason": "certificates renewed"}'], "certificates renewed"),
        ("certificates", ["@vars.yml"], "certificates"),
        ("certificates", ["ticket=CHG1 reason=certificates"], "certificates"),
        ("certificates", ["ticket=CHG1 reason=certificates renewed"], "certificates renewed"),
        ("certificates", ["ticket=CHG1 reason=certificates renewed operator=Jane"], "certificates renewed"),
        ("certificates renewed", ["ticket=CHG1 reason='certificates renewed'"], "certificates renewed"),
        ("certificates", ["no_reason=certificates renewed"], "certificates"),
        ("", ["reason="], ""),
        ("certificates", [], "certificates"),
    ],
)
def test_all_words_of_the_command_line_are_returned(value, arguments, given):
    assert whole(value, "reason", arguments) == given


def test_ansible_hands_the_command_line_to_the_filter(tmp_path):
    command = [Path(sys.executable).with_name("ansible"), "localhost", "-m", "ansible.builtin.debug"]
    command += ["-a", "msg={{ reason | restartx.core.as_given('reason') }}", "-e", "reason=certificates renewed"]
    env = {**os.environ, "ANSIBLE_HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.partition(" => ")[2])["msg"] == "certificates renewed"
