# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns a module into the call of a verb: missing libraries, secrets, warnings, exit and fail, once for all.

The only file of module_utils that knows Ansible's module API.
"""

from __future__ import annotations

import os
import signal
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.restartx.core.plugins.module_utils.cluster import auth, connect, libraries
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.rollout import selection
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run.call import Call
from ansible_collections.restartx.core.plugins.module_utils.run.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.run.controller import Abandoned, Controller
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

Verb = t.Callable[[Call], dict]
EXPECTED = (ClusterError, RolloutError, ScheduleError, Abandoned)  # everything else is a bug of ours


def run_module(verb: Verb, argument_spec: dict, **limits: t.Any) -> None:
    """Carries `verb` out on the cluster that the options name, and ends the module.

    `limits` go to AnsibleModule (mutually_exclusive and the like). A verb returns the module's result; an `msg` in it
    means that it failed.
    """
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **limits)
    _require_libraries(module)
    module.no_log_values.update(auth.secrets_of(module.params, os.environ))
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
        result = verb(call)
    except EXPECTED as error:
        result = {"msg": str(error)}
    _finish(module, result, clock.monotonic() - began, call)


def run_module_without_cluster(verb: t.Callable[[dict, SystemClock, Controller], dict], argument_spec: dict) -> None:
    """As run_module(), for what needs no cluster: `verb` is given the options, the clock and the controller."""
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        result = verb(module.params, SystemClock(), _controller(module))
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def _controller(module: AnsibleModule) -> Controller:
    """Whom the module works for. Asked to stop, it ends in good order."""
    controller = Controller(module.params["controller"])

    def stop(number: int, frame: t.Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait
        controller.dismiss(f"the module was asked to stop ({signal.Signals(number).name})")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it: whoever started us wants us to go on
            signal.signal(number, stop)
    return controller


def _require_libraries(module: AnsibleModule) -> None:
    for name, error in (("kubernetes", libraries.IMPORT_ERROR), ("jmespath", selection.JMESPATH_IMPORT_ERROR)):
        if error:
            module.fail_json(**_shape(module, {}, 0.0, None), msg=missing_required_lib(name), exception=error)


def _finish(module: AnsibleModule, result: dict, seconds: float, call: Call | None) -> None:
    shape = _shape(module, result, seconds, call)
    diffs = shape.pop("diffs", [])
    if module._diff:
        shape["diff"] = diffs
    if call:
        module.no_log_values.update(call.cluster.secrets)  # also what credential plugins gave meanwhile
        for warning in dict.fromkeys([*call.warnings, *call.cluster.warnings]):
            module.warn(remove_values(warning, module.no_log_values))  # Ansible hides secrets in results, not here
    if "msg" in result:
        module.fail_json(**shape)
    module.exit_json(**shape)


def _shape(module: AnsibleModule, result: dict, seconds: float, call: Call | None) -> dict:
    """One shape, whatever happened."""
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
