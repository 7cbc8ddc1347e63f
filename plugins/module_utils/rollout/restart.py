# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The restart of a workload: the patch, who may not be restarted, and who took a restart back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds, owner
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
RUN = "restartx.io/run"
TICKET = "restartx.io/ticket"
REASON = "restartx.io/reason"
OPERATOR = "restartx.io/operator"
ATTEMPT = "restartx.io/attempt"
OURS = (RESTARTED_AT, RUN, TICKET, REASON, OPERATOR, ATTEMPT)
CHANGE_CAUSE = "kubernetes.io/change-cause"

LONGEST_VALUE = 1024
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Stamp:
    """What a restart leaves on the pod template: the run, the true time (with a zone), and the reasons given.

    Making one checks every value, so that nothing is touched when one of them cannot be an annotation of ours
    (RolloutError). `annotations` are the user's own, put beside ours on the template. `attempt` counts the restarts of
    one workload in one run: a resumed run tries again what failed, and only from the second on is it written down.
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
            raise RolloutError("run_id is empty; leave it out to have one made")
        for option in ("reason", "ticket", "operator", "change_cause"):
            if getattr(self, option) is not None:
                _check_value(option, getattr(self, option))
        _check_value("run_id", self.run)
        for name, value in self.annotations.items():
            _check_key(name)
            _check_value(f"annotations.{name}", value)


def patch(workload: dict, stamp: Stamp) -> dict:
    """The strategic-merge patch that restarts `workload`, valid only for the version of it that was read.

    The change is kubectl's (polymorphichelpers/objectrestarter.go) plus our annotations. What an earlier run left and
    this one does not say is removed, lest an old ticket seem to be the reason of a new restart.
    """
    wanted = {
        RUN: stamp.run,
        TICKET: stamp.ticket,
        REASON: stamp.reason,
        OPERATOR: stamp.operator,
        ATTEMPT: str(stamp.attempt) if stamp.attempt > 1 else None,
        RESTARTED_AT: rfc3339(stamp.at),
    }
    present = kinds.template_annotations(workload)
    template = {name: value for name, value in wanted.items() if value is not None or name in present}
    metadata = {"resourceVersion": workload["metadata"]["resourceVersion"]}
    if stamp.change_cause is not None:
        # The controllers copy it from here to the new ReplicaSet or ControllerRevision.
        metadata["annotations"] = {CHANGE_CAUSE: stamp.change_cause}
    return {
        "metadata": metadata,
        "spec": {"template": {"metadata": {"annotations": {**stamp.annotations, **template}}}},
    }


def refusal(workload: dict, allow_owned: bool = False) -> str | None:
    """Why this workload must not be restarted, as one sentence with the way out; None when it may be."""
    name = kinds.label(workload)
    kind = kinds.kind_of(workload)
    if kinds.field(workload, "metadata.deletionTimestamp"):
        return f"{name} is being deleted; wait until it is gone, or leave it out"
    if kind.pausable and kinds.field(workload, "spec.paused"):
        return (
            f"can't restart paused deployment (run rollout resume first): {name} is paused; "
            f"resume it with k8s_rollout_pause and state: resumed"
        )
    if kinds.field(workload, f"spec.{kind.strategy}.type") == "OnDelete":
        return (
            f"{name} has the update strategy OnDelete, so a restart would replace no pod; "
            f"set it to RollingUpdate, or delete the pods one by one"
        )
    return owner.refusal(workload, allow_owned)


def run_of(workload: dict) -> str | None:
    """The id of the run that restarted the current pod template last; None when no run of ours did."""
    return kinds.template_annotations(workload).get(RUN)


def attempt_of(workload: dict, run: str) -> int:
    """Which attempt of this run made the current pod template; 0 when the run did not make it."""
    attempt = kinds.template_annotations(workload).get(ATTEMPT, "1")
    return int(attempt) if run_of(workload) == run and attempt.isdecimal() else 0


def carries(workload: dict, stamp: Stamp) -> bool:
    """Whether the current pod template was restarted by this run already, in this attempt or a later one."""
    return attempt_of(workload, stamp.run) >= stamp.attempt


def made_by(workload: dict, stamp: Stamp) -> bool:
    """Whether the current pod template is of the very restart that made this stamp, as far as a second tells."""
    return carries(workload, stamp) and kinds.template_annotations(workload).get(RESTARTED_AT) == rfc3339(stamp.at)


def taken_back(workload: dict, run: str, field_manager: str, since: datetime | None = None) -> str:
    """Who changed the template so that it no longer carries `run`, as one sentence.

    `field_manager` is the name that our own patches carry; `since` is when the run began, before which nobody can have
    taken anything back. The API records who owns a field, not who removed one: when our annotation was replaced its new
    owner is named; when it is gone, whoever else changed the template since, and nobody where that left no trace.
    """
    now = run_of(workload)
    what = f'now carries run "{now}"' if now else f'no longer carries run "{run}"'
    sentence = f"the restart of {kinds.label(workload)} was taken back: its template {what}"
    entries = [entry for entry in kinds.field(workload, "metadata.managedFields", []) if not entry.get("subresource")]
    if now:
        culprits = [entry for entry in entries if RUN in _template_annotations_owned(entry)]
    else:
        others = [entry for entry in entries if entry.get("manager") != field_manager and _not_before(entry, since)]
        culprits = [entry for entry in others if _owned(entry, "spec", "template") is not None]
    if not culprits:
        return f"{sentence}; the object does not say who did it"
    last = max(culprits, key=lambda entry: entry.get("time", ""))
    who = (
        f'"{last.get("manager", "unknown")}" ({last.get("operation", "Update")} at {last.get("time", "unknown time")})'
    )
    return f"{sentence}, set by {who}" if now else f"{sentence}; the last other change of the template was by {who}"


def rfc3339(at: datetime) -> str:
    """An instant as kubectl writes it: whole seconds, with its zone."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_time(text: str | None) -> datetime | None:
    """The instant that an API timestamp or a restartedAt annotation names; None when it names none."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _not_before(entry: dict, since: datetime | None) -> bool:
    # The API's times are whole seconds.
    at = parse_time(entry.get("time"))
    return since is None or (at is not None and at >= since.replace(microsecond=0))


def _owned(entry: dict, *path: str) -> dict | None:
    """The part of a managedFields entry below `path`, None when the entry owns nothing there."""
    fields = entry.get("fieldsV1", {})
    for part in path:
        fields = fields.get(f"f:{part}")
        if fields is None:
            return None
    return fields


def _template_annotations_owned(entry: dict) -> set[str]:
    owned = _owned(entry, "spec", "template", "metadata", "annotations") or {}
    return {name.removeprefix("f:") for name in owned}


def _check_key(name: str) -> None:
    prefix, slash, rest = str(name).rpartition("/")
    good = _NAME.fullmatch(rest) and len(rest) <= 63
    if slash:
        good = good and _PREFIX.fullmatch(prefix) and len(prefix) <= 253
    if not good:
        raise RolloutError(f'annotations: "{name}" is no valid annotation name; write it like example.com/team')
    if name in OURS or prefix == "restartx.io":
        raise RolloutError(f'annotations: "{name}" is set by the restart itself; use the options for it')


def _check_value(option: str, value: str) -> None:
    if not isinstance(value, str):
        raise RolloutError(f"{option}: {value!r} is no string; put it in quotes")
    if len(value) > LONGEST_VALUE:
        raise RolloutError(f"{option} has {len(value)} characters; at most {LONGEST_VALUE} are kept on a workload")
    if not value.isprintable():
        raise RolloutError(f"{option}: {value!r} holds a line break or a control character; write it as one line")
