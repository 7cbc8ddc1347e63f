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
TASKS = sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")])


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


def test_modules_that_are_told_their_controller_and_no_others_have_the_one_action_plugin(documented):
    told = {name for name, entry in documented.items() if "controller" in entry["doc"]["options"]}
    plugins = {path.stem: path for path in (ROOT / "plugins" / "action").glob("*.py")}
    assert set(plugins) == told
    # Documentation tools take a link for a redirection to the other module.
    assert not [path for path in plugins.values() if path.is_symlink()]
    others = [path.read_text() for name, path in plugins.items() if name != "k8s_rollout_restart"]
    assert all("class ActionModule(k8s_rollout_restart.ActionModule):" in text for text in others)


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


def unknown_options(given, doc: dict, path: str = "") -> list[str]:
    """The options in `given` that are not documented, suboptions included, each with its path."""
    if isinstance(given, list):
        return [name for item in given for name in unknown_options(item, doc, path)]
    if not isinstance(given, dict):
        return []  # a template, or no value at all
    options = {name: option for key, option in doc.items() for name in (key, *option.get("aliases", []))}
    unknown = [path + name for name in given if name not in options]
    for name in set(given) & set(options):
        inner = options[name].get("suboptions")
        unknown += unknown_options(given[name], inner, f"{path}{name}.") if inner else []
    return unknown


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
            unknown = unknown_options(task[names[0]], documented[called]["doc"]["options"])
            assert not unknown, f"{called} has no option {unknown}"
            used.add(called)
    assert module in used


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_roles_and_playbooks_give_modules_only_options_that_they_have(documented, path):
    for task in tasks_of(yaml.safe_load(path.read_text()) or []):
        for called in MODULES:
            unknown = unknown_options(task.get(OURS + called), documented[called]["doc"]["options"])
            assert not unknown, f"{task['name']}: {called} has no option {unknown}"


@pytest.mark.parametrize("path", TASKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_tasks_that_roles_and_playbooks_import_are_there(path):
    for task in tasks_of(yaml.safe_load(path.read_text()) or []):
        role, file = task.get("ansible.builtin.import_role"), task.get("ansible.builtin.import_tasks")
        if role:
            tasks = ROOT / "roles" / role["name"].removeprefix(OURS) / "tasks"
            assert (tasks / f"{role.get('tasks_from', 'main')}.yml").is_file(), task["name"]
        if file:
            assert path.with_name(file).is_file(), task["name"]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_readme_argument_specs_and_an_integration_target(role):
    folder = ROOT / "roles" / role
    assert (folder / "README.md").read_text().startswith("# ")
    assert "main" in yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    assert (ROOT / "tests" / "integration" / "targets" / role).is_dir()
