# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An unknown option, and one that is given without a value, is refused: of each module, before anything is asked."""

from __future__ import annotations

import importlib
import json
import signal
from pathlib import Path
from unittest import mock

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.cluster import connect
from ansible_collections.restartx.core.plugins.module_utils.verbs import given

ROOT = Path(__file__).parents[3]
MODULES = "ansible_collections.restartx.core.plugins.modules"
PLAN = {"version": 1, "name": "ca", "workloads": [{"id": "core", "namespace": "shop", "name": "cart"}]}
WINDOW = {"timezone": "UTC", "hours": "22:00-23:00"}
JOURNAL = {"clusters": ["eu"]}
BESIDE = {
    ("k8s_rollout_restart", "journal"): JOURNAL,
    ("k8s_rollout_undo", "journal"): {"plan": "ca"},
    ("k8s_rollout_leftovers", "other_runs"): {"plan": "ca", "run": "r1"},
}  # within an option
# What each module is given beside the option that is empty.
ARGUMENTS = {
    "k8s_rollout_access": {"namespace": "shop"},
    "k8s_rollout_history": {"namespace": "shop"},
    "k8s_rollout_journal": {"plan": "ca"},
    "k8s_rollout_gate": {"tcp": "db:5432"},
    "k8s_rollout_leftovers": {"plan": "ca"},
    "k8s_rollout_lock": {"plan": "ca"},
    "k8s_rollout_pause": {"namespace": "shop", "state": "paused"},
    "k8s_rollout_plan": {"plan": PLAN},
    "k8s_rollout_pre_pull": {"namespace": "shop"},
    "k8s_rollout_preflight": {"namespace": "shop"},
    "k8s_rollout_restart": {"namespace": "shop"},
    "k8s_rollout_status": {"namespace": "shop"},
    "k8s_rollout_undo": {"namespace": "shop"},
    "maintenance_window": {"window": WINDOW},
}
EMPTY = ["", " ", "\t", None, [], [""], [" "], [None], {}]
HALF_EMPTY = ["api,", ",api", "api,,web", "api, ,web", ["api", ""], ["api", None], ["api", " "], ["api", []]]


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """A module has its process for itself."""
    warnings._global_warnings.clear()
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def spec_of(module):
    """The argument spec of a module, whichever way it is started."""
    main = importlib.import_module(f"{MODULES}.{module}").main
    with (
        mock.patch.object(entry, "run_module") as with_cluster,
        mock.patch.object(entry, "run_module_without_cluster") as without,
    ):
        main()
    return (with_cluster.call_args or without.call_args).args[1]


SPECS = {path.stem: spec_of(path.stem) for path in sorted((ROOT / "plugins" / "modules").glob("*.py"))}
OPTIONS = [
    (module, (*outer, name), option)
    for module, spec in SPECS.items()
    for outer, options in [
        ((), spec),
        *(((name,), each["options"]) for name, each in spec.items() if "options" in each),
    ]
    for name, option in options.items()
]


def said(capsys, module, arguments):
    """What a module says, with nothing that it could ask."""
    main = importlib.import_module(f"{MODULES}.{module}").main
    nobody = mock.patch.object(connect, "connect", side_effect=AssertionError("the cluster was asked"))
    with nobody, patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        main()
    result = json.loads(capsys.readouterr().out)
    assert (ended.value.code, result["failed"]) == (1, True)
    return result["msg"]


def with_option(module, path, value):
    arguments = dict(ARGUMENTS[module])
    if len(path) == 1:
        return {**arguments, path[0]: value}
    return {**arguments, path[0]: {**BESIDE.get((module, path[0]), {}), path[1]: value}}


def test_the_table_knows_every_module():
    assert set(SPECS) == set(ARGUMENTS)


@pytest.mark.parametrize("module, path, option", OPTIONS, ids=[f"{row[0]}-{'.'.join(row[1])}" for row in OPTIONS])
def test_no_option_takes_an_empty_value(capsys, module, path, option):
    if ".".join(path) in given.EMPTY_HAS_A_MEANING:
        return
    values = EMPTY + (HALF_EMPTY if option["type"] == "list" else [])
    for value in values:
        message = said(capsys, module, with_option(module, path, value))
        assert path[-1] in message, (value, message)
        assert "\n" not in message


