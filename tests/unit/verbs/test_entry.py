# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a module's arguments to what it prints: one shape whatever happens, and no secret in it."""

from __future__ import annotations

import contextlib
import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import calling
import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from simulation import Executor, FakeCluster, deployment

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.cluster import connect, libraries
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError, Forbidden, Unreachable
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Abandoned
from ansible_collections.restartx.core.plugins.module_utils.options import CONNECTION
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.selection import selectors
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline

ROOT = Path(__file__).parents[3]
SECONDS = 60  # after which a test gives up
SHAPE = {"changed", "results", "summary", "run_id", "cluster", "api_requests", "duration"}
CLUSTER = {"host": "https://simulated:6443", "context": "simulated", "uid": "uid-of-kube-system"}
NOBODY = {"host": None, "context": None, "uid": None}
SECRET = "t0p-s3cret"


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """A module has its process for itself: signals that it catches, and warnings that it collects, are not given back."""
    warnings._global_warnings.clear()
    # A test of another kind of plugin may have made this process a controller, whose modules warn on the screen.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def cluster():
    made = FakeCluster([deployment("cart")])
    Executor(made)
    return made


def printed(capsys, main, **arguments):
    """What a module prints before it ends, and its exit code."""
    with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        main()
    return json.loads(capsys.readouterr().out), ended.value.code


def play(capsys, cluster, module, **arguments):
    """What a module prints that is led to a simulated cluster, or to the error that connecting to it raises."""
    main = importlib.import_module(f"{calling.MODULES}.{module}").main
    there = {"side_effect": cluster} if isinstance(cluster, Exception) else {"return_value": cluster}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(connect, "connect", **there))
        if not isinstance(cluster, Exception):
            stack.enter_context(mock.patch.object(pipeline, "Executor", lambda cluster, clock: cluster.executor))
            stack.enter_context(mock.patch.object(entry, "SystemClock", lambda: cluster.executor.clock))
        return printed(capsys, main, **arguments)


def run_verb(capsys, cluster, verb, spec=None, **arguments):
    """What a module prints that is nothing but this verb."""
    with mock.patch.object(connect, "connect", return_value=cluster):
        return printed(capsys, lambda: entry.run_module(verb, {**CONNECTION, **(spec or {})}), **arguments)


def warnings_of(result):
    """The texts of a module's warnings, which ansible-core 2.19 wraps and earlier ones do not."""
    return [each if isinstance(each, str) else each["event"]["msg"] for each in result.get("warnings", [])]


PLAN = {"version": 1, "name": "ca", "workloads": [{"id": "core", "namespace": "shop", "name": ["cart"]}]}
MODULES = [
    ("k8s_rollout_restart", {"namespace": "shop", "run_id": "r1"}),
    ("k8s_rollout_status", {"namespace": "shop"}),
    ("k8s_rollout_undo", {"namespace": "shop", "name": "cart", "to_revision": 1}),
    ("k8s_rollout_history", {"namespace": "shop"}),
    ("k8s_rollout_pause", {"namespace": "shop", "state": "paused"}),
    ("k8s_rollout_plan", {"plan": PLAN}),
]


# -- one shape -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module, arguments", MODULES)
def test_every_module_that_succeeds_has_the_shape(capsys, cluster, module, arguments):
    result, code = play(capsys, cluster, module, **arguments)
    assert code == 0
    assert set(result) >= SHAPE
    assert "msg" not in result and "diffs" not in result and "diff" not in result
    assert len(result["results"]) == 1
    assert result["cluster"] == CLUSTER
    assert result["api_requests"] == cluster.requests > 0
    assert result["run_id"] == arguments.get("run_id")


@pytest.mark.parametrize("module, arguments", MODULES)
def test_every_module_that_fails_has_the_shape(capsys, cluster, module, arguments):
    cluster.fail = lambda verb, path: Forbidden("may not list deployments.apps", status=403) if verb == "list" else None
    result, code = play(capsys, cluster, module, **arguments)
    assert code == 1
    assert (result["failed"], result["msg"]) == (True, "may not list deployments.apps")
    assert set(result) >= SHAPE
    assert (result["changed"], result["results"], result["summary"]) == (False, [], {})
    assert result["cluster"] == CLUSTER
    # The check of a plan reports a journal that it may not read only after the workloads.
    assert result["api_requests"] == (3 if module == "k8s_rollout_plan" else 2)
    assert result["run_id"] == arguments.get("run_id")


