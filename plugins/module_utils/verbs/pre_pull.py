# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pulls the images of workloads on the nodes that their pods may use."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
)
from ansible_collections.restartx.core.plugins.module_utils.engine.controller import LOOK_EVERY, Abandoned
from ansible_collections.restartx.core.plugins.module_utils.pulling import answer, job
from ansible_collections.restartx.core.plugins.module_utils.pulling.answer import Answer
from ansible_collections.restartx.core.plugins.module_utils.pulling.wanted import Pull, wanted
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, controller_of
from ansible_collections.restartx.core.plugins.module_utils.rollout.words import some
from ansible_collections.restartx.core.plugins.module_utils.schedule import duration
from ansible_collections.restartx.core.plugins.module_utils.verbs import permissions, pipeline
from ansible_collections.restartx.core.plugins.module_utils.verbs.call import Call
from ansible_collections.restartx.core.plugins.module_utils.verbs.required import Access

SHOWN = 3  # failures, permissions and namespaces in one sentence
DELETING = 10.0  # seconds for the request that deletes a Job
LOOKS_FOR_EVENT = 3  # events arrive after the status that they explain


def pre_pull(call: Call) -> dict:
    """Pulls each image that a node of the workloads lacks. Returns the result of the module."""
    most, timeout = t.cast(int, call.count("max_pods", least=1)), t.cast(float, call.span("pull_timeout"))
    plan = None
    if call.params["plan"] is not None:
        call.refuse_beside("plan", "set it in the plan")
        plan = call.checked_plan()
    found = pipeline.find(call, plan.entries if plan else call.entries(), call.params["allow_empty"])
    workloads = list(found.objects.values())
    _check_permissions(call, workloads)
    todo = wanted(workloads, call.cluster.list("/api/v1/nodes").items)
    results = [Result(one, Answer(answer.PRESENT)) for one in todo.present]
    if call.check_mode:
        results += [Result(one, Answer(answer.PLANNED)) for one in todo.pulls]
    else:
        results += Puller(call, todo.pulls, most, timeout).run()
    return _result(results, todo.notes)


@dataclass(frozen=True)
class Result:
    """What became of a pull. `seconds` is how long the kubelet pulled."""

    pull: Pull
    answer: Answer
    seconds: float | None = None

    def told(self) -> dict:
        pull = self.pull
        return {
            "node": pull.node,
            "image": pull.image,
            "namespace": pull.namespace,
            "outcome": self.answer.outcome,
            "seconds": self.seconds,
            "message": self.answer.message,
        }


def _result(results: t.Sequence[Result], notes: t.Sequence[str]) -> dict:
    counts = Counter(one.answer.outcome for one in results)
    result = {
        "changed": bool(counts[answer.PULLED] or counts[answer.PLANNED]),
        "images": [one.told() for one in results],
        "notes": list(notes),
        "summary": dict(counts),
    }
    failed = [one for one in results if one.answer.outcome == answer.FAILED]
    if failed:
        sentences = [f"{one.pull.image} on node {one.pull.node} ({one.answer.message})" for one in failed]
        pulls = f"{len(failed)} of {len(results)} images" if len(results) > 1 else "the image"
        result["msg"] = f"{pulls} could not be pulled: {some(sentences, SHOWN, '; ')}"
    return result


def _check_permissions(call: Call, workloads: t.Sequence[Object]) -> None:
    """Raises RolloutError that names every permission that is missing."""
    namespaces = list(dict.fromkeys(workload["metadata"]["namespace"] for workload in workloads))
    asked = [Access("list", "", "nodes", None)]
    for namespace in namespaces:
        asked += [Access(verb, "batch", "jobs", namespace) for verb in ("create", "delete")]
        asked.append(Access("list", "", "pods", namespace))
    lacking = permissions.denied(call, asked)
    if not lacking:
        return
    kubectl = f"kubectl --context {call.cluster.context}" if call.cluster.context else "kubectl"
    commands = [f"{kubectl} apply -f rbac/pre_pull.yml"]
    commands += [
        f"{kubectl} create rolebinding restartx-pre-pull --clusterrole restartx-pre-pull "
        f"--serviceaccount restartx-system:restartx --namespace {namespace}"
        for namespace in dict.fromkeys(one.namespace for one in lacking if one.namespace)
    ][:SHOWN]
    raise RolloutError(
        f"permission is missing on {call.cluster.context or call.cluster.host}: to {some(list(map(str, lacking)), SHOWN)}; "
        f"an administrator can grant it with: {'; '.join(commands)}"
    )


@dataclass
class _Active:
    """A Job that has been created. `looks` counts how often its end was seen without the event that explains it."""

    pull: Pull
    name: str
    began: float
    has_pod: bool = False
    looks: int = 0


