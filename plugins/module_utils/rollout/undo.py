# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undo: which revision to go back to, the patch that does, and what stands in its way."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, history, kinds, owner, restart
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.history import Revision

# Annotations of a Deployment that an undo leaves as they are; all others come back as its old ReplicaSet has them.
_KEPT = (
    diff.LAST_APPLIED,
    history.REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)
_DEFAULT_HISTORY_LIMIT = 10


class Unchanged(RolloutError):
    """There is nothing to undo: the template already is that of the chosen revision."""

    def __init__(self, message: str, revision: Revision):
        super().__init__(message)
        self.revision = revision


def choose(workload: dict, revisions: list[Revision], to_revision: int = 0, run_id: str | None = None) -> Revision:
    """The revision to go back to: the previous one (0), the one numbered `to_revision`, or the one before run `run_id`.

    Rules, their order and first words: kubectl's polymorphichelpers/rollback.go. Raises RolloutError when there is no
    such revision or it must not be taken, Unchanged when the template is that one already.
    """
    if run_id is not None:
        chosen = _before_run(workload, revisions, run_id)
    elif to_revision:
        chosen = _numbered(workload, revisions, to_revision)
    else:
        chosen = _previous(workload, revisions)
    kind = kinds.kind_of(workload)
    if kind.pausable and kinds.field(workload, "spec.paused"):
        words = "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
        raise RolloutError(f"{words}: {kinds.label(workload)} is paused")
    if history.same_template(workload, chosen):
        words = f"skipped rollback (current template already matches revision {chosen.number})"
        raise Unchanged(words, chosen)
    if run_id is not None:
        _refuse_deployed(workload, chosen, run_id)
    return chosen


def patch(workload: dict, revision: Revision) -> tuple[str, list | dict]:
    """The patch that brings `revision` back, as (content, body); content is "json" or "strategic".

    Both carry the resourceVersion that was read, so that the server answers 409 when the object has changed since.
    (In a JSON patch that is a replacement of the field: a `test` would fail with 422, which means bad input.)
    """
    version = workload["metadata"]["resourceVersion"]
    if kinds.kind_of(workload).history == "ControllerRevision":
        return "strategic", {**revision.object["data"], "metadata": {"resourceVersion": version}}
    return "json", [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/spec/template", "value": revision.template},
        {"op": "add", "path": "/metadata/annotations", "value": _annotations_after(workload, revision)},
    ]


def lost_annotations(workload: dict, revision: Revision) -> dict[str, str]:
    """The annotations of the workload that the undo removes or sets back, with the values that are lost.

    Only a Deployment loses any: it gets those that its old ReplicaSet has.
    """
    if kinds.kind_of(workload).history == "ControllerRevision":
        return {}
    after = _annotations_after(workload, revision)
    return {name: value for name, value in kinds.annotations(workload).items() if after.get(name) != value}


def stale_last_applied(workload: dict) -> str | None:
    """kubectl's warning about an object that was made with kubectl apply, None for others."""
    if diff.LAST_APPLIED not in kinds.annotations(workload):
        return None
    resource = f"{kinds.kind_of(workload).plural}/{workload['metadata']['name']}"
    return (
        f"resource {resource} was previously managed with 'kubectl apply'. "
        f"Rolling back will not update the {diff.LAST_APPLIED} annotation, which may cause unexpected behavior on "
        f"future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file "
        f"instead."
    )


def last_deploy_warning(workload: dict, revisions: list[Revision]) -> str | None:
    """A warning when one more restart drops the last revision whose template is not merely a restart of the current.

    Each restart makes a revision, and the controllers keep spec.revisionHistoryLimit old ones.
    """
    limit = kinds.field(workload, "spec.revisionHistoryLimit", _DEFAULT_HISTORY_LIMIT)
    current = history.current_number(workload, revisions)
    if current is None:
        return None
    now = history.without_restarts(next(r.template for r in revisions if r.number == current))
    older = [revision for revision in reversed(revisions) if revision.number < current]
    for place, revision in enumerate(older, start=1):
        if history.without_restarts(revision.template) != now:
            if place < limit:
                return None
            return (
                f"one more restart of {kinds.label(workload)} drops revision {revision.number}, the last one that "
                f"differs in more than restarts; raise spec.revisionHistoryLimit ({limit}) to keep it for an undo"
            )
    return None


