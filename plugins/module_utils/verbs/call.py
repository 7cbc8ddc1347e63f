# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One call of a module: its options, interpreted, and its cluster."""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.engine.requests import Mode
from ansible_collections.restartx.core.plugins.module_utils.record.progress import ProgressWriter
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.budgets import HONOUR
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.schedule import reading, selecting, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.between_pods import BetweenPods
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError, ScheduleError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import (
    ALONE,
    SELECTORS,
    Entry,
    Plan,
    check,
    check_entries,
)
from ansible_collections.restartx.core.plugins.module_utils.schedule.window import Window

T = t.TypeVar("T")

# Options that a plan sets itself, with the defaults of the module.
OF_PLAN: t.Final = {
    "workloads": None,
    "name": None,
    "name_pattern": None,
    "label_selectors": [],
    "field_selectors": [],
    "select": None,
    "uses": None,
    "service_account": None,
    "image": None,
    "only": None,
    "exclude": None,
    "window": None,
    "max_parallel": None,
    "kind": ["Deployment"],
    "namespace": [],
    "all_namespaces": False,
    "timeout": "10m",
    "grace": "5m",
    "settle": "0s",
    "stagger": "0s",
    "failure_budget": "0",
    "on_failure": "stop",
    "undo_scope": "workload",
    "budgets": HONOUR,
    "between_pods": None,
}


