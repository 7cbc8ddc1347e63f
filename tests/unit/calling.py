# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls of modules as a task makes them: options are checked by the module's own argument spec, and a verb is called."""

from __future__ import annotations

import importlib
import typing as t
from unittest import mock

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from simulation import Executor, FakeCluster

from ansible_collections.restartx.core.plugins.module_utils import entry
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.verbs import given, pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

MODULES = "ansible_collections.restartx.core.plugins.modules"


def of_module(name: str) -> tuple[t.Callable, dict]:
    """The verb of a module and its argument spec."""
    module = importlib.import_module(f"{MODULES}.{name}")
    with mock.patch.object(entry, "run_module") as run_module:
        module.main()
    (verb, spec), _limits = run_module.call_args
    return verb, spec


def prepare(
    module: str, cluster: FakeCluster, check_mode: bool = False, /, **options: t.Any
) -> tuple[t.Callable, Call]:
    """A module's verb and the call that these options make, in a executor of the cluster's own."""
    verb, spec = of_module(module)
    wrong = given.refusals(spec, options)
    if wrong:
        raise RolloutError("; ".join(wrong))
    checked = ArgumentSpecValidator(spec).validate(options)
    assert not checked.error_messages, checked.error_messages
    executor = cluster.executor or Executor(cluster)
    return verb, Call(checked.validated_parameters, cluster, executor.clock, Controller(None), check_mode)


def carry_out(verb: t.Callable, call: Call) -> dict:
    """What the verb returns, with the simulated executor in place of the real one."""
    with mock.patch.object(pipeline, "Executor", lambda cluster, clock: cluster.executor):
        return verb(call)


def run(module: str, cluster: FakeCluster, check_mode: bool = False, /, **options: t.Any) -> dict:
    """What a module's verb returns."""
    return carry_out(*prepare(module, cluster, check_mode, **options))
