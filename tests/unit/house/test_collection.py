# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the parts of the collection owe each other: groups, routes, names for ad-hoc commands, examples, roles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
OURS = "restartx.core."


@pytest.fixture(scope="module")
def documented():
    """The documentation of each module by its short name, fragments included, as ansible-doc reads it."""
    command = [Path(sys.executable).with_name("ansible-doc"), "--json", *(OURS + module for module in MODULES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.removeprefix(OURS): entry for name, entry in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def cluster_facing(documented):
    """The modules that take connection options."""
    return {name for name, entry in documented.items() if "kubeconfig" in entry["doc"]["options"]}


def test_the_action_group_holds_the_modules_with_connection_options_and_no_others(cluster_facing):
    assert set(RUNTIME["action_groups"]["k8s"]) == cluster_facing


def test_modules_with_connection_options_and_no_others_go_through_the_one_action_plugin(cluster_facing):
    routed = {name for name, route in RUNTIME["plugin_routing"]["modules"].items() if "action_plugin" in route}
    targets = {route.get("action_plugin") for route in RUNTIME["plugin_routing"]["modules"].values()}
    assert routed == cluster_facing
    assert targets == {OURS + path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}


@pytest.mark.parametrize("folder", ["modules", "action"])
def test_modules_with_connection_options_have_a_name_for_ad_hoc_commands(cluster_facing, folder):
    links = list((ROOT / "adhoc" / folder).iterdir())
    assert {link.name for link in links} == {f"restartx.{name}.py" for name in cluster_facing}
    for link in links:
        module = link.name.removeprefix("restartx.") if folder == "modules" else "k8s_rollout_restart.py"
        assert link.resolve() == ROOT / "plugins" / folder / module
        assert not link.readlink().is_absolute()


def tasks_of(items: list[dict]):
    """All tasks of a list of tasks, blocks and plays."""
    for item in items:
        inner = [key for key in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always") if key in item]
        if not inner and "hosts" not in item:
            yield item
        for key in inner:
            yield from tasks_of(item[key])


@pytest.mark.parametrize("module", MODULES)
def test_examples_use_full_names_and_documented_options(documented, module):
    examples = [items for items in yaml.safe_load_all(documented[module]["examples"]) if items]
    tasks = [task for items in examples for task in tasks_of(items)]
    used = set()
    for task in tasks:
        names = [key for key in task if key.count(".") == 2]
        assert len(names) == 1, f"a task needs one module with its full name: {task}"
        if names[0].startswith(OURS):
            called = names[0].removeprefix(OURS)
            doc = documented[called]["doc"]["options"]
            options = set(doc) | {alias for option in doc.values() for alias in option.get("aliases", [])}
            unknown = set(task[names[0]] or {}) - options
            assert not unknown, f"{called} has no option {unknown}"
            used.add(called)
    assert module in used


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_readme_argument_specs_and_an_integration_target(role):
    folder = ROOT / "roles" / role
    assert (folder / "README.md").read_text().startswith("# ")
    assert "main" in yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    assert (ROOT / "tests" / "integration" / "targets" / role).is_dir()