@pytest.mark.parametrize("module, arguments", MODULES)
def test_a_module_that_finds_no_cluster_has_the_shape(capsys, module, arguments):
    result, code = play(capsys, ConfigError("no such context"), module, **arguments)
    assert (code, result["msg"]) == (1, "no such context")
    assert set(result) >= SHAPE
    assert (result["cluster"], result["api_requests"]) == (NOBODY, 0)


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("connection refused"),
        RolloutError("can't restart paused deployment"),
        ScheduleError("not a duration"),
        PlanError(["two", "sentences"]),
        Abandoned("nobody waits"),
    ],
)
def test_what_a_package_raises_is_a_failure_with_its_words(capsys, cluster, error):
    def verb(call):
        call.warnings.append("beware")
        raise error

    result, code = run_verb(capsys, cluster, verb)
    assert (code, result["failed"], result["msg"]) == (1, True, str(error))
    assert set(result) >= SHAPE
    assert warnings_of(result) == ["beware"]


def test_a_bug_is_not_dressed_up(capsys, cluster):
    def verb(call):
        raise ZeroDivisionError("a bug")

    connected = mock.patch.object(connect, "connect", return_value=cluster)
    with pytest.raises(ZeroDivisionError), connected, patch_module_args({}):
        entry.run_module(verb, CONNECTION)


def test_a_partial_failure_keeps_what_was_reached(capsys, cluster):
    cluster.breaks = {"cart"}
    result, code = play(capsys, cluster, "k8s_rollout_restart", namespace="shop", timeout="20s")
    assert code == 1
    assert result["changed"] is True
    assert [entry["outcome"] for entry in result["results"]] == ["unfinished"]
    assert result["msg"].startswith("Deployment shop/cart unfinished: not done after 20s")
    assert result["duration"] == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize("package, module", [("kubernetes", libraries), ("jmespath", selectors)])
def test_a_missing_package_is_named_in_the_same_shape(capsys, monkeypatch, cluster, package, module):
    name = "IMPORT_ERROR" if module is libraries else "JMESPATH_IMPORT_ERROR"
    monkeypatch.setattr(module, name, "Traceback: no such module")
    result, code = play(capsys, cluster, "k8s_rollout_status", namespace="shop")
    assert code == 1
    assert f"({package})" in result["msg"]
    assert set(result) >= SHAPE


# -- modes and warnings ----------------------------------------------------------------------------------------------


def test_the_difference_is_shown_in_diff_mode_only(capsys, cluster):
    arguments = {"namespace": "shop", "_ansible_check_mode": True, "_ansible_diff": True}
    result, _code = play(capsys, cluster, "k8s_rollout_restart", **arguments)
    (difference,) = result["diff"]
    assert difference["before_header"] == difference["after_header"] == "Deployment shop/cart"
    assert cluster.dry_runs == 1 and not cluster.patches


def test_warnings_of_server_and_verb_are_each_told_once(capsys, cluster):
    def verb(call):
        call.warnings += ["a", "b", "a"]
        cluster.warnings += ["b", "c"]
        return {}

    result, _code = run_verb(capsys, cluster, verb)
    assert warnings_of(result) == ["a", "b", "c"]


# -- secrets ---------------------------------------------------------------------------------------------------------


def leak(call):
    """A verb that tells what it must not."""
    call.warnings.append(f"the token {SECRET} was used")
    return {"msg": f"refused {SECRET}", "results": [{"message": f"Bearer {SECRET}"}]}