@dataclass
class Call:
    """The argument of a verb. `params` are the options of the module, already of the right types."""

    params: dict
    cluster: t.Any
    clock: t.Any
    controller: t.Any
    check_mode: bool = False
    progress: ProgressWriter = field(default_factory=lambda: ProgressWriter(None, None))
    warnings: list[str] = field(default_factory=list)
    _uid: str | None = None

    def identify(self) -> None:
        """Reads the uid of the cluster. Raises ConfigError if cluster_uid pins another one."""
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
        """The cluster, as far as it is known: host, context, and after identify() the uid."""
        return {"host": self.cluster.host, "context": self.cluster.context, "uid": self._uid}

    @property
    def mode(self) -> Mode:
        return Mode(field_manager=self.params["field_manager"], dry_run=self.check_mode)

    @cached_property
    def deadline(self) -> float | None:
        """The monotonic instant at which the wait_timeout of the call, counted from now, is over; None for no limit."""
        span = self.span("wait_timeout")
        return None if span is None else self.clock.monotonic() + span

    def allow_until(self, instant: float) -> None:
        """Counts this as the deadline of the call from now on: what follows a failure may take a little longer."""
        self.__dict__["deadline"] = instant

    def seconds(self, option: str) -> float | None:
        """A duration option in seconds; None if it was not given. Raises ScheduleError that names the option."""
        return self._read(option, values.duration)

    def span(self, option: str) -> float | None:
        """As seconds(), for values that must be more than 0."""
        return self._read(option, values.deadline)

    def count(self, option: str, least: int) -> int | None:
        """A number option; None if it was not given. Raises ScheduleError that names the option."""
        return self._read(option, values.whole(least))

    def failure_budget(self) -> int | str:
        """The option failure_budget: a number of workloads, or a percentage. Raises ScheduleError."""
        found: int | str = self._read("failure_budget", values.budget) or 0
        return found

    def read(self, option: str, given: t.Any) -> float:
        """A duration within another option, in seconds. Raises ScheduleError that names the option."""
        try:
            return values.duration(given)
        except ScheduleError as error:
            raise ScheduleError(f"{option}: {error}") from error

    def _read(self, option: str, reader: t.Callable[[t.Any], t.Any]) -> t.Any:
        given = self.params.get(option)
        try:
            return None if given is None or given == [] else reader(given)
        except ScheduleError as error:
            raise ScheduleError(f"{option}: {error}") from error

    def entries(self) -> tuple[Entry, ...]:
        """The requested workloads: the list `workloads`, or the selection options as one entry."""
        params = self.params
        if params.get("workloads") is None:
            return (self._selection(),)
        if params["all_namespaces"]:
            raise RolloutError("all_namespaces: has no effect together with workloads; set it in their entries")
        defaults = {name: params[name] or None for name in ("kind", "namespace")}
        more = {name: params[name] for name in ("timeout", "settle", "grace", "budgets")}
        return check_entries(params["workloads"], {**defaults, **more})

    def plan_name(self) -> str:
        """The option `plan` of a module that takes the name of a plan; raises ScheduleError."""
        return self._read("plan", values.plan_name)

    def refuse_beside(self, option: str, instead: str) -> None:
        """Raises RolloutError that names the options that have no effect, because `option` names a plan or its run."""
        given = {name: self.params.get(name) for name in OF_PLAN}
        beside = [name for name, value in given.items() if value not in (None, OF_PLAN[name])]
        if beside:
            raise RolloutError(f"{', '.join(beside)}: has no effect together with {option}; {instead}, or leave it out")

    def checked_plan(self) -> Plan:
        """The plan of the option `plan`, checked as a whole; the call has its warnings. Raises PlanError."""
        plan = check(self.params["plan"])
        self.warnings += plan.warnings
        return plan

    def window(self) -> Window | None:
        """The window of the option `window`, None when it was not given; the call has its warnings. Raises
        PlanError."""
        if self.params["window"] is None:
            return None
        window = Window.from_dict(self.params["window"])
        self.warnings += window.warnings()
        return window

    def _kinds(self) -> t.Sequence[str]:
        """The kinds of the module. By default, the undo of a run includes all kinds that it may have restarted."""
        return self.params["kind"] or (tuple(kinds.KINDS) if self.params.get("run_id") else ("Deployment",))

    def listed(self, option: str, one: t.Callable[[object], T]) -> tuple[T, ...]:
        """The values of a list option, each of them once; raises ScheduleError that names the option."""
        return tuple(dict.fromkeys(self._read(option, lambda given: [one(value) for value in given]) or ()))

    def _mapping(self, option: str) -> dict | None:
        """The values of an option that is a mapping, checked like that of a plan's entry; None if it was not given."""
        given = self.params.get(option)
        if given is None:
            return None
        errors: list[str] = []
        read = reading.read(option, {name: value for name, value in given.items() if value is not None}, option, errors)
        if errors:
            raise PlanError(errors)
        return read

    def _selection(self) -> Entry:
        params = self.params
        if not params["namespace"] and not params["all_namespaces"]:
            raise RolloutError("namespace is missing; name one or more, or set all_namespaces: true")
        if params["namespace"] and params["all_namespaces"]:
            raise RolloutError("namespace and all_namespaces: true contradict each other; keep one of the two")
        narrowed = any(params[name] for name in SELECTORS)
        if params["all_namespaces"] and "field_manager" in params and not narrowed:
            raise RolloutError("all_namespaces: true alone would change the whole cluster; add a name or a selector")
        return Entry(
            id=ALONE,
            kinds=tuple(dict.fromkeys(kinds.kind_named(kind).name for kind in self._kinds())),
            names=self.listed("name", values.name),
            name_patterns=self.listed("name_pattern", selecting.name_pattern),
            namespaces=self.listed("namespace", values.namespace),
            label_selectors=self._read("label_selectors", values.label_selectors) or (),
            field_selectors=tuple(params["field_selectors"] or ()),
            select=params["select"],
            uses=self.listed("uses", selecting.use),
            service_accounts=self.listed("service_account", values.name),
            images=self.listed("image", selecting.image),
            only=selecting.only_of(self._mapping("only")),
            exclude=selecting.Exclude.of(self._mapping("exclude")),
            all_namespaces=params["all_namespaces"],
            timeout=self.span("timeout"),
            settle=self.seconds("settle") or 0.0,
            grace=self.seconds("grace"),
            budgets=params.get("budgets", HONOUR),
            between_pods=BetweenPods.of(self._mapping("between_pods")),
        )

    def new_run_id(self) -> str:
        """A new unique id that sorts by time: 20261124-221503-4f9a1c."""
        return f"{self.clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
