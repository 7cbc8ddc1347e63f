# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan that the variables of the playbook `restart` make."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.fleet.selected import KNOWN, SelectionError, plan_of
from ansible_collections.restartx.core.plugins.module_utils.schedule import plan
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT

OTHERS = {
    "inventory_hostname": "eu-west",
    "ansible_connection": "local",
    "ticket": "CHG1",
    "plan": "x",
    "image_tag": "7",
}


def test_every_option_comes_to_its_place_and_the_plan_is_a_good_one():
    given = {
        "namespace": "shop",
        "names": ["api", "web"],
        "label_selectors": "tier=web",
        "timeout": "2m",
        "max_parallel": 2,
        "on_failure": "undo",
        "failure_budget": 1,
        "window": {"hours": "22:00-23:00", "timezone": "UTC"},
    }
    made = plan_of({**OTHERS, **given})
    name = made.pop("name")
    assert made == {
        "version": 1,
        "window": given["window"],
        "failure_budget": 1,
        "defaults": {"max_parallel": 2, "on_failure": "undo"},
        "workloads": [
            {
                "id": "selected",
                "name": ["api", "web"],
                "namespace": "shop",
                "label_selectors": "tier=web",
                "timeout": "2m",
            }
        ],
    }
    checked = plan.check({**made, "name": name})
    assert checked.entries[0].names == ("api", "web") and checked.max_parallel == 2


def test_the_same_selection_is_the_same_plan_whatever_else_is_given():
    selection = {"namespace": "shop", "label_selectors": "tier=web"}
    name = plan_of(selection)["name"]
    limits = {"max_parallel": 3, "timeout": "2h", "settle": "5s", "grace": "1s", "failure_budget": 1, "logs": False}
    assert plan_of({**OTHERS, **selection, **limits})["name"] == name
    assert plan_of({**selection, "label_selectors": "tier=db"})["name"] != name


@pytest.mark.parametrize("value", ["", " ", None, [], {}])
@pytest.mark.parametrize("name", KNOWN)
def test_an_option_without_a_value_never_means_everything(name, value):
    with pytest.raises(SelectionError, match=f"^{name}: has no value"):
        plan_of({"namespace": "shop", name: value})


@pytest.mark.parametrize(
    "given, meant",
    [
        ("namespaces", "namespace"),
        ("Namespace", "namespace"),
        ("label_selector", "label_selectors"),
        ("label-selectors", "label_selectors"),
        ("kinds", "kind"),
        ("windows", "window"),
    ],
)
def test_a_variable_that_is_nearly_an_option_is_refused(given, meant):
    with pytest.raises(SelectionError, match=f"the variable {given} is unknown; did you mean {meant}"):
        plan_of({"namespace": "shop", given: "x"})


@pytest.mark.parametrize("variables", [{}, OTHERS, {"label_selectors": "tier=web"}, {"names": "api"}])
def test_without_a_namespace_nothing_is_selected(variables):
    with pytest.raises(SelectionError, match="namespace is missing"):
        plan_of(variables)


def test_a_plan_in_the_inventory_is_left_alone():
    assert ROOT not in plan_of({"namespace": "shop", ROOT: {"name": "other"}})
