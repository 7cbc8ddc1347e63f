# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Turns a module into the call of a verb: missing libraries, secrets, warnings, exit and fail, once for all.

The only file of module_utils that knows Ansible's module API.
"""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.restartx.core.plugins.module_utils.cluster import auth, connect, libraries
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.rollout import selection
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run.call import Call
from ansible_collections.restartx.core.plugins.module_utils.run.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.run.controller import Controller
from ansible_collections.restartx.core.plugins.module_utils.run.loop import Abandoned
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

Verb = t.Callable[[Call], dict]


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
    cluster = None
    try:
        cluster = connect.connect(module.params, os.environ)
        call = Call(
            params=module.params,
            cluster=cluster,
            clock=clock,
            controller=Controller(module.params["controller"]),
            check_mode=module.check_mode,
        )
        result = verb(call)
        warnings = call.warnings
    except (ClusterError, RolloutError, ScheduleError) as error:
        result, warnings = {"msg": str(error)}, []
    except Abandoned as error:
        result, warnings = {"msg": str(error)}, []
    _finish(module, cluster, result, warnings, clock.monotonic() - began)


def run_module_without_cluster(verb: t.Callable[[dict, SystemClock, Controller], dict], argument_spec: dict) -> None:
    """As run_module(), for what needs no cluster: `verb` is given the options, the clock and the controller."""
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        result = verb(module.params, SystemClock(), Controller(module.params["controller"]))
    except (ScheduleError, Abandoned) as error:
        module.fail_json(msg=str(error))
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def _require_libraries(module: AnsibleModule) -> None:
    for name, error in (("kubernetes", libraries.IMPORT_ERROR), ("jmespath", selection.JMESPATH_IMPORT_ERROR)):
        if error:
            module.fail_json(msg=missing_required_lib(name), exception=error)


def _finish(module: AnsibleModule, cluster: t.Any, result: dict, warnings: t.Sequence[str], seconds: float) -> None:
    """One shape, whatever happened."""
    shape = {
        "changed": False,
        "results": [],
        "summary": {},
        "run_id": None,
        "cluster": {"host": getattr(cluster, "host", None), "context": getattr(cluster, "context", None), "uid": None},
        **result,
        "api_requests": cluster.requests if cluster else 0,
        "duration": round(seconds, 3),
    }
    diffs = shape.pop("diffs", [])
    if module._diff:
        shape["diff"] = diffs
    if cluster:
        module.no_log_values.update(cluster.secrets)  # also what credential plugins gave meanwhile
    for warning in dict.fromkeys([*warnings, *(cluster.warnings if cluster else [])]):
        module.warn(warning)
    if "msg" in result:
        module.fail_json(**shape)
    module.exit_json(**shape)
