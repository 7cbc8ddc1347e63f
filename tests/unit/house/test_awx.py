# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""examples/awx/configure.yml is what the modules of awx.awx take, and what the playbook and the project have."""

from __future__ import annotations

import copy
import datetime
import importlib
import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from dateutil.rrule import rrulestr
from jinja2 import Environment, meta

from ansible_collections.restartx.core.plugins.module_utils.schedule import plan
from tools import peers

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "awx"
OURS = "awx.awx."
SECRET = {"restarts_kubeconfig": "apiVersion: v1"}
# What AWX itself asks of a question of a survey.
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}
QUESTION = {
    "question_name",
    "question_description",
    "variable",
    "type",
    "required",
    "min",
    "max",
    "default",
    "choices",
    "new_question",
}


class Task(t.NamedTuple):
    """A task of configure.yml with its variables filled in."""

    name: str
    module: str  # without the collection
    given: dict  # its arguments
    hidden: bool  # no_log


class Caught(Exception):
    """Instead of a module's start: what it would have been started with."""


@pytest.fixture(scope="session")
def awx():
    """The package that holds the modules of awx.awx."""
    sys.path.append(str(peers.collections()))
    return "ansible_collections.awx.awx.plugins.modules"


@pytest.fixture
def argument_spec(awx, monkeypatch):
    """Gives the argument spec of a module, and its limits such as mutually_exclusive, as it hands them to Ansible."""

    def of(name):
        module = importlib.import_module(f"{awx}.{name}")

        def start(argument_spec, **limits):
            raise Caught(argument_spec, limits)

        common = module.ControllerAPIModule.AUTH_ARGSPEC
        monkeypatch.setattr(module, "ControllerAPIModule", start)
        with pytest.raises(Caught) as caught:
            module.main()
        monkeypatch.undo()
        spec, limits = caught.value.args
        documented = yaml.safe_load(module.DOCUMENTATION)["options"]
        return {**common, **{key: deepened(value, documented[key]) for key, value in spec.items()}}, limits

    return of


def deepened(spec, documented):
    """An option's spec with that of the options below it, which some modules of awx.awx document, but do not check."""
    below = documented.get("suboptions")
    if not below or "options" in spec:
        return spec
    kept = ("type", "elements", "required", "choices", "default", "aliases")
    inner = {
        name: deepened({key: option[key] for key in kept if key in option}, option) for name, option in below.items()
    }
    return {**spec, "options": inner}


@pytest.fixture(scope="module")
def tasks():
    """All tasks of configure.yml."""
    loader = DataLoader()
    (play,) = loader.load_from_file(str(FOLDER / "configure.yml"), trusted_as_template=True)
    variables = dict(SECRET)
    for path in play["vars_files"]:
        variables.update(loader.load_from_file(str(FOLDER / path), trusted_as_template=True))
    found = []
    for task in play["tasks"]:
        (module,) = [key for key in task if key.startswith(OURS)]
        templar = Templar(loader, variables={**variables, **task.get("vars", {})})
        given = templar.template(task[module])
        found.append(Task(task["name"], module.removeprefix(OURS), given, task.get("no_log", False)))
    return found


def arguments_of(tasks, module):
    return next(task.given for task in tasks if task.module == module)


def complaints(spec_and_limits, arguments):
    """What Ansible says about the arguments of a task."""
    spec, limits = spec_and_limits
    return ArgumentSpecValidator(spec, **limits).validate(arguments).error_messages


def test_every_task_is_what_its_module_takes(argument_spec, tasks):
    found = {task.name: complaints(argument_spec(task.module), task.given) for task in tasks}
    wrong = {name: words for name, words in found.items() if words}
    assert not wrong
    assert len(tasks) >= 9


def set_in(*path):
    def change(arguments, value):
        for key in path[:-1]:
            arguments = arguments[key]
        arguments[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "module, mistake, value, words",
    [
        ("job_template", set_in("playbok"), "restart.yml", "Supported parameters include"),
        ("job_template", set_in("job_type"), "try", "must be one of"),
        ("job_template", set_in("forks"), "many", "unable to convert"),
        ("job_template", set_in("name"), None, "missing required arguments"),
        ("workflow_job_template", set_in("workflow_nodes", 0, "job_typ"), "check", "Supported parameters include"),
        (
            "workflow_job_template",
            set_in("workflow_nodes", 1, "related", "succes_nodes"),
            [],
            "Supported parameters include",
        ),
        ("workflow_job_template", set_in("workflow_nodes", 1, "unified_job_template", "timeout"), "1h", "unable to"),
    ],
)
def test_a_mistake_in_a_task_is_noticed(argument_spec, tasks, module, mistake, value, words):
    arguments = copy.deepcopy(arguments_of(tasks, module))
    mistake(arguments, value)
    assert words in " ".join(complaints(argument_spec(module), {k: v for k, v in arguments.items() if v is not None}))


def test_secrets_are_not_printed_and_come_from_outside(tasks):
    secret = [task for task in tasks if SECRET["restarts_kubeconfig"] in str(task.given)]
    assert [(task.name, task.hidden) for task in secret] == [("Credential", True)]
    assert not SECRET.keys() & yaml.safe_load((FOLDER / "settings.yml").read_text()).keys()


def test_the_credential_type_injects_what_its_input_holds(tasks):
    given = arguments_of(tasks, "credential_type")
    fields = {field["id"] for field in given["inputs"]["fields"]}
    (template,) = given["injectors"]["file"]
    assert set(given["inputs"]["required"]) <= fields
    assert used(given["injectors"]["file"][template]) <= fields
    assert template.partition(".")[::2] == ("template", "kubeconfig")
    assert given["injectors"]["env"] == {"KUBECONFIG": "{{ tower.filename.kubeconfig }}"}
    assert set(arguments_of(tasks, "credential")["inputs"]) == fields
    assert all(field["secret"] for field in given["inputs"]["fields"])


