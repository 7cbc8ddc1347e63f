# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The marks that restarts leave on a pod template: which of them still count, and who removed them.

Annotations stay when somebody else restarts a workload later. So our marks count only together with the restartedAt
that was written with them. All code that reads them is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    managers_of,
    owned_fields,
    parse_time,
)

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
RUN = "restartx.io/run"
TICKET = "restartx.io/ticket"
REASON = "restartx.io/reason"
OPERATOR = "restartx.io/operator"
ATTEMPT = "restartx.io/attempt"
WRITTEN_AT = "restartx.io/restarted-at"  # equals RESTARTED_AT until somebody else restarts
OURS = (RESTARTED_AT, RUN, TICKET, REASON, OPERATOR, ATTEMPT, WRITTEN_AT)


@dataclass(frozen=True)
class Marks:
    """The marks of a run of restartx on a template that it restarted."""

    run: str
    attempt: int  # 0 if it cannot be read
    restarted_at: str | None
    ticket: str | None = None
    reason: str | None = None
    operator: str | None = None


def read(annotations: Mapping[str, str]) -> Marks | None:
    """The marks in the annotations of a template; None if the last restart was not by restartx.

    Version 0.1.0 did not record the time of its restart. Its marks count until a later version replaces them.
    """
    run = annotations.get(RUN)
    if run is None or annotations.get(WRITTEN_AT, annotations.get(RESTARTED_AT)) != annotations.get(RESTARTED_AT):
        return None
    attempt = annotations.get(ATTEMPT, "1")
    return Marks(
        run=run,
        attempt=int(attempt) if attempt.isdecimal() else 0,
        restarted_at=annotations.get(RESTARTED_AT),
        ticket=annotations.get(TICKET),
        reason=annotations.get(REASON),
        operator=annotations.get(OPERATOR),
    )


def of(workload: Object) -> Marks | None:
    """The marks on a workload's current template."""
    return read(kinds.kind_of(workload).marks(workload))


def run_of(workload: Object) -> str | None:
    """The id of the run that restarted the current pod template last; None if restartx did not."""
    found = of(workload)
    return found.run if found else None


def attempt_of(workload: Object, run: str) -> int:
    """Which attempt of this run created the current pod template; 0 if the run did not create it."""
    found = of(workload)
    return found.attempt if found and found.run == run else 0


def carried(workload: Object) -> str:
    """What a workload carries, for messages: `run "r2"`, `no run`, or a later restart by somebody else."""
    found = of(workload)
    if found:
        return f'run "{found.run}"'
    return f"a later restart that is not from restartx{_at(workload)}" if RUN in _annotations(workload) else "no run"


def restarted_at(workload: Object) -> datetime | None:
    """When it was restarted last, by the clock of who did it; None if the template does not show it."""
    return parse_time(_annotations(workload).get(RESTARTED_AT))


def written_at(workload: Object) -> datetime | None:
    """When the marks were written, by the clock of the API server; None if the object does not show it."""
    times = [parse_time(entry.get("time")) for entry in _owners(workload, RUN)]
    return max(filter(None, times), default=None)


def written_beside(workload: Object) -> frozenset[str]:
    """The annotations of the template that the restart wrote with its marks and nobody has changed since, as far as the
    object shows it: those of the manager that owns the marks. If several own the marks, those that all of them own."""
    owned = [template_annotations_owned(entry) for entry in _owners(workload, RUN)]
    return frozenset.intersection(*owned) - {*OURS} if owned else frozenset()


def taken_back(workload: Object, run: str, field_manager: str, since: datetime | None = None) -> str:
    """Who changed the template so that it no longer carries `run`, as one sentence.

    `field_manager` is the name of our own patches. `since` is when the run began: an earlier change cannot have
    reverted its restart. The API records who owns a field, and not who removed one. If our annotation was replaced, its
    new owner is named. If it is gone, the manager that changed the template last is named, or nobody if that is not
    recorded.
    """
    label, now = kinds.label(workload), run_of(workload)
    if now:
        sentence = f'the restart of {label} was reverted: its template now carries run "{now}"'
        culprits, how = _owners(workload, RUN), ", set by"
    elif RUN in _annotations(workload) and RESTARTED_AT in _annotations(workload):
        sentence = f'{label} was restarted again after run "{run}"{_at(workload)}'
        culprits, how = _owners(workload, RESTARTED_AT), ", by"
    else:
        sentence = f'the restart of {label} was reverted: its template no longer carries run "{run}"'
        culprits, how = _others(workload, field_manager, since), "; the last other change of the template was by"
    return _told(sentence, culprits, how)


def changed(workload: Object, run: str, field_manager: str, since: datetime | None = None) -> str:
    """Who changed the template and left the marks of the run on it, as one sentence; see taken_back()."""
    sentence = f'the template of {kinds.label(workload)} was changed after run "{run}" had restarted it'
    return _told(sentence, _others(workload, field_manager, since), "; the last other change of it was by")


def deployed_since(workload: Object, field_manager: str) -> datetime | None:
    """From when on a change of the template counts as later than the marks on it, by the clock of the API server; None if
    there is no such change by another manager. Times in the API are whole seconds."""
    at = written_at(workload)
    since = at + timedelta(seconds=1) if at else None
    return since if since and _others(workload, field_manager, since) else None


def _told(sentence: str, culprits: list[Object], how: str) -> str:
    if not culprits:
        return f"{sentence}; the object does not say who did it"
    last = max(culprits, key=lambda entry: entry.get("time", ""))
    manager, operation = last.get("manager", "unknown"), last.get("operation", "Update")
    return f'{sentence}{how} "{manager}" ({operation} at {last.get("time", "unknown time")})'


def _annotations(workload: Object) -> dict[str, str]:
    return kinds.kind_of(workload).marks(workload)


def _at(workload: Object) -> str:
    at = _annotations(workload).get(RESTARTED_AT)
    return f", at {at}" if at else ""


def _owners(workload: Object, name: str) -> list[Object]:
    return [entry for entry in managers_of(workload) if name in template_annotations_owned(entry)]


def template_annotations_owned(entry: Object) -> frozenset[str]:
    owned = owned_fields(entry, "spec", "template", "metadata", "annotations") or {}
    return frozenset(name.removeprefix("f:") for name in owned)


def changed_by_others(workload: Object, field_manager: str, since: datetime) -> bool:
    """Whether the object shows that somebody else has changed the template, or restarted it, since this instant."""
    at = parse_time(_annotations(workload).get(RESTARTED_AT))
    return (at is not None and at >= since) or bool(_others(workload, field_manager, since))


def _others(workload: Object, field_manager: str, since: datetime | None) -> list[Object]:
    """The managers other than this one that have changed the template since this instant, or at all."""
    others = [entry for entry in managers_of(workload) if entry.get("manager") != field_manager]
    changed = [entry for entry in others if owned_fields(entry, "spec", "template") is not None]
    return [entry for entry in changed if _not_before(entry, since)]


def _not_before(entry: Object, since: datetime | None) -> bool:
    # Times in the API are whole seconds.
    at = parse_time(entry.get("time"))
    return since is None or (at is not None and at >= since.replace(microsecond=0))
