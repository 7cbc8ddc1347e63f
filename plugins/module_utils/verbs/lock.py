# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes and releases the lock of a plan."""

from __future__ import annotations

import contextlib
import secrets
import socket
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Lease
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call


def lock(call: Call) -> dict:
    """Takes or releases the lock of a plan on a cluster. Returns the module's result."""
    params = call.params
    wait = call.seconds("wait_timeout") or 0.0
    plan = call.plan_name()
    call.identify()
    holder = params["holder"] or new_holder()
    lease = lease_of(call, plan, params["namespace"], holder, params["run_id"], params["operator"])
    changed = lease.ours != (params["state"] == "held")
    if not call.check_mode and params["state"] == "held":
        lease.acquire(wait, params["break_lock"], call.controller, call.progress.waits)
    elif not call.check_mode:
        lease.release()
    return {"changed": changed, "run_id": params["run_id"], "holder": holder}


def lease_of(call: Call, plan: str, namespace: str, holder: str, run: str | None, operator: str | None) -> Lease:
    return Lease(call.cluster, call.clock, namespace, plan, holder, run=run or "", operator=operator or "")


def new_holder() -> str:
    """A name for the holder of a lock: unique for each start, with the name of the machine."""
    return f"{socket.gethostname()}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def held(
    call: Call, plan: str, options: t.Mapping[str, t.Any], run: str, operator: str | None
) -> t.Iterator[Lease | None]:
    """Holds the lock of a plan while a module works; None in check mode. `options` are those of the option `journal`.

    A lock that k8s_rollout_lock has taken (`lock_holder`) is renewed, and released only if the Ansible process is gone.
    Raises Held.
    """
    if call.check_mode:
        yield None
        return
    given = options.get("lock_holder")
    lease = lease_of(call, plan, options["namespace"], given or new_holder(), run, operator)
    wait = call.read("journal.lock_timeout", options["lock_timeout"])
    call.identify()
    lease.acquire(wait, options["break_lock"], call.controller, call.progress.waits)
    try:
        yield lease
    finally:
        if not given or not call.controller.alive():
            _release(call, lease)


def _release(call: Call, lease: Lease) -> None:
    try:
        lease.release()
    except ClusterError as error:
        # The Lease expires anyway.
        call.warnings.append(f"the lock could not be released: {error}")
