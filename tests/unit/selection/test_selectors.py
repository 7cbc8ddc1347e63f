# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conditions on workloads are understood, or refused before anything is asked of a cluster."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.selection import selectors
from tests.unit.rollout.objects import workload

THING = workload(labels={"tier": "web"}, annotations={"zero": ""}, spec={"replicas": 0})


@pytest.mark.parametrize(
    "expression, selected",
    [
        ("metadata.name == 'api'", True),
        ("metadata.name == 'web'", False),
        ("metadata.labels.tier == 'web' && spec.replicas < `1`", True),
        ("spec.replicas", True),  # 0 is true in JMESPath
        ("metadata.annotations.zero", False),
        ("metadata.labels.missing", False),
        ("`[]`", False),
        ("`{}`", False),
        ("`0.0`", True),
        ("spec.template.spec.containers[?name=='app']", True),
        ("spec.template.spec.containers[?name=='none']", False),
        ("starts_with(metadata.name, 'ap')", True),
        ("length(spec.template.spec.containers) == `1`", True),
        ("not_null(spec.nothing, metadata.name)", True),
        ("contains(keys(metadata.labels), 'tier')", True),
        ("sort_by(spec.template.spec.containers, &name)", True),
    ],
)
def test_select_holds_for_true_what_jmespath_does(expression, selected):
    assert selectors.compile_select(expression)(THING) is selected


@pytest.mark.parametrize(
    "expression, message",
    [
        ("", 'select: "" is not a JMESPath expression'),
        ("  ", 'select: "  " is not a JMESPath expression'),
        ("foo(", 'select: "foo(" is not a JMESPath expression: it ends too early (position 4)'),
        ("a b", 'select: "a b" is not a JMESPath expression: unexpected "b" at position 2'),
        ("a == == b", 'select: "a == == b" is not a JMESPath expression: unexpected "==" at position 5'),
        ("a ~ b", 'select: "a ~ b" is not a JMESPath expression: unexpected "~" at position 2'),
        ("a == 'b", 'select: "a == \'b" is not a JMESPath expression: unexpected "\'b" at position 5'),
        ("nope(@)", 'select: "nope(@)" calls nope(), which JMESPath does not have'),
        ("a[?nope(@)].b | [0]", 'select: "a[?nope(@)].b | [0]" calls nope(), which JMESPath does not have'),
        ("length(a, b)", 'select: "length(a, b)" gives length() 2 arguments; it takes 1'),
        ("contains(a)", 'select: "contains(a)" gives contains() 1 arguments; it takes 2'),
        ("not_null()", 'select: "not_null()" gives not_null() 0 arguments; it takes at least 1'),
    ],
)
def test_a_wrong_select_is_refused_when_it_is_read(expression, message):
    with pytest.raises(RolloutError) as error:
        selectors.compile_select(expression)
    assert str(error.value) == message


def test_a_select_that_does_not_fit_an_object_names_the_object():
    selects = selectors.compile_select("contains(spec.replicas, 'x')")
    with pytest.raises(RolloutError) as error:
        selects(THING)
    head = 'select: "contains(spec.replicas, \'x\')" cannot be evaluated on deployment "api" in namespace "shop": '
    assert str(error.value).startswith(head)
    assert "\n" not in str(error.value)


def test_select_without_jmespath_says_what_to_install(monkeypatch):
    monkeypatch.setattr(selectors, "jmespath", None)
    with pytest.raises(RolloutError, match="needs the Python package jmespath"):
        selectors.compile_select("a")


@pytest.mark.parametrize(
    "text",
    [
        "app=web",
        "app==web",
        "app!=web",
        "app",
        "!app",
        "app=",
        "example.com/tier=web,app in (a,b),!canary",
        "app in (a, b)",
        "app notin ( a )",
        "app in (a,)",
        "x>5,y<10",
        " app = web , tier = db ",
        "a=" + "x" * 63,
        "x" * 63,
    ],
)
def test_label_selectors(text):
    selectors.check_label_selector(text)


@pytest.mark.parametrize(
    "text, at",
    [
        ("", ""),
        ("app=web,", ""),
        ("app=web,,tier=db", ""),
        ("=web", "=web"),
        ("app=a=b", "app=a=b"),
        ("app=a b", "app=a b"),
        ("app in a", "app in a"),
        ("app in (a", "app in (a"),
        ("app within (a)", "app within (a)"),
        ("app=web,!", "!"),
        ("Example.COM/app=x", "Example.COM/app=x"),
        ("app=-x", "app=-x"),
        ("a=" + "x" * 64, "a=" + "x" * 64),
        ("x" * 64, "x" * 64),
        ("replicas>many", "replicas>many"),
        ("app;rm", "app;rm"),
    ],
)
def test_broken_label_selectors_are_refused(text, at):
    with pytest.raises(RolloutError) as error:
        selectors.check_label_selector(text)
    assert str(error.value) == (
        f'label_selectors: "{text}" is not a valid selector at "{at}"; '
        f"write it like app=web, tier!=db, tier in (web,api), canary or !canary"
    )


@pytest.mark.parametrize("text", ["metadata.name=api", "metadata.name!=api,metadata.namespace==shop", "metadata.name="])
def test_field_selectors(text):
    selectors.check_field_selector(text)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", '"" is not a valid selector; write it like metadata.name!=api'),
        ("metadata.name", '"metadata.name" is not a valid selector; write it like metadata.name!=api'),
        ("metadata.name=a=b", '"metadata.name=a=b" is not a valid selector; write it like metadata.name!=api'),
        ("metadata.name=a,", '"metadata.name=a," is not a valid selector; write it like metadata.name!=api'),
        (
            "status.replicas=3",
            'workloads cannot be selected by "status.replicas", only by metadata.name and metadata.namespace; '
            "use select for everything else",
        ),
    ],
)
def test_broken_field_selectors_are_refused(text, message):
    with pytest.raises(RolloutError) as error:
        selectors.check_field_selector(text)
    assert str(error.value) == f"field_selectors: {message}"
