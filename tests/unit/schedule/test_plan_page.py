# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/plan.md and the JSON schema follow SCHEMA. To renew the page's table:

PYTHONPATH=.collections .venv/bin/python tests/unit/schedule/test_plan_page.py
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, check
from ansible_collections.restartx.core.plugins.module_utils.schedule.reference import json_schema, markdown_table
from ansible_collections.restartx.core.plugins.module_utils.schedule.schema import SCHEMA
from ansible_collections.restartx.core.plugins.module_utils.schedule.types import TYPES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "plan.md"
BEGIN, END = "<!-- options: begin -->\n", "<!-- options: end -->\n"


def with_table(page):
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{markdown_table()}\n{END}{after}"


def test_the_table_on_the_page_is_fresh():
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_table(page), __doc__


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("gates.md")], ids=lambda page: page.name)
def test_the_plan_on_the_page_is_a_good_one(page):
    example = yaml.safe_load(
        re.search(r"```yaml\n(restart_plan:.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    )
    assert check(example["restart_plan"]).name == "rotate-internal-ca"
    jsonschema.validate(example["restart_plan"], json_schema())


def places_of(name):
    """In how many places a section is; one in a section that is in several of them is there as often."""
    outer = [section for section, options in SCHEMA.items() for one in options.values() if one.get("of") == name]
    return sum(map(places_of, outer)) if outer else 1


def test_each_option_has_a_row_with_a_meaning():
    options = [option for section in SCHEMA.values() for option in section.values()]
    rows = markdown_table().splitlines()[2:]
    assert len(rows) == sum(len(section) * places_of(name) for name, section in SCHEMA.items())
    assert all(re.fullmatch(r"\| `[a-zA-Z_.\[\]]+` \| [^|]+ \| [^|]* \| [A-Z`][^|]+\. \|", row) for row in rows)
    assert all(option["type"] in TYPES or option["of"] in SCHEMA for option in options)


def test_each_option_of_an_entry_is_a_field_of_it():
    several = ("kind", "name", "name_pattern", "namespace", "service_account", "image")
    renamed = {option: f"{option}s" for option in several}
    assert {renamed.get(key, key) for key in SCHEMA["workloads"]} == {field.name for field in dataclasses.fields(Entry)}


def test_the_json_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


GOOD = {"version": 1, "name": "a", "workloads": [{"id": "a", "namespace": "b"}]}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"name": "Rotate CA"},
        {"workloads": []},
        {"workloads": [{"id": "a", "namespace": "b", "names": "a"}]},
        {"workloads": [{"namespace": "b"}]},
        {"defaults": {"max_parallel": 0}},
        {"defaults": {"on_failure": "retry"}},
        {"failure_budget": -1},
        {"window": {"days": "tue"}},
        {"window": {"timezone": "UTC", "hours": 1320}},
    ],
    ids=str,
)
def test_what_an_editor_marks_is_refused_here_too(change):
    jsonschema.validate(GOOD, json_schema())
    assert check(GOOD)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD, **change}, json_schema())
    with pytest.raises(PlanError):
        check({**GOOD, **change})


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
