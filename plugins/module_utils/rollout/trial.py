# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the pods of a canary have stayed well since their hold began."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.causes import which_pods
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition


@dataclass(frozen=True)
class Seen:
    """What is remembered of a pod: its name, since when it has been ready, and how often its containers restarted."""

    name: str
    ready_since: str | None
    restarts: t.Mapping[str, int]


def ready_pods(workload: Object, pods: t.Sequence[Object], revision: str | None) -> dict[str, Seen]:
    """The pods of the newest revision that are ready, by uid. `revision` is its hash, if it is known."""
    newest = which_pods.newest_pods(workload, pods, revision)
    return {pod["metadata"]["uid"]: _seen(pod) for pod in newest if which_pods.ready(pod)}


def broken(before: t.Mapping[str, Seen], pods: t.Sequence[Object]) -> str | None:
    """What has become of one of these pods, as a clause; None if all of them have stayed well."""
    now = {pod["metadata"]["uid"]: pod for pod in pods}
    for uid, then in before.items():
        if uid not in now or not which_pods.active(now[uid]):
            return f"its pod {then.name} is gone"
        restarted = [name for name, times in _seen(now[uid]).restarts.items() if times > then.restarts.get(name, 0)]
        if restarted:
            return f"the container {restarted[0]} of its pod {then.name} was restarted"
        if not which_pods.ready(now[uid]):
            return f"its pod {then.name} is no longer ready"
        if _seen(now[uid]).ready_since != then.ready_since:
            return f"its pod {then.name} was not ready for a while"
    return None


def others(workload: Object, canary: t.Mapping[str, Seen], pods: t.Sequence[Object]) -> list[str]:
    """The names of the pods of the workload that are not of its canary, and still run."""
    kind = kinds.kind_of(workload)
    mine = [pod for pod in pods if which_pods.active(pod) and kind.owns(workload, pod)]
    return sorted(pod["metadata"]["name"] for pod in mine if pod["metadata"]["uid"] not in canary)


def pattern(names: t.Iterable[str]) -> str:
    """A pattern for a label matcher of Prometheus that matches exactly these names."""
    return "|".join(name.replace(".", "[.]") for name in sorted(names))


def _seen(pod: Object) -> Seen:
    statuses = [
        one for part in ("containerStatuses", "initContainerStatuses") for one in kinds.field(pod, f"status.{part}", [])
    ]
    restarts = {one["name"]: int(one.get("restartCount", 0)) for one in statuses}
    return Seen(pod["metadata"]["name"], condition(pod, "Ready").get("lastTransitionTime"), restarts)