class Puller:
    """Carries pulls out: a few at once, and one at once on each node. It deletes each Job that it has created."""

    def __init__(self, call: Call, pulls: t.Sequence[Pull], most: int, timeout: float) -> None:
        self._call, self._most, self._timeout = call, most, timeout
        self._waiting, self._number = list(pulls), len(pulls)
        self._id = call.new_run_id()
        self._active: list[_Active] = []
        self._made = 0
        self._results: list[Result] = []
        self._there: set[tuple[str, str]] = set()  # node and image

    def run(self) -> list[Result]:
        """The results, in the order in which they were known. Raises ClusterError and Abandoned."""
        call = self._call
        try:
            while True:
                if not call.controller.alive():
                    raise Abandoned(call.controller.reason)
                self._start()
                if not (self._active or self._waiting):
                    return self._results
                call.progress.waits(self._words())
                call.clock.sleep(LOOK_EVERY)
                self._look()
        finally:
            call.progress.waits("")
            for one in self._active:
                self._delete(one)

    def _words(self) -> str:
        now = [f"{one.pull.image} on {one.pull.node}" for one in self._active]
        return f"{len(self._results)} of {self._number} images are done; pulling {some(now, SHOWN)}"

    def _start(self) -> None:
        """Creates Jobs as far as the limits allow."""
        busy, later = {one.pull.node for one in self._active}, []
        for place, pull in enumerate(self._waiting):
            if len(self._active) >= self._most:
                later += self._waiting[place:]
                break
            if pull.node in busy:
                later.append(pull)
            elif (pull.node, pull.image) in self._there:
                self._results.append(Result(pull, Answer(answer.PRESENT)))
            elif self._create(pull, later):
                busy.add(pull.node)
        self._waiting = later

    def _create(self, pull: Pull, later: list[Pull]) -> bool:
        """Whether the Job was created. A Job that admission refuses is the result of its pull. One that is to be created
        again, such as after two changes of a quota at once, comes `later`."""
        self._made += 1
        one = _Active(pull, f"restartx-pre-pull-{self._id}-{self._made}", self._call.clock.monotonic())
        body = job.manifest(pull, one.name, self._id, self._timeout)
        self._active.append(one)  # before it is known: an answer may get lost
        try:
            self._call.cluster.create(job.path(pull.namespace), body, resend=True)
        except Conflict as error:
            if error.reason == "AlreadyExists":  # the copy of a request that got no answer
                return True
            self._active.remove(one)
            later.append(pull)
            return False
        except ClusterError as error:
            if not error.refusal:
                raise
            self._active.remove(one)
            self._results.append(Result(pull, Answer(answer.FAILED, error.refusal)))
            return False
        return True

    def _look(self) -> None:
        """Takes what pods and events show."""
        pods: dict[str, Object] = {}
        for namespace in dict.fromkeys(one.pull.namespace for one in self._active):
            path, mine = kinds.pods_path(namespace), {"labelSelector": f"{job.LABEL}={self._id}"}
            for pod in self._call.cluster.list(path, mine).items:
                pods[(controller_of(pod) or {}).get("name", "")] = pod
        for one in list(self._active):
            result = self._judge(one, pods.get(one.name))
            if result:
                self._active.remove(one)
                self._delete(one)
                self._results.append(result)
                if result.answer.outcome != answer.FAILED:
                    self._there.add((one.pull.node, one.pull.image))

    def _judge(self, one: _Active, pod: Object | None) -> Result | None:
        took = self._call.clock.monotonic() - one.began
        if pod is None:
            found = self._without_pod(one)
        else:
            one.has_pod, found = True, answer.of_pod(pod)
        if found and found.outcome == answer.PULLED and pod:
            return self._pulled(one, pod, took)
        if found is None and took >= self._timeout:
            found = Answer(answer.FAILED, f"it was not pulled within {duration.text(self._timeout)}")
        return Result(one.pull, found) if found else None

    def _without_pod(self, one: _Active) -> Answer | None:
        if one.has_pod:
            return Answer(answer.FAILED, "the pod that pulled it was deleted")
        return answer.refused(self._events(one, f"involvedObject.kind=Job,involvedObject.name={one.name}") or ())

    def _pulled(self, one: _Active, pod: Object, took: float) -> Result | None:
        """The result of a pull that is done: with the seconds that the kubelet tells, or else about how long it took."""
        events = self._events(one, f"involvedObject.uid={pod['metadata']['uid']}")
        told = answer.refined(events) if events is not None else None
        if told:
            outcome, seconds = told
            return Result(one.pull, Answer(outcome), None if seconds is None else round(seconds, 3))
        one.looks += 1
        if events is not None and one.looks < LOOKS_FOR_EVENT:
            return None
        return Result(one.pull, Answer(answer.PULLED), round(took, 3))

    def _events(self, one: _Active, fields: str) -> list[Object] | None:
        """The events of an object; None if they may not be read."""
        path = f"/api/v1/namespaces/{one.pull.namespace}/events"
        try:
            return list(self._call.cluster.list(path, {"fieldSelector": fields}).items)
        except Forbidden:
            return None

    def _delete(self, one: _Active) -> None:
        """Deletes a Job with its pod. If that fails, the cluster deletes it later."""
        try:
            body = {"propagationPolicy": "Background"}
            deadline = self._call.clock.monotonic() + DELETING
            self._call.cluster.delete(job.path(one.pull.namespace, one.name), body, deadline=deadline)
        except NotFound:
            pass
        except ClusterError as error:
            left = f'job "{one.name}" in namespace "{one.pull.namespace}" could not be deleted ({error})'
            self._call.warnings.append(f"{left}; the cluster deletes it soon after its end")