def stuck_pods(statefulset: dict, pods: list[dict]) -> list[dict]:
    """The pods that must be deleted so that the revision wanted now can come back, in the order to delete them.

    With the OrderedReady policy the controller waits for every pod to be ready before it replaces one, so a pod that
    never gets ready keeps its own successor away (kubernetes#67250). Named are pods of this StatefulSet that are not
    ready, are of another revision than the one wanted, and that the controller would make anew of the one wanted.
    Nothing is named while the controller has not seen the newest spec, for then the wanted revision is not known.
    """
    spec, status = statefulset["spec"], statefulset.get("status") or {}
    ordered = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    rolling = kinds.field(spec, "updateStrategy.type", "RollingUpdate") == "RollingUpdate"
    seen = status.get("observedGeneration", 0) >= statefulset["metadata"].get("generation", 0)
    wanted = status.get("updateRevision")
    if not (ordered and rolling and seen and wanted):
        return []
    uid = statefulset["metadata"]["uid"]
    stuck = [
        pod
        for pod in pods
        if owner.controller_uid(pod) == uid
        and _hash(pod) not in (None, wanted)
        and not _ready(pod)
        and not kinds.field(pod, "metadata.deletionTimestamp")
        and kinds.field(pod, "status.phase") not in ("Failed", "Succeeded")  # the controller replaces those itself
        and _ordinal(pod) >= _first_replaced(spec, status, pod)
    ]
    return sorted(stuck, key=_ordinal, reverse=True)


def _previous(workload: dict, revisions: list[Revision]) -> Revision:
    """kubectl takes the second highest number. While the controller has not seen the current template, which then has
    no revision of its own, that would be one too far back: the highest number of another template is the previous."""
    if kinds.field(workload, "metadata.generation", 0) > kinds.field(workload, "status.observedGeneration", 0):
        earlier = [revision for revision in revisions if not history.same_template(workload, revision)]
    else:
        newest = max(revisions, key=lambda revision: revision.number, default=None)
        earlier = [revision for revision in revisions if revision is not newest]
    if not earlier:
        raise RolloutError(_no_history(workload))
    return max(earlier, key=lambda revision: revision.number)


def _numbered(workload: dict, revisions: list[Revision], number: int) -> Revision:
    for revision in revisions:
        if revision.number == number > 0:
            return revision
    known = ", ".join(str(revision.number) for revision in revisions) or "no revisions"
    raise RolloutError(f"unable to find specified revision {number} in history; {kinds.label(workload)} has {known}")


def _before_run(workload: dict, revisions: list[Revision], run_id: str) -> Revision:
    name = kinds.label(workload)
    carried = restart.run_of(workload)
    if carried != run_id:
        instead = f'run "{carried}"' if carried else "no run"
        raise RolloutError(f'{name} does not carry run "{run_id}" but {instead}; there is nothing of that run to undo')
    current = history.current_number(workload, revisions)
    below = [r for r in revisions if r.run != run_id and (current is None or r.number < current)]
    if not below:
        raise RolloutError(_no_history(workload))
    return max(below, key=lambda revision: revision.number)


def _refuse_deployed(workload: dict, chosen: Revision, run_id: str) -> None:
    now = history.without_annotations(workload["spec"]["template"])
    paths = [
        diff.path_text(path) for path, _old, _new in diff.changes(history.without_annotations(chosen.template), now)
    ]
    if paths:
        raise RolloutError(
            f'{kinds.label(workload)} differs from revision {chosen.number}, the one before run "{run_id}", in '
            f"more than annotations ({', '.join(paths)}): somebody deployed; use to_revision: {chosen.number} to "
            f"undo that too"
        )


def _no_history(workload: dict) -> str:
    name = workload["metadata"]["name"]
    where = kinds.label(workload)
    if kinds.kind_of(workload).history == "ReplicaSet":
        return f'no rollout history found for deployment "{name}": {where} has no earlier revision'
    return f"no last revision to roll back to: {where} has no earlier revision"


def _annotations_after(workload: dict, revision: Revision) -> dict[str, str]:
    now, then = kinds.annotations(workload), kinds.annotations(revision.object)
    return {
        **{name: value for name, value in now.items() if name in _KEPT},
        **{name: value for name, value in then.items() if name not in _KEPT},
    }


def _first_replaced(spec: dict, status: dict, pod: dict) -> int:
    """The lowest ordinal at which the controller would make this pod anew of the wanted revision
    (newVersionedStatefulSetPod in its stateful_set_utils.go); it makes those below of the revision they had."""
    start = kinds.field(spec, "ordinals.start", 0)
    rolling = kinds.field(spec, "updateStrategy.rollingUpdate")
    if rolling is not None:
        return start + (rolling.get("partition") or 0)
    itself = _hash(pod) == status.get("currentRevision")
    return start + status.get("currentReplicas", 0) - (1 if itself else 0)


def _hash(pod: dict) -> str | None:
    return kinds.field(pod, "metadata.labels", {}).get(kinds.KINDS["StatefulSet"].hash_label)


def _ordinal(pod: dict) -> int:
    text = pod["metadata"]["name"].rpartition("-")[2]
    return int(text) if text.isdecimal() else -1


def _ready(pod: dict) -> bool:
    conditions = kinds.field(pod, "status.conditions", [])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
