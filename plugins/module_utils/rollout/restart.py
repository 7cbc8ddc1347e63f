# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The restart of a workload: its patch, and the workloads that are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.restartx.core.plugins.module_utils.rollout import canary_fit, kinds, marks, owner
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, parse_time
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import CHANGE_CAUSE, Patch
from ansible_collections.restartx.core.plugins.module_utils.rollout.marks import (
    ATTEMPT,
    OPERATOR,
    OURS,
    REASON,
    RESTARTED_AT,
    RUN,
    TICKET,
    WRITTEN_AT,
    attempt_of,
    run_of,
    taken_back,
)

# Names that callers import from here although they are defined elsewhere.
__all__ = [
    "parse_time",
    "CHANGE_CAUSE",
    "ATTEMPT",
    "OPERATOR",
    "OURS",
    "REASON",
    "RESTARTED_AT",
    "RUN",
    "TICKET",
    "attempt_of",
    "run_of",
    "taken_back",
]

LONGEST_VALUE = 1024
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Stamp:
    """What a restart writes on the pod template: the run, the time (with a time zone), and the reasons.

    The constructor checks every value, so that nothing is touched if one of them is not valid in an annotation
    (RolloutError). `annotations` are those of the user. `attempt` counts the restarts of one workload in one run,
    because a resumed run restarts failed workloads again. It is written from the second attempt on.
    """

    run: str
    at: datetime
    reason: str | None = None
    ticket: str | None = None
    operator: str | None = None
    change_cause: str | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    attempt: int = 1

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("the time of a restart needs a time zone")
        if not self.run:
            raise RolloutError("run_id is empty; leave it out to generate one")
        for option in ("reason", "ticket", "operator", "change_cause"):
            if getattr(self, option) is not None:
                _check_value(option, getattr(self, option))
        _check_value("run_id", self.run)
        for name, value in self.annotations.items():
            _check_key(name)
            _check_value(f"annotations.{name}", value)


def request(workload: Object, stamp: Stamp) -> Patch:
    """The patch that restarts `workload`, in the form of its kind. It is valid only for the version that was read.

    The change is kubectl's (polymorphichelpers/objectrestarter.go) plus our annotations. Annotations of an earlier run
    that this one does not set are removed, so that an old ticket does not appear as the reason of a new restart.
    """
    wanted = {
        RUN: stamp.run,
        TICKET: stamp.ticket,
        REASON: stamp.reason,
        OPERATOR: stamp.operator,
        ATTEMPT: str(stamp.attempt) if stamp.attempt > 1 else None,
        RESTARTED_AT: rfc3339(stamp.at),
        WRITTEN_AT: rfc3339(stamp.at),
    }
    kind = kinds.kind_of(workload)
    present = kind.marks(workload)
    written = {name: value for name, value in wanted.items() if value is not None or name in present}
    # The controllers copy a change-cause from the workload to the new ReplicaSet or ControllerRevision.
    own = {} if stamp.change_cause is None else {CHANGE_CAUSE: stamp.change_cause}
    return kind.restart_patch(workload, {**stamp.annotations, **written}, own)


def patch(workload: Object, stamp: Stamp) -> Object:
    """The body of that patch."""
    body: Object = request(workload, stamp).body
    return body


def refusal(workload: Object, allow_owned: bool = False, by_pods: bool = False) -> str | None:
    """Why this workload must not be restarted, as one sentence with what to do; None if it may be. With `by_pods`, its pods
    are replaced although no controller does that."""
    kind = kinds.kind_of(workload)
    if kinds.field(workload, "metadata.deletionTimestamp"):
        return f"{kind.label(workload)} is being deleted; wait until it is gone, or leave it out"
    refused = canary_fit.refusal_while_held(workload) or (None if by_pods else kind.restart_refusal(workload))
    return refused or owner.refusal(workload, allow_owned)


def carries(workload: Object, stamp: Stamp) -> bool:
    """Whether the current pod template was restarted by this run already, in this attempt or a later one."""
    return attempt_of(workload, stamp.run) >= stamp.attempt


def made_by(workload: Object, stamp: Stamp) -> bool:
    """Whether the current pod template comes from exactly this restart. Times are compared by the second."""
    found = marks.of(workload)
    return carries(workload, stamp) and found is not None and found.restarted_at == rfc3339(stamp.at)


def rfc3339(at: datetime) -> str:
    """An instant as kubectl writes it: whole seconds, with its zone."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _check_key(name: str) -> None:
    prefix, slash, rest = str(name).rpartition("/")
    good = _NAME.fullmatch(rest) and len(rest) <= 63
    if slash:
        good = good and _PREFIX.fullmatch(prefix) and len(prefix) <= 253
    if not good:
        raise RolloutError(f'annotations: "{name}" is not a valid annotation name; write it like example.com/team')
    if name in OURS or prefix == "restartx.io":
        raise RolloutError(f'annotations: "{name}" is set by the restart itself; use the options for it')


def _check_value(option: str, value: str) -> None:
    if not isinstance(value, str):
        raise RolloutError(f"{option}: {value!r} is not a string; put it in quotes")
    if len(value) > LONGEST_VALUE:
        raise RolloutError(f"{option} has {len(value)} characters; at most {LONGEST_VALUE} are kept on a workload")
    if not value.isprintable():
        raise RolloutError(f"{option}: {value!r} contains a line break or a control character; write it as one line")
