# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The revisions of a workload: what its ReplicaSets or ControllerRevisions remember."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, kinds, owner, restart

REVISION = "deployment.kubernetes.io/revision"
_HASH_LABEL = kinds.KINDS["Deployment"].hash_label


@dataclass(frozen=True)
class Revision:
    """One revision: its number, its pod template, and what was written down when it was made.

    Times are RFC 3339 as the API has them; `object` is the ReplicaSet or ControllerRevision itself.
    """

    number: int
    name: str
    template: dict
    change_cause: str | None
    run: str | None
    reason: str | None
    ticket: str | None
    operator: str | None
    restarted_at: str | None
    created_at: str | None
    object: dict = field(repr=False)


def revisions(workload: dict, owned: list[dict]) -> list[Revision]:
    """The revisions of `workload`, ascending, from `owned`: ReplicaSets or ControllerRevisions of its namespace.

    `owned` may hold those of other workloads too: a revision counts when the full selector matches it and its
    controller is this very object. Rules: kubectl's polymorphichelpers/history.go and util/deployment/deployment.go.
    A ReplicaSet without a number counts as 0, one whose number cannot be read is left out.
    """
    uid = workload["metadata"]["uid"]
    found = []
    for candidate in owned:
        number = _number(workload, candidate)
        if number is not None and owner.controller_uid(candidate) == uid and _selected(workload, candidate):
            found.append(_revision(number, candidate))
    return sorted(found, key=lambda revision: (revision.number, revision.created_at or "", revision.name))


def current_number(workload: dict, known: list[Revision]) -> int | None:
    """The number of the revision that holds the workload's current template.

    None when there is none: the controller has not seen the template yet, or the Deployment is paused.
    """
    now = _pod_template(workload["spec"]["template"])
    return max((revision.number for revision in known if revision.template == now), default=None)


def revision_shown(workload: dict) -> str | None:
    """The newest revision as the object itself tells it: a Deployment's number, a StatefulSet's revision name."""
    return kinds.annotations(workload).get(REVISION) or kinds.field(workload, "status.updateRevision")


def same_template(workload: dict, revision: Revision) -> bool:
    """Whether the workload's current template is that of the revision."""
    return _pod_template(workload["spec"]["template"]) == revision.template


def without_restarts(template: dict) -> dict:
    """A pod template without what restarts write on it: two of these differ only where somebody deployed."""
    return _without(template, lambda name: name in restart.OURS)


def without_annotations(template: dict) -> dict:
    """A pod template without annotations."""
    return _without(template, lambda name: True)


def differences(older: Revision, newer: Revision) -> list[dict]:
    """How two revisions' templates differ: entries of path, before and after; None where a side has nothing.

    Values of environment variables may be secrets and read "(hidden)".
    """
    return [
        {"path": diff.path_text(path), "before": before, "after": after}
        for path, before, after in diff.changes(older.template, newer.template)
    ]


def selector(workload: dict) -> str:
    """The label selector of the workload as the API takes it in a query: all of spec.selector."""
    given = workload["spec"]["selector"]
    terms = [f"{name}={value}" for name, value in sorted((given.get("matchLabels") or {}).items())]
    for expression in given.get("matchExpressions") or []:
        name, operator = expression["key"], expression["operator"]
        values = ",".join(sorted(expression.get("values") or []))
        terms.append(_TERMS[operator].format(name=name, values=values))
    return ",".join(terms)


_TERMS = {
    "In": "{name} in ({values})",
    "NotIn": "{name} notin ({values})",
    "Exists": "{name}",
    "DoesNotExist": "!{name}",
}


def _selected(workload: dict, candidate: dict) -> bool:
    labels = kinds.field(candidate, "metadata.labels", {})
    given = workload["spec"]["selector"]
    return all(labels.get(name) == value for name, value in (given.get("matchLabels") or {}).items()) and all(
        _meets(labels, expression) for expression in given.get("matchExpressions") or []
    )


def _meets(labels: dict, expression: dict) -> bool:
    name, values = expression["key"], expression.get("values") or []
    return {
        "In": name in labels and labels[name] in values,
        "NotIn": name not in labels or labels[name] not in values,
        "Exists": name in labels,
        "DoesNotExist": name not in labels,
    }[expression["operator"]]


def _number(workload: dict, candidate: dict) -> int | None:
    if kinds.kind_of(workload).history == "ControllerRevision":
        return candidate.get("revision")
    return parse_number(kinds.annotations(candidate).get(REVISION, "0"))


def parse_number(text: str) -> int | None:
    """The revision number that an annotation holds, None when it holds none (Go reads no blanks, no underscores)."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _revision(number: int, owned: dict) -> Revision:
    metadata = owned["metadata"]
    template = _pod_template(kinds.field(owned, "spec.template") or kinds.field(owned, "data.spec.template", {}))
    written = kinds.field(template, "metadata.annotations", {})
    cause = kinds.annotations(owned).get(restart.CHANGE_CAUSE)
    if not cause and "data" not in owned:
        # kubectl falls back to the template's annotation for a ReplicaSet, not for a ControllerRevision.
        cause = written.get(restart.CHANGE_CAUSE)
    return Revision(
        number=number,
        name=metadata["name"],
        template=template,
        change_cause=cause or None,
        run=written.get(restart.RUN),
        reason=written.get(restart.REASON),
        ticket=written.get(restart.TICKET),
        operator=written.get(restart.OPERATOR),
        restarted_at=written.get(restart.RESTARTED_AT),
        created_at=metadata.get("creationTimestamp"),
        object=owned,
    )


def _pod_template(stored: dict) -> dict:
    """A template as its author would write it: without the hash that the Deployment controller adds, without the
    directive of a stored patch, and without the nulls and empty maps that some API versions write and others do not."""
    template = {name: value for name, value in stored.items() if name != "$patch"}
    metadata = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    labels = {name: value for name, value in metadata.get("labels", {}).items() if name != _HASH_LABEL}
    return _with_metadata(template, {**metadata, "labels": labels})


def _without(template: dict, drop) -> dict:
    metadata = template.get("metadata", {})
    kept = {name: value for name, value in metadata.get("annotations", {}).items() if not drop(name)}
    return _with_metadata(template, {**metadata, "annotations": kept})


def _with_metadata(template: dict, metadata: dict) -> dict:
    metadata = {name: value for name, value in metadata.items() if value}
    rest = {name: value for name, value in template.items() if name != "metadata"}
    return {"metadata": metadata, **rest} if metadata else rest
