# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The interface of a kind of workload."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import (
    Object,
    annotations_of,
    api_path,
    controller_of,
    field,
    labels_of,
    object_label,
    template_annotations,
)
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.strategy import Strategy

DONE = "done"
WAITING = "waiting"
FAILED = "failed"
CHANGE_CAUSE = "kubernetes.io/change-cause"


@dataclass(frozen=True)
class Verdict:
    """The status of a rollout: `state` is done, waiting or failed, and `message` is that of kubectl."""

    state: str
    message: str


@dataclass(frozen=True)
class Counts:
    """Numbers of pods of a workload: wanted in total, of the newest revision, ready, available, of older revisions."""

    wanted: int
    updated: int
    ready: int
    available: int
    old: int


class Patch(t.NamedTuple):
    """A patch for the API server. `content` is its kind: strategic, merge or json."""

    content: str
    body: t.Any


class Kind(Strategy):
    """One kind of workload in the group apps.

    The methods take plain API objects of this kind. They send no requests and change nothing. The last attributes are the
    names of the fields of `status` that count pods.
    """

    name: t.ClassVar[str]
    plural: t.ClassVar[str]
    words: t.ClassVar[str]  # as kubectl writes it in messages
    short: t.ClassVar[str]
    pausable: t.ClassVar[bool] = False
    history: t.ClassVar[str]  # the kind of the objects that hold old revisions
    history_plural: t.ClassVar[str]
    hash_label: t.ClassVar[str]  # the label that ties a pod to its revision
    revision_creates_pods: t.ClassVar[bool] = False  # whether the history object creates them, not the workload

    on_each_node: t.ClassVar[bool] = False  # whether it has one pod on each node, instead of a number of replicas
    updated: t.ClassVar[str] = "updatedReplicas"
    ready: t.ClassVar[str] = "readyReplicas"
    available: t.ClassVar[str] = "availableReplicas"
    present: t.ClassVar[str] = "replicas"

    # Names and paths

    @property
    def spellings(self) -> tuple[str, ...]:
        """The spellings of this kind that kubectl accepts, in lower case and without the group."""
        return self.name.lower(), self.plural, self.short

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The API path of one workload, of a namespace's workloads, or (without namespace) of all in the cluster."""
        return api_path("/apis/apps/v1", namespace, self.plural, name)

    def history_path(self, namespace: str | None = None) -> str:
        """The API path under which the old revisions of workloads of this kind are listed."""
        return api_path("/apis/apps/v1", namespace, self.history_plural)

    def label(self, workload: Object) -> str:
        """The name of a workload for messages: `deployment "api" in namespace "shop"`."""
        return object_label(self.words, workload)

    # The rollout

    @abc.abstractmethod
    def judge(self, workload: Object, generation: int, revision: int) -> Verdict:
        """Whether the rollout is done, as `kubectl rollout status` of 1.37 says (polymorphichelpers/rollout_status.go).

        It is not done before this `generation` was observed. A `revision` above 0 pins a Deployment to it.
        """

    def wanted(self, workload: Object) -> int:
        """How many pods there should be; 1 if spec.replicas is not set, which is the default of the API."""
        replicas: int = field(workload, "spec.replicas", 1)
        return replicas

    def counts(self, workload: Object) -> Counts:
        """The numbers of pods that the status reports."""
        updated = status_of(workload, self.updated)
        return Counts(
            wanted=self.wanted(workload),
            updated=updated,
            ready=status_of(workload, self.ready),
            available=status_of(workload, self.available),
            old=max(0, status_of(workload, self.present) - updated),
        )

    def given_up(self, workload: Object) -> Object:
        """The condition with which the controller gave up on a rollout, perhaps an earlier one; {} if there is none."""
        return {}

    def unavailable_pods(self, workload: Object) -> str | None:
        """Which pods of a rollout that kubectl calls done are not available yet; None if all are."""
        return None

    def terminating_pods(self, workload: Object) -> str | None:
        """Which old pods still terminate after kubectl calls the rollout done, and may serve; None if none do."""
        return None

    def held_back(self, workload: Object) -> str | None:
        """Which pods of a rollout that kubectl calls done are deliberately not replaced; None if all are replaced."""
        return None

    def no_pods(self, workload: Object) -> str | None:
        """Why there are no pods to replace; None if there are some, or if that is not known yet."""
        return "spec.replicas is 0" if self.wanted(workload) == 0 else None

    def hold_spec(self, workload: Object, pods: t.Sequence[Object]) -> Object:
        """The part of `spec` that keeps a rollout from replacing further pods; a pausable kind needs no `pods`."""
        return {}

    def release_spec(self, workload: Object, partition: int | None) -> Object:
        """The part of `spec` that lets the rollout continue. `partition` is the one before it was held."""
        return {}

    def is_held(self, workload: Object, partition: int | None) -> bool:
        """Whether the workload is held. `partition` is the one before; None if it is not known."""
        return False

    # The restart

    def restart_refusal(self, workload: Object) -> str | None:
        """Why a restart would replace no pod, as one sentence with what to do; None if it would replace some."""
        if self.strategy_of(workload).get("type") != "OnDelete":
            return None
        return (
            f"{self.label(workload)} has the update strategy OnDelete, so a restart would replace no pod; "
            "set it to RollingUpdate, or have its pods evicted one by one with the option between_pods"
        )

    def restart_patch(self, workload: Object, marks: t.Mapping[str, str | None], own: t.Mapping[str, str]) -> Patch:
        """The patch that restarts exactly the version of the workload that was read.

        `marks` are the annotations for the template (None removes one), `own` those for the workload itself.
        """
        metadata: Object = {"resourceVersion": workload["metadata"]["resourceVersion"]}
        if own:
            metadata["annotations"] = dict(own)
        template = {"metadata": {"annotations": dict(marks)}}
        return Patch("strategic", {"metadata": metadata, "spec": {"template": template}})

    def marks(self, workload: Object) -> dict[str, str]:
        """The current annotations in the place where a restart writes its marks."""
        return template_annotations(workload)

    # Revisions

    @abc.abstractmethod
    def revision_shown(self, workload: Object) -> str | None:
        """The newest revision that the workload itself shows."""

    @abc.abstractmethod
    def revision_number(self, held: Object) -> int | None:
        """The number of the revision in a history object; None if it cannot be read."""

    @abc.abstractmethod
    def revision_template(self, held: Object) -> Object:
        """The pod template in a history object, as it is stored."""

    def revision_cause(self, held: Object) -> str | None:
        """The change-cause in a history object."""
        return annotations_of(held).get(CHANGE_CAUSE) or None

    # The undo

    def undo_refusal(self, workload: Object) -> str | None:
        """Why no revision may be restored now, in the words of kubectl; None if one may."""
        return None

    @abc.abstractmethod
    def undo_patch(self, workload: Object, held: Object, template: Object, template_only: bool) -> Patch:
        """The patch that restores the revision in the history object `held`, whose template is `template`.

        kubectl also restores the annotations of some workloads, unless it is `template_only`.
        """

    def annotations_after_undo(self, workload: Object, held: Object) -> dict[str, str]:
        """The workload's own annotations after kubectl's undo."""
        return annotations_of(workload)

    def no_earlier_revision(self, workload: Object) -> str:
        """The error of kubectl if there is no earlier revision."""
        return "no last revision to roll back to"

    # Pods

    def workload_name(self, pod: Object) -> str | None:
        """The name of the workload of this kind that a pod belongs to, as far as the pod shows it; None for others."""
        reference = controller_of(pod) or {}
        return reference.get("name") if reference.get("kind") == self.name else None

    def owns(self, workload: Object, pod: Object) -> bool:
        """Whether a pod belongs to exactly this workload, as far as the pod shows it."""
        return (controller_of(pod) or {}).get("uid") == workload["metadata"]["uid"]

    def revision_of(self, pod: Object) -> str | None:
        """The hash of the revision from which a pod was created; None if it has none."""
        return labels_of(pod).get(self.hash_label)

    def may_stick(self, workload: Object) -> bool:
        """Whether a pod that is not ready can keep a newer revision from being rolled out."""
        return False

    def blocking_pods(self, workload: Object, pods: t.Sequence[Object]) -> list[Object]:
        """The pods that keep a newer revision from starting because they are not ready; the highest ordinal first."""
        return []

    def stuck_pods(self, workload: Object, pods: t.Sequence[Object]) -> list[Object]:
        """The pods that must be deleted so that the current revision can roll out, in the order to delete them."""
        return []

    def newest_hash(self, workload: Object) -> str | None:
        """The hash of the newest revision in the status; None if it is missing, or not for the current spec."""
        return None

    def hash_of(self, held: Object) -> str | None:
        """The hash of the pods of the revision in a history object."""
        return labels_of(held).get(self.hash_label)

    def waits_for(self, workload: Object, pod: Object) -> bool:
        """Whether the rollout cannot continue before a pod of the workload that is being deleted is gone."""
        return True


def observed(workload: Object) -> bool:
    """Whether the controller has observed the current spec, so that the status is about it."""
    seen: int = status_of(workload, "observedGeneration")
    return seen >= field(workload, "metadata.generation", 0)


def is_dead(pod: Object) -> bool:
    """Whether no container of a pod will ever run again: evicted, preempted, or on a node that was shut down."""
    return field(pod, "status.phase") in ("Failed", "Succeeded")


def status_of(workload: Object, name: str, default: t.Any = 0) -> t.Any:
    """A field of the workload's status; 0 if it is missing."""
    return field(workload, f"status.{name}", default)
