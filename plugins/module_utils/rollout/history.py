# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The revisions of a workload, from its ReplicaSets or ControllerRevisions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, kinds, labels, marks, owner
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.deployment import REVISION
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Kind

# Names that callers import from here although they are defined elsewhere.
__all__ = ["REVISION"]

HASH_LABELS = frozenset(kind.hash_label for kind in kinds.KINDS.values())


@dataclass(frozen=True)
class Revision:
    """One revision: its number, its pod template, and what was recorded when it was created.

    `run`, `reason`, `ticket` and `operator` belong to the restart that created it; None if restartx did not.

    Times are RFC 3339 as the API has them; `object` is the ReplicaSet or ControllerRevision itself.
    """

    number: int
    name: str
    template: Object
    change_cause: str | None
    run: str | None
    reason: str | None
    ticket: str | None
    operator: str | None
    restarted_at: str | None
    created_at: str | None
    object: Object = field(repr=False)


def revisions(workload: Object, owned: list[Object]) -> list[Revision]:
    """The revisions of `workload`, ascending, from `owned`: ReplicaSets or ControllerRevisions of its namespace.

    `owned` may contain those of other workloads: a revision counts if the full selector matches it and its controller
    is exactly this object. Rules: kubectl's polymorphichelpers/history.go and util/deployment/deployment.go. A revision
    whose number cannot be read is left out.
    """
    kind, uid = kinds.kind_of(workload), workload["metadata"]["uid"]
    found = []
    for candidate in owned:
        number = kind.revision_number(candidate)
        if number is not None and owner.controller_uid(candidate) == uid and _selected(workload, candidate):
            found.append(_revision(kind, number, candidate))
    return sorted(found, key=lambda revision: (revision.number, revision.created_at or "", revision.name))


def current_number(workload: Object, known: list[Revision]) -> int | None:
    """The number of the revision with the current template of the workload.

    None if there is none: the controller has not seen the template yet, or the Deployment is paused.
    """
    now = _pod_template(workload["spec"]["template"])
    return max((revision.number for revision in known if revision.template == now), default=None)


def revision_shown(workload: Object) -> str | None:
    """The newest revision that the object itself shows: a number for a Deployment, a name for a StatefulSet."""
    return kinds.kind_of(workload).revision_shown(workload)


def same_template(workload: Object, revision: Revision) -> bool:
    """Whether the workload's current template is that of the revision."""
    return _pod_template(workload["spec"]["template"]) == revision.template


def without_restarts(template: Object) -> Object:
    """A pod template without the annotations of restarts. Two of these differ only after a deployment."""
    return _without(template, marks.OURS)


def without(template: Object, annotations: Collection[str]) -> Object:
    """A pod template without these annotations, normalized across API versions."""
    return _without(_pod_template(template), annotations)


def differences(older: Revision, newer: Revision) -> list[Object]:
    """The differences of the templates of two revisions: path, before and after; None for a missing value.

    Values of environment variables may be secrets and read "(hidden)".
    """
    return [
        {"path": diff.path_text(path), "before": before, "after": after}
        for path, before, after in diff.changes(older.template, newer.template)
    ]


def selector(workload: Object) -> str:
    """The whole spec.selector of the workload as a label selector for a query."""
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


def _selected(workload: Object, candidate: Object) -> bool:
    return labels.matches(workload["spec"]["selector"], kinds.labels_of(candidate))


def _revision(kind: Kind, number: int, owned: Object) -> Revision:
    metadata = owned["metadata"]
    template = _pod_template(kind.revision_template(owned))
    written = kinds.field(template, "metadata.annotations", {})
    ours = marks.read(written)
    return Revision(
        number=number,
        name=metadata["name"],
        template=template,
        change_cause=kind.revision_cause(owned),
        run=ours.run if ours else None,
        reason=ours.reason if ours else None,
        ticket=ours.ticket if ours else None,
        operator=ours.operator if ours else None,
        restarted_at=written.get(marks.RESTARTED_AT),
        created_at=metadata.get("creationTimestamp"),
        object=owned,
    )


def _pod_template(stored: Object) -> Object:
    """A template without the hash that the Deployment controller adds, without the directive of a stored patch, and
    without the nulls and empty maps that only some API versions write."""
    template = {name: value for name, value in stored.items() if name != "$patch"}
    metadata = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    kept = {name: value for name, value in metadata.get("labels", {}).items() if name not in HASH_LABELS}
    return _with_metadata(template, {**metadata, "labels": kept})


def _without(template: Object, annotations: Collection[str]) -> Object:
    metadata = template.get("metadata", {})
    kept = {name: value for name, value in metadata.get("annotations", {}).items() if name not in annotations}
    return _with_metadata(template, {**metadata, "annotations": kept})


def _with_metadata(template: Object, metadata: Object) -> Object:
    metadata = {name: value for name, value in metadata.items() if value}
    rest = {name: value for name, value in template.items() if name != "metadata"}
    return {"metadata": metadata, **rest} if metadata else rest