@pytest.mark.parametrize(
    "arguments, environment",
    [
        ({"api_key": SECRET}, {}),
        ({"password": SECRET, "username": "me"}, {}),
        ({"proxy": f"http://me:{SECRET}@proxy:3128"}, {}),
        ({"proxy_headers": {"proxy_basic_auth": SECRET}}, {}),
        ({"kubeconfig": {"users": [{"name": "me", "user": {"token": SECRET}}]}}, {}),
        ({}, {"K8S_AUTH_API_KEY": SECRET}),
        ({}, {"K8S_AUTH_PASSWORD": SECRET}),
    ],
)
def test_a_secret_of_options_or_environment_is_never_printed(capsys, monkeypatch, cluster, arguments, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result, _code = run_verb(capsys, cluster, leak, **arguments)
    assert SECRET not in json.dumps(result)
    assert result["msg"] == "refused ********"
    assert result["results"][0]["message"] == "Bearer ********"
    assert warnings_of(result) == ["the token ******** was used"]


def test_a_secret_that_a_credential_plugin_gave_meanwhile_is_never_printed(capsys, cluster):
    def verb(call):
        cluster.secrets.add(SECRET)
        return leak(call)

    result, _code = run_verb(capsys, cluster, verb)
    assert SECRET not in json.dumps(result)


def test_without_such_a_secret_nothing_is_hidden(capsys, cluster):
    result, _code = run_verb(capsys, cluster, leak)
    assert result["msg"] == f"refused {SECRET}"


# -- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_module_that_is_asked_to_stop_is_told_so_and_who_asks_twice_is_obeyed_at_once(capsys, cluster, number):
    seen = []
    signal.signal(number, signal.SIG_DFL)  # the tests may run under nohup

    def verb(call):
        seen.append(call.controller.alive())
        signal.raise_signal(number)
        seen.append(call.controller.alive())
        seen.append(signal.getsignal(number))
        return {"msg": call.controller.reason}

    result, _code = run_verb(capsys, cluster, verb)
    assert seen == [True, False, signal.SIG_DFL]
    assert result["msg"] == f"the module was asked to stop ({number.name}); nothing more was started"


def test_a_signal_that_is_to_be_ignored_is_ignored(capsys, cluster):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does

    def verb(call):
        signal.raise_signal(signal.SIGHUP)
        return {"msg": str(call.controller.alive())}

    result, _code = run_verb(capsys, cluster, verb)
    assert result["msg"] == "True"


STOPPED = """
import json, sys
from unittest import mock
sys.path[:0] = [{root!r}, {root!r} + "/.collections", {root!r} + "/tests/unit"]
from ansible.module_utils.testing import patch_module_args
from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.cluster import connect
from ansible_collections.restartx.core.plugins.module_utils.verbs import pipeline
from ansible_collections.restartx.core.plugins.module_utils.engine.executor import Executor as Threads
from ansible_collections.restartx.core.plugins.modules import k8s_rollout_restart
from simulation import FakeCluster, Executor, deployment

cluster = FakeCluster([deployment("cart"), deployment("web")], takes=10**9)
Executor(cluster)
begun = lambda one: print("begun", file=sys.stderr, flush=True)
cluster.before_patch = begun
defaults = {{"namespace": "shop"}}
entries = [{{"id": "core", "name": "cart"}}, {{"id": "web", "name": "web", "after": ["core"]}}]


class Unwatched(Threads):
    def follow(self, scope, resource_version):
        return False


plan = {{"version": 1, "name": "ca", "defaults": defaults, "workloads": entries}}
arguments = {{"plan": plan, "run_id": "r1", "journal": {{"clusters": ["eu"]}}}}
with mock.patch.object(connect, "connect", return_value=cluster), mock.patch.object(pipeline, "Executor", Unwatched):
    with patch_module_args(arguments):
        try:
            k8s_rollout_restart.main()
        finally:
            held = cluster.objects["/api/v1/namespaces/restartx-system/configmaps/restartx.ca.r1"]
            print(held["data"]["journal.json"], file=sys.stderr)
"""


def test_a_job_that_is_cancelled_ends_in_good_order():
    """AWX sends SIGTERM: nothing new begins, the result tells how far it came, and so does the journal."""
    command = [sys.executable, "-c", STOPPED.format(root=str(ROOT))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as module:
        try:
            lines = iter(module.stderr.readline, "")
            assert any(line == "begun\n" for line in lines)
            module.send_signal(signal.SIGTERM)
            out, err = module.communicate(timeout=SECONDS)
        finally:
            module.kill()
    result, journal = json.loads(out), json.loads(err.strip().splitlines()[-1])
    assert module.returncode == 1
    assert {entry["name"]: entry["outcome"] for entry in result["results"]} == {
        "cart": "unfinished",
        "web": "not_started",
    }
    assert "the module was asked to stop (SIGTERM)" in result["msg"]
    assert (journal["state"], journal["run"]) == ("stopped", "r1")
    assert result["run_id"] == "r1"


# -- without a cluster -----------------------------------------------------------------------------------------------


def test_a_module_without_a_cluster_ends_as_its_verb_says(capsys):
    main = importlib.import_module(f"{calling.MODULES}.maintenance_window").main
    always = {"timezone": "UTC", "hours": "00:00-24:00"}
    never = {**always, "freezes": ["2020-01-01/2100-01-01"]}
    result, code = printed(capsys, main, window=always)
    assert (code, result["open"]) == (0, True)
    result, code = printed(capsys, main, window=never)
    assert (code, result["failed"], result["open"]) == (1, True, False)
    result, code = printed(capsys, main, window={"hours": "22:00-23:00"})
    assert (code, "timezone: is required" in result["msg"]) == (1, True)