@pytest.mark.parametrize("module, path, option", OPTIONS, ids=[f"{row[0]}-{'.'.join(row[1])}" for row in OPTIONS])
def test_a_misspelt_option_is_refused_with_the_right_word(capsys, module, path, option):
    wrong = (*path[:-1], f"{path[-1]}x")
    message = said(capsys, module, with_option(module, wrong, "misspelt-value"))
    assert message == f'{".".join(wrong)}: unknown option; did you mean "{path[-1]}"?'


def test_an_option_that_is_like_none_comes_with_those_that_there_are(capsys):
    message = said(
        capsys, "maintenance_window", {**ARGUMENTS["maintenance_window"], "colour": "red", "outside": "wait"}
    )
    assert message == (
        "colour: unknown option; there are window, outside_window, wait_timeout, controller, progress; "
        'outside: unknown option; did you mean "outside_window"?'
    )


@pytest.mark.parametrize("module", sorted(SPECS))
def test_an_alias_is_no_way_around(capsys, module):
    aliases = [alias for option in SPECS[module].values() for alias in option.get("aliases", ())]
    for alias in aliases:
        assert said(capsys, module, {**ARGUMENTS[module], alias: ""})


@pytest.mark.parametrize(
    "options, sentences",
    [
        ({"namespace": ""}, ["namespace is empty; give it a value, or leave the option out"]),
        ({"namespace": []}, ["namespace is an empty list; name at least one, or leave the option out"]),
        (
            {"name": None},
            ["name has no value; give one, or leave the option out (in a template with default(omit))"],
        ),
        ({"name": ["api", ""]}, ["name[1] is empty; give it a value, or leave it out"]),
        ({"name": "a,"}, ["name[1] is empty; give it a value, or leave it out"]),
        ({"window": {}}, ["window is an empty mapping; give it a value, or leave the option out"]),
        ({"window": "{}"}, ["window is empty; give it a value, or leave the option out"]),
        ({"journal": {"namespace": " "}}, ["journal.namespace is empty; give it a value, or leave the option out"]),
        (
            {"context": "", "ssl_ca_cert": ""},
            [
                "context is empty; give it a value, or leave the option out",
                "ssl_ca_cert is empty; give it a value, or leave the option out",
            ],
        ),
    ],
)
def test_each_is_named_as_it_was_written(options, sentences):
    assert given.empty_options(SPECS["k8s_rollout_restart"], options) == sentences


@pytest.mark.parametrize(
    "options",
    [
        {"name": "api,web", "namespace": ["shop"], "max_parallel": 0, "wait": False, "stagger": 0},
        {"label_selectors": "tier in (web,),!canary"},
        {"label_selectors": ["app="]},
        {"annotations": {"example.com/team": ""}},
        {"journal": {**JOURNAL, "expected_run": ""}},
        {"_ansible_check_mode": None, "no_such_option": ""},
    ],
)
def test_what_has_a_value_is_none_of_its_business(options):
    assert given.empty_options(SPECS["k8s_rollout_restart"], options) == []


def test_the_refusal_shows_no_secret_and_has_the_shape_of_every_result(capsys):
    secret = {"proxy_headers": {"proxy_basic_auth": "me:t0p-s3cret"}, "api_key": "t0p-s3cret"}
    kubeconfig = {"users": [{"name": "me", "user": {"token": "t0p-s3cret"}}]}
    main = importlib.import_module(f"{MODULES}.k8s_rollout_restart").main
    with patch_module_args({**secret, "kubeconfig": kubeconfig, "name": ""}), pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr().out
    assert "t0p-s3cret" not in printed
    assert set(json.loads(printed)) >= {
        "changed",
        "results",
        "summary",
        "run_id",
        "cluster",
        "api_requests",
        "duration",
    }
