# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which variables the playbook accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.variables import mistakes, mistakes_in_given

INVENTORY = Path(__file__).resolve().parents[3] / "plugins" / "inventory" / "kubeconfig.py"


def test_every_variable_that_the_inventory_plugin_sets_is_accepted():
    variables = re.findall(r'"(restartx_\w+)"', INVENTORY.read_text(encoding="utf-8"))
    assert "restartx_cluster_uid_seen" in variables
    assert mistakes(variables) == []


@pytest.mark.parametrize(
    "given", [["version", "name", "workloads"], ["name", "workloads", "defaults"], ["version", "workloads"]]
)
def test_a_plan_without_its_key_is_noticed_though_it_may_lack_something(given):
    (found,) = mistakes(["restart_plan", *given])
    assert "the plan was given without its key restart_plan" in found
    assert found.startswith(", ".join(name for name in ("version", "name", "defaults", "workloads") if name in given))


@pytest.mark.parametrize("name", ["restart_pln", "restart-plan", "Restart_Plan", "restartplan", "resart_plan"])
def test_a_plan_under_a_misspelt_name_is_noticed(name):
    assert mistakes(["restart_plan", name]) == [f'the variable {name} is unknown; did you mean "restart_plan"?']


@pytest.mark.parametrize(
    "names", [["restart_plan"], ["restart_plans"], ["restart_plan_eu"], ["workloads"], ["name", "version"], ["restart"]]
)
def test_what_a_plan_may_be_made_of_is_nobodys_mistake(names):
    assert mistakes(["restart_plan", *names]) == []


@pytest.mark.parametrize(
    "name, meant",
    [
        ("restartx_runs", "restartx_run"),
        ("restartx-run", "restartx_run"),
        ("RESTARTX_RUN", "restartx_run"),
        ("restartx_plan", "restart_plan"),
    ],
)
def test_a_variable_of_the_playbook_in_another_spelling_is_noticed(name, meant):
    assert mistakes(["restart_plan", name]) == [f'the variable {name} is unknown; did you mean "{meant}"?']


@pytest.mark.parametrize(
    "name, meant",
    [("namespaces", "namespace"), ("namespce", "namespace"), ("plans", "plan"), ("Plan", "plan"), ("runs", "run")],
)
def test_an_extra_variable_that_is_almost_one_of_the_playbook_is_noticed(name, meant):
    own = ["namespace", "plan", "run", "fail"]
    assert mistakes_in_given([name], own) == [f'the variable {name} is unknown; did you mean "{meant}"?']


def test_other_extra_variables_are_nobodys_mistake():
    given = ["namespace", "run", "ticket", "reason", "restartx_run", "restart_plan", "env", "awx_job_id", "kubeconfig"]
    assert mistakes_in_given(given, ["namespace", "plan", "run", "fail", "newest", "kind", "label_selectors"]) == []
