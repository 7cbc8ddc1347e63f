# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which locks of plans have a holder, which of these holders are dead, and the release of a dead holder's lock.

Clocks of different machines are never compared. A holder is alive once its Lease is seen to change. It is dead once the
Lease was seen unchanged for its whole duration.
"""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import Conflict, NotFound
from ansible_collections.restartx.core.plugins.module_utils.record import lease
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Lease

LOOK_EVERY = 2.0  # seconds
NONE: t.Mapping[str, str] = types.MappingProxyType({})
LONGEST = 60  # seconds for which a Lease is watched at most. Somebody may have written one of a whole day.


@dataclass(frozen=True)
class Holder:
    """The holder of the lock of a plan. `who` is what holder_of() says of it; `alive` is None if it is not known."""

    plan: str
    who: t.Mapping[str, t.Any]
    held: dict  # the Lease, as it was read last
    alive: bool | None


def read(cluster: t.Any, namespace: str, plan: str | None) -> dict[str, dict]:
    """The Leases that somebody holds, by plan: of one plan, or of all plans of the namespace. Raises ClusterError."""
    if plan is not None:
        one = Lease(cluster, None, namespace, plan, holder="").read()
        found = {plan: one} if one else {}
    else:
        held = cluster.list(lease.collection(namespace)).items
        names = {one["metadata"]["name"]: one for one in held}
        found = {name.removeprefix(lease.PREFIX): one for name, one in names.items() if name.startswith(lease.PREFIX)}
    return {of: one for of, one in found.items() if lease.holder_in(one, of)}


def judge(
    cluster: t.Any, clock: t.Any, namespace: str, leases: t.Mapping[str, dict], dead: t.Mapping[str, str] = NONE
) -> dict[str, Holder]:
    """Watches these Leases until it is known of each whether its holder is alive. Raises ClusterError.

    A lock that is released meanwhile has no holder any more. `dead` are the versions that were judged dead before, by
    plan: a Lease that still has this version is dead.
    """
    found: dict[str, Holder] = {}
    for plan, held in leases.items():
        who = lease.holder_in(held, plan)
        if who is not None and dead.get(plan) == held["metadata"]["resourceVersion"]:
            found[plan] = Holder(plan, who, held, False)
    left = {plan: held for plan, held in leases.items() if plan not in found}
    waiting = {plan: (Lease(cluster, clock, namespace, plan, holder=""), held) for plan, held in left.items()}
    end = clock.monotonic() + LONGEST
    while waiting:
        for plan, (one, held) in list(waiting.items()):
            who, alive = lease.holder_in(held, plan), one.alive(held)
            if who is not None and (alive is not None or clock.monotonic() >= end):
                found[plan] = Holder(plan, who, held, alive)
            if who is None or plan in found:
                del waiting[plan]
        if waiting:
            clock.sleep(LOOK_EVERY)
            waiting = {plan: (one, now) for plan, (one, _held) in waiting.items() if (now := one.read())}
    return found


def release(cluster: t.Any, namespace: str, holder: Holder) -> None:
    """Releases the lock of a dead holder: exactly the version of the Lease that was judged.

    Does nothing if somebody has taken it over since. Raises ClusterError.
    """
    body = {**holder.held, "spec": {**holder.held["spec"], "holderIdentity": ""}}
    try:
        cluster.replace(Lease(cluster, None, namespace, holder.plan, holder="").path, body)
    except (Conflict, NotFound):
        return