def used(text):
    """The variables that a template reads."""
    return meta.find_undeclared_variables(Environment(autoescape=False).parse(text))


def asked(tasks, module):
    return arguments_of(tasks, module)["survey_spec"]["spec"]


def variables_of(playbook):
    """The variables that a playbook of the collection reads."""
    plays = yaml.safe_load((ROOT / "playbooks" / playbook).read_text())
    texts = [str(value) for play in plays for value in play.get("vars", {}).values()]
    # Their filters are Ansible's, which Jinja would not know.
    return set(re.findall(r"\b[a-z_]+\b", " ".join(texts)))


PLAYBOOKS = {
    "restart.yml": "restart_prod.yml",
    "runs.yml": "runs.yml",
    "status.yml": "status.yml",
    "undo_run.yml": "undo_run.yml",
    "leftovers.yml": "leftovers.yml",
    "pre_pull.yml": "pre_pull.yml",
}


@pytest.mark.parametrize("file", PLAYBOOKS)
def test_a_playbook_of_the_project_has_a_job_template_whose_survey_asks_for_what_it_reads(tasks, file):
    (one,) = [task.given for task in tasks if task.module == "job_template" and task.given["playbook"] == file]
    text = yaml.safe_load((ROOT / "examples" / "project" / file).read_text())[0]
    assert text["ansible.builtin.import_playbook"] == f"restartx.core.{PLAYBOOKS[file].removesuffix('.yml')}"
    given = {question["variable"] for question in one["survey_spec"]["spec"]} | set(one["extra_vars"])
    assert given <= variables_of(PLAYBOOKS[file])


def test_the_undo_of_a_run_is_a_check_by_default(tasks):
    (undo,) = [task.given for task in tasks if task.given.get("playbook") == "undo_run.yml"]
    assert (undo["job_type"], undo["ask_job_type_on_launch"]) == ("check", True)
    assert "run" in [question["variable"] for question in undo["survey_spec"]["spec"] if question["required"]]


@pytest.mark.parametrize("module", ["job_template", "workflow_job_template"])
def test_the_survey_asks_for_variables_that_the_playbook_reads(tasks, module):
    read = variables_of("restart_prod.yml")
    assert {question["variable"] for question in asked(tasks, module)} <= read
    surveys = [task.given.get("survey_spec", {}).get("spec", []) for task in tasks if task.module == module]
    for question in [question for survey in surveys for question in survey]:
        assert {"question_name", "variable", "type", "required"} <= set(question) <= QUESTION
        assert question["type"] in TYPES
        assert ("choices" in question) == (question["type"] in ("multiplechoice", "multiselect"))
        assert question["default"] in question.get("choices", [question["default"]])


def test_what_templates_schedules_and_nodes_set_is_read_by_the_playbook_or_asked_for(tasks):
    text = (ROOT / "playbooks" / "restart_prod.yml").read_text()
    assert all(re.search(rf"\b{name}\b", text) for name in arguments_of(tasks, "job_template")["extra_vars"])
    schedule = arguments_of(tasks, "schedule")["extra_data"]
    questions = asked(tasks, "job_template")
    # AWX takes no other variable from a schedule, and none without an answer to what is required.
    assert set(schedule) <= {question["variable"] for question in questions}
    assert {question["variable"] for question in questions if question["required"]} <= set(schedule)


def test_the_schedule_begins_with_a_window_of_the_plan(tasks):
    rrule = arguments_of(tasks, "schedule")["rrule"]
    rule = rrulestr(rrule.replace(" RRULE", "\nRRULE"))
    wanted = yaml.safe_load((ROOT / "examples/project/inventory/group_vars/clusters.yml").read_text())["restart_plan"]
    window = plan.check(wanted).window
    starts = [start for start, _number in zip(rule, range(24), strict=False)]
    months = {(start.year, start.month) for start in starts}
    assert len(months) == 24
    for start in starts:
        before = start - datetime.timedelta(minutes=1)
        assert window.is_open(start) and not window.is_open(before), start


def test_names_that_tasks_refer_to_are_made_by_earlier_ones(tasks):
    made = {task.module: set() for task in tasks}
    for task in tasks:
        made[task.module].add(task.given["name"])
    project = ROOT / "examples" / "project"
    for template in (task.given for task in tasks if task.module == "job_template"):
        assert template["project"] in made["project"]
        assert template["inventory"] in made["inventory"]
        assert set(template["credentials"]) <= made["credential"]
        assert template["execution_environment"] in made["execution_environment"]
        assert (project / template["playbook"]).is_file()
    assert arguments_of(tasks, "credential")["credential_type"] in made["credential_type"]
    assert arguments_of(tasks, "schedule")["unified_job_template"] in made["job_template"]
    assert (project / arguments_of(tasks, "inventory_source")["source_path"]).is_file()


def test_the_workflow_checks_asks_and_then_restarts(tasks):
    workflow = arguments_of(tasks, "workflow_job_template")
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    order = ["check"]
    while successors := nodes[order[-1]].get("related", {}).get("success_nodes"):
        order += [successor["identifier"] for successor in successors]
    assert order == list(nodes) == ["check", "approve", "restart"]
    assert nodes["check"]["job_type"] == "check"
    assert arguments_of(tasks, "job_template")["ask_job_type_on_launch"]
    assert nodes["approve"]["unified_job_template"]["type"] == "workflow_approval"
    assert "job_type" not in nodes["restart"]
    assert {nodes[name]["unified_job_template"]["name"] for name in ("check", "restart")} == {"Restart"}
