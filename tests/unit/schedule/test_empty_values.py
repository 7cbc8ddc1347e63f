# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An option of a plan that is given without a value is refused: each of them, with its path."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check, check_entries
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import ROOT, SCHEMA
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

COMPARE = {"prometheus": "a{pod=~'$canary'} / a{pod=~'$stable'}", "url": "http://prometheus", "max_ratio": 1.2}
BETWEEN = {"order": "age", "gates": "up", "leader": {"http": {"port": 8008}}, "snapshot": {"class": "csi"}}
PLAN = {
    "version": 1,
    "name": "rotate",
    "defaults": {"namespace": "shop"},
    "workloads": [
        {
            "id": "api",
            "name": "api",
            "only": {"started_before": "30d"},
            "exclude": {"name": "web"},
            "canary": {"hold": "2m", "compare": COMPARE},
        },
        {"id": "db", "kind": "StatefulSet", "name": "db", "between_pods": BETWEEN},
    ],
    "window": {"timezone": "UTC", "hours": "22:00-23:00"},
    "accept": [{"finding": "one_replica", "reason": "a cache"}],
    "gates": {"up": {"object": {"kind": "Service", "name": "api", "api_version": "v1"}, "that": "spec"}},
}
PLAN["defaults"]["gates"] = {"before": ["up"]}
EMPTY = ["", " ", "\t", None, [], [""], [" "], [None], {}, [[]], [{}], {"": ""}]
OPTIONS = [(section, name, option) for section, options in SCHEMA.items() for name, option in options.items()]
PATHS = {ROOT: ROOT, "defaults": f"{ROOT}.defaults", "workloads": f"{ROOT}.workloads[0]", "window": f"{ROOT}.window"}
PATHS["accept"] = f"{ROOT}.accept[0]"
PATHS |= {"asked": f"{ROOT}.defaults.gates", "gate": f"{ROOT}.gates.up", "object": f"{ROOT}.gates.up.object"}
PATHS |= {name: f"{ROOT}.workloads[0].{name}" for name in ("only", "exclude", "canary")}
PATHS["between_pods"] = f"{ROOT}.workloads[1].between_pods"
PATHS["leader"] = f"{ROOT}.workloads[1].between_pods.leader"
PATHS["snapshot"] = f"{ROOT}.workloads[1].between_pods.snapshot"
PATHS["leader_http"] = f"{ROOT}.workloads[1].between_pods.leader.http"
PATHS["compare"] = f"{ROOT}.workloads[0].canary.compare"


def place(plan, section):
    entry = plan["workloads"][0]
    outer = {ROOT: plan, "defaults": plan["defaults"], "workloads": entry, "window": plan["window"]}
    outer["accept"] = plan["accept"][0]
    gate = plan["gates"]["up"]
    outer |= {
        "asked": plan["defaults"]["gates"],
        "gate": gate,
        "object": gate["object"],
        "compare": entry["canary"]["compare"],
        "between_pods": plan["workloads"][1]["between_pods"],
        "leader": plan["workloads"][1]["between_pods"]["leader"],
        "snapshot": plan["workloads"][1]["between_pods"]["snapshot"],
        "leader_http": plan["workloads"][1]["between_pods"]["leader"]["http"],
    }
    return outer[section] if section in outer else entry[section]


def errors_of(ask, *arguments):
    with pytest.raises(PlanError) as failure:
        ask(*arguments)
    return failure.value.errors


@pytest.mark.parametrize("value", EMPTY, ids=repr)
@pytest.mark.parametrize("section, name, option", OPTIONS, ids=[f"{row[0]}.{row[1]}" for row in OPTIONS])
def test_no_option_of_a_plan_takes_an_empty_value(section, name, option, value):
    plan = copy.deepcopy(PLAN)
    place(plan, section)[name] = value
    errors = errors_of(check, plan)
    assert any(error.startswith(f"{PATHS[section]}.{name}") for error in errors), errors


LISTS = ("kinds", "names", "patterns", "namespaces", "selectors", "uses", "images", "ids", "days", "hours", "statuses")


@pytest.mark.parametrize("value", [["api", ""], ["api", None], ["api", " "], ["api", []], ["", "api"]], ids=repr)
@pytest.mark.parametrize(
    "section, name, option",
    [row for row in OPTIONS if row[2]["type"] in LISTS],
)
def test_nor_does_a_list_take_one_beside_others(section, name, option, value):
    plan = copy.deepcopy(PLAN)
    place(plan, section)[name] = value
    assert any(error.startswith(f"{PATHS[section]}.{name}: ") for error in errors_of(check, plan))


@pytest.mark.parametrize("value", EMPTY, ids=repr)
@pytest.mark.parametrize("name", SCHEMA["workloads"])
def test_the_same_holds_for_a_list_of_workloads_that_stands_alone(name, value):
    errors = errors_of(check_entries, [{"id": "api", "name": "api", name: value}], {"namespace": "shop"})
    assert any(error.startswith(f"workloads[0].{name}") for error in errors), errors


@pytest.mark.parametrize("value", EMPTY, ids=repr)
@pytest.mark.parametrize("name", SCHEMA["window"])
def test_and_for_a_window_that_stands_alone(name, value):
    errors = errors_of(Window.from_dict, {"timezone": "UTC", "hours": "22:00-23:00", name: value})
    assert any(error.startswith(f"window.{name}") for error in errors), errors
