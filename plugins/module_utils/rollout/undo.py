# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undo: the revision to go back to, the patch, and the reasons for a refusal."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout import diff, history, kinds, marks
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.history import Revision
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, history_limit
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import Patch


class Unchanged(RolloutError):
    """There is nothing to undo: the template already is that of the chosen revision."""

    def __init__(self, message: str, revision: Revision):
        super().__init__(message)
        self.revision = revision


def choose(workload: Object, revisions: list[Revision], to_revision: int = 0, run_id: str | None = None) -> Revision:
    """The revision to go back to: the previous one (0), the one numbered `to_revision`, or the one before run `run_id`.

    Rules, their order and the start of messages: kubectl's polymorphichelpers/rollback.go. Raises RolloutError if there
    is no such revision or if it is refused, and Unchanged if the template is already that of the revision.
    """
    if run_id is not None:
        chosen = _before_run(workload, revisions, run_id)
    elif to_revision:
        chosen = _numbered(workload, revisions, to_revision)
    else:
        chosen = _previous(workload, revisions)
    refusal = kinds.kind_of(workload).undo_refusal(workload)
    if refusal:
        raise RolloutError(refusal)
    if history.same_template(workload, chosen):
        words = f"skipped rollback (current template already matches revision {chosen.number})"
        raise Unchanged(words, chosen)
    if run_id is not None:
        _refuse_deployed(workload, chosen, run_id)
    return chosen


def patch(workload: Object, revision: Revision, template_only: bool = False) -> Patch:
    """The patch that restores `revision`; its content is "json" or "strategic".

    Like kubectl's, it also restores the annotations of a Deployment, unless it is `template_only`. It contains the
    resourceVersion that was read, so that the server answers 409 if the object has changed since.
    """
    return kinds.kind_of(workload).undo_patch(workload, revision.object, revision.template, template_only)


def lost_annotations(workload: Object, revision: Revision) -> dict[str, str]:
    """The annotations of the workload that an undo like kubectl's removes or changes, with the values that are lost.

    Only a Deployment loses any: it gets the annotations of its old ReplicaSet.
    """
    after = kinds.kind_of(workload).annotations_after_undo(workload, revision.object)
    return {name: value for name, value in kinds.annotations_of(workload).items() if after.get(name) != value}


def stale_last_applied(workload: Object) -> str | None:
    """The warning of kubectl about an object that was created with kubectl apply; None for others."""
    if diff.LAST_APPLIED not in kinds.annotations_of(workload):
        return None
    resource = f"{kinds.kind_of(workload).plural}/{workload['metadata']['name']}"
    return (
        f"resource {resource} was previously managed with 'kubectl apply'. "
        f"Rolling back will not update the {diff.LAST_APPLIED} annotation, which may cause unexpected behavior on "
        f"future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file "
        f"instead."
    )


def last_deploy_warning(workload: Object, revisions: list[Revision]) -> str | None:
    """A warning if one more restart drops the last revision that differs from the current one in more than restarts.

    Each restart creates a revision, and the controllers keep spec.revisionHistoryLimit old ones.
    """
    limit = history_limit(workload)
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


def stuck_pods(workload: Object, pods: list[Object]) -> list[Object]:
    """The pods that must be deleted so that the requested revision can roll out, in the order to delete them."""
    return kinds.kind_of(workload).stuck_pods(workload, pods)


def _previous(workload: Object, revisions: list[Revision]) -> Revision:
    """The revision before the current template. kubectl takes the second highest number.

    That is wrong while the current template has no revision: the controller has not seen it yet, or it waits for old
    pods to terminate first (strategy Recreate). Then the highest revision with another template is the previous one.
    """
    seen = kinds.field(workload, "metadata.generation", 0) <= kinds.field(workload, "status.observedGeneration", 0)
    if seen and history.current_number(workload, revisions) is not None:
        newest = max(revisions, key=lambda revision: revision.number)
        earlier = [revision for revision in revisions if revision is not newest]
    else:
        earlier = [revision for revision in revisions if not history.same_template(workload, revision)]
    if not earlier:
        raise RolloutError(_no_history(workload))
    return max(earlier, key=lambda revision: revision.number)


def _numbered(workload: Object, revisions: list[Revision], number: int) -> Revision:
    for revision in revisions:
        if revision.number == number > 0:
            return revision
    known = ", ".join(str(revision.number) for revision in revisions) or "no revisions"
    words = f"unable to find specified revision {number} in history; {kinds.label(workload)} has {known}"
    raise RolloutError(words + _why_gone(workload))


def _before_run(workload: Object, revisions: list[Revision], run_id: str) -> Revision:
    if marks.run_of(workload) != run_id:
        words = f'{kinds.label(workload)} does not carry run "{run_id}" but {marks.carried(workload)}'
        raise RolloutError(f"{words}; there is nothing of that run to undo")
    current = history.current_number(workload, revisions)
    below = [r for r in revisions if r.run != run_id and (current is None or r.number < current)]
    if not below:
        raise RolloutError(_no_history(workload))
    return max(below, key=lambda revision: revision.number)


def _refuse_deployed(workload: Object, chosen: Revision, run_id: str) -> None:
    """Only changes of the run itself may be reverted: its marks, and the annotations that were given with it."""
    ours = {*marks.OURS, *marks.written_beside(workload)}
    then, now = (history.without(template, ours) for template in (chosen.template, workload["spec"]["template"]))
    paths = [diff.path_text(path) for path, _old, _new in diff.changes(then, now)]
    if paths:
        raise RolloutError(
            f'{kinds.label(workload)} differs from revision {chosen.number}, the one before run "{run_id}", in '
            f"more than that restart ({', '.join(paths)}): somebody deployed; use to_revision: {chosen.number} to "
            f"undo that too"
        )


def _no_history(workload: Object) -> str:
    kind = kinds.kind_of(workload)
    words = f"{kind.no_earlier_revision(workload)}: {kind.label(workload)} has no earlier revision"
    return words + _why_gone(workload)


def _why_gone(workload: Object) -> str:
    if history_limit(workload) > 0:
        return ""
    return (
        ", because its spec.revisionHistoryLimit is 0 and so the cluster keeps none; deploy the version that you want, "
        "and raise the limit to be able to undo"
    )
