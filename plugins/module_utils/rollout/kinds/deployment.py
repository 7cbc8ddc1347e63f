# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deployments: their revisions are ReplicaSets, which own the pods."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.rollout import diff
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    annotations_of,
    condition,
    controller_of,
    field,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import (
    CHANGE_CAUSE,
    DONE,
    FAILED,
    WAITING,
    Kind,
    Patch,
    Verdict,
    is_dead,
    status_of,
)

REVISION = "deployment.kubernetes.io/revision"
# Annotations of a Deployment that an undo keeps. All others are restored from the old ReplicaSet.
_KEPT = (
    diff.LAST_APPLIED,
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


class Deployment(Kind):
    name = "Deployment"
    plural = "deployments"
    words = "deployment"
    short = "deploy"
    pausable = True
    history = "ReplicaSet"
    history_plural = "replicasets"
    hash_label = "pod-template-hash"
    revision_creates_pods = True
    strategy = "strategy"
    surge = "25%"
    unavailable = "25%"

    def judge(self, workload: Object, generation: int, revision: int) -> Verdict:
        name = workload["metadata"]["name"]
        pinned = _pinned(workload, revision) if revision > 0 else None
        if pinned:
            return Verdict(FAILED, pinned)
        if generation > status_of(workload, "observedGeneration"):
            return Verdict(WAITING, "Waiting for deployment spec update to be observed...")
        if self.given_up(workload):
            return Verdict(FAILED, f'deployment "{name}" exceeded its progress deadline')
        replicas, updated = field(workload, "spec.replicas"), status_of(workload, self.updated)
        prefix = f'Waiting for deployment "{name}" rollout to finish:'
        if replicas is not None and updated < replicas:
            return Verdict(WAITING, f"{prefix} {updated} out of {replicas} new replicas have been updated...")
        old = status_of(workload, self.present) - updated
        if old > 0:
            return Verdict(WAITING, f"{prefix} {old} old replicas are pending termination...")
        available = status_of(workload, self.available)
        if available < updated:
            return Verdict(WAITING, f"{prefix} {available} of {updated} updated replicas are available...")
        return Verdict(DONE, f'deployment "{name}" successfully rolled out')

    def given_up(self, workload: Object) -> Object:
        """kubectl reads only the first condition of this type, and ignores its status."""
        progressing = condition(workload, "Progressing")
        return progressing if progressing.get("reason") == "ProgressDeadlineExceeded" else {}

    def terminating_pods(self, workload: Object) -> str | None:
        """The controller counts terminating pods separately, including those of a scale-down."""
        ending = status_of(workload, "terminatingReplicas")
        if not ending:
            return None
        return "1 old pod is still terminating" if ending == 1 else f"{ending} old pods are still terminating"

    def missing_at_once(self, workload: Object) -> int:
        return self.wanted(workload) if self._recreates(workload) else super().missing_at_once(workload)

    def surge_at_once(self, workload: Object) -> int:
        return 0 if self._recreates(workload) else super().surge_at_once(workload)

    def keeps(self, workload: Object, healthy: int) -> int:
        return healthy if field(workload, "spec.paused") else super().keeps(workload, healthy)

    def _recreates(self, workload: Object) -> bool:
        return bool(self.strategy_of(workload).get("type") == "Recreate")

    def strategy_risks(self, workload: Object) -> list[str]:
        if self._recreates(workload):
            return ["its strategy is Recreate: all pods stop before new ones start, which is downtime"]
        return super().strategy_risks(workload)

    def hold_spec(self, workload: Object, pods: t.Sequence[Object]) -> Object:
        return {"paused": True}

    def release_spec(self, workload: Object, partition: int | None) -> Object:
        return {"paused": None}

    def is_held(self, workload: Object, partition: int | None) -> bool:
        return bool(field(workload, "spec.paused"))

    def restart_refusal(self, workload: Object) -> str | None:
        if not field(workload, "spec.paused"):
            return super().restart_refusal(workload)
        return (
            f"can't restart paused deployment (run rollout resume first): {self.label(workload)} is paused; "
            f"resume it with k8s_rollout_pause and state: resumed"
        )

    def revision_shown(self, workload: Object) -> str | None:
        return annotations_of(workload).get(REVISION)

    def revision_number(self, held: Object) -> int | None:
        """A ReplicaSet without a number is revision 0."""
        return _parse_number(annotations_of(held).get(REVISION, "0"))

    def revision_template(self, held: Object) -> Object:
        template: Object = field(held, "spec.template", {})
        return template

    def revision_cause(self, held: Object) -> str | None:
        """kubectl falls back to the template's annotation for a ReplicaSet, not for a ControllerRevision."""
        written = field(held, "spec.template.metadata.annotations", {})
        return super().revision_cause(held) or written.get(CHANGE_CAUSE) or None

    def undo_refusal(self, workload: Object) -> str | None:
        if not field(workload, "spec.paused"):
            return None
        words = "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
        return f"{words}: {self.label(workload)} is paused"

    def undo_patch(self, workload: Object, held: Object, template: Object, template_only: bool) -> Patch:
        """The resourceVersion is replaced, too: a `test` of it would fail with 422, which means bad input, not 409."""
        changes: list[Object] = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/spec/template", "value": template},
        ]
        if not template_only:
            annotations = self.annotations_after_undo(workload, held)
            changes.append({"op": "add", "path": "/metadata/annotations", "value": annotations})
        return Patch("json", changes)

    def annotations_after_undo(self, workload: Object, held: Object) -> dict[str, str]:
        now, then = annotations_of(workload), annotations_of(held)
        return {
            **{name: value for name, value in now.items() if name in _KEPT},
            **{name: value for name, value in then.items() if name not in _KEPT},
        }

    def no_earlier_revision(self, workload: Object) -> str:
        return f'no rollout history found for deployment "{workload["metadata"]["name"]}"'

    def workload_name(self, pod: Object) -> str | None:
        """The name of a ReplicaSet is that of the Deployment and the hash of its pods."""
        reference = controller_of(pod) or {}
        if reference.get("kind") != self.history:
            return None
        name: str = reference.get("name", "")
        return name.removesuffix(f"-{self.revision_of(pod) or ''}")

    def owns(self, workload: Object, pod: Object) -> bool:
        """By name, because the uids of ReplicaSets are not known here."""
        return self.workload_name(pod) == workload["metadata"]["name"]

    def waits_for(self, workload: Object, pod: Object) -> bool:
        """Only the strategy Recreate waits for old pods, except for dead ones (oldPodsRunning in Kubernetes'
        recreate.go)."""
        counts, recreates = self.counts(workload), self._recreates(workload)
        return recreates and counts.updated < counts.wanted and not is_dead(pod)


def _pinned(workload: Object, revision: int) -> str | None:
    """The error of kubectl for a Deployment that is not at the pinned revision; None if it is."""
    text = annotations_of(workload).get(REVISION, "0")
    running = _parse_number(text)
    if running is None:
        reason = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        return f'cannot get the revision of deployment "{workload["metadata"]["name"]}": {reason}'
    if running == revision:
        return None
    return f"desired revision ({revision}) is different from the running revision ({running})"


def _parse_number(text: str) -> int | None:
    """The revision number in an annotation; None if it is not a number (Go accepts no spaces or underscores)."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None
