# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One call of a module: its options made sense of, and the cluster it is about."""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.run.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.schedule import values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import Entry, check_entries


@dataclass
class Call:
    """What a verb is given. `params` are the module's options, already of the right types."""

    params: dict
    cluster: t.Any
    clock: t.Any
    controller: t.Any
    check_mode: bool = False
    warnings: list[str] = field(default_factory=list)
    _uid: str | None = None

    def identify(self) -> None:
        """Asks the cluster who it is; raises ConfigError when another one was pinned with cluster_uid."""
        self._uid = self.cluster.uid()
        pinned = self.params.get("cluster_uid")
        if pinned and pinned != self._uid:
            raise ConfigError(
                f"the context {self.cluster.context or '(none)'} leads to {self.cluster.host}, whose cluster has the uid "
                f"{self._uid or '(may not be read)'}, but cluster_uid pins {pinned}; nothing was touched: correct the "
                "kubeconfig, the context or the pinned uid"
            )

    @property
    def where(self) -> dict:
        """The cluster, as far as it is known: host, context, and the uid once identify() has asked for it."""
        return {"host": self.cluster.host, "context": self.cluster.context, "uid": self._uid}

    @property
    def mode(self) -> Mode:
        return Mode(field_manager=self.params["field_manager"], dry_run=self.check_mode)

    @cached_property
    def deadline(self) -> float | None:
        """The monotonic instant at which the call's wait_timeout is over, counted from now on; None for no limit."""
        span = self.span("wait_timeout")
        return None if span is None else self.clock.monotonic() + span

    def seconds(self, option: str) -> float | None:
        """A duration option in seconds, None when it was not given; raises ScheduleError that names the option."""
        return self._read(option, values.duration)

    def span(self, option: str) -> float | None:
        """As seconds(), for what must be more than nothing."""
        return self._read(option, values.deadline)

    def count(self, option: str, least: int) -> int | None:
        """A number option, None when it was not given; raises ScheduleError that names the option."""
        return self._read(option, values.whole(least))

    def _read(self, option: str, reader: t.Callable[[t.Any], t.Any]) -> t.Any:
        given = self.params.get(option)
        try:
            return None if given is None else reader(given)
        except ScheduleError as error:
            raise ScheduleError(f"{option}: {error}") from error

    def entries(self) -> tuple[Entry, ...]:
        """The workloads asked for: the list `workloads`, or else the selection options as one entry."""
        params = self.params
        if params.get("workloads") is None:
            return (self._selection(),)
        if params["all_namespaces"]:
            raise RolloutError("all_namespaces: beside workloads it has no meaning; say it in the entries it is for")
        defaults = {name: params[name] or None for name in ("kind", "namespace")}
        spans = {name: params[name] for name in ("timeout", "settle", "grace")}
        return check_entries(params["workloads"], {**defaults, **spans})

    def _kinds(self) -> t.Sequence[str]:
        """The module's kinds; undo of a run looks by default at all that it may have restarted."""
        return self.params["kind"] or (kinds.KINDS if self.params.get("run_id") else ["Deployment"])

    def _selection(self) -> Entry:
        params = self.params
        if not params["namespace"] and not params["all_namespaces"]:
            raise RolloutError("namespace is missing; name one or more, or say all_namespaces: true")
        if params["namespace"] and params["all_namespaces"]:
            raise RolloutError("namespace and all_namespaces: true contradict each other; keep one of the two")
        for option in ("kind", "name"):
            if params[option] == []:  # a variable that happens to be empty must not mean everything
                raise RolloutError(f"{option} is an empty list; name at least one, or leave the option out")
        narrowed = any(params[name] for name in ("name", "label_selectors", "field_selectors", "select"))
        if params["all_namespaces"] and "field_manager" in params and not narrowed:
            raise RolloutError("all_namespaces: true alone would change the whole cluster; add a name or a selector")
        return Entry(
            id="selection",
            kinds=tuple(dict.fromkeys(kinds.kind_named(kind).name for kind in self._kinds())),
            names=tuple(params["name"] or ()),
            namespaces=tuple(params["namespace"]),
            label_selectors=tuple(params["label_selectors"]),
            field_selectors=tuple(params["field_selectors"]),
            select=params["select"],
            all_namespaces=params["all_namespaces"],
            timeout=self.span("timeout"),
            settle=self.seconds("settle") or 0.0,
            grace=self.seconds("grace"),
        )

    def new_run_id(self) -> str:
        """Sorts by time and does not repeat: 20261124-221503-4f9a1c."""
        return f"{self.clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
