# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which pods count: those of the newest revision that the controller still counts, and those that block it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.restartx.core.plugins.module_utils.rollout import history, kinds, restart, status
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, condition
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import is_dead


def newest_pods(workload: Object, pods: Sequence[Object], revision: str | None = None) -> list[Object]:
    """The pods of the newest revision of the workload, by name; none until the controller has created some.

    `revision` is the value of the hash label, which the controllers set, if it is known. A StatefulSet has it in its
    status. Otherwise pods are recognized by the annotations and labels of their template. If revisions do not differ in
    those, the one with the images of the template counts, and then the one whose first pod is the youngest. Pods that
    failed, succeeded or are being deleted will be replaced, so they do not count.
    """
    groups = _groups(workload, pods)
    revision = revision or kinds.kind_of(workload).newest_hash(workload)
    if revision:
        return _by_name(groups.get(revision, []))
    images = _images(kinds.field(workload, "spec.template.spec", {}))
    newest = max(
        (group for group in groups.values() if _made_from(workload, group[0])),
        key=lambda group: (_images(group[0]["spec"]) >= images, min(map(created, group))),
        default=[],
    )
    return _by_name(newest)


def undecided(workload: Object, pods: Sequence[Object]) -> frozenset[str]:
    """The hash labels of pods for which only the revisions of the workload show whether they are of the newest one.

    This is the case if an admission policy has changed or removed the marks of a restart, or if a template has none.
    Empty if no further request is needed.
    """
    groups = _groups(workload, pods)
    if not groups or kinds.kind_of(workload).newest_hash(workload):
        return frozenset()
    matching = [group for group in groups.values() if _made_from(workload, group[0])]
    marked = restart.RESTARTED_AT in kinds.template_annotations(workload)
    images = _images(kinds.field(workload, "spec.template.spec", {}))
    if len(matching) == 1 and (marked or _images(matching[0][0]["spec"]) >= images):
        return frozenset()
    return frozenset(groups)


def newest_revision(workload: Object, owned: Sequence[Object]) -> Object | None:
    """The ReplicaSet or ControllerRevision with the current template of the workload; None if there is none yet.

    `owned` may contain those of other workloads.
    """
    known = history.revisions(workload, list(owned))
    number = history.current_number(workload, known)
    return next((revision.object for revision in reversed(known) if revision.number == number), None)


def holding_up(workload: Object, pods: Iterable[Object]) -> list[Object]:
    """The pods of the workload that are being deleted and block the rollout until they are gone."""
    kind = kinds.kind_of(workload)
    if status.judge(workload).state == status.DONE:
        return []
    return [pod for pod in pods if terminating(pod) and kind.owns(workload, pod) and kind.waits_for(workload, pod)]


def terminating(pod: Object) -> bool:
    """Whether the pod is being deleted."""
    return bool(kinds.field(pod, "metadata.deletionTimestamp"))


def active(pod: Object) -> bool:
    """Whether controllers count the pod (FilterActivePods in Kubernetes' controller_utils.go)."""
    return not terminating(pod) and not is_dead(pod)


def ready(pod: Object) -> bool:
    """Whether the pod counts as ready."""
    return condition(pod, "Ready").get("status") == "True"


def created(pod: Object) -> str:
    """The creationTimestamp of the pod."""
    return pod["metadata"].get("creationTimestamp", "")


def _groups(workload: Object, pods: Sequence[Object]) -> dict[str, list[Object]]:
    """The active pods of the workload, by the revision in their hash label."""
    kind = kinds.kind_of(workload)
    groups: dict[str, list[Object]] = {}
    for pod in pods:
        if active(pod) and kind.owns(workload, pod):
            groups.setdefault(kind.revision_of(pod) or "", []).append(pod)
    return groups


def _made_from(workload: Object, pod: Object) -> bool:
    """Whether the pod can come from the current template. Admission may add annotations, but no marks of a restart."""
    template = kinds.field(workload, "spec.template.metadata", {})
    theirs, ours = kinds.annotations_of(pod), template.get("annotations") or {}
    restarts = all(theirs.get(name) == ours.get(name) for name in restart.OURS)
    labels = (template.get("labels") or {}).items() <= kinds.field(pod, "metadata.labels", {}).items()
    return restarts and labels and ours.items() <= theirs.items()


def _images(pod_spec: Object) -> set[tuple[str, str]]:
    return {(container["name"], container.get("image", "")) for container in pod_spec.get("containers", [])}


def _by_name(pods: Sequence[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: pod["metadata"]["name"])
