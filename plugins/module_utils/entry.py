# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module as the call of a verb, and handles missing libraries, secrets, warnings, exit and failure.

This is the only file in module_utils that uses Ansible's module API.
"""

from __future__ import annotations

import os
import signal
import typing as t

from ansible.module_utils.basic import AnsibleModule, _load_params, missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.restartx.core.plugins.module_utils.cluster import auth, connect, libraries, redaction
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.engine.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import Abandoned, Controller
from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.selection import selectors
from ansible_collections.restartx.core.plugins.module_utils.verbs import given
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call

Verb = t.Callable[[Call], dict]
EXPECTED = (ClusterError, RolloutError, ScheduleError, Abandoned)  # any other exception is a bug


class DiscreetModule(AnsibleModule):
    """A module that knows its secrets before anything is logged.

    Before any code of a module runs, AnsibleModule logs the invocation to syslog, or prints it if it refuses an option.
    """

    def _load_params(self) -> None:
        super()._load_params()
        self.params.update(auth.concealed(self.params))
        # Ansible logs dictionaries as Python writes them.
        self.no_log_values.update(redaction.spellings(auth.secrets_of(self.params, os.environ)))


def run_module(verb: Verb, argument_spec: dict, **limits: t.Any) -> None:
    """Carries out `verb` on the cluster that the options select, and ends the module.

    `limits` are passed to AnsibleModule (mutually_exclusive and so on). A verb returns the result of the module. If the
    result has a `msg`, the module fails.
    """
    _refuse_options(argument_spec, lambda module: _shape(module, {}, 0.0, None))
    module = DiscreetModule(argument_spec=argument_spec, supports_check_mode=True, **limits)
    _require_libraries(module)
    clock = SystemClock()
    began = clock.monotonic()
    call, result = None, {}
    try:
        call = Call(
            params=module.params,
            cluster=connect.connect(module.params, os.environ),
            clock=clock,
            controller=_controller(module),
            check_mode=module.check_mode,
        )
        call.progress = _progress(module, clock, call)
        result = verb(call)
    except EXPECTED as error:
        result = {"msg": str(error)}
    _finish(module, result, clock.monotonic() - began, call)


def run_module_without_cluster(
    verb: t.Callable[[dict, SystemClock, Controller, ProgressWriter], dict], argument_spec: dict
) -> None:
    """As run_module(), without a cluster: `verb` is called with the options, the clock, the controller and the
    progress."""
    _refuse_options(argument_spec, lambda module: {})
    module = DiscreetModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        clock = SystemClock()
        result = verb(module.params, clock, _controller(module), _progress(module, clock, None))
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def _refuse_options(argument_spec: dict, shape: t.Callable[[AnsibleModule], dict]) -> None:
    """Ends the module if options are unknown or have no value, and names all of them.

    This runs before AnsibleModule, which turns null into a default and [] into the text "[]", and does not always name
    the option.
    """
    params = _load_params() or {}
    wrong = given.refusals(argument_spec, params)
    if not wrong:
        return
    anything = {
        name: {"type": "raw", "no_log": bool(option.get("no_log")), "aliases": option.get("aliases", [])}
        for name, option in argument_spec.items()
    }
    known = {*anything, *(alias for option in anything.values() for alias in option["aliases"])}
    anything |= {name: {"type": "raw"} for name in params if name not in known and not name.startswith(given.ANSIBLE)}
    module = DiscreetModule(argument_spec=anything, supports_check_mode=True, no_log=True)
    # The options are not shown: their secrets are known only after they have the right types.
    module.fail_json(**shape(module), msg="; ".join(wrong), invocation={"module_args": {}})


def _controller(module: AnsibleModule) -> Controller:
    """The Ansible process that the module works for. A signal to stop counts as its end."""
    controller = Controller(module.params["controller"])

    def stop(number: int, frame: t.Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second signal ends the module at once
        controller.dismiss(f"the module was asked to stop ({signal.Signals(number).name})")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it, so the module should continue
            signal.signal(number, stop)
    return controller


def _progress(module: AnsibleModule, clock: SystemClock, call: Call | None) -> ProgressWriter:
    """Tells the progress to the Ansible process that the module works for, if that listens. Secrets are hidden."""

    def clean(text: str) -> str:
        return redaction.hide(text, {*module.no_log_values, *(call.cluster.secrets if call else ())})

    return ProgressWriter(module.params["progress"], clock, clean)


def missing_libraries() -> dict[str, str]:
    """The required packages that cannot be imported, each with the traceback of the attempt."""
    errors = {"kubernetes": libraries.IMPORT_ERROR, "jmespath": selectors.JMESPATH_IMPORT_ERROR}
    return {name: error for name, error in errors.items() if error}


def _require_libraries(module: AnsibleModule) -> None:
    for name, error in missing_libraries().items():
        module.fail_json(**_shape(module, {}, 0.0, None), msg=missing_required_lib(name), exception=error)


def _finish(module: AnsibleModule, result: dict, seconds: float, call: Call | None) -> None:
    shape = _shape(module, result, seconds, call)
    diffs = shape.pop("diffs", [])
    if module._diff:
        shape["diff"] = diffs
    if call:
        call.cluster.close()
        module.no_log_values.update(
            redaction.spellings(call.cluster.secrets)
        )  # includes secrets from credential plugins
        for warning in dict.fromkeys([*call.warnings, *call.cluster.warnings]):
            module.warn(remove_values(warning, module.no_log_values))  # Ansible hides secrets in results, not here
    if "msg" in result:
        module.fail_json(**shape)
    module.exit_json(**shape)


def _shape(module: AnsibleModule, result: dict, seconds: float, call: Call | None) -> dict:
    """The result in the shape that all modules share."""
    return {
        "changed": False,
        "results": [],
        "summary": {},
        "run_id": module.params.get("run_id"),
        "cluster": call.where if call else {"host": None, "context": None, "uid": None},
        **result,
        "api_requests": call.cluster.requests if call else 0,
        "duration": round(seconds, 3),
    }
